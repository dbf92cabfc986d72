// The GPT-2 alphabet: each byte as one printable character, so that byte strings can stand in JSON.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picochat::tokenizer {

char32_t byte_to_character(uint8_t byte);
std::string to_byte_alphabet(std::string_view bytes);
// nullopt when a character is not in the alphabet.
std::optional<std::string> from_byte_alphabet(std::string_view text);

// All bytes by ascending character: the order in which Hugging Face's trainer numbers them.
const std::array<uint8_t, 256>& bytes_by_character();

}  // namespace picochat::tokenizer
