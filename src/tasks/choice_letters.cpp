#include "tasks/choice_letters.hpp"

#include "picochat/base/text.hpp"
#include "picochat/tasks/skill_groups.hpp"

namespace picochat::tasks {
namespace {

using base::cat;

constexpr int64_t kFewestRows = 40;
constexpr double kFavoured = 0.5;

// "A. Paris" -> {A, Paris}; anything else gives no letter.
Option option_in(std::string_view part) {
  part = base::trim(part);
  size_t at = 0;
  char close = 0;
  if (!part.empty() && (part[0] == '(' || part[0] == '[')) close = part[at++] == '(' ? ')' : ']';
  if (at + 1 >= part.size() || part[at] < 'A' || part[at] > 'Z') return {};
  const std::string letter(1, part[at++]);
  if (close) {
    if (part[at] != close) return {};
    ++at;
  } else if (part[at] == '.' || part[at] == ')' || part[at] == ':') {
    ++at;
  } else if (at + 1 < part.size() && part[at] == ' ' && (part[at + 1] == '=' || part[at + 1] == '-')) {
    at += 2;
  } else if (part[at] == '=') {
    ++at;
  } else {
    return {};
  }
  return {letter, std::string(base::trim(part.substr(at)))};
}

// The letter that an answer gives: "B", "B.", "(B)"; "" for any other answer.
std::string letter_of(std::string_view answer) {
  answer = base::trim(answer);
  while (!answer.empty() && std::string_view("([").find(answer.front()) != std::string_view::npos) answer.remove_prefix(1);
  while (!answer.empty() && std::string_view(")].").find(answer.back()) != std::string_view::npos) answer.remove_suffix(1);
  return answer.size() == 1 && answer[0] >= 'A' && answer[0] <= 'Z' ? std::string(answer) : std::string();
}

void check_row(LetterFindings& out, std::string_view prompt, const std::string& letter, const base::Json& extra, int64_t line) {
  const std::vector<Option> options = options_of(prompt);
  if (options.empty() || letter.empty()) return;
  ++out.rows;
  ++out.letters[letter];
  const Option* chosen = nullptr;
  for (const Option& option : options)
    if (option.letter == letter) chosen = &option;
  if (!chosen) {
    out.wrong.push_back({line, cat("the answer is ", letter, ", but the options are ", options.front().letter, " to ", options.back().letter)});
    return;
  }
  const auto text = extra.find("answer_text");
  if (text == extra.end() || !text->is_string() || *text == chosen->text) return;
  for (const Option& option : options)
    if (option.text == *text)
      out.wrong.push_back({line, cat("letter ", letter, " is '", chosen->text, "', but answer_text is '", text->get<std::string>(), "', letter ", option.letter)});
}

}  // namespace

std::vector<Option> options_of(std::string_view prompt) {
  std::vector<Option> out;
  auto take = [&](std::string_view part) {
    Option option = option_in(part);
    const std::string next(1, static_cast<char>('A' + out.size()));
    if (option.letter == next) out.push_back(std::move(option));
  };
  for (size_t i = 0; i <= prompt.size();) {
    size_t end = std::min(std::min(prompt.find('\n', i), prompt.find(" / ", i)), prompt.size());
    take(prompt.substr(i, end - i));
    i = end + (end < prompt.size() && prompt[end] == ' ' ? 3 : 1);
  }
  if (out.size() < 2) out.clear();
  return out;
}

std::string LetterFindings::favoured() const {
  if (rows < kFewestRows) return "";
  for (const auto& [letter, count] : letters)
    if (static_cast<double>(count) > kFavoured * static_cast<double>(rows)) return letter;
  return "";
}

LetterFindings check_letters(const std::vector<ChatRow>& rows) {
  LetterFindings out;
  for (const ChatRow& row : rows)
    if (skill_group(row.category) == "choice") check_row(out, row.user(), letter_of(row.assistant()), row.extra, row.line);
  return out;
}

LetterFindings check_letters(const std::vector<EvalRow>& rows) {
  LetterFindings out;
  for (const EvalRow& row : rows)
    if (row.is_choice()) check_row(out, row.user, row.correct_choice, row.extra, row.line);
  return out;
}

}  // namespace picochat::tasks
