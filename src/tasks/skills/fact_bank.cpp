#include "tasks/skills/fact_bank.hpp"

#include <array>
#include <vector>

#include "tasks/skills/fact_bank_parts.hpp"

namespace picochat::tasks {

std::span<const Relation> fact_bank() {
  static const std::vector<Relation> all = [] {
    std::vector<Relation> out;
    for (std::span<const Relation> part : {world_facts(), science_facts(), language_facts(), everyday_facts()}) {
      out.insert(out.end(), part.begin(), part.end());
    }
    return out;
  }();
  return all;
}

}  // namespace picochat::tasks
