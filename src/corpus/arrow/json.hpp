// One value of an Arrow array as JSON.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <string>

namespace picochat::corpus {

// Lists, structs and maps become lists and objects (a map: a list of {"key", "value"}); what JSON has
// no kind for (times, decimals, durations) becomes the text that Arrow prints. NaN and infinities: null.
void append_arrow_json(std::string& out, const arrow::Array& array, int64_t row);

}  // namespace picochat::corpus
