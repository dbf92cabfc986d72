// Preflight for readers: preflight.md, and the table on a terminal.
#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/gate/preflight.hpp"

namespace picochat::gate {

using base::cat;
using base::fixed;
using base::grouped;

namespace {

std::string cell(const std::string& text) { return base::replace_all(base::replace_all(text, "|", "\\|"), "\n", " "); }

std::string word(const Check& c) {
  return c.blocks && c.status != CheckStatus::kBlock ? cat(to_text(c.status), " (blocks)") : to_text(c.status);
}

std::vector<std::pair<std::string, std::string>> budget_lines(const Budget& b) {
  auto epochs = [](const std::optional<double>& value) { return value ? cat(fixed(*value, 2), " epochs") : std::string("epochs not known"); };
  return {{"parameters", grouped(b.estimated_parameters)},
          {"corpus tokens", b.estimated_corpus_tokens ? cat(grouped(*b.estimated_corpus_tokens), b.corpus_tokens_margin ? cat(" +- ", grouped(*b.corpus_tokens_margin)) : "", " (", b.corpus_tokens_source, ")") : "not measured"},
          {"planned base tokens", cat(grouped(b.base_planned_tokens), " (", epochs(b.estimated_base_epochs), ")")},
          {"target tokens", cat(grouped(b.target_training_tokens), " at ", fixed(b.target_param_data_ratio, 1), " per parameter")},
          {"planned / target", fixed(b.planned_to_target_ratio, 3)},
          {"recommended base steps", grouped(b.recommended_base_steps)},
          {"sequences per step", cat(grouped(b.base_effective_batch_size), " base, ", grouped(b.sft_effective_batch_size), " SFT, on ", b.ddp_world_size,
                                     b.ddp_world_size == 1 ? " rank" : " ranks")},
          {"learning rates", cat(b.base_effective_learning_rate, " base, ", b.sft_effective_learning_rate, " SFT", b.auto_lr_scaling ? " (scaled)" : "")},
          {"SFT row updates", cat(grouped(b.sft_planned_example_updates), b.estimated_sft_example_epochs ? cat(" (", fixed(*b.estimated_sft_example_epochs, 1), " epochs)") : "")}};
}

// What stops the run first, then warnings, then what is open.
int urgency(const Check& c) {
  if (c.blocks) return 0;
  if (c.status == CheckStatus::kWarn) return 1;
  if (c.status == CheckStatus::kNotMeasured) return 2;
  return c.status == CheckStatus::kDeferredToHost ? 3 : 4;
}

}  // namespace

std::string preflight_markdown(const Preflight& p) {
  std::string out = cat("# Preflight\n\n**", p.summary, "**\n\nProfile: ", to_text(p.profile), "\n\n## Budget\n\n");
  for (const auto& [name, value] : budget_lines(p.budget)) out += cat("- ", name, ": ", value, "\n");
  out += "\n## Checks\n\n| check | status | measured | rule | meaning | what to do |\n| --- | --- | --- | --- | --- | --- |\n";
  std::string group;
  for (const auto& c : p.checks) {
    if (c.group != group) out += cat("| **", group = c.group, "** | | | | | |\n");
    out += cat("| ", c.name, " | ", word(c), " | ", cell(c.metric), " | ", cell(c.threshold), " | ", cell(c.message), " | ", cell(c.remedy), " |\n");
  }
  if (!p.notes.empty()) out += "\n## Notes\n\n";
  for (const auto& note : p.notes) out += cat("- ", note.name, ": ", note.text, "\n");
  return out;
}

std::string preflight_table(const Preflight& p) {
  std::string out = "preflight budget\n";
  for (const auto& [name, value] : budget_lines(p.budget)) out += cat("  ", base::padded(name, 24), value, "\n");
  out += "preflight checks\n";
  std::vector<const Check*> checks;
  for (const auto& c : p.checks) checks.push_back(&c);
  std::stable_sort(checks.begin(), checks.end(), [](const Check* a, const Check* b) { return urgency(*a) < urgency(*b); });
  size_t name_width = 0, word_width = 0;
  for (const Check* c : checks) {
    name_width = std::max(name_width, c->name.size() + 2);
    word_width = std::max(word_width, word(*c).size() + 2);
  }
  for (const Check* c : checks) {
    out += cat("  ", base::padded(word(*c), word_width), base::padded(c->name, name_width), c->metric, "\n");
    if (c->status == CheckStatus::kPass) continue;
    const std::string indent(word_width + 2, ' ');
    out += cat(indent, c->message, c->threshold.empty() ? "" : cat(" [", c->threshold, "]"), "\n");
    if (!c->remedy.empty()) out += cat(indent, "-> ", c->remedy, "\n");
  }
  return out + cat("preflight: ", p.summary, "\n");
}

}  // namespace picochat::gate
