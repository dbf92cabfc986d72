// Rows of a preference file, what DPO learns from: a prompt with a better and a worse reply. Format: docs/formats/rows.md.
#pragma once

#include <string>
#include <vector>

#include "picochat/tasks/rows.hpp"

namespace picochat::tasks {

struct PreferenceRow {
  std::vector<ChatTurn> prompt;  // an optional system turn, then the user's
  std::string chosen, rejected;  // they differ
  std::string category = "preference";
  std::string group;             // as in a chat row
  int64_t line = 0;              // 1-based

  std::vector<ChatTurn> with(const std::string& reply) const;  // the prompt, answered
};

// Strict: the first bad row is BadInput naming path:line and the field; so is a file without rows.
std::vector<PreferenceRow> read_preference_rows(const base::Path& path);

// One object; `where` is path:line.
PreferenceRow parse_preference_row(const base::Json& object, const std::string& where);

}  // namespace picochat::tasks
