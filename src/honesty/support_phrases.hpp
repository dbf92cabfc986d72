// What an eval row expects in a reply and is specific enough to be told from any other text.
#pragma once

#include <string>
#include <vector>

#include "picochat/tasks/rows.hpp"

namespace picochat::honesty {

std::vector<std::string> support_phrases(const tasks::EvalRow& row);

}  // namespace picochat::honesty
