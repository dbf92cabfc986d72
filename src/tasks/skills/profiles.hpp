// What each profile is made of, and how many rows each part gets.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tasks/skills/task.hpp"

namespace picochat::tasks {

// Rows per part: floor(total * weight), the remainder to the largest fractions, ties to the earlier part.
std::vector<int64_t> largest_remainder(int64_t total, std::span<const double> weights);

// A mixture is one or more components; a component is a benchmark profile.
struct MixtureComponent {
  std::string name, profile;
  double weight;
};
// Profile names of both commands, in the order of help texts.
const std::vector<std::string>& profile_names();
std::vector<MixtureComponent> mixture_of(const std::string& profile);
// The rows of each family of a benchmark profile, in order; refusal includes its harmless look-alikes.
std::vector<std::pair<std::string, int64_t>> quotas_of(const std::string& profile, int64_t rows);
bool profile_takes_outside_rows(const std::string& profile);

// The tasks of one benchmark profile for one side, family by family (not shuffled). Usage error naming
// each category that cannot give its quota of different prompts.
std::vector<Task> profile_tasks(const std::string& profile, const TaskRequest& request, TakenPrompts& taken);

}  // namespace picochat::tasks
