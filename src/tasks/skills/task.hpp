// One generated question with its answer, before it becomes an SFT row or an eval row.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/base/random.hpp"
#include "picochat/tasks/rows.hpp"
#include "picochat/tasks/similarity.hpp"

namespace picochat::tasks {

enum class Side { kTrain, kEval };

// A fifth of all problems, words and facts is held out for evaluation. The side of an item is a
// function of the item alone: no seed, no row count and no order can put it on the other side.
bool held_out(std::string_view kind, std::string_view item);
inline Side side_of(std::string_view kind, std::string_view item) {
  return held_out(kind, item) ? Side::kEval : Side::kTrain;
}

struct Task {
  std::string family;        // math, spelling, choice, identity, refusal
  std::string category, stage, variant = "canonical";
  std::string prompt, answer;
  std::string final_answer;  // what is compared; the answer's last line in a scratchpad
  bool scratchpad = false, answerable = true;
  std::vector<std::string> phrases;  // identity: expected phrases
  base::Json details = base::Json::object();  // operands, word, fact: metadata of the row
};

// Prompts of both files by their words, so that none occurs twice, not even typed another way.
class TakenPrompts {
 public:
  bool take(std::string_view prompt) { return taken_.insert(comparison_text(prompt)).second; }

 private:
  std::unordered_set<std::string> taken_;
};

struct TaskRequest {
  Side side = Side::kTrain;
  bool scratchpad = false;
  int64_t count = 0;
  uint64_t seed = 0;
};

ChatRow to_chat_row(const Task& task, int64_t index);
EvalRow to_eval_row(const Task& task, int64_t index);

// The names of the ways in which an eval prompt departs from the plain question.
inline constexpr const char* kVariants[] = {"canonical", "paraphrase", "format_shift", "wording_shift", "punctuation_shift"};

// The same question typed carelessly: case, closing punctuation, quotes and the spaces around
// operators change; numbers, words and line breaks stay.
std::string shift_punctuation(const std::string& prompt, uint64_t way);

// Draws until `count` tasks with new prompts are found; gives up after many prompts in a row that
// were taken. The caller compares the size of the result with the count.
template <typename Draw>
std::vector<Task> draw_tasks(int64_t count, TakenPrompts& taken, Draw draw) {
  std::vector<Task> out;
  int64_t misses = 0;
  for (int64_t attempt = 0; static_cast<int64_t>(out.size()) < count && misses < 4000; ++attempt) {
    Task task = draw(static_cast<int64_t>(out.size()), attempt);
    if (!taken.take(task.prompt)) {
      ++misses;
      continue;
    }
    misses = 0;
    out.push_back(std::move(task));
  }
  return out;
}

// Picks an element of an array by a draw.
template <typename List>
const auto& pick(base::Random& random, const List& list) {
  return list[random.below(std::size(list))];
}

}  // namespace picochat::tasks
