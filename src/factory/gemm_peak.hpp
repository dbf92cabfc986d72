// What matrix products reach on this machine: the roof that training is compared with.
#pragma once

namespace picochat::factory {

// FLOP/s of a float32 product of two square matrices with all compute threads, the best of `tries`; 0 when its result was wrong.
double measure_gemm_flops(int size, int tries);

}  // namespace picochat::factory
