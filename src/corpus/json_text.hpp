// JSON strings written without building a value first.
#pragma once

#include <string>
#include <string_view>

namespace picochat::corpus {

// Appends `text` as a JSON string with quotes. What is not UTF-8 becomes U+FFFD; other text is kept
// byte for byte, only quotes, backslashes and control characters are escaped.
void append_json_string(std::string& out, std::string_view text);

}  // namespace picochat::corpus
