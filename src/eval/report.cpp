#include "picochat/eval/report.hpp"

#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/eval/summary.hpp"

namespace picochat::eval {
namespace {

using base::cat;
using base::Json;

std::string percent(const Json& rate) { return rate.is_null() ? "not measured" : base::fixed(100 * rate.get<double>(), 1) + "%"; }

std::string percent(const Json& rate, const Json& interval) {
  if (rate.is_null() || interval.is_null()) return percent(rate);
  return cat(percent(rate), " [", base::fixed(100 * interval.at("low").get<double>(), 1), ", ",
             base::fixed(100 * interval.at("high").get<double>(), 1), "]");
}

// A fence longer than any run of backticks inside, so that a reply cannot end it.
std::string fenced(const std::string& text) {
  std::string clean = base::replace_invalid_utf8(text);
  size_t longest = 2, run = 0;
  for (char c : clean) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  std::string fence(longest + 1, '`');
  return cat(fence, "text\n", clean, clean.ends_with('\n') ? "" : "\n", fence, "\n");
}

std::string cell(const std::string& text) {
  return base::replace_all(base::replace_all(base::replace_invalid_utf8(text), "|", "\\|"), "\n", " ");
}

std::string breakdown_table(const char* title, const Json& buckets) {
  if (buckets.empty()) return "";
  std::string out = cat("\n### By ", title, "\n\n| ", title, " | passed | rate [95% interval] |\n| --- | ---: | --- |\n");
  if (auto& interval = buckets.begin()->at("pass_rate_ci"); !interval.is_null())
    out = base::replace_all(out, "95%", base::fixed(100 * interval.at("confidence").get<double>(), 0) + "%");
  for (const auto& [name, bucket] : buckets.items())
    out += cat("| ", cell(name), " | ", bucket.at("num_passed").get<int64_t>(), "/", bucket.at("num_scored").get<int64_t>(), " | ",
               percent(bucket.at("pass_rate"), bucket.at("pass_rate_ci")), " |\n");
  return out;
}

std::string generations_section(const char* title, const Json& list) {
  std::string out = cat("\n### ", title, "\n\n");
  if (list.empty()) return out + "None.\n";
  for (const auto& item : list) {
    out += cat("**", cell(item.at("category").get<std::string>()), "** (row ", item.at("index").get<int64_t>(), ")");
    if (auto reasons = item.at("failure_reasons").get<std::vector<std::string>>(); !reasons.empty()) out += cat(": ", base::join(reasons, ", "));
    out += cat("\n\nAsked:\n\n", fenced(item.at("user").get<std::string>()), "\nReplied:\n\n", fenced(item.at("reply").get<std::string>()), "\n");
  }
  return out;
}

}  // namespace

Json EvalReport::to_json() const {
  return {{"config", config},     {"checkpoint", checkpoint}, {"tokenizer", tokenizer},     {"input", input}, {"summary", summary},
          {"analysis", analysis}, {"examples", examples},     {"generations", generations}, {"timing", timing}};
}

std::string EvalReport::to_markdown(const std::string& title) const {
  const Json& s = summary;
  std::string out = cat("# ", title, "\n\n");
  out += cat("**", num_passed(), " of ", s.at("num_scored").get<int64_t>(), " rows passed: ", percent(s.at("pass_rate"), s.at("pass_rate_ci")), ".**");
  if (const Json& weakest = s.at("weakest_category"); !weakest.is_null())
    out += cat(" Weakest category: **", cell(weakest.at("name").get<std::string>()), "** with ",
               percent(weakest.at("pass_rate"), weakest.at("pass_rate_ci")), ".");
  if (int64_t unscored = s.at("num_unscored").get<int64_t>())
    out += cat(" ", unscored, " rows have no rule that a reply could fail; they were asked and not counted.");
  if (int64_t cut = s.at("prompts_too_long").get<int64_t>()) out += cat(" ", cut, " prompts did not fit the context and count as failed.");
  out += "\n";
  out += breakdown_table("category", s.at("category_breakdown"));
  out += "\n### Figures\n\n| figure | value |\n| --- | --- |\n";
  auto line = [&](const char* name, const std::string& value) { out += cat("| ", name, " | ", value, " |\n"); };
  line("generated replies that pass", percent(s.at("non_choice_pass_rate"), s.at("non_choice_pass_rate_ci")));
  line("declined and passed, where declining is right", percent(s.at("unsafe_refusal_pass_rate"), s.at("unsafe_refusal_pass_rate_ci")));
  line("answered, where answering is right", percent(s.at("benign_non_refusal_rate"), s.at("benign_non_refusal_rate_ci")));
  line("normalised answers right", percent(s.at("normalized_answer_accuracy")));
  line("required phrases found", percent(s.at("support_match_rate")));
  line("replies that echo the prompt", percent(s.at("prompt_echo_rate")));
  line("replies with a forbidden phrase", percent(s.at("unsupported_claim_rate")));
  line("choice accuracy", percent(s.at("choice_accuracy"), s.at("choice_accuracy_ci")));
  line("choice accuracy above chance", percent(s.at("choice_accuracy_adjusted")));
  for (auto [key, name] : {std::pair("skill_breakdown", "skill"), {"skill_stage_breakdown", "skill and stage"}, {"level_breakdown", "level"},
                           {"split_breakdown", "split"}, {"robustness_breakdown", "robustness"}})
    out += breakdown_table(name, s.at(key));
  out += "\n## What failed\n\n";
  if (analysis.at("failure_counts").empty()) out += "Nothing.\n";
  for (const auto& [reason, count] : analysis.at("failure_counts").items()) out += cat("- ", reason, ": ", count.get<int64_t>(), "\n");
  for (const auto& advice : analysis.at("recommendations"))
    out += cat("\n**", advice.at("area").get<std::string>(), "** (", advice.at("priority").get<std::string>(), "): ",
               advice.at("message").get<std::string>(), ". Next: ", advice.at("action").get<std::string>(), ".\n");
  out += cat("\n## Generations\n\nSampled by rule, not by hand: ", generations.at("rule").get<std::string>(), "; seed ",
             generations.at("seed").get<uint64_t>(), ".\n");
  out += generations_section("Passed", generations.at("good"));
  out += generations_section("Failed", generations.at("bad"));
  out += "\n## What was evaluated\n\n| input | path | SHA-256 |\n| --- | --- | --- |\n";
  for (const auto& [name, identity] : {std::pair<const char*, const Json&>("rows", input), {"checkpoint", checkpoint}, {"tokenizer", tokenizer}})
    out += cat("| ", name, " | ", cell(identity.value("path", "in memory")), " | ", cell(identity.value("sha256", "not recorded")), " |\n");
  return out + "\nEvery row with its reply and score is in eval_report.json. The rules are in docs/evaluation.md.\n";
}

void write_eval_report(base::FileSystem& files, const base::Path& folder, const EvalReport& report, const std::string& title) {
  files.make_directories(folder);
  base::write_file(files, folder / "report.md", report.to_markdown(title));
  base::write_file(files, folder / "eval_report.json", base::dump(report.to_json()) + "\n");
}

}  // namespace picochat::eval
