#define PICOCHAT_LEVEL level_v3
#define PICOCHAT_LEVEL_NAME "x86-64-v3"
#include "model/kernels/level.inc"
