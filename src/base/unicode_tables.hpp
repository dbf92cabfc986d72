// Lower-casing as runs of code points that share one difference; the class tables are in unicode.hpp
// because the split scanner reads them inline.
#pragma once

#include <cstdint>

namespace picochat::base::detail {

// first, first + stride, ..., last map to themselves + difference.
struct LowerRun {
  uint32_t first, last;
  int32_t stride, difference;
};
extern const LowerRun kLowerRuns[];  // ascending
extern const int kLowerRunCount;

}  // namespace picochat::base::detail
