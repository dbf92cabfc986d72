// Markdown pieces that every report shares, and how they read a summary.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/base/json.hpp"

namespace picochat::evidence {

// A table; cells are escaped (pipes, newlines). Numeric-looking columns can be right-aligned with ":" in `align`.
std::string markdown_table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows,
                           std::string_view align = "");

// Text from outside, quoted so that it cannot become markup.
std::string markdown_block(std::string_view text, size_t max_chars = 600);
std::string markdown_inline(std::string_view text, size_t max_chars = 120);

// Follows keys through objects; null where one is missing.
base::Json at(const base::Json& value, std::initializer_list<const char*> keys);

// Figures for people: null is "not measured".
std::string figure(const base::Json& value, int decimals = 3);
std::string percent(const base::Json& rate);                               // "62.0%"
std::string percent(const base::Json& rate, const base::Json& interval);  // "62.0% [48.2, 74.1]"
std::string count(const base::Json& value);                                // "1,234"

}  // namespace picochat::evidence
