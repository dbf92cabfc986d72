#include <cstdlib>
#include <cstring>
#include <vector>

#include "model/kernels/table.hpp"

namespace picochat::model::kernels {

namespace level_base {
extern const Table<float> kFloatTable;
extern const Table<double> kDoubleTable;
extern const OptimizerTable kOptimizerTable;
extern const SamplingTable kSamplingTable;
}  // namespace level_base
namespace level_v3 {
extern const Table<float> kFloatTable;
extern const Table<double> kDoubleTable;
extern const OptimizerTable kOptimizerTable;
extern const SamplingTable kSamplingTable;
}  // namespace level_v3
namespace level_v4 {
extern const Table<float> kFloatTable;
extern const Table<double> kDoubleTable;
extern const OptimizerTable kOptimizerTable;
extern const SamplingTable kSamplingTable;
}  // namespace level_v4

namespace {

// The features that -march=x86-64-v3 and -v4 let the compiler use.
int detected_level() {
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return v4 ? 4 : v3 ? 3 : 1;
}

int level() {
  static const int chosen = [] {
    const int detected = detected_level();
    const char* wish = std::getenv("PICOCHAT_KERNELS");
    if (!wish) return detected;
    const int wished = std::strcmp(wish, "x86-64") == 0 ? 1 : std::strcmp(wish, "x86-64-v3") == 0 ? 3 : 4;
    return wished < detected ? wished : detected;
  }();
  return chosen;
}

}  // namespace

template <>
const Table<float>& table<float>() {
  return level() == 4 ? level_v4::kFloatTable : level() == 3 ? level_v3::kFloatTable : level_base::kFloatTable;
}

template <>
const Table<double>& table<double>() {
  return level() == 4 ? level_v4::kDoubleTable : level() == 3 ? level_v3::kDoubleTable : level_base::kDoubleTable;
}

const OptimizerTable& optimizer_table() {
  return level() == 4   ? level_v4::kOptimizerTable
         : level() == 3 ? level_v3::kOptimizerTable
                        : level_base::kOptimizerTable;
}

const SamplingTable& sampling_table() {
  return level() == 4 ? level_v4::kSamplingTable : level() == 3 ? level_v3::kSamplingTable : level_base::kSamplingTable;
}

template <typename T>
T* product_scratch() {
  struct Line {
    alignas(64) T values[64 / sizeof(T)];
  };
  static thread_local std::vector<Line> lines(kProductScratch * sizeof(T) / sizeof(Line));
  return lines.front().values;
}
template float* product_scratch<float>();
template double* product_scratch<double>();

}  // namespace picochat::model::kernels
