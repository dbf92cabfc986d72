#include "picochat/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "picochat/base/unicode.hpp"

namespace picochat::base {
namespace detail {

void append(std::string& out, std::string_view value) { out += value; }
void append(std::string& out, const char* value) { out += value; }
void append(std::string& out, char value) { out += value; }
void append(std::string& out, bool value) { out += value ? "true" : "false"; }
void append(std::string& out, double value) {
  char buffer[40];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, end.ptr);
}
void append_signed(std::string& out, long long value) { out += std::to_string(value); }
void append_unsigned(std::string& out, unsigned long long value) { out += std::to_string(value); }

}  // namespace detail

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string out;
  for (const auto& part : parts) {
    if (&part != parts.data()) out += separator;
    out += part;
  }
  return out;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || text[i] == separator) {
      parts.emplace_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  return parts;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  return out;
}

bool starts_with_any(std::string_view text, std::span<const std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) { return text.starts_with(prefix); });
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
  return text;
}

std::string fixed(double value, int decimals) {
  char buffer[64];
  int n = std::snprintf(buffer, sizeof buffer, "%.*f", decimals, value);
  return std::string(buffer, std::clamp(n, 0, 63));
}

std::string scientific(double value, int decimals) {
  char buffer[64];
  const int n = std::snprintf(buffer, sizeof buffer, "%.*e", decimals, value);
  std::string text(buffer, std::clamp(n, 0, 63));
  const size_t exponent = text.find('e') + 1;
  if (exponent == 0) return text;  // not a finite number
  const size_t digits = std::min(text.find_first_not_of('0', exponent + 1), text.size() - 1);
  text.erase(exponent + 1, digits - exponent - 1);
  if (text[exponent] == '+') text.erase(exponent, 1);
  return text;
}

std::string grouped(int64_t value) {
  // Negated as unsigned: the smallest int64_t has no positive counterpart.
  std::string digits = std::to_string(value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value)), out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return value < 0 ? "-" + out : out;
}

std::string short_count(double value) {
  struct Unit { double size; const char* name; };
  for (auto [size, name] : {Unit{1e12, "T"}, Unit{1e9, "B"}, Unit{1e6, "M"}, Unit{1e3, "k"}})
    if (std::fabs(value) >= size) {
      double scaled = value / size;
      return fixed(scaled, scaled < 10 ? 2 : 1) + name;
    }
  return fixed(value, value == std::floor(value) ? 0 : 1);
}

std::string human_bytes(uint64_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 4) value /= 1024, ++unit;
  return fixed(value, unit == 0 ? 0 : 1) + " " + units[unit];
}

std::string human_seconds(double seconds) {
  if (seconds < 9.95) return fixed(seconds, 1) + " s";
  auto total = static_cast<int64_t>(std::llround(seconds));
  if (total < 60) return cat(total, " s");
  auto two = [](int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  if (total < 3600) return cat(total / 60, " min ", two(total % 60), " s");
  if (total < 86400) return cat(total / 3600, " h ", two(total / 60 % 60), " min");
  return cat(total / 86400, " d ", two(total / 3600 % 24), " h");
}

std::string zero_padded(uint64_t number, size_t width) {
  const std::string digits = std::to_string(number);
  return std::string(width - std::min(width, digits.size()), '0') + digits;
}

std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const char byte : bytes) out.append(1, kDigits[static_cast<unsigned char>(byte) >> 4]).append(1, kDigits[byte & 15]);
  return out;
}

std::string padded(std::string_view text, size_t width) {
  std::string out(text);
  size_t length = count_code_points(text);
  if (length < width) out.append(width - length, ' ');
  return out;
}

namespace {

// Matches one [..] class at pattern[at]; returns its end or npos when it is not closed.
size_t match_class(std::string_view pattern, size_t at, char c, bool& matched) {
  size_t i = at + 1;
  bool negate = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negate) ++i;
  matched = false;
  bool first = true;
  while (i < pattern.size() && (pattern[i] != ']' || first)) {
    first = false;
    char low = pattern[i], high = low;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') high = pattern[i + 2], i += 2;
    if (low <= c && c <= high) matched = true;
    ++i;
  }
  if (i >= pattern.size()) return std::string_view::npos;
  matched = matched != negate;
  return i + 1;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    bool advanced = false;
    if (p < pattern.size()) {
      if (pattern[p] == '*') {
        star = p++;
        star_text = t;
        continue;
      }
      if (pattern[p] == '?') {
        ++p, ++t, advanced = true;
      } else if (pattern[p] == '[') {
        bool matched = false;
        size_t end = match_class(pattern, p, text[t], matched);
        if (end == std::string_view::npos ? text[t] == '[' : matched) {
          p = end == std::string_view::npos ? p + 1 : end;
          ++t, advanced = true;
        }
      } else if (pattern[p] == text[t]) {
        ++p, ++t, advanced = true;
      }
    }
    if (advanced) continue;
    if (star == std::string_view::npos) return false;
    p = star + 1;
    t = ++star_text;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string closest(std::string_view word, std::span<const std::string> candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= candidate.size(); ++j) {
        size_t substitution = diagonal + (word[i - 1] != candidate[j - 1]);
        diagonal = row[j];
        row[j] = std::min({substitution, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < best_distance) best_distance = row.back(), best = candidate;
  }
  return best;
}

}  // namespace picochat::base
