#include "picochat/evidence/markdown.hpp"

#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::evidence {
namespace {

using base::Json;

// At most `limit` code points of valid UTF-8, with "..." when something was left out.
std::string shortened(std::string_view text, size_t limit) {
  std::string clean = base::replace_invalid_utf8(text);
  size_t at = 0;
  for (size_t shown = 0; at < clean.size(); ++shown) {
    if (shown == limit) return clean.substr(0, at) + "...";
    at += base::decode_utf8(clean, at).length;
  }
  return clean;
}

size_t longest_run(std::string_view text, char wanted) {
  size_t longest = 0, run = 0;
  for (char c : text) {
    run = c == wanted ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

}  // namespace

std::string markdown_table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows, std::string_view align) {
  auto cell = [](const std::string& text) { return base::replace_all(base::replace_all(base::replace_invalid_utf8(text), "|", "\\|"), "\n", " "); };
  auto line = [&](const std::vector<std::string>& cells) {
    std::string out = "|";
    for (const auto& text : cells) out += base::cat(" ", cell(text), " |");
    return out + "\n";
  };
  std::string out = line(header) + "|";
  for (size_t i = 0; i < header.size(); ++i) out += i < align.size() && align[i] == ':' ? " ---: |" : " --- |";
  out += "\n";
  for (const auto& row : rows) out += line(row);
  return out;
}

std::string markdown_block(std::string_view text, size_t max_chars) {
  std::string shown = shortened(text, max_chars);
  std::string fence(std::max<size_t>(3, longest_run(shown, '`') + 1), '`');
  return base::cat(fence, "text\n", shown, shown.ends_with('\n') ? "" : "\n", fence, "\n");
}

std::string markdown_inline(std::string_view text, size_t max_chars) {
  std::string shown = base::replace_all(shortened(text, max_chars), "\n", " ");
  std::string fence(longest_run(shown, '`') + 1, '`');
  if (shown.empty()) return "(empty)";
  const char* pad = shown.front() == '`' || shown.back() == '`' ? " " : "";
  return base::cat(fence, pad, shown, pad, fence);
}

std::string figure(const Json& value, int decimals) {
  if (value.is_null()) return "not measured";
  if (value.is_number_integer()) return base::grouped(value.get<int64_t>());
  if (value.is_number()) return base::fixed(value.get<double>(), decimals);
  return value.is_string() ? value.get<std::string>() : base::dump(value, -1);
}

std::string percent(const Json& rate) { return rate.is_null() ? "not measured" : base::fixed(100 * rate.get<double>(), 1) + "%"; }

std::string percent(const Json& rate, const Json& interval) {
  if (rate.is_null() || !interval.is_object()) return percent(rate);
  return base::cat(percent(rate), " [", base::fixed(100 * interval.at("low").get<double>(), 1), ", ",
                   base::fixed(100 * interval.at("high").get<double>(), 1), "]");
}

std::string count(const Json& value) { return value.is_null() ? "not measured" : base::grouped(value.get<int64_t>()); }

}  // namespace picochat::evidence
