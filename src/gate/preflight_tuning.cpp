// The rows that the model is tuned on and judged by.
#include <algorithm>

#include "gate/preflight_sheet.hpp"
#include "picochat/gate/skills.hpp"

namespace picochat::gate {

using base::cat;
using base::fixed;
using base::grouped;

namespace {

constexpr const char* kSft = "SFT";
constexpr const char* kEval = "Eval";
constexpr const char* kLookAtRows = "`picochat data preview --dataset-pack PACK` lists the rows";
constexpr const char* kMakePack = "make rows with `picochat data task-pack --profile release_skills`";

CheckStatus readiness(const std::string& status) {
  return status == "blocked" ? CheckStatus::kBlock : status == "ready" ? CheckStatus::kPass : CheckStatus::kWarn;
}

void check_categories(Sheet& s, const ChatFacts& c) {
  const char* rule = "skill_release: all five groups, else 4 categories on a long or release run (first_release: 2 of behaviour); none with 70% of the rows";
  const std::string metric = cat(c.categories.size(), " categories");
  const bool skills = s.profile == GateProfile::kSkillRelease;
  if (const auto missing = missing_skill_groups(c.categories); skills && !missing.empty())
    return s.add(kSft, "sft_category_balance", CheckStatus::kBlock, metric, rule, cat("no rows of ", base::join(missing, ", ")), kMakePack);
  const bool behaviour = s.profile == GateProfile::kFirstRelease && c.categories.size() >= 2 &&
                         std::all_of(c.categories.begin(), c.categories.end(), [](const auto& entry) { return first_release_category(entry.first); });
  if (s.scrutinised() && !skills && !behaviour && c.categories.size() < 4)
    return s.add(kSft, "sft_category_balance", CheckStatus::kWarn, metric, rule, "a model tuned on few kinds of rows answers few kinds of questions", kMakePack);
  std::map<std::string, int64_t> groups;  // skill_release counts groups, the others categories
  for (const auto& [category, rows] : c.categories) {
    const std::string group = skills ? skill_release_group(category) : category;
    groups[group.empty() ? category : group] += rows;
  }
  const auto largest = std::max_element(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const double share = c.examples > 0 && largest != groups.end() ? static_cast<double>(largest->second) / static_cast<double>(c.examples) : 0;
  const bool concentrated = s.scrutinised() && !behaviour && share >= 0.70;
  s.add(kSft, "sft_category_balance", s.warn_if(concentrated), metric, rule,
        largest == groups.end() ? "no rows" : cat(percent(share), " of the rows are ", largest->first),
        cat("add rows of other categories, or drop some of ", largest == groups.end() ? "it" : largest->first, "; `picochat data task-pack` makes balanced ones"));
}

void check_masking(Sheet& s, const ChatFacts& c) {
  if (!c.supervised_tokens || !c.rows_without_supervision) {
    s.notes.push_back({"assistant_only_masking", "measured when the rows are encoded: prompts are masked, answers are learned"});
    return;
  }
  const int64_t all = *c.supervised_tokens + c.masked_tokens.value_or(0);
  const bool bad = *c.rows_without_supervision > 0 || *c.supervised_tokens == 0;
  s.add(kSft, "assistant_only_masking", s.block_if(bad),
        cat(grouped(*c.supervised_tokens), " of ", grouped(all), " tokens learned, ", *c.rows_without_supervision, " rows with none"),
        "block: a row without a token to learn", "what the loss is computed on", "shorten or drop the rows that have no answer left");
}

void check_sft_exposure(Sheet& s, const ChatFacts& c) {
  const char* rule = "warn > 25 epochs, block a release > 60";
  if (c.examples == 0) return s.add(kSft, "sft_exposure", CheckStatus::kBlock, "no rows", rule, "there is nothing to learn from", kMakePack);
  const double epochs = *s.budget.estimated_sft_example_epochs;
  s.add(kSft, "sft_exposure", s.quality(epochs > 60, epochs > 25),
        cat(fixed(epochs, 1), " epochs", s.budget.sft_rows_per_sequence > 1 ? cat(" (", fixed(s.budget.sft_rows_per_sequence, 1), " rows per sequence)") : ""),
        rule, "how often the plan sees each row", "lower --sft-steps or the SFT batch, or add rows");
}

void check_sft_rates(Sheet& s) {
  const double rate = s.options.sft_learning_rate, effective = s.budget.sft_effective_learning_rate;
  s.add(kSft, "sft_lr", rate <= 0 ? CheckStatus::kBlock : s.warn_if(s.scrutinised() && rate > s.options.base_learning_rate), cat(rate),
        "block <= 0, warn above the base learning rate on a long or release run", "peak learning rate of SFT", "lower --sft-learning-rate");
  if (!s.options.auto_lr_scaling) return;
  s.add(kSft, "sft_effective_lr", effective <= 0 ? CheckStatus::kBlock : s.warn_if(s.scrutinised() && effective > 0.0002), cat(effective),
        "block <= 0, warn > 0.0002 on a long or release run", cat("after scaling by ", fixed(s.budget.sft_lr_sqrt_scale, 3)), "lower --sft-learning-rate");
}

}  // namespace

void check_sft(Sheet& s) {
  check_sft_rates(s);
  if (!s.facts.chat) {
    for (const char* name : {"chat_sft_readiness", "sft_rows", "sft_duplicate_prompts", "sft_category_balance", "sft_answer_length", "sft_exposure"})
      s.not_measured(kSft, name, "", "the chat file was not inspected", "name it with --chat-input or a pack");
    return;
  }
  const ChatFacts& c = *s.facts.chat;
  s.add(kSft, "chat_sft_readiness", readiness(c.status), c.status, "warn: caution, block: blocked", c.summary, cat("do what is said there; ", kLookAtRows));
  check_masking(s, c);
  s.add(kSft, "sft_rows", s.quality(c.examples < 300, c.examples < 500), grouped(c.examples), "warn < 500, block a release < 300",
        cat(grouped(c.examples), " rows to learn from"), kMakePack);
  const char* duplicates = "warn > 10%, block a release > 25%";
  if (!c.duplicate_user_rate) s.not_measured(kSft, "sft_duplicate_prompts", duplicates, "repeated prompts were not counted", "inspect the chat file");
  else
    s.add(kSft, "sft_duplicate_prompts", s.quality(*c.duplicate_user_rate > 0.25, *c.duplicate_user_rate > 0.10), percent(*c.duplicate_user_rate),
          duplicates, "prompts that repeat an earlier one", "keep one row of each prompt");
  check_categories(s, c);
  const char* length = "warn < 6.0 words on a long or release run";
  if (!c.average_assistant_words) s.not_measured(kSft, "sft_answer_length", length, "answers were not measured", "inspect the chat file");
  else
    s.add(kSft, "sft_answer_length", s.warn_if(s.scrutinised() && *c.average_assistant_words < 6), cat(fixed(*c.average_assistant_words, 1), " words"),
          length, "mean length of an answer", "add rows with whole sentences, or scratchpad answers");
  check_sft_exposure(s, c);
  s.notes.push_back({"post_run_sft_fit_gate", "after the run the gate judges how well SFT rows were learned, and rows held out from SFT"});
}

void check_eval(Sheet& s) {
  const bool skills = s.profile == GateProfile::kSkillRelease;
  if (!s.facts.eval) {
    for (const char* name : {"eval_readiness", "eval_rows", "eval_rules", "unanswerable_eval", "eval_splits"})
      s.not_measured(kEval, name, "", "the eval file was not inspected", "name it with --eval-input or a pack");
    if (skills) s.not_measured(kEval, "eval_skill_release_coverage", "", "the eval file was not inspected", "name it with --eval-input or a pack");
    return;
  }
  const EvalFileFacts& e = *s.facts.eval;
  s.add(kEval, "eval_readiness", readiness(e.status), e.status, "warn: caution, block: blocked", e.summary, cat("do what is said there; ", kLookAtRows));
  s.add(kEval, "eval_rows", s.quality(e.items < 80, e.items < 100), grouped(e.items), "warn < 100, block a release < 80",
        cat(grouped(e.items), " rows to judge by"), kMakePack);
  s.add(kEval, "eval_rules", s.quality(e.items_without_rules > 0, false), cat(e.items_without_rules, " without a rule"),
        "every row has a rule; a release blocks without", "a row without a rule passes with any reply", "add must_include, must_include_any or normalized_answer to those rows");
  s.add(kEval, "unanswerable_eval", s.warn_if(s.scrutinised() && e.unanswerable_items < 2), grouped(e.unanswerable_items),
        "warn < 2 on a long or release run", "rows that must be refused", "add rows with \"answerable\": false");
  s.add(kEval, "eval_splits", s.warn_if(s.scrutinised() && e.splits.size() < 2), cat(e.splits.size(), " split labels"), "warn < 2 on a long or release run",
        "kinds of rows that results are broken down by", "label rows with \"split\"");
  if (skills) {
    const auto missing = missing_skill_groups(e.categories);
    s.add(kEval, "eval_skill_release_coverage", s.block_if(!missing.empty()), cat(5 - missing.size(), " of 5 groups"), "all five groups",
          missing.empty() ? "every skill group is tested" : cat("no rows of ", base::join(missing, ", ")), kMakePack);
  }
  s.notes.push_back({"closed_book_eval", "the eval is closed-book: the model sees the question only, never the corpus"});
  s.notes.push_back({"random_baseline", e.choice_random_baseline
                         ? cat("guessing scores ", percent(*e.choice_random_baseline), " on the choice rows; results are also reported above that")
                         : "no choice rows with a chance level, or it is measured when they are scored"});
}

}  // namespace picochat::gate
