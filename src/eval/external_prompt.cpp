// The prompts of lm-evaluation-harness 0.4 for each benchmark layout (its task files arc_easy, mmlu, hellaswag).
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/eval/external.hpp"

namespace picochat::eval {
namespace {

using base::cat;
using tasks::BenchmarkRow;

bool by_letter(const std::string& layout) { return layout.starts_with("mmlu"); }

std::string question_text(const std::string& layout, const BenchmarkRow& row) {
  if (by_letter(layout)) {
    std::string text = std::string(base::trim(row.question)) + "\n";
    for (size_t i = 0; i < row.choices.size(); ++i) text += cat(static_cast<char>('A' + i), ". ", row.choices[i], "\n");
    return text + "Answer:";
  }
  if (layout.starts_with("arc")) return cat("Question: ", row.question, "\nAnswer:");
  return row.question;
}

std::string answer_text(const std::string& layout, const BenchmarkRow& row, size_t choice) {
  return by_letter(layout) ? cat(" ", static_cast<char>('A' + choice)) : cat(" ", row.choices[choice]);
}

std::string description(const std::string& layout, const BenchmarkRow& row) {
  if (!by_letter(layout)) return "";
  const std::string subject = row.subject.empty() ? "" : cat(" about ", base::replace_all(row.subject, "_", " "));
  return cat("The following are multiple choice questions (with answers)", subject, ".\n\n");
}

}  // namespace

ExternalPrompt external_prompt(const tasks::BenchmarkFile& file, const BenchmarkRow& row, std::span<const BenchmarkRow> shots) {
  ExternalPrompt prompt{.context = description(file.layout, row), .continuations = {}};
  for (const auto& shot : shots) prompt.context += cat(question_text(file.layout, shot), answer_text(file.layout, shot, shot.correct), "\n\n");
  prompt.context += question_text(file.layout, row);
  for (size_t i = 0; i < row.choices.size(); ++i) prompt.continuations.push_back(answer_text(file.layout, row, i));
  return prompt;
}

}  // namespace picochat::eval
