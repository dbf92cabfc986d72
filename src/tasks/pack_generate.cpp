// A whole pack in memory: the rows of both files, and the statistics that prove what they claim.
#include <algorithm>
#include <map>
#include <set>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tasks/similarity.hpp"
#include "picochat/tasks/skill_groups.hpp"
#include "picochat/tasks/task_pack.hpp"
#include "tasks/pack_statistics.hpp"
#include "tasks/skills/profiles.hpp"

namespace picochat::tasks {
namespace {

using base::cat;
using base::Json;

constexpr double kNearThreshold = 0.86;
constexpr size_t kSamples = 5;
constexpr uint64_t kEvalSeedOffset = 100'000, kComponentSeedStep = 10'000;

struct Labelled {
  Task task;
  const MixtureComponent* component;
};

std::vector<Labelled> mixture_tasks(const std::vector<MixtureComponent>& parts, TaskRequest request, TakenPrompts& taken) {
  std::vector<double> weights;
  for (const MixtureComponent& part : parts) weights.push_back(part.weight);
  std::vector<int64_t> quotas = largest_remainder(request.count, weights);
  std::vector<Labelled> out;
  for (size_t i = 0; i < parts.size(); ++i) {
    TaskRequest part = request;
    part.count = quotas[i];
    part.seed += kComponentSeedStep * i;
    for (Task& task : profile_tasks(parts[i].profile, part, taken)) out.push_back({std::move(task), &parts[i]});
  }
  base::Random random(request.seed, "tasks.pack.order");
  random.shuffle(std::span<Labelled>(out));
  return out;
}

std::vector<const Task*> tasks_of(const std::vector<Labelled>& rows) {
  std::vector<const Task*> out;
  for (const Labelled& row : rows) out.push_back(&row.task);
  return out;
}

// Counts of one file, with the rows that each part of the profile was to give and gave.
Json describe(const std::vector<Labelled>& rows, const std::vector<MixtureComponent>& parts, Side side) {
  std::map<std::string, int64_t> components;
  for (const Labelled& row : rows) ++components[row.component->name];
  Json out = describe_tasks(tasks_of(rows));
  out["components"] = components;
  std::vector<double> weights;
  for (const MixtureComponent& part : parts) weights.push_back(part.weight);
  const std::vector<int64_t> wanted = largest_remainder(static_cast<int64_t>(rows.size()), weights);
  out["quotas"] = Json::array();
  for (size_t i = 0; i < parts.size(); ++i) {
    std::vector<const Task*> tasks;
    for (const Labelled& row : rows)
      if (row.component == &parts[i]) tasks.push_back(&row.task);
    for (Json& line : quota_table(parts[i].profile, wanted[i], tasks)) {
      line["component"] = parts[i].name;
      out["quotas"].push_back(std::move(line));
    }
  }
  out["operand_uniformity"] = Json::object();
  for (const MathStage& stage : math_stages()) {
    const Json measured = operand_uniformity(stage, side, tasks_of(rows));
    if (!measured.is_null()) out["operand_uniformity"][stage.name] = measured;
  }
  return out;
}

void label(Json& extra, const std::string& profile, const MixtureComponent& component) {
  extra["mixture_profile"] = profile;
  extra["mixture_component"] = component.name;
  extra["mixture_benchmark_profile"] = component.profile;
}

// Phrases that an eval row wants to see and that are long enough to be told from any other text.
std::vector<std::string> specific_phrases(const EvalRow& row) {
  std::vector<std::string> out;
  std::string group = skill_group(row.category);
  if (!row.answerable || group == "refusal" || group == "identity") return out;
  for (const std::string& phrase : row.must_include) {
    std::string text = comparison_text(phrase);
    if (text.size() >= 12 && text != "final answer") out.push_back(text);
  }
  return out;
}

Json overlap_of(const std::vector<ChatRow>& chat, const std::vector<EvalRow>& eval) {
  std::vector<std::string> prompts, questions;
  std::map<std::string, size_t> by_prompt;
  std::string answers = " ";
  for (size_t i = 0; i < chat.size(); ++i) {
    prompts.push_back(comparison_text(chat[i].user()));
    by_prompt.emplace(normalize_prompt(chat[i].user()), i);
    answers += comparison_text(chat[i].assistant()) + " ";
  }
  int64_t exact = 0, answer_hits = 0;
  Json exact_samples = Json::array(), near_samples = Json::array(), answer_samples = Json::array();
  for (const EvalRow& row : eval) {
    questions.push_back(comparison_text(row.user));
    if (by_prompt.contains(normalize_prompt(row.user))) {
      ++exact;
      if (exact_samples.size() < kSamples) exact_samples.push_back(row.user);
    }
    for (const std::string& phrase : specific_phrases(row)) {
      if (answers.find(cat(" ", phrase, " ")) == std::string::npos) continue;
      ++answer_hits;
      if (answer_samples.size() < kSamples) answer_samples.push_back(phrase);
    }
  }
  std::vector<NearPair> near = near_pairs(questions, prompts, kNearThreshold);
  std::set<size_t> near_rows;
  for (const NearPair& pair : near) {
    near_rows.insert(pair.a);
    if (near_samples.size() < kSamples) {
      near_samples.push_back({{"eval", eval[pair.a].user}, {"sft", chat[pair.b].user()}, {"similarity", pair.similarity}});
    }
  }
  const char* status = exact > 0 ? "blocked" : !near_rows.empty() || answer_hits > 0 ? "caution" : "ready";
  return {{"status", status},
          {"near_threshold", kNearThreshold},
          {"exact_prompt_overlaps", exact},
          {"near_prompt_overlaps", near_rows.size()},
          {"answer_overlaps", answer_hits},
          {"samples", {{"exact", exact_samples}, {"near", near_samples}, {"answer", answer_samples}}}};
}

}  // namespace

GeneratedPack generate_pack(const std::string& profile, int64_t sft_rows, int64_t eval_rows, const std::string& answer_style,
                            uint64_t seed) {
  std::vector<MixtureComponent> parts = mixture_of(profile);
  bool scratchpad = answer_style == "scratchpad";
  TakenPrompts taken;
  std::vector<Labelled> train = mixture_tasks(parts, {Side::kTrain, scratchpad, sft_rows, seed}, taken);
  std::vector<Labelled> heldout = mixture_tasks(parts, {Side::kEval, scratchpad, eval_rows, seed + kEvalSeedOffset}, taken);
  GeneratedPack pack;
  for (const Labelled& row : train) {
    ChatRow chat = to_chat_row(row.task, static_cast<int64_t>(pack.chat.size()));
    label(chat.extra, profile, *row.component);
    chat.line = static_cast<int64_t>(pack.chat.size()) + 1;
    pack.chat.push_back(std::move(chat));
  }
  for (const Labelled& row : heldout) {
    EvalRow eval = to_eval_row(row.task, static_cast<int64_t>(pack.eval.size()));
    label(eval.extra, profile, *row.component);
    eval.line = static_cast<int64_t>(pack.eval.size()) + 1;
    pack.eval.push_back(std::move(eval));
  }
  pack.statistics = {{"sft", describe(train, parts, Side::kTrain)}, {"eval", describe(heldout, parts, Side::kEval)},
                     {"items_on_both_sides", items_on_both_sides(tasks_of(train), tasks_of(heldout))},
                     {"contamination", overlap_of(pack.chat, pack.eval)}};
  return pack;
}

}  // namespace picochat::tasks
