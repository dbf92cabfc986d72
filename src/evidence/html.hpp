// HTML pieces: escaped text, tables that scroll on a phone, a rate drawn with its interval.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "picochat/base/json.hpp"

namespace picochat::evidence::html {

std::string escaped(std::string_view text);
std::string element(std::string_view name, std::string_view text, std::string_view css_class = "");  // text is escaped

// Cells are escaped, but for those that start with '\x01', which are markup already.
std::string raw(const std::string& markup);
std::string table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows, std::string_view caption = "");

std::string badge(const std::string& status);  // coloured by what it means, and readable without colour
// A bar from 0 to 1 with its interval; an empty string when the rate is null.
std::string rate_bar(const base::Json& rate, const base::Json& interval);

// A whole page that needs no network, no script and no other file.
std::string page(const std::string& title, const std::string& body);

}  // namespace picochat::evidence::html
