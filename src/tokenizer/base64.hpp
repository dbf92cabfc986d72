// Base64 (RFC 4648, padded), as tiktoken's ranks and the embedded sentencepiece model are written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace picochat::tokenizer {

std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

}  // namespace picochat::tokenizer
