#include "honesty/support_phrases.hpp"

#include <algorithm>
#include <set>

#include "picochat/tasks/similarity.hpp"

namespace picochat::honesty {

std::vector<std::string> support_phrases(const tasks::EvalRow& row) {
  static const std::set<std::string> generic = {"i do not know", "not enough information", "cannot answer", "provided material",
                                                "do not know from the provided material", "cannot answer from the provided material",
                                                "not enough information in the provided material"};
  std::vector<std::string> out;
  std::set<std::string> seen;
  auto add = [&](const std::string& phrase) {
    std::string text = tasks::comparison_text(phrase);
    bool specific = text.size() >= 18 && std::count(text.begin(), text.end(), ' ') >= 2 && !generic.contains(text);
    if (specific && seen.insert(text).second) out.push_back(phrase);
  };
  // What picochat says of itself is taught word for word on purpose.
  if (row.category.starts_with("identity")) return out;
  for (const std::string& phrase : row.must_include) add(phrase);
  for (const auto& group : row.must_include_any) for (const std::string& phrase : group) add(phrase);
  return out;
}

}  // namespace picochat::honesty
