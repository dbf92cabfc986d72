// Letters of words: counting, first and last, spelled out, backwards.
#include <algorithm>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "tasks/skills/families.hpp"
#include "tasks/skills/word_list.hpp"

namespace picochat::tasks {
namespace {

using base::cat;

constexpr SpellingStage kStages[] = {
    {"spelling_l1_count", "count", 0.24},  {"spelling_l1_first_letter", "first", 0.22}, {"spelling_l1_last_letter", "last", 0.22},
    {"spelling_l2_spaced", "spaced", 0.16}, {"spelling_l3_reverse", "reverse", 0.16},
};

struct Wordings {
  std::vector<const char*> train;
  const char *canonical, *paraphrase, *format, *wording;
};

const Wordings& wordings(std::string_view mode) {
  static const Wordings count = {
      {"How many letters are in {w}?", "Count the letters in {w}.", "How many letters does {w} have?", "Tell me the number of letters in {w}.",
       "{w}: how many letters?", "How long is {w}, counted in letters?", "What is the letter count of {w}?", "Number of characters in {w}?",
       "{w} is made of how many letters?", "Count how many characters {w} has.", "How many characters do you need for {w}?", "Give the length of {w}.",
       "Text: {w}\nHow many letters?"},
      "Find the length of the word {w} in letters.",
      "If you write {w} one letter at a time, how often do you write a letter?",
      "Word: {w}\nTask: letter count",
      "Of how many characters does {w} consist?"};
  static const Wordings first = {
      {"What is the first letter of {w}?", "Which letter does {w} start with?", "Give the first letter of {w}.", "Name the letter that begins {w}.",
       "{w}: which letter comes first?", "Which character is at the front of {w}?", "What is the initial letter of {w}?", "{w} opens with which letter?",
       "Write the opening letter of {w}.", "Of all letters in {w}, which stands first?", "Begin to spell {w}: what is letter one?", "Name the initial of {w}.",
       "Text: {w}\nFirst letter?"},
      "Look at {w}. Its opening letter is which one?",
      "If you write {w}, which letter do you put down before all the others?",
      "Word: {w}\nTask: opening letter",
      "Say the initial character of {w}."};
  static const Wordings last = {
      {"What is the last letter of {w}?", "Which letter does {w} end with?", "Give the last letter of {w}.", "Name the letter that ends {w}.",
       "{w}: which letter comes last?", "Which character is at the back of {w}?", "What is the final letter of {w}?", "{w} closes with which letter?",
       "Write the closing letter of {w}.", "Of all letters in {w}, which stands last?", "Spell {w}: what is the letter at the very end?", "Name the letter at the close of {w}.",
       "Text: {w}\nLast letter?"},
      "Look at {w}. Its closing letter is which one?",
      "If you write {w}, which letter do you put down after all the others?",
      "Word: {w}\nTask: closing letter",
      "Say the final character of {w}."};
  static const Wordings spaced = {
      {"Spell {w} with a space between the letters.", "Write the letters of {w} with spaces between them.", "Spell out {w}, letter by letter.",
       "{w}: spell it with spaces.", "Show {w} with its letters apart.", "Put a space after every letter of {w}.", "Separate {w} into its letters.",
       "Write {w} one letter at a time.", "Give me the letters of {w}, one by one.", "Break {w} up into characters.", "Which letters, in order, make up {w}?", "List the letters that make up {w}.",
       "Spell {w} slowly, with gaps.", "Letter after letter, what is {w}?", "Type {w} with blanks in between.",
       "Text: {w}\nSpell it with blanks."},
      "List each letter of {w} in order, parted by spaces.",
      "Take {w} apart into single letters with gaps.",
      "Word: {w}\nTask: letters with gaps",
      "Set the characters of {w} one by one, a blank after each."};
  static const Wordings reverse = {
      {"Write {w} backwards.", "Spell {w} in reverse.", "What is {w} spelled backwards?", "Reverse the letters of {w}.", "{w}: write it in reverse order.",
       "Write {w} from its last letter to its first.", "Flip {w} around.", "Spell {w} from end to start.", "What comes out if {w} is turned back to front?",
       "Give {w} in the other direction.", "Mirror the letters of {w}.", "Start at the end of {w} and spell towards the front.", "Turn {w} back to front.",
       "What does {w} look like from right to left?", "Give the opposite order of {w}.", "Spell {w}, last letter to first letter.", "Text: {w}\nBackwards, please."},
      "Turn the word {w} around, last letter first.",
      "Reading {w} from right to left gives which string?",
      "Word: {w}\nTask: right to left",
      "Put the characters of {w} into opposite order."};
  if (mode == "count") return count;
  if (mode == "first") return first;
  if (mode == "last") return last;
  return mode == "spaced" ? spaced : reverse;
}

std::string spaced_letters(const std::string& word) {
  std::string out;
  for (char c : word) {
    if (!out.empty()) out += ' ';
    out += c;
  }
  return out;
}

std::string quoted(const std::string& word, uint64_t way) {
  switch (way) {
    case 0: return cat("'", word, "'");
    case 1: return cat("\"", word, "\"");
    default: return cat("the word ", word);
  }
}

// Lines of work without "- ".
std::vector<std::string> letter_work(std::string_view mode, const std::string& word) {
  if (mode == "count") {
    std::string numbered;
    for (size_t i = 0; i < word.size(); ++i) numbered += cat(i ? ", " : "", i + 1, " ", word[i]);
    return {cat("Word: ", word, "."), cat("Letters: ", numbered, ".")};
  }
  std::vector<std::string> lines = {cat("Word: ", word, "."), cat("Letters: ", spaced_letters(word), ".")};
  std::string backwards(word.rbegin(), word.rend());
  if (mode == "first") lines.push_back(cat("First letter: ", word.front(), "."));
  if (mode == "last") lines.push_back(cat("Last letter: ", word.back(), "."));
  if (mode == "reverse") lines.push_back(cat("From the end: ", spaced_letters(backwards), "."));
  return lines;
}

}  // namespace

std::span<const SpellingStage> spelling_stages() { return kStages; }

const std::vector<std::string>& spelling_words(Side side) {
  static const auto both = [] {
    std::array<std::vector<std::string>, 2> out;
    std::string_view text = kWordListText;
    for (size_t i = 0; i < text.size();) {
      size_t end = std::min(text.find_first_of(" \n", i), text.size());
      if (end > i) {
        std::string word(text.substr(i, end - i));
        out[static_cast<size_t>(side_of("word", word))].push_back(word);
      }
      i = end + 1;
    }
    return out;
  }();
  return both[static_cast<size_t>(side)];
}

std::string spelling_answer(const std::string& mode, const std::string& word) {
  if (mode == "count") return cat(word.size());
  if (mode == "first") return word.substr(0, 1);
  if (mode == "last") return word.substr(word.size() - 1);
  if (mode == "spaced") return spaced_letters(word);
  base::require(mode == "reverse", "a spelling mode is known");
  return std::string(word.rbegin(), word.rend());
}

std::vector<Task> spelling_tasks(const SpellingStage& stage, const TaskRequest& request, TakenPrompts& taken) {
  base::Random random(request.seed, cat("tasks.spelling.", stage.name));
  std::vector<std::string> words = spelling_words(request.side);
  size_t at = words.size();
  const Wordings& texts = wordings(stage.mode);
  return draw_tasks(request.count, taken, [&](int64_t index, int64_t) {
    if (at == words.size()) {
      random.shuffle(std::span<std::string>(words));
      at = 0;
    }
    const std::string& word = words[at++];
    Task task;
    task.family = "spelling";
    task.category = cat("bench_spelling_", stage.mode);
    task.stage = stage.name;
    task.scratchpad = request.scratchpad;
    task.final_answer = spelling_answer(stage.mode, word);
    const char* wording;
    std::string shown = quoted(word, random.below(3));
    if (request.side == Side::kTrain) {
      wording = pick(random, texts.train);
      if (random.below(8) == 0) task.variant = "punctuation_shift";
      const std::string_view text = wording;
      if (text.starts_with("{w}:") || text.starts_with("Text:")) shown = word;
      else if (text.starts_with("{w}") && shown.front() == 't') shown.front() = 'T';
    } else {
      task.variant = kVariants[index % 5];
      wording = task.variant == "paraphrase"      ? texts.paraphrase
                : task.variant == "format_shift"  ? texts.format
                : task.variant == "wording_shift" ? texts.wording
                                                  : texts.canonical;
      if (task.variant == "format_shift") shown = word;
      else if (shown.front() == 't') shown = cat("'", word, "'");
    }
    task.prompt = fill(wording, {{"w", shown}});
    if (request.scratchpad) {
      task.prompt += request.side == Side::kTrain ? training_cue(random)
                     : task.variant == "format_shift" ? "\nShow a scratchpad, then the final answer."
                                                      : " Show a scratchpad, then the final answer.";
    }
    if (task.variant == "punctuation_shift") task.prompt = shift_punctuation(task.prompt, random.below(3));
    task.answer = task.final_answer;
    if (request.scratchpad) {
      task.answer = "Scratchpad:\n";
      for (const std::string& line : letter_work(stage.mode, word)) task.answer += cat("- ", line, "\n");
      task.answer += cat("Final answer: ", task.final_answer);
    }
    task.details["word"] = word;
    task.details["spelling_mode"] = stage.mode;
    return task;
  });
}

}  // namespace picochat::tasks
