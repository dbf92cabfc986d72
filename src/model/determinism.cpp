#include "picochat/model/determinism.hpp"

#include <cstdlib>

#include <ATen/Parallel.h>

#include "model/kernels/table.hpp"
#include "picochat/base/threads.hpp"

namespace picochat::model {

void set_deterministic_environment() {
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  setenv("MKL_CBWR", avx512 ? "AVX512,STRICT" : "AUTO,STRICT", 0);
}

std::string instruction_level() { return kernels::table<float>().level; }

void set_compute_threads(int threads) { at::set_num_threads(threads > 0 ? threads : base::available_cores()); }

int compute_threads() { return at::get_num_threads(); }

}  // namespace picochat::model
