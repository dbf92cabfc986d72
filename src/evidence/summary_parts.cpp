#include "evidence/summary_parts.hpp"

#include "picochat/base/text.hpp"
#include "picochat/evidence/markdown.hpp"

namespace picochat::evidence {

using base::cat;
using base::Json;

namespace {

std::string upper(std::string text) {
  for (char& c : text) if (c >= 'a' && c <= 'z') c -= 'a' - 'A';
  return text;
}

std::string rate(const Json& summary, const char* part, const char* key) {
  return percent(at(summary, {part, key}), at(summary, {part, cat(key, "_ci").c_str()}));
}

}  // namespace

Json at(const Json& value, std::initializer_list<const char*> keys) {
  const Json* here = &value;
  for (const char* key : keys) {
    if (!here->is_object() || !here->contains(key)) return nullptr;
    here = &here->at(key);
  }
  return *here;
}

std::string text_at(const Json& value, std::initializer_list<const char*> keys, const std::string& absent) {
  Json found = at(value, keys);
  return found.is_string() ? found.get<std::string>() : absent;
}

std::string bits_per_byte(const Json& stage) {
  const Json value = at(stage, {"best_val_bpb"}), error = at(stage, {"best_val_bpb_stderr"});
  if (!value.is_number()) return "not measured";
  return error.is_number() ? cat(figure(value, 4), " +- ", figure(error, 4)) : figure(value, 4);
}

std::string verdict_sentence(const Json& summary) {
  const std::string status = text_at(summary, {"long_run_gate", "status"}, "");
  if (status.empty()) return "NOT JUDGED: the release gate was not reached";
  std::string sentence = cat(upper(status), ": ", text_at(summary, {"long_run_gate", "summary"}, "no summary"));
  while (!sentence.empty() && sentence.back() == '.') sentence.pop_back();
  return sentence;
}

std::string weakest_sentence(const Json& summary) {
  const Json weakest = at(summary, {"eval", "weakest_category"});
  if (!weakest.is_object()) return "Weakest category: not measured.";
  return cat("Weakest category: ", text_at(weakest, {"name"}), " with ", percent(at(weakest, {"pass_rate"}), at(weakest, {"pass_rate_ci"})), " (",
             count(at(weakest, {"num_passed"})), " of ", count(at(weakest, {"num_scored"})), ").");
}

std::vector<Figure> headline_figures(const Json& summary) {
  const Json base = at(summary, {"base"}), sft = at(summary, {"sft"});
  std::vector<Figure> figures = {
      {"parameters", figure(at(base, {"num_parameters"}))},
      {"tokens trained on", figure(at(base, {"coverage", "actual_training_tokens"}))},
      {"held-out bits per byte (base)", bits_per_byte(base)},
      {"eval rows passed", rate(summary, "eval", "pass_rate")},
      {"SFT fit: trained rows asked back", rate(summary, "sft_fit", "pass_rate")},
      {"SFT fit: held-out rows", rate(summary, "sft_fit_heldout", "pass_rate")},
      {"declines what it should", rate(summary, "eval", "unsafe_refusal_pass_rate")},
      {"answers what it should", rate(summary, "eval", "benign_non_refusal_rate")},
      {"choice accuracy", rate(summary, "eval", "choice_accuracy")},
      {"replies that echo the prompt", percent(at(summary, {"eval", "prompt_echo_rate"}))},
      {"data honesty", text_at(summary, {"honesty", "status"})},
      {"preflight", text_at(summary, {"preflight", "status"})},
  };
  if (Json loss = at(sft, {"best_val_loss"}); loss.is_number()) figures.insert(figures.begin() + 3, {"SFT validation loss", figure(loss, 4)});
  if (Json preferred = at(summary, {"dpo", "best_val_accuracy"}); preferred.is_number())
    figures.insert(figures.begin() + 4, {"DPO: held-out pairs whose preferred reply gained", percent(preferred)});
  if (Json chance = at(summary, {"eval", "choice_random_baseline"}); chance.is_number())
    for (auto& f : figures)
      if (f.name == "choice accuracy") f.value += cat(", chance ", percent(chance));
  return figures;
}

}  // namespace picochat::evidence
