// The normalisers of documents that this processor can run, for tests to compare.
#pragma once

#include <span>
#include <string_view>

namespace picochat::corpus {

// Writes the normalised text to `out`, which has room_for_normalized(text.size()) bytes. Returns its length.
using Normalizer = size_t (*)(std::string_view text, char* out);

size_t room_for_normalized(size_t text_bytes);

// The fastest first; never empty.
std::span<const Normalizer> normalizers();

}  // namespace picochat::corpus
