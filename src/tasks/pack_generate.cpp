// A whole pack in memory: the rows of both files, and the statistics that prove what they claim.
#include <algorithm>
#include <map>
#include <set>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tasks/similarity.hpp"
#include "picochat/tasks/skill_groups.hpp"
#include "picochat/tasks/task_pack.hpp"
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

void label(Json& extra, const std::string& profile, const MixtureComponent& component) {
  extra["mixture_profile"] = profile;
  extra["mixture_component"] = component.name;
  extra["mixture_benchmark_profile"] = component.profile;
}

// Counts of one file: categories, stages, answer letters, operands, words, facts.
Json describe(const std::vector<Labelled>& rows) {
  std::map<std::string, int64_t> categories, stages, letters, variants, components, words_by_length;
  struct Operands {
    std::set<std::string> problems;
    std::map<std::string, int64_t> digits, leading;
    int64_t rows = 0, low = INT64_MAX, high = 0;
  };
  std::map<std::string, Operands> operands;
  std::set<std::string> words, facts;
  for (const Labelled& row : rows) {
    const Task& task = row.task;
    ++categories[task.category];
    ++stages[task.stage];
    ++variants[task.variant];
    ++components[row.component->name];
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
  return {{"rows", rows.size()},      {"categories", categories}, {"stages", stages},
          {"components", components}, {"variants", variants},     {"choice_letters", letters},
          {"different_facts", facts.size()}, {"different_words", words.size()}, {"arithmetic", arithmetic}};
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

// Problems, words and facts that occur on both sides; the split makes these zero, and this measures it.
Json items_on_both_sides(const std::vector<Labelled>& chat, const std::vector<Labelled>& eval) {
  auto items_of = [](const std::vector<Labelled>& rows, const char* key) {
    std::set<std::string> out;
    for (const Labelled& row : rows) {
      if (row.task.details.contains(key)) {
        out.insert(cat(row.task.details.value("operation", ""), row.task.details[key].dump()));
      }
    }
    return out;
  };
  Json out = Json::object();
  for (const char* key : {"operands", "word", "fact"}) {
    std::set<std::string> left = items_of(chat, key), right = items_of(eval, key);
    out[key] = std::count_if(right.begin(), right.end(), [&](const std::string& item) { return left.contains(item); });
  }
  return out;
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
  pack.statistics = {{"sft", describe(train)}, {"eval", describe(heldout)},
                     {"items_on_both_sides", items_on_both_sides(train, heldout)},
                     {"contamination", overlap_of(pack.chat, pack.eval)}};
  return pack;
}

}  // namespace picochat::tasks
