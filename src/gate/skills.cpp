#include "picochat/gate/skills.hpp"

#include <algorithm>

namespace picochat::gate {
namespace {

struct Prefix {
  const char* prefix;
  const char* group;
};
constexpr Prefix kPrefixes[] = {{"identity", "identity"}, {"refusal", "refusal"}, {"bench_choice", "choice"}, {"mmlu_", "choice"},
                                {"arc_", "choice"}, {"bench_math_", "math"}, {"gsm8k", "math"}, {"bench_spelling_", "spelling"}};

}  // namespace

const std::vector<std::string>& skill_release_groups() {
  static const std::vector<std::string> groups{"identity", "refusal", "choice", "math", "spelling"};
  return groups;
}

std::string skill_release_group(const std::string& category) {
  for (const Prefix& p : kPrefixes)
    if (category.rfind(p.prefix, 0) == 0) return p.group;
  return "";
}

bool first_release_category(const std::string& category) {
  return category.rfind("identity", 0) == 0 || category.rfind("refusal", 0) == 0 || category.rfind("bench_choice", 0) == 0;
}

std::vector<std::string> missing_skill_groups(const std::map<std::string, int64_t>& categories) {
  std::vector<std::string> missing;
  for (const auto& group : skill_release_groups())
    if (std::none_of(categories.begin(), categories.end(), [&](const auto& c) { return c.second > 0 && skill_release_group(c.first) == group; }))
      missing.push_back(group);
  return missing;
}

}  // namespace picochat::gate
