// Words of a text for the scoring rules, one after another without allocating for each.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace picochat::eval {

// Lower case by code point, typographic apostrophes and spaces made plain, U+2212 made '-'.
std::string fold(std::string_view text);

// Calls word(w) for each word of `text`, which is already folded unless case matters. The view is
// valid during the call only.
void for_each_word(std::string_view text, const std::function<void(std::string_view)>& word);

}  // namespace picochat::eval
