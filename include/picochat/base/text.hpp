// Small text helpers: concatenation, splitting, human units, "did you mean".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picochat::base {

namespace detail {
void append(std::string& out, std::string_view value);
void append(std::string& out, const char* value);
void append(std::string& out, char value);
void append(std::string& out, bool value);
void append(std::string& out, double value);  // shortest form that reads back equal
void append_signed(std::string& out, long long value);
void append_unsigned(std::string& out, unsigned long long value);
template <typename T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>)
void append(std::string& out, T value) {
  if constexpr (std::is_signed_v<T>) append_signed(out, value);
  else append_unsigned(out, value);
}
}  // namespace detail

// Joins its arguments as text: cat("line ", 3, ": ", name).
template <typename... Parts>
std::string cat(const Parts&... parts) {
  std::string out;
  (detail::append(out, parts), ...);
  return out;
}

std::string join(std::span<const std::string> parts, std::string_view separator);
std::vector<std::string> split(std::string_view text, char separator);  // "a,,b" -> a, "", b
std::string_view trim(std::string_view text);                           // ASCII white space
std::string lower_ascii(std::string_view text);
bool starts_with_any(std::string_view text, std::span<const std::string_view> prefixes);
std::string replace_all(std::string text, std::string_view from, std::string_view to);

std::string fixed(double value, int decimals);     // 1.2345 -> "1.23"
std::string scientific(double value, int decimals);  // 0.00012345, 2 -> "1.23e-4"
std::string grouped(int64_t value);                // 1234567 -> "1,234,567"
std::string short_count(double value);             // 15500000 -> "15.5M"
std::string human_bytes(uint64_t bytes);           // "1.5 GiB"
std::string human_seconds(double seconds);         // "2 h 03 min", "41 s", "0.3 s"
std::string padded(std::string_view text, size_t width);  // left-aligned, counts code points
std::string zero_padded(uint64_t number, size_t width);   // 12, 6 -> "000012"; a longer number stays whole
std::string hex(std::string_view bytes);                  // two lower-case digits a byte

// Shell-style pattern (*, ?, [abc]); '*' also crosses '/', as the documented recipes expect.
bool glob_match(std::string_view pattern, std::string_view text);

// The candidate nearest to `word` by edit distance, or "" when none is near enough to suggest.
std::string closest(std::string_view word, std::span<const std::string> candidates);

}  // namespace picochat::base
