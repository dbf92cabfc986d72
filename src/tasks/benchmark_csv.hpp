// CSV as RFC 4180 has it (quoted fields may hold commas, quotes and line ends), for files without a header.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"

namespace picochat::tasks {

// Calls record(fields, line) for each record that is not blank; `line` (1-based) is where it begins. BadInput for a
// quote that is never closed.
void read_csv(const base::Path& path, const std::function<void(const std::vector<std::string>&, int64_t)>& record);

}  // namespace picochat::tasks
