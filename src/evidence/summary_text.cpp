// summary.md and the text that ends a run. Verdict first, the weakest category before the others,
// every rate with its interval; what was not measured says so.
#include <algorithm>
#include <set>

#include "evidence/summary_parts.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/markdown.hpp"
#include "picochat/evidence/run_summary.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;
using Rows = std::vector<std::vector<std::string>>;

std::string gate_section(const Json& gate) {
  std::string out = "\n## Release gate\n\n";
  if (!gate.is_object()) return out + "Not reached.\n";
  out += cat("Profile: ", text_at(gate, {"profile"}, "unknown"), ".\n");
  Rows rows;
  for (const auto& m : at(gate, {"measures"}))
    rows.push_back({text_at(m, {"name"}, ""), percent(at(m, {"value"}), at(m, {"ci"})), cat(at(m, {"rule"}) == "at_most" ? "<= " : ">= ", percent(at(m, {"threshold"}))),
                    figure(at(m, {"n"})), cat(base::replace_all(text_at(m, {"result"}, ""), "_", " "), at(m, {"threshold_inside_ci"}) == true ? ", threshold inside the interval" : "")});
  if (!rows.empty()) out += "\n" + markdown_table({"measure", "measured [interval]", "threshold", "rows", "result"}, rows, " : :");
  rows.clear();
  for (const auto& issue : at(gate, {"issues"}))
    rows.push_back({text_at(issue, {"severity"}, ""), text_at(issue, {"name"}, ""), text_at(issue, {"message"}, ""), text_at(issue, {"remedy"}, "")});
  if (rows.empty()) return out + "\nNo issues.\n";
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a[0] < b[0]; });  // block before warn
  return out + "\n" + markdown_table({"severity", "issue", "what", "remedy"}, rows);
}

std::string categories_section(const Json& eval) {
  const Json buckets = at(eval, {"category_breakdown"});
  std::string out = "\n## Scores by category, weakest first\n\n";
  if (!buckets.is_object() || buckets.empty()) return out + "Not measured.\n";
  Rows rows;
  for (const auto& [name, bucket] : buckets.items())
    rows.push_back({name, cat(count(at(bucket, {"num_passed"})), " / ", count(at(bucket, {"num_scored"}))), percent(at(bucket, {"pass_rate"}), at(bucket, {"pass_rate_ci"}))});
  return out + markdown_table({"category", "passed", "rate [interval]"}, rows, " :");
}

std::string external_section(const Json& list) {
  if (!list.is_array() || list.empty()) return "\n## External benchmarks\n\nNone was scored.\n";
  Rows rows;
  for (const auto& item : list) {
    const Json summary = at(item, {"summary"});
    rows.push_back({text_at(item, {"name"}, ""), figure(at(summary, {"num_examples"})), percent(at(summary, {"acc"}), at(summary, {"acc_ci"})),
                    percent(at(summary, {"acc_norm"}), at(summary, {"acc_norm_ci"})), percent(at(summary, {"label_likelihood_accuracy"}), at(summary, {"label_likelihood_accuracy_ci"})),
                    percent(at(summary, {"choice_random_baseline"}))});
  }
  return "\n## External benchmarks\n\n" + markdown_table({"benchmark", "rows", "acc", "acc_norm", "label likelihood", "chance"}, rows, " :");
}

std::string training_section(const Json& summary) {
  Rows rows;
  std::string pictures;
  for (const char* name : {"base", "sft", "dpo"}) {
    const Json& stage = summary.at(name);
    if (!stage.is_object()) continue;
    rows.push_back({name, cat(figure(at(stage, {"coverage", "actual_steps"})), " of ", figure(at(stage, {"coverage", "planned_steps"}))), figure(at(stage, {"stop_reason"})),
                    figure(at(stage, {"best_step"})), figure(at(stage, {"best_val_loss"}), 4), bits_per_byte(stage), figure(at(stage, {"final_train_loss"}), 4),
                    text_at(stage, {"loss_diagnostics", "status"})});
    pictures += cat("\n![", name, " curves](", name, "/curves.svg)\n");
  }
  std::string out = "\n## Training\n\n";
  if (rows.empty()) return out + "Nothing was trained.\n";
  return out + markdown_table({"stage", "steps", "stopped by", "best step", "best val loss", "best val_bpb", "final train loss", "diagnosis"}, rows, " :") + pictures;
}

std::string generations_section(const Json& generations) {
  if (!generations.is_object()) return "";
  constexpr size_t kShown = 4;
  std::string out = cat("\n## Generations\n\nSampled by rule, not by hand: ", text_at(generations, {"rule"}, ""), ".\n");
  for (auto [key, title] : {std::pair("good", "Passed"), {"bad", "Failed"}}) {
    const Json list = at(generations, {key});
    out += cat("\n### ", title, "\n");
    if (list.empty()) out += "\nNone.\n";
    size_t shown = 0;
    for (const auto& item : list) {
      if (shown++ == kShown) break;
      out += cat("\n", text_at(item, {"category"}, ""), ": ", markdown_inline(text_at(item, {"user"}, ""), 200), "\n\n", markdown_block(text_at(item, {"reply"}, ""), 600));
    }
  }
  return out;
}

std::string artifacts_section(const Json& artifacts) {
  Rows rows;
  for (const auto& [name, value] : artifacts.items()) {
    if (!value.is_object()) continue;
    if (value.contains("path")) {
      const std::string digest = text_at(value, {"sha256"}, "");
      rows.push_back({name, text_at(value, {"path"}, ""), digest.empty() ? "" : digest.substr(0, 16)});
    } else {
      for (const auto& [part, file] : value.items())
        if (file.is_object()) rows.push_back({cat(name, ": ", part), text_at(file, {"path"}, ""), text_at(file, {"sha256"}, "").substr(0, 16)});
    }
  }
  if (rows.empty()) return "";
  return "\n## Where things are\n\nPaths are relative to this folder; digests are the first 16 digits of SHA-256, whole in summary.json.\n\n" +
         markdown_table({"what", "path", "SHA-256"}, rows);
}

// What the run itself found to do, most pressing first, without repetition.
std::vector<std::string> next_steps(const Json& summary) {
  std::vector<std::string> steps;
  std::set<std::string> seen;
  auto add = [&](std::string step) {
    if (!step.empty() && seen.insert(step).second) steps.push_back(std::move(step));
  };
  for (const char* severity : {"block", "warn"})
    for (const auto& issue : at(summary, {"long_run_gate", "issues"}))
      if (text_at(issue, {"severity"}, "") == severity) add(text_at(issue, {"remedy"}, ""));
  for (const char* stage : {"base", "sft", "dpo"})
    for (const auto& advice : at(summary, {stage, "loss_diagnostics", "recommendations"}))
      if (advice.is_string()) add(cat(stage, ": ", advice.get<std::string>()));
  for (const auto& advice : at(summary, {"eval_analysis", "recommendations"})) add(cat(text_at(advice, {"area"}, ""), ": ", text_at(advice, {"action"}, "")));
  return steps;
}

std::string making_section(const Json& summary) {
  Rows rows;
  auto add = [&](const char* name, const Json& value) {
    if (!value.is_null()) rows.push_back({name, figure(value)});
  };
  add("scale", at(summary, {"config", "scale"}));
  add("seed", at(summary, {"config", "seed"}));
  add("device", at(summary, {"config", "device"}));
  add("tokenizer", at(summary, {"tokenizer", "tokenizer_type"}));
  add("vocabulary", at(summary, {"tokenizer", "vocab_size"}));
  add("version", at(summary, {"build", "version"}));
  if (Json commit = at(summary, {"build", "git_commit"}); commit.is_string())
    rows.push_back({"git commit", cat(commit.get<std::string>(), at(summary, {"build", "git_dirty"}) == true ? " with local changes" : "")});
  add("compiler", at(summary, {"build", "compiler"}));
  std::string out = "\n## How it was made\n\n";
  if (Json command = at(summary, {"command"}); command.is_string() && !command.get<std::string>().empty())
    out += markdown_block(command.get<std::string>(), 4000) + "\n";
  out += markdown_table({"", ""}, rows);
  Rows stages;
  for (const auto& stage : at(summary, {"timing", "stages"}))
    stages.push_back({text_at(stage, {"stage"}, ""), at(stage, {"reused"}) == true ? "kept from before" : base::human_seconds(at(stage, {"seconds"}).get<double>())});
  if (Json total = at(summary, {"timing", "total_seconds"}); total.is_number()) stages.push_back({"in all", base::human_seconds(total.get<double>())});
  return out + "\n" + markdown_table({"stage", "time"}, stages, " :");
}

}  // namespace

std::string summary_markdown(const Json& summary) {
  std::string out = cat("# Run summary\n\n**", verdict_sentence(summary), ".**\n\n", weakest_sentence(summary), "\n\n");
  Rows rows;
  for (const auto& f : headline_figures(summary)) rows.push_back({f.name, f.value});
  out += markdown_table({"figure", "value"}, rows);
  out += "\nRates stand with their Wilson interval. \"Not measured\" is neither 0 nor a pass.\n";
  out += gate_section(summary.at("long_run_gate")) + categories_section(summary.at("eval")) + external_section(summary.at("external_evals"));
  auto steps = next_steps(summary);
  if (!steps.empty()) out += "\n## What to do next\n\n";
  for (const auto& step : steps) out += cat("- ", step, "\n");
  out += training_section(summary) + generations_section(summary.at("eval_generations")) + artifacts_section(summary.at("artifacts")) + making_section(summary);
  return out;
}

std::string end_of_run_text(const Json& summary, const std::string& run_dir, const std::string& category_table, const std::string& generations) {
  size_t width = 0;
  auto figures = headline_figures(summary);
  for (const auto& f : figures) width = std::max(width, f.name.size());
  std::string out = "\n";
  for (const auto& f : figures) out += cat("  ", base::padded(f.name, width), "  ", f.value, "\n");
  if (!category_table.empty()) out += "\nScores by category, weakest first\n" + category_table;
  if (!generations.empty()) out += "\nGenerations, sampled by rule\n" + generations;
  out += cat("\n", weakest_sentence(summary), "\nRelease gate ", verdict_sentence(summary), "\n");
  for (const auto& issue : at(summary, {"long_run_gate", "issues"}))
    out += cat("  ", base::padded(text_at(issue, {"severity"}, ""), 5), "  ", text_at(issue, {"name"}, ""), ": ", text_at(issue, {"message"}, ""), "\n");
  const base::Path dir(run_dir);
  out += cat("\nRead next: ", (dir / "summary.md").generic_string(), "\n");
  if (auto steps = next_steps(summary); !steps.empty()) out += cat("Do next:   ", steps.front(), "\n");
  return out;
}

}  // namespace picochat::evidence
