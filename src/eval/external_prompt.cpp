// The prompts of lm-evaluation-harness 0.4 for each benchmark layout (its tasks arc_easy, mmlu, hellaswag, piqa, openbookqa, boolq, winogrande).
#include "picochat/base/text.hpp"
#include "picochat/eval/external.hpp"

namespace picochat::eval {
namespace {

using base::cat;
using tasks::BenchmarkRow;

bool by_letter(const std::string& layout) { return layout.starts_with("mmlu"); }

// The sentence up to its blank, filled, and the rest.
std::pair<std::string, std::string> filled(const BenchmarkRow& row, size_t choice) {
  const size_t blank = row.question.find('_');
  return {row.question.substr(0, blank) + row.choices[choice], std::string(base::trim(row.question.substr(blank + 1)))};
}

std::string question_text(const std::string& layout, const BenchmarkRow& row) {
  if (by_letter(layout)) {
    std::string text = std::string(base::trim(row.question)) + "\n";
    for (size_t i = 0; i < row.choices.size(); ++i) text += cat(static_cast<char>('A' + i), ". ", row.choices[i], "\n");
    return text + "Answer:";
  }
  if (layout.starts_with("arc") || layout == "piqa") return cat("Question: ", row.question, "\nAnswer:");
  if (layout == "boolq") return cat(row.passage, "\nQuestion: ", row.question, "\nAnswer:");
  return row.question;
}

std::string answer_text(const std::string& layout, const BenchmarkRow& row, size_t choice) {
  return by_letter(layout) ? cat(" ", static_cast<char>('A' + choice)) : cat(" ", row.choices[choice]);
}

std::string solved(const std::string& layout, const BenchmarkRow& row) {
  if (layout != "winogrande") return cat(question_text(layout, row), answer_text(layout, row, row.correct));
  const auto [context, rest] = filled(row, row.correct);
  return cat(context, " ", rest);
}

std::string description(const std::string& layout, const BenchmarkRow& row) {
  if (!by_letter(layout)) return "";
  const std::string subject = row.subject.empty() ? "" : cat(" about ", base::replace_all(row.subject, "_", " "));
  return cat("The following are multiple choice questions (with answers)", subject, ".\n\n");
}

}  // namespace

std::vector<ExternalPrompt> external_prompts(const tasks::BenchmarkFile& file, const BenchmarkRow& row, std::span<const BenchmarkRow> shots) {
  std::string before = description(file.layout, row);
  for (const auto& shot : shots) before += cat(solved(file.layout, shot), "\n\n");
  std::vector<ExternalPrompt> prompts;
  if (file.layout == "winogrande") {
    for (size_t i = 0; i < row.choices.size(); ++i) {
      const auto [context, rest] = filled(row, i);
      prompts.push_back({.context = before + context, .continuations = {cat(" ", rest)}});
    }
    return prompts;
  }
  prompts.push_back({.context = before + question_text(file.layout, row), .continuations = {}});
  for (size_t i = 0; i < row.choices.size(); ++i) prompts[0].continuations.push_back(answer_text(file.layout, row, i));
  return prompts;
}

}  // namespace picochat::eval
