// Bit-exact arithmetic on the CPU: the same bytes from run to run and for any number of threads.
#pragma once

#include <string>

namespace picochat::model {

// Training and inference on the CPU use our own kernels alone; this is for the matrix products of LibTorch's that remain
// (references, conversions). It makes MKL's independent of the number of threads and of memory alignment
// (MKL_CBWR=AVX512,STRICT where the processor has it, else AUTO,STRICT). MKL reads the variable once, so main()
// calls this before the first tensor operation. A value set by the user is left alone.
void set_deterministic_environment();

// The instruction level that our kernels were chosen for: "x86-64-v4", "x86-64-v3" or "x86-64".
// Results are reproducible within one level; golden files are keyed by it.
std::string instruction_level();

// Threads used by matrix products and kernels; 0: the cores this process may use.
void set_compute_threads(int threads);
int compute_threads();

}  // namespace picochat::model
