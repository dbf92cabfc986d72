#include "picochat/train/held_out.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

namespace picochat::train {

HeldOut choose_held_out(const std::vector<std::string>& groups, base::Random random, double fraction) {
  HeldOut out{.examples = std::vector<bool>(groups.size()), .method = "single_example"};
  if (groups.size() < 2) return out;
  std::map<std::string, std::vector<size_t>> members;
  for (size_t i = 0; i < groups.size(); ++i) members[groups[i]].push_back(i);
  const bool grouped = members.size() >= 2 && !members.contains("");
  out.method = grouped ? "group" : "random";
  std::vector<std::vector<size_t>> units;
  if (grouped) {
    for (auto& [name, indices] : members) units.push_back(std::move(indices));
  } else {
    for (size_t i = 0; i < groups.size(); ++i) units.push_back({i});
  }
  random.shuffle(std::span(units));
  const auto budget = static_cast<size_t>(std::max(1.0, std::floor(static_cast<double>(groups.size()) * fraction)));
  size_t taken = 0;
  for (size_t u = 0; u + 1 < units.size() && taken < budget; ++u)
    for (size_t i : units[u]) out.examples[i] = true, ++taken;
  return out;
}

}  // namespace picochat::train
