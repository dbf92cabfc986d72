#define PICOCHAT_LEVEL level_v4
#define PICOCHAT_LEVEL_NAME "x86-64-v4"
#include "model/kernels/level.inc"
