// What a chat or eval file holds and whether a run may use it: ready, caution or blocked.
#pragma once

#include <string>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/tasks/rows.hpp"

namespace picochat::tasks {

// Keys: docs/formats/rows.md. Never throws on bad rows or a missing file: those are a blocked status.
// Paths are written as given.
base::Json inspect_chat_rows(const base::Path& path);
base::Json inspect_eval_rows(const base::Path& path);

// The same on rows in memory; generators use it before they write anything.
base::Json inspect_chat_rows(const RowFile<ChatRow>& file, const std::string& label);
base::Json inspect_eval_rows(const RowFile<EvalRow>& file, const std::string& label);

}  // namespace picochat::tasks
