// The five skill groups that a skill_release must teach and test, by category prefix.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace picochat::gate {

// identity, refusal, choice, math, spelling.
const std::vector<std::string>& skill_release_groups();

// The group of a category, or "" when it belongs to none: "bench_math_addition" -> "math".
std::string skill_release_group(const std::string& category);

// identity*, refusal* and bench_choice*: what a first_release is judged on.
bool first_release_category(const std::string& category);

// Groups without a single row among these categories.
std::vector<std::string> missing_skill_groups(const std::map<std::string, int64_t>& categories);

}  // namespace picochat::gate
