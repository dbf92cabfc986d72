// One micro-batch as the model sees it: token rows of equal length, what to predict, and how much
// each prediction counts.
#pragma once

#include <cstdint>

namespace picochat::model {

using TokenId = uint32_t;  // the tokenizer's type

struct Batch {
  int64_t rows = 0;
  int64_t length = 0;
  const int32_t* tokens = nullptr;  // [rows * length]
  const int32_t* targets =
      nullptr;  // [rows * length]; targets[i] is predicted at position i; not read where the weight is 0
  const float* weights = nullptr;  // [rows * length], or null: uniform_weight everywhere
  float uniform_weight = 1;
  // [rows * length], or null: every row is one segment. Else the first position of the row that
  // token i may attend to, non-decreasing along a row; positions are counted from it.
  const int32_t* segment_start = nullptr;
  uint64_t dropout_key = 0;  // names the masks of this micro-batch; used when the config has dropout
};

}  // namespace picochat::model
