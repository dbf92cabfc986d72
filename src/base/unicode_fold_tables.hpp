// Folding of single characters: runs that share one difference, and what folds to none or several.
#pragma once

#include "base/unicode_tables.hpp"

namespace picochat::base::detail {

extern const LowerRun kFoldRuns[];  // ascending
extern const int kFoldRunCount;

struct FoldOther {
  uint32_t code_point;
  uint16_t offset, length;  // in kFoldPool
};
extern const FoldOther kFoldOthers[];  // ascending
extern const int kFoldOtherCount;
extern const char32_t kFoldPool[];

}  // namespace picochat::base::detail
