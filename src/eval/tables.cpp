// The console's view of a report: categories with intervals, a few generations.
#include <algorithm>
#include <vector>

#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/eval/interval.hpp"
#include "picochat/eval/summary.hpp"

namespace picochat::eval {
namespace {

using base::cat;
using base::Json;

std::string bar(double rate, int width) {
  int filled = static_cast<int>(rate * width + 0.5);
  std::string out;
  for (int i = 0; i < width; ++i) out += i < filled ? "#" : ".";
  return out;
}

// One line of at most `limit` characters, control characters made visible.
std::string one_line(const std::string& text, size_t limit) {
  std::string clean = base::replace_invalid_utf8(text), out;
  size_t shown = 0;
  for (size_t i = 0; i < clean.size();) {
    auto point = base::decode_utf8(clean, i);
    if (shown == limit) return out + "...";
    if (point.value == '\n') out += " / ";
    else if (point.value < 0x20 || point.value == 0x7F || (point.value >= 0x80 && point.value < 0xA0)) out += ' ';
    else out.append(clean, i, point.length);
    i += point.length;
    ++shown;
  }
  return out;
}

}  // namespace

std::string category_table(const Json& summary) {
  const Json& buckets = summary.at("category_breakdown");
  size_t width = 8;
  for (const auto& [name, bucket] : buckets.items()) width = std::max(width, base::count_code_points(name));
  auto line = [&](const std::string& name, const Json& bucket) {
    int64_t passed = bucket.at("num_passed").get<int64_t>(), scored = bucket.at("num_scored").get<int64_t>();
    const double confidence = bucket.at("pass_rate_ci").is_null() ? 0.95 : bucket.at("pass_rate_ci").at("confidence").get<double>();
    return cat("  ", base::padded(name, width), "  ", scored ? bar(static_cast<double>(passed) / static_cast<double>(scored), 20) : std::string(20, ' '),
               "  ", rate_text(passed, scored, confidence), "\n");
  };
  std::string out;
  for (const auto& [name, bucket] : buckets.items()) out += line(name, bucket);
  if (buckets.size() > 1) out += line("all rows", summary);
  return out;
}

std::string generations_text(const Json& generations, int64_t per_verdict) {
  constexpr size_t kPrompt = 100, kReply = 160;
  std::string out;
  auto show = [&](const char* verdict, const Json& list) {
    int64_t shown = 0;
    for (const auto& item : list) {
      if (shown++ == per_verdict) break;
      std::string reply = one_line(item.at("reply").get<std::string>(), kReply);
      out += cat("  ", verdict, "  ", item.at("category").get<std::string>(), "\n    asked:   ",
                 one_line(item.at("user").get<std::string>(), kPrompt), "\n    replied: ", reply.empty() ? "(nothing)" : reply, "\n");
      if (auto reasons = item.at("failure_reasons").get<std::vector<std::string>>(); !reasons.empty())
        out += cat("    failed:  ", base::join(reasons, ", "), "\n");
    }
  };
  show("passed", generations.at("good"));
  show("failed", generations.at("bad"));
  return out;
}

}  // namespace picochat::eval
