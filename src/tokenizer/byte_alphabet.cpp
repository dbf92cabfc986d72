#include "tokenizer/byte_alphabet.hpp"

#include <algorithm>

#include "picochat/base/unicode.hpp"

namespace picochat::tokenizer {
namespace {

// Printable Latin-1 stands for itself; the 68 others take U+0100 and up, in order.
constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

constexpr auto kCharacters = [] {
  std::array<char32_t, 256> table{};
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) table[byte] = stands_for_itself(byte) ? static_cast<char32_t>(byte) : next++;
  return table;
}();
constexpr char32_t kAlphabetEnd = 0x100 + 68;

constexpr auto kBytes = [] {
  std::array<int16_t, kAlphabetEnd> table{};
  for (auto& value : table) value = -1;
  for (int byte = 0; byte < 256; ++byte) table[kCharacters[byte]] = static_cast<int16_t>(byte);
  return table;
}();

}  // namespace

char32_t byte_to_character(uint8_t byte) { return kCharacters[byte]; }

std::string to_byte_alphabet(std::string_view bytes) {
  std::string out;
  for (char byte : bytes) base::append_utf8(out, kCharacters[static_cast<uint8_t>(byte)]);
  return out;
}

std::optional<std::string> from_byte_alphabet(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    base::CodePoint c = base::decode_utf8(text, i);
    if (!c.valid || c.value >= kAlphabetEnd || kBytes[c.value] < 0) return std::nullopt;
    out.push_back(static_cast<char>(kBytes[c.value]));
    i += c.length;
  }
  return out;
}

const std::array<uint8_t, 256>& bytes_by_character() {
  static const auto order = [] {
    std::array<uint8_t, 256> bytes;
    for (int i = 0; i < 256; ++i) bytes[i] = static_cast<uint8_t>(i);
    std::sort(bytes.begin(), bytes.end(), [](uint8_t a, uint8_t b) { return kCharacters[a] < kCharacters[b]; });
    return bytes;
  }();
  return order;
}

}  // namespace picochat::tokenizer
