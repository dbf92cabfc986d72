#include "tasks/pack_statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "picochat/base/text.hpp"
#include "tasks/skills/profiles.hpp"

namespace picochat::tasks {

using base::cat;
using base::Json;

Json describe_tasks(const std::vector<const Task*>& tasks) {
  std::map<std::string, int64_t> categories, stages, letters, variants;
  struct Operands {
    std::set<std::string> problems;
    std::map<std::string, int64_t> digits, leading;
    int64_t rows = 0, low = INT64_MAX, high = 0;
  };
  std::map<std::string, Operands> operands;
  std::set<std::string> words, facts;
  for (const Task* each : tasks) {
    const Task& task = *each;
    ++categories[task.category];
    ++stages[task.stage];
    ++variants[task.variant];
    if (task.family == "choice") ++letters[task.final_answer], facts.insert(task.details["fact"].get<std::string>());
    if (task.family == "spelling") words.insert(task.details["word"].get<std::string>());
    if (task.family == "math") {
      Operands& of = operands[task.stage];
      ++of.rows;
      of.problems.insert(task.details["operands"].dump());
      for (const Json& operand : task.details["operands"]) {
        auto value = operand.get<int64_t>();
        std::string text = cat(value);
        ++of.digits[cat(text.size())];
        ++of.leading[text.substr(0, 1)];
        of.low = std::min(of.low, value);
        of.high = std::max(of.high, value);
      }
    }
  }
  Json arithmetic = Json::object();
  for (const auto& [stage, of] : operands) {
    arithmetic[stage] = {{"rows", of.rows}, {"different_problems", of.problems.size()}, {"smallest_operand", of.low},
                         {"largest_operand", of.high}, {"operand_digits", of.digits}, {"operand_first_digits", of.leading}};
  }
  return {{"rows", tasks.size()}, {"categories", categories}, {"stages", stages}, {"variants", variants}, {"choice_letters", letters},
          {"different_facts", facts.size()}, {"different_words", words.size()}, {"arithmetic", arithmetic}};
}

Json items_on_both_sides(const std::vector<const Task*>& sft, const std::vector<const Task*>& eval) {
  auto items_of = [](const std::vector<const Task*>& tasks, const char* key) {
    std::set<std::string> out;
    for (const Task* task : tasks) {
      if (task->details.contains(key)) {
        out.insert(cat(task->details.value("operation", ""), task->details[key].dump()));
      }
    }
    return out;
  };
  Json out = Json::object();
  for (const char* key : {"operands", "word", "fact"}) {
    std::set<std::string> left = items_of(sft, key), right = items_of(eval, key);
    out[key] = std::count_if(right.begin(), right.end(), [&](const std::string& item) { return left.contains(item); });
  }
  return out;
}

namespace {

// How often each operand of a small stage occurs, of those that its problems have.
Json small_stage(const std::vector<Problem>& all, Side side, const std::vector<const Task*>& tasks) {
  std::set<int64_t> possible, seen;
  std::set<std::string> problems;
  int64_t available = 0;
  for (const Problem& problem : all) {
    if (problem.is_held_out() != (side == Side::kEval)) continue;
    ++available;
    possible.insert({problem.a, problem.b});
  }
  std::map<std::string, int64_t> rows_of;
  for (const Task* task : tasks) {
    const auto operands = task->details["operands"].get<std::vector<int64_t>>();
    seen.insert(operands.begin(), operands.begin() + 2);
    ++rows_of[task->details["operands"].dump()];
  }
  int64_t fewest = rows_of.size() < static_cast<size_t>(available) ? 0 : INT64_MAX, most = 0;
  for (const auto& [problem, rows] : rows_of) fewest = std::min(fewest, rows), most = std::max(most, rows);
  return {{"problems_available", available}, {"problems_used", rows_of.size()}, {"rows_per_problem", {fewest, most}},
          {"operands_possible", possible.size()}, {"operands_seen", seen.size()}, {"uniform", most - fewest <= 1}};
}

// Chi-square of the leading digit of the first operand, over problems of two two-digit numbers.
Json two_digit_problems(const MathStage& stage, Side side, const std::vector<const Task*>& tasks) {
  constexpr double kCritical = 26.12;  // of chi-square with 8 degrees of freedom, at 0.001
  std::array<double, 10> expected{}, seen{};
  double all = 0, drawn = 0;
  for (int64_t a = 10; a <= 99; ++a)
    for (int64_t b = 10; b <= 99; ++b) {
      const Problem problem{stage.operation, a, b, 0};
      if (!stage_allows(stage, problem) || problem.is_held_out() != (side == Side::kEval)) continue;
      ++expected[static_cast<size_t>(a / 10)];
      ++all;
    }
  for (const Task* task : tasks) {
    const auto operands = task->details["operands"].get<std::vector<int64_t>>();
    if (std::any_of(operands.begin(), operands.end(), [](int64_t value) { return value < 10 || value > 99; })) continue;
    ++seen[static_cast<size_t>(operands[0] / 10)];
    ++drawn;
  }
  double chi_square = 0;
  for (size_t digit = 1; digit <= 9; ++digit) {
    const double share = expected[digit] / all * drawn;
    if (share > 0) chi_square += (seen[digit] - share) * (seen[digit] - share) / share;
  }
  return {{"two_digit_problems", static_cast<int64_t>(drawn)}, {"chi_square", std::round(chi_square * 100) / 100}, {"degrees_of_freedom", 8},
          {"critical_value", kCritical}, {"uniform", chi_square < kCritical}};
}

}  // namespace

Json operand_uniformity(const MathStage& stage, Side side, const std::vector<const Task*>& tasks) {
  std::vector<const Task*> of_stage;
  for (const Task* task : tasks)
    if (task->stage == stage.name) of_stage.push_back(task);
  if (of_stage.empty() || stage.operation == Operation::kRemove) return nullptr;
  const std::vector<Problem> all = small_stage_problems(stage);
  return all.empty() ? two_digit_problems(stage, side, of_stage) : small_stage(all, side, of_stage);
}

Json quota_table(const std::string& benchmark_profile, int64_t wanted, const std::vector<const Task*>& tasks) {
  Json out = Json::array();
  for (const auto& [part, rows] : quotas_of(benchmark_profile, wanted)) {
    const int64_t found = std::count_if(tasks.begin(), tasks.end(), [&, part = part](const Task* task) {
      return part == task->family || (part == "refusal" && task->family == "benign");
    });
    out.push_back({{"part", part}, {"wanted", rows}, {"rows", found}});
  }
  return out;
}

}  // namespace picochat::tasks
