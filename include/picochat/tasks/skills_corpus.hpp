// `data skills-corpus`: pretraining drills in arithmetic, spelling and choice. What the eval rows of
// any task pack may ask (held-out problems, words and facts) never occurs in a drill, whatever the seeds. Only with
// fact_rows are all facts told, those held out too: as statements in words that no question uses, never as a question.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"
#include "picochat/corpus/commands.hpp"

namespace picochat::tasks {

struct SkillsCorpusOptions {
  std::string out;
  int64_t math_rows = 50000, spelling_rows = 50000, choice_rows = 10000, fact_rows = 0;
  int64_t seed = 42;
  bool force = false;
  std::optional<std::string> base_corpus;    // put first in the recipe
  std::optional<std::string> recipe_out;
  std::optional<std::string> documents_dir;  // shard-NNNNNN.jsonl instead of one text document
  int64_t rows_per_shard = 1000;
  bool json = false;
};
const base::OptionTable<SkillsCorpusOptions>& skills_corpus_options();
corpus::CommandOutput run_skills_corpus(base::FileSystem& files, const SkillsCorpusOptions& options);

// The drills in their shuffled order; category is skills_math, skills_spelling, skills_choice or skills_facts.
struct DrillRows {
  int64_t math = 0, spelling = 0, choice = 0, facts = 0;
};
void for_each_drill(const DrillRows& rows, uint64_t seed,
                    const std::function<void(std::string_view text, std::string_view category)>& drill);

}  // namespace picochat::tasks
