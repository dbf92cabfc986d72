#include "picochat/evidence/train_report.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "picochat/base/text.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;
using base::member;

std::optional<double> number(const Json& object, const char* key) {
  Json value = member(object, key);
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

bool is_event(const Json& event, const char* kind) { return member(event, "event") == kind; }

// What the steps since the last evaluation add up to.
struct Interval {
  int64_t steps = 0;
  double loss = 0, seconds = 0, tokens = 0;
  Json last_step;

  void add(const Json& event) {
    ++steps;
    loss += number(event, "train_loss").value_or(0);
    Json timing = member(event, "timing");
    auto time = number(timing, "step_time_sec"), rate = number(timing, "tokens_per_sec");
    if (time && rate) seconds += *time, tokens += *time * *rate;
    last_step = event;
  }
};

// Seconds and rates of the steps of an interval, without the evaluations between them.
Json interval_timing(const Interval& interval, double elapsed) {
  if (interval.seconds <= 0) return Json::object();
  const auto steps = static_cast<double>(interval.steps);
  return {{"interval_sec", interval.seconds}, {"step_time_sec", interval.seconds / steps}, {"steps_per_sec", steps / interval.seconds},
          {"tokens_per_sec", interval.tokens / interval.seconds}, {"elapsed_sec", elapsed}};
}

}  // namespace

Json loss_rows(std::span<const Json> events) {
  Json rows = Json::array();
  Interval interval;
  double elapsed = 0;
  for (const auto& event : events) {
    if (is_event(event, "step")) {
      interval.add(event);
    } else if (is_event(event, "eval")) {
      elapsed += interval.seconds;
      Json row = {{"step", member(event, "step")}, {"train_loss", member(event, "train_loss")}, {"train_loss_mean", nullptr}};
      if (interval.steps) row["train_loss_mean"] = interval.loss / static_cast<double>(interval.steps);
      for (const char* key : {"train_eval_loss", "val_loss", "val_loss_stderr", "train_bpb", "val_bpb", "val_bpb_stderr", "val_tokens", "val_bytes"})
        row[key] = member(event, key);
      for (const char* key : {"learning_rate", "weight_decay", "muon_momentum", "grad_norm", "epoch"})
        if (Json value = member(interval.last_step, key); !value.is_null() || std::string_view(key) == "grad_norm") row[key] = value;
      for (const char* key : {"train_accuracy", "train_reward_margin"})
        if (Json value = member(interval.last_step, key); !value.is_null()) row[key] = value;
      for (const char* key : {"ema_val_loss", "ema_val_bpb", "ema_decay", "val_pairs", "val_accuracy", "val_reward_margin"})
        if (Json value = member(event, key); !value.is_null()) row[key] = value;
      row["best"] = member(event, "best");
      row["interval_steps"] = interval.steps;
      row["timing"] = interval_timing(interval, elapsed);
      rows.push_back(row);
      interval = {};
    }
  }
  return rows;
}

Json loss_diagnostics(const Json& losses) {
  constexpr double kGap = 1.0, kRegression = 0.25, kAdviseGap = 0.75, kAdviseRegression = 0.10;
  Json out = {{"status", "unknown"}, {"summary", "no validation loss was measured"}};
  for (const char* key : {"first_step", "final_step", "best_val_step", "best_val_loss", "best_val_bpb", "final_val_bpb", "final_train_loss", "final_val_loss",
                          "final_gap", "val_regression", "train_improvement", "evals_after_best", "recommended_checkpoint_step"})
    out[key] = nullptr;
  out["recommendations"] = Json::array();
  const Json *best = nullptr, *first = nullptr, *last = nullptr;
  int64_t after_best = 0;
  for (const auto& row : losses) {
    if (!number(row, "val_loss")) continue;
    if (!first) first = &row;
    last = &row;
    ++after_best;
    if (!best || *number(row, "val_loss") < *number(*best, "val_loss")) best = &row, after_best = 0;
  }
  if (!best) return out;
  const double final_val = *number(*last, "val_loss"), best_val = *number(*best, "val_loss");
  const auto final_train = number(*last, "train_loss_mean"), first_train = number(*first, "train_loss_mean");
  const double regression = final_val - best_val, gap = final_train ? final_val - *final_train : std::numeric_limits<double>::quiet_NaN();
  out["first_step"] = member(*first, "step");
  out["final_step"] = member(*last, "step");
  out["best_val_step"] = member(*best, "step");
  out["best_val_loss"] = best_val;
  out["best_val_bpb"] = member(*best, "val_bpb");
  out["final_val_bpb"] = member(*last, "val_bpb");
  out["final_train_loss"] = or_null(final_train);
  out["final_val_loss"] = final_val;
  out["final_gap"] = final_train ? Json(gap) : Json(nullptr);
  out["val_regression"] = regression;
  out["train_improvement"] = final_train && first_train ? Json(*first_train - *final_train) : Json(nullptr);
  out["evals_after_best"] = after_best;
  out["recommended_checkpoint_step"] = member(*best, "step");

  const bool wide = gap >= kGap, worse = regression >= kRegression;  // NaN compares false
  const char* status = wide && worse ? "memorization-risk" : worse ? "watch-val-regression" : wide ? "watch-gap" : "stable";
  out["status"] = status;
  out["summary"] = cat("best validation loss ", base::fixed(best_val, 4), " at step ", member(*best, "step").get<int64_t>(), ", final ", base::fixed(final_val, 4));
  auto advise = [&](bool condition, const char* text) {
    if (condition) out["recommendations"].push_back(text);
  };
  advise(member(*best, "step") != member(*last, "step"), "use the checkpoint of the best validation loss, not the last one");
  advise(regression >= kAdviseRegression, "validation got worse after its best: fewer steps, early stopping, or more data");
  advise(gap >= kAdviseGap, "training loss is well below validation loss: the model memorizes; add data or train less");
  advise(after_best >= 2 && regression > 0, "several evaluations passed without improvement: --early-stop-patience would have saved them");
  return out;
}

Json optimization_stability(std::span<const Json> events, double grad_clip) {
  constexpr double kHuge = 100, kClipFactor = 10, kStillHigh = 0.9, kJump = 1.5;
  double highest = 0, last = 0;
  int64_t norms = 0;
  Json spikes = Json::array();
  for (const auto& event : events) {
    if (auto norm = number(event, "grad_norm"); norm && is_event(event, "step")) {
      highest = std::max(highest, *norm);
      last = *norm;
      ++norms;
    }
    if (is_event(event, "spike") || is_event(event, "rollback")) {
      Json spike = event;
      spike.erase("stage");
      spikes.push_back(spike);
    }
  }
  Json warnings = Json::array();
  if (norms == 0) warnings.push_back("no gradient norm was recorded");
  if (highest > kHuge) warnings.push_back(cat("gradient norm reached ", base::fixed(highest, 1)));
  if (grad_clip > 0 && highest > kClipFactor * grad_clip) warnings.push_back(cat("gradient norm reached ", base::fixed(highest / grad_clip, 1), " x the clipping norm"));
  if (norms >= 3 && last > kStillHigh * highest) warnings.push_back("the last gradient norm is near the highest: training had not settled");
  if (!spikes.empty()) warnings.push_back(cat(spikes.size(), " loss spikes"));
  std::optional<double> previous;
  for (const auto& row : loss_rows(events)) {
    auto loss = number(row, "train_loss_mean");
    if (loss && previous && *loss > kJump * *previous)
      warnings.push_back(cat("mean training loss rose from ", base::fixed(*previous, 3), " to ", base::fixed(*loss, 3), " by step ", member(row, "step").get<int64_t>()));
    if (loss) previous = loss;
  }
  return {{"status", warnings.empty() ? "stable" : "warn"}, {"max_grad_norm", norms ? Json(highest) : Json(nullptr)},
          {"final_grad_norm", norms ? Json(last) : Json(nullptr)}, {"loss_spikes", spikes}, {"warnings", warnings}};
}

Json coverage(const TrainFacts& facts) {
  constexpr double kModerate = 8, kHigh = 20, kPasses = 10;
  const int64_t local = facts.micro_batch_size * facts.grad_accum_steps * facts.context_size, per_step = local * facts.world_size;
  const int64_t trained = facts.actual_training_tokens.value_or(facts.actual_steps * per_step);
  auto times = [&](int64_t tokens) { return tokens > 0 ? Json(static_cast<double>(trained) / static_cast<double>(tokens)) : Json(nullptr); };
  const Json epochs = times(facts.train_tokens), passes = times(facts.dataset_tokens);
  Json warnings = Json::array();
  if (epochs.is_number() && epochs.get<double>() >= kModerate)
    warnings.push_back(cat(epochs.get<double>() >= kHigh ? "high" : "moderate", " replay: each training token is seen about ", base::fixed(epochs.get<double>(), 1), " times"));
  if (passes.is_number() && passes.get<double>() >= kPasses) warnings.push_back(cat("the data set is passed over ", base::fixed(passes.get<double>(), 1), " times"));
  return {{"actual_steps", facts.actual_steps}, {"planned_steps", facts.planned_steps}, {"micro_batch_size", facts.micro_batch_size},
          {"grad_accum_steps", facts.grad_accum_steps}, {"world_size", facts.world_size}, {"local_tokens_per_step_estimate", local},
          {"tokens_per_step_estimate", per_step}, {"planned_training_tokens", facts.planned_steps * per_step}, {"actual_training_tokens", trained},
          {"train_tokens", facts.train_tokens}, {"dataset_tokens", facts.dataset_tokens}, {"estimated_train_epochs", epochs},
          {"estimated_dataset_passes", passes}, {"warnings", warnings}};
}

Json throughput(std::span<const Json> events) {
  Interval all, final;
  for (const auto& event : events)
    if (is_event(event, "step")) all.add(event);
  // The final figures are those of the last tenth of the steps.
  int64_t seen = 0;
  for (const auto& event : events)
    if (is_event(event, "step") && ++seen > all.steps - std::max<int64_t>(1, all.steps / 10)) final.add(event);
  auto rate = [](const Interval& i, double over) { return i.seconds > 0 ? Json(over / i.seconds) : Json(nullptr); };
  auto time = [](const Interval& i) { return i.seconds > 0 ? Json(i.seconds / static_cast<double>(i.steps)) : Json(nullptr); };
  return {{"avg_tokens_per_sec", rate(all, all.tokens)}, {"final_tokens_per_sec", rate(final, final.tokens)},
          {"avg_step_time_sec", time(all)}, {"final_step_time_sec", time(final)}, {"train_seconds", all.seconds}};
}

Json build_train_report(const TrainFacts& facts, std::span<const Json> events) {
  Json report = {{"stage", facts.stage}, {"config", facts.config}, {"dataset", facts.dataset}, {"coverage", coverage(facts)}, {"model", facts.model}};
  report["losses"] = loss_rows(events);
  report["loss_diagnostics"] = loss_diagnostics(report["losses"]);
  report["optimization_stability"] = optimization_stability(events, facts.grad_clip);
  Json rollbacks = Json::array(), spikes = Json::array(), notes = Json::array();
  for (const auto& event : events) {
    Json entry = event;
    entry.erase("timing");
    if (is_event(event, "rollback")) rollbacks.push_back(entry);
    if (is_event(event, "spike")) spikes.push_back(entry);
    if (is_event(event, "note")) notes.push_back(entry);
    // A rollback is cut from the log when training goes back again; the end of the stage has them all.
    if (is_event(event, "stage_end") && member(event, "rollback_events").is_array()) rollbacks = event.at("rollback_events");
  }
  report["rollback_events"] = rollbacks;
  report["loss_spike_warnings"] = spikes;
  report["notes"] = notes;
  report["sample"] = facts.sample.empty() ? Json(nullptr) : Json(facts.sample);
  report["checkpoint"] = facts.checkpoint;
  report["best_checkpoint"] = facts.best_checkpoint;
  report["last_checkpoint"] = facts.last_checkpoint;
  report["resume_checkpoint"] = facts.resume_checkpoint;
  report["ema_checkpoint"] = facts.ema_checkpoint;
  report["stop_reason"] = facts.stop_reason;
  report.update(facts.extra);
  Json rates = throughput(events);
  if (auto tokens = number(rates, "avg_tokens_per_sec"); tokens && facts.flops_per_token) {
    rates["avg_flops_per_sec"] = *tokens * *facts.flops_per_token;
    rates["final_flops_per_sec"] = *number(rates, "final_tokens_per_sec") * *facts.flops_per_token;
    if (auto peak = number(facts.config, "estimated_peak_flops_per_sec"); peak && *peak > 0)
      for (const char* which : {"avg", "final"}) rates[cat(which, "_mfu")] = *number(rates, cat(which, "_flops_per_sec").c_str()) / *peak;
  }
  report["timing"] = {{"throughput", rates}};
  return report;
}

Json stage_summary(const Json& report) {
  if (!report.is_object()) return nullptr;
  const Json losses = member(report, "losses"), diagnostics = member(report, "loss_diagnostics"), config = member(report, "config");
  const Json last = losses.is_array() && !losses.empty() ? losses.back() : Json(nullptr);
  Json best;
  for (const auto& row : losses)
    if (member(row, "step") == member(diagnostics, "best_val_step")) best = row;
  Json out = {{"checkpoint", member(report, "checkpoint")}, {"best_checkpoint", member(report, "best_checkpoint")},
              {"last_checkpoint", member(report, "last_checkpoint")}, {"ema_checkpoint", member(report, "ema_checkpoint")},
              {"best_step", member(best, "step")}, {"best_val_loss", member(best, "val_loss")}, {"best_val_bpb", member(best, "val_bpb")},
              {"best_val_bpb_stderr", member(best, "val_bpb_stderr")}, {"final_step", member(last, "step")},
              {"final_train_loss", member(last, "train_loss_mean")}, {"final_val_loss", member(last, "val_loss")}, {"final_val_bpb", member(last, "val_bpb")},
              {"final_val_bpb_stderr", member(last, "val_bpb_stderr")}, {"final_ema_val_loss", member(last, "ema_val_loss")},
              {"final_ema_val_bpb", member(last, "ema_val_bpb")}, {"val_tokens", member(last, "val_tokens")},
              {"num_parameters", member(member(report, "model"), "num_parameters")}, {"loss_diagnostics", diagnostics},
              {"optimization_stability", member(report, "optimization_stability")}, {"memorization", member(report, "memorization")},
              {"coverage", member(report, "coverage")}, {"optimizer", member(config, "optimizer")},
              {"effective_batch_size", member(config, "effective_batch_size")}, {"effective_tokens_per_step", member(config, "effective_tokens_per_step")},
              {"stop_reason", member(report, "stop_reason")}, {"sample", member(report, "sample")}};
  for (const char* key : {"val_accuracy", "val_reward_margin"}) {
    if (Json value = member(best, key); !value.is_null()) out[cat("best_", key)] = value;
    if (Json value = member(last, key); !value.is_null()) out[cat("final_", key)] = value;
  }
  const Json dataset = member(report, "dataset");
  for (const char* key : {"truncated_examples", "skipped_long_examples", "packing", "packing_efficiency", "source_examples", "packed_sequences", "padded_tokens"})
    if (dataset.is_object() && dataset.contains(key)) out[key] = dataset.at(key);
  out["timing"] = member(report, "timing");
  return out;
}

}  // namespace picochat::evidence
