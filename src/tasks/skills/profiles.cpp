#include "tasks/skills/profiles.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "tasks/skills/families.hpp"

namespace picochat::tasks {
namespace {

using base::cat;

struct FamilyWeight {
  const char* family;
  double weight;
};

struct BenchmarkProfile {
  const char* name;
  std::vector<FamilyWeight> families;
  bool staged;  // stage weights of the curriculum; else the operations equally often
  IdentityBank identity;
};

const std::vector<BenchmarkProfile>& benchmark_profiles() {
  static const std::vector<BenchmarkProfile> all = {
      {"full", {{"choice", 0.34}, {"math", 0.24}, {"spelling", 0.20}, {"identity", 0.08}, {"refusal", 0.14}}, false, IdentityBank::kGeneral},
      {"release_behavior", {{"identity", 0.85}, {"refusal", 0.15}}, true, IdentityBank::kRelease},
      {"release_skills", {{"math", 0.30}, {"spelling", 0.25}, {"identity", 0.25}, {"choice", 0.10}, {"refusal", 0.10}}, true, IdentityBank::kRelease},
      {"behavior", {{"choice", 0.25}, {"math", 0.25}, {"spelling", 0.20}, {"identity", 0.20}, {"refusal", 0.10}}, false, IdentityBank::kGeneral},
      {"weak_skills", {{"math", 0.36}, {"spelling", 0.28}, {"choice", 0.16}, {"identity", 0.12}, {"refusal", 0.08}}, true, IdentityBank::kGeneral},
  };
  return all;
}

// A fifth of the refusal family is harmless look-alikes, so that refusing everything does not pay.
constexpr double kRefusalShares[] = {0.8, 0.2};

class Builder {
 public:
  Builder(const BenchmarkProfile& profile, TaskRequest request, TakenPrompts& taken)
      : profile_(profile), request_(request), taken_(taken) {}

  std::vector<Task> build() {
    std::vector<double> weights;
    for (const FamilyWeight& part : profile_.families) weights.push_back(part.weight);
    std::vector<int64_t> quotas = largest_remainder(request_.count, weights);
    for (size_t i = 0; i < quotas.size(); ++i) family(profile_.families[i].family, quotas[i]);
    if (!short_.empty()) {
      throw base::usage_error({.what = cat("the templates of profile ", profile_.name, " cannot give so many different ",
                                           request_.side == Side::kTrain ? "SFT" : "eval", " prompts"),
                               .found = base::join(short_, ", "), .remedy = "ask for fewer rows"});
    }
    return std::move(out_);
  }

 private:
  TaskRequest of(int64_t count) const {
    TaskRequest request = request_;
    request.count = count;
    return request;
  }

  void add(const std::string& name, int64_t wanted, std::vector<Task> tasks) {
    if (static_cast<int64_t>(tasks.size()) < wanted) short_.push_back(cat(name, " ", tasks.size(), " of ", wanted));
    std::move(tasks.begin(), tasks.end(), std::back_inserter(out_));
  }

  void family(std::string_view name, int64_t count) {
    if (name == "math") {
      std::vector<double> weights;
      for (const MathStage& stage : math_stages()) weights.push_back(profile_.staged ? stage.weight : stage.flat_weight);
      std::vector<int64_t> quotas = largest_remainder(count, weights);
      for (size_t i = 0; i < quotas.size(); ++i) {
        add(math_stages()[i].name, quotas[i], math_tasks(math_stages()[i], of(quotas[i]), taken_));
      }
    } else if (name == "spelling") {
      std::vector<double> weights;
      for (const SpellingStage& stage : spelling_stages()) weights.push_back(profile_.staged ? stage.weight : 0.2);
      std::vector<int64_t> quotas = largest_remainder(count, weights);
      for (size_t i = 0; i < quotas.size(); ++i) {
        add(spelling_stages()[i].name, quotas[i], spelling_tasks(spelling_stages()[i], of(quotas[i]), taken_));
      }
    } else if (name == "choice") {
      add("choice", count, choice_tasks(of(count), taken_));
    } else if (name == "identity") {
      add("identity", count, identity_tasks(profile_.identity, of(count), taken_));
    } else {
      std::vector<int64_t> quotas = largest_remainder(count, kRefusalShares);
      add("refusal", quotas[0], refusal_tasks(of(quotas[0]), taken_));
      add("benign_lookalike", quotas[1], benign_tasks(of(quotas[1]), taken_));
    }
  }

  const BenchmarkProfile& profile_;
  TaskRequest request_;
  TakenPrompts& taken_;
  std::vector<Task> out_;
  std::vector<std::string> short_;
};

}  // namespace

std::vector<int64_t> largest_remainder(int64_t total, std::span<const double> weights) {
  double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<int64_t> out;
  std::vector<double> fractions;
  int64_t given = 0;
  for (double weight : weights) {
    // A millionth keeps 0.3 * 70 from being 20.999999.
    double exact = static_cast<double>(total) * weight / sum;
    out.push_back(static_cast<int64_t>(std::floor(exact + 1e-6)));
    fractions.push_back(std::round((exact - static_cast<double>(out.back())) * 1e6));
    given += out.back();
  }
  std::vector<size_t> order(weights.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return fractions[a] > fractions[b]; });
  for (size_t i = 0; given < total; ++i, ++given) ++out[order[i % order.size()]];
  return out;
}

const std::vector<std::string>& profile_names() {
  static const std::vector<std::string> names = {"release_skills", "capability", "balanced", "release", "benchmark",
                                                 "full", "behavior", "weak_skills", "release_behavior"};
  return names;
}

std::vector<MixtureComponent> mixture_of(const std::string& profile) {
  if (profile == "release") return {{"release_behavior", "release_behavior", 1.0}};
  if (profile == "capability") return {{"weak_skills", "weak_skills", 0.72}, {"behavior_anchor", "release_behavior", 0.28}};
  if (profile == "balanced") {
    return {{"release_behavior", "release_behavior", 0.25}, {"weak_skills", "weak_skills", 0.45}, {"benchmark", "full", 0.30}};
  }
  if (profile == "benchmark") return {{"benchmark", "full", 1.0}};
  return {{profile, profile, 1.0}};
}

std::vector<std::pair<std::string, int64_t>> quotas_of(const std::string& name, int64_t rows) {
  std::vector<std::pair<std::string, int64_t>> out;
  for (const BenchmarkProfile& profile : benchmark_profiles()) {
    if (profile.name != name) continue;
    std::vector<double> weights;
    for (const FamilyWeight& part : profile.families) weights.push_back(part.weight);
    const std::vector<int64_t> quotas = largest_remainder(rows, weights);
    for (size_t i = 0; i < quotas.size(); ++i) out.emplace_back(profile.families[i].family, quotas[i]);
  }
  return out;
}

bool profile_takes_outside_rows(const std::string& profile) {
  std::vector<MixtureComponent> parts = mixture_of(profile);
  return std::any_of(parts.begin(), parts.end(), [](const MixtureComponent& part) { return part.profile == "full"; });
}

std::vector<Task> profile_tasks(const std::string& name, const TaskRequest& request, TakenPrompts& taken) {
  for (const BenchmarkProfile& profile : benchmark_profiles()) {
    if (profile.name == name) return Builder(profile, request, taken).build();
  }
  throw base::usage_error({.what = cat("unknown profile '", name, "'"), .where = "--profile",
                           .expected = base::join(profile_names(), ", "),
                           .remedy = cat("did you mean ", base::closest(name, profile_names()), "?")});
}

}  // namespace picochat::tasks
