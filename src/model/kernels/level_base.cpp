#define PICOCHAT_LEVEL level_base
#define PICOCHAT_LEVEL_NAME "x86-64"
#include "model/kernels/level.inc"
