// Folding for comparison: characters that readers take for the same become the same. Compatibility
// decomposition (wide and half-width forms, ligatures, styled letters, sub- and superscripts), full case folding,
// accents dropped, invisible characters dropped. Two spellings of a text that differ in nothing else fold
// to the same code points. Tables: tools/oracle/unicode_fold_tables.py.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace picochat::base {

// Room for what one code point folds to.
using FoldBuffer = std::array<char32_t, 4>;

// What `code_point` folds to: none (it vanishes), one, or up to four code points. The result lies in
// `buffer` or in static storage.
std::span<const char32_t> fold_code_point(char32_t code_point, FoldBuffer& buffer);

// The whole text, as UTF-8; bytes that are not UTF-8 become U+FFFD.
std::string fold_text(std::string_view text);

}  // namespace picochat::base
