// What a generated pack claims about itself, measured from its tasks.
#pragma once

#include <vector>

#include "picochat/base/json.hpp"
#include "tasks/skills/families.hpp"

namespace picochat::tasks {

// Counts of one file: categories, stages, answer letters, operands, words, facts.
base::Json describe_tasks(const std::vector<const Task*>& tasks);

// Problems, words and facts that occur on both sides; the split makes these zero, and this measures it.
base::Json items_on_both_sides(const std::vector<const Task*>& sft, const std::vector<const Task*>& eval);

// Quotas by the profile against rows: [{part, wanted, rows}].
base::Json quota_table(const std::string& benchmark_profile, int64_t wanted, const std::vector<const Task*>& tasks);

// Whether the operands are drawn evenly from all problems that a stage allows on this side. Small
// stages: how often each operand occurs. Others: chi-square of the first operand's leading digit over
// problems of two two-digit numbers, whose expected shares are counted exhaustively.
base::Json operand_uniformity(const MathStage& stage, Side side, const std::vector<const Task*>& tasks);

}  // namespace picochat::tasks
