// The parts that fact_bank() joins, one file each.
#pragma once

#include <span>

#include "tasks/skills/fact_bank.hpp"

namespace picochat::tasks {

std::span<const Relation> world_facts();
std::span<const Relation> science_facts();
std::span<const Relation> language_facts();
std::span<const Relation> everyday_facts();

}  // namespace picochat::tasks
