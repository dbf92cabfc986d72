// Whether the letters of choice rows can be right: shown in the question, and on the option that the
// row itself says is the answer.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/tasks/rows.hpp"

namespace picochat::tasks {

struct Option {
  std::string letter, text;
};

// The labelled options of a question: "A. ...", "(A) ...", "[A] ...", "A = ...", on lines of their own or
// between slashes, in the order A, B, C, ...; empty when there are not two.
std::vector<Option> options_of(std::string_view prompt);

struct LetterFindings {
  std::vector<RowIssue> wrong;
  std::map<std::string, int64_t> letters;  // how often each is right
  int64_t rows = 0;
  // A letter that is right so often that guessing it pays; "" when none. From 40 rows on.
  std::string favoured() const;
};
LetterFindings check_letters(const std::vector<ChatRow>& rows);
LetterFindings check_letters(const std::vector<EvalRow>& rows);

}  // namespace picochat::tasks
