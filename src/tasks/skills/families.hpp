// The five skill families. Each makes tasks of one kind for one side of the split.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "tasks/skills/task.hpp"

namespace picochat::tasks {

// ---- arithmetic ----
enum class Operation { kAdd, kSubtract, kMultiply, kRemove };  // kRemove: a x b - c

struct Problem {
  Operation operation;
  int64_t a = 0, b = 0, c = 0;
  int64_t answer() const;
  // Equal for a problem and its mirror image: 3+5 and 5+3 are on one side of the split.
  std::string key() const;
  bool is_held_out() const { return held_out("math", key()); }
};

struct MathStage {
  const char* name;
  const char* category;
  double weight;       // in the staged profiles
  double flat_weight;  // in the others: the four operations equally often
  Operation operation;
};
std::span<const MathStage> math_stages();
// Small stages are listed whole; empty for the others.
std::vector<Problem> small_stage_problems(const MathStage& stage);
// Whether an addition or subtraction of a large stage carries (borrows) as its name says.
bool stage_allows(const MathStage& stage, const Problem& problem);
// A problem of the stage, uniform over those of the side; `index` walks small stages evenly.
class ProblemSource {
 public:
  ProblemSource(const MathStage& stage, Side side, uint64_t seed);
  Problem next();

 private:
  const MathStage& stage_;
  Side side_;
  base::Random random_;
  std::vector<Problem> all_;  // small stages: every problem of the side, reshuffled for each pass
  size_t at_ = 0;
};
std::vector<std::string> column_work(const Problem& problem);  // the scratchpad's lines, without "- "
std::vector<Task> math_tasks(const MathStage& stage, const TaskRequest& request, TakenPrompts& taken);

// ---- spelling ----
struct SpellingStage {
  const char* name;
  const char* mode;  // count, first, last, spaced, reverse
  double weight;
};
std::span<const SpellingStage> spelling_stages();
const std::vector<std::string>& spelling_words(Side side);
std::string spelling_answer(const std::string& mode, const std::string& word);
std::vector<Task> spelling_tasks(const SpellingStage& stage, const TaskRequest& request, TakenPrompts& taken);

// ---- choice ----
struct Fact {
  size_t relation;
  std::string subject, answer;
  std::vector<std::string> wrong;  // enough to choose from, none of them right
};
const std::vector<Fact>& facts(Side side);
// "What is the capital of France?", with the subject in place and a capital first letter.
std::string question_of(const Fact& fact, Side side, uint64_t wording);
// "Australia is governed from Canberra.": the fact told, in words that no question uses.
std::string statement_of(const Fact& fact, uint64_t wording);
std::vector<Task> choice_tasks(const TaskRequest& request, TakenPrompts& taken);

// ---- identity ----
enum class IdentityBank { kRelease, kGeneral };
std::vector<Task> identity_tasks(IdentityBank bank, const TaskRequest& request, TakenPrompts& taken);

// ---- refusal, and the harmless questions that look like them ----
std::vector<Task> refusal_tasks(const TaskRequest& request, TakenPrompts& taken);
std::vector<Task> benign_tasks(const TaskRequest& request, TakenPrompts& taken);

// "{name}" and the like replaced; a name without a value is a defect of ours.
using Slots = std::vector<std::pair<std::string, std::string>>;
std::string fill(std::string_view text, const Slots& slots);
const std::string& any_name(base::Random& random, Side side);
// Asks for a scratchpad, in one way for every family: a cue that only one family had would tell which it is.
const char* training_cue(base::Random& random);

}  // namespace picochat::tasks
