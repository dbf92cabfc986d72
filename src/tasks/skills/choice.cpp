// Multiple choice over the fact bank.
#include <algorithm>
#include <set>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "tasks/skills/fact_bank.hpp"
#include "tasks/skills/families.hpp"

namespace picochat::tasks {
namespace {

using base::cat;

std::vector<std::string> parts(std::string_view text, std::string_view separator) {
  std::vector<std::string> out;
  for (size_t i = 0; i <= text.size();) {
    size_t end = std::min(text.find(separator, i), text.size());
    std::string_view part = base::trim(text.substr(i, end - i));
    if (!part.empty()) out.emplace_back(part);
    i = end + separator.size();
  }
  return out;
}

bool is_vowel(char c) { return std::string_view("aeiou").find(c) != std::string_view::npos; }

std::string ing_form(const std::string& verb) {
  size_t n = verb.size();
  if (verb.ends_with("e") && !verb.ends_with("ee")) return verb.substr(0, n - 1) + "ing";
  bool doubles = n >= 3 && n <= 4 && !is_vowel(verb[n - 1]) && is_vowel(verb[n - 2]) && !is_vowel(verb[n - 3]) &&
                 std::string_view("wxy").find(verb[n - 1]) == std::string_view::npos;
  return verb + (doubles ? std::string(1, verb[n - 1]) : "") + "ing";
}

std::vector<std::string> wrong_answers(const Relation& relation, const std::string& subject, const std::string& answer,
                                       const std::vector<std::string>& answers) {
  std::vector<std::string> out;
  auto add = [&](const std::string& text) {
    if (text != answer && std::find(out.begin(), out.end(), text) == out.end()) out.push_back(text);
  };
  switch (relation.wrong) {
    case WrongAnswers::kSameRelation:
      for (const std::string& other : answers) add(other);
      for (const std::string& other : parts(relation.more_answers, ";")) add(other);
      break;
    case WrongAnswers::kPlural:
      for (const char* ending : {"s", "es", "", "en"}) if (out.size() < 3) add(subject + ending);
      break;
    case WrongAnswers::kPastTense:
      add(subject + (subject.ends_with("e") ? "d" : "ed"));
      add(answer + (answer.ends_with("e") ? "d" : "ed"));
      add(ing_form(subject));
      break;
    case WrongAnswers::kNearNumber: {
      int64_t value = std::stoll(answer);
      int64_t step = value >= 1000 ? 100 : value >= 50 ? 5 : 1;
      for (int64_t offset : {-2, -1, 1, 2, 3, 4, 5, 6}) if (value + offset * step >= 0) add(cat(value + offset * step));
      if (value >= 10) add(cat(value * 10)), add(cat(value / 2));
      break;
    }
  }
  return out;
}

std::array<std::vector<Fact>, 2> all_facts() {
  std::array<std::vector<Fact>, 2> out;
  std::span<const Relation> bank = fact_bank();
  for (size_t r = 0; r < bank.size(); ++r) {
    std::vector<std::pair<std::string, std::vector<std::string>>> entries;
    std::vector<std::string> answers;
    for (const std::string& entry : parts(bank[r].facts, ";")) {
      size_t equals = entry.find('=');
      base::require(equals != std::string::npos, "a fact is subject=answer");
      std::vector<std::string> sides = parts(entry.substr(equals + 1), "/");
      entries.emplace_back(entry.substr(0, equals), sides);
      answers.push_back(sides[0]);
    }
    for (const auto& [subject, sides] : entries) {
      Fact fact{r, subject, sides[0], {sides.begin() + 1, sides.end()}};
      if (fact.wrong.empty()) fact.wrong = wrong_answers(bank[r], subject, sides[0], answers);
      base::require(fact.wrong.size() >= 3, "a fact has three wrong answers");
      std::string key = bank[r].pool ? cat(bank[r].pool, "|", std::min(subject, sides[0]), "|", std::max(subject, sides[0]))
                                     : cat(bank[r].name, "|", subject);
      out[static_cast<size_t>(side_of("fact", key))].push_back(std::move(fact));
    }
  }
  return out;
}

// How the four answers are set out: before the label, after it, and the instruction around them.
struct Layout {
  const char *open, *close;
  const char* instruction;
  bool instruction_first;
};
constexpr Layout kTrainLayouts[] = {
    {"", ". ", "Answer with the letter only.", false},   {"", ") ", "Reply with one letter.", false},
    {"(", ") ", "Give just the letter.", false},         {"", ": ", "Answer with one capital letter.", false},
    {"", ". ", "Choose A, B, C or D.", true},             {"", ") ", "Pick one letter.", true},
    {"", " = ", "Write only the label.", false},          {"[", "] ", "Answer with A, B, C or D.", false},
};
constexpr Layout kEvalLayouts[] = {
    {"", ". ", "Which letter is right? Give nothing else.", false},
    {"", ") ", "Respond with a single letter.", false},
    {"(", ") ", "State the label of the right answer.", false},
    {"", " - ", "Name the right letter.", true},
};

std::string capitalized(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

}  // namespace

const std::vector<Fact>& facts(Side side) {
  static const std::array<std::vector<Fact>, 2> both = all_facts();
  return both[static_cast<size_t>(side)];
}

std::string question_of(const Fact& fact, Side side, uint64_t wording) {
  const Relation& relation = fact_bank()[fact.relation];
  std::vector<std::string> texts = parts(side == Side::kTrain ? relation.train_questions : relation.eval_questions, "|");
  return capitalized(base::replace_all(texts[wording % texts.size()], "{}", fact.subject));
}

std::string statement_of(const Fact& fact, uint64_t wording) {
  std::vector<std::string> texts = parts(fact_bank()[fact.relation].statements, "|");
  return capitalized(base::replace_all(base::replace_all(texts[wording % texts.size()], "{}", fact.subject), "{a}", fact.answer));
}

std::vector<Task> choice_tasks(const TaskRequest& request, TakenPrompts& taken) {
  base::Random random(request.seed, "tasks.choice");
  std::vector<Fact> bank = facts(request.side);
  // Labels by blocks of four, each block in its own order: balanced to within one at any count.
  std::vector<size_t> positions;
  size_t at = bank.size();
  return draw_tasks(request.count, taken, [&](int64_t index, int64_t) {
    if (at == bank.size()) {
      random.shuffle(std::span<Fact>(bank));
      at = 0;
    }
    const Fact& fact = bank[at++];
    while (positions.size() <= static_cast<size_t>(index)) {
      std::array<size_t, 4> block = {0, 1, 2, 3};
      random.shuffle(std::span<size_t>(block));
      positions.insert(positions.end(), block.begin(), block.end());
    }
    size_t right = positions[static_cast<size_t>(index)];
    std::vector<std::string> options = fact.wrong;
    random.shuffle(std::span<std::string>(options));
    options.resize(3);
    options.insert(options.begin() + static_cast<std::ptrdiff_t>(right), fact.answer);

    Task task;
    task.family = "choice";
    const Relation& relation = fact_bank()[fact.relation];
    task.category = cat("bench_choice_", relation.subject);
    task.stage = cat("choice_", relation.subject);
    const Layout& layout = request.side == Side::kTrain ? pick(random, kTrainLayouts) : pick(random, kEvalLayouts);
    std::string question = question_of(fact, request.side, random.below(8));
    task.prompt = layout.instruction_first ? cat(layout.instruction, "\n", question) : question;
    for (size_t i = 0; i < 4; ++i) task.prompt += cat("\n", layout.open, static_cast<char>('A' + i), layout.close, options[i]);
    if (!layout.instruction_first) task.prompt += cat("\n", layout.instruction);
    if (request.side == Side::kEval) task.variant = kVariants[index % 2 ? 2 : 0];
    if (request.side == Side::kEval && index % 2) {
      // The same question on one line.
      task.prompt = base::replace_all(task.prompt, "\n", " / ");
    }
    task.final_answer = task.answer = std::string(1, static_cast<char>('A' + right));
    task.details["fact"] = cat(relation.name, ": ", fact.subject);
    task.details["answer_text"] = fact.answer;
    return task;
  });
}

}  // namespace picochat::tasks
