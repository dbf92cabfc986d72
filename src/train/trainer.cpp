#include "picochat/train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <c10/util/Exception.h>

#include "loop_state.hpp"
#include "model_state.hpp"
#include "replicas.hpp"
#include "stage_checkpoints.hpp"
#include "stage_clock.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/device.hpp"

namespace picochat::train {
namespace {

using base::cat;
using base::fixed;
using base::Json;

constexpr double kConsoleSeconds = 10;      // at least one line in this time
constexpr double kReplayTolerance = 1e-3;   // of a loss computed twice; kernels that add in any order differ in the last bits
constexpr int64_t kMaxSkippedInARow = 8;    // steps that are not finite before the stage gives up

class Loop {
 public:
  Loop(base::FileSystem& files, const TrainerOptions& options, at::Tensor initial, BatchSource& source, Validator& validator,
       TrainObserver& observer)
      : options_(options), source_(source), validator_(validator), observer_(observer), replicas_(options.group),
        transformer_(options.config, source.max_rows(), source.max_length(), true, options.compute), model_(ModelState::make(options, replicas_, transformer_, initial)), spikes_(options.spike),
        checkpoints_(files, options, replicas_.leads()) {}

  TrainResult run() {
    resume();
    share_state();
    if (options_.spike.rollback) take_snapshot();
    started_ = last_line_ = last_checkpoint_time_ = base::monotonic_seconds();
    std::string stop = stop_reason();
    while (stop.empty()) {
      if (!train_step()) continue;  // rolled back
      if (evaluation_due()) evaluate();
      console_line(false);
      stop = stop_reason();
      if (options_.spike.rollback && state_.step % options_.spike.snapshot_every == 0) take_snapshot();
      if (news_.save_now) save_for_resume();
      checkpoints_.writer().check();
      if (int signal = replicas_.alone() ? base::pending_signal() : news_.signal) {
        save_for_resume();
        checkpoints_.writer().finish();
        observer_.progress(state_.step, state_.latest_eval, state_.train_loss, "interrupted");
        say(cat(options_.stage, ": interrupted after step ", state_.step, "; run the same command again to go on"));
        throw base::Interrupted(signal);
      }
      if ((stop.empty() && checkpoint_due()) || stop == "max_minutes") save_for_resume();
    }
    return finish(stop);
  }

 private:
  void say(const std::string& line) const {
    if (replicas_.leads()) base::say(line);
  }

  void warn(const std::string& line) const {
    if (replicas_.leads()) base::warn(line);
  }

  // Rank 0's state on all ranks, however each of them came to its own.
  void share_state() {
    if (replicas_.alone()) return;
    Json state = to_json(state_);
    state["resumed_step"] = resumed_step_;
    state["watch"] = spikes_.state();
    state = replicas_.spread(state);
    state_ = loop_state_from_json(state, "rank 0");
    resumed_step_ = saved_step_ = state.at("resumed_step").get<int64_t>();
    spikes_.restore(state.at("watch"));
    model_->share(resumed_step_ > 0);
  }

  void resume() {
    auto loaded = checkpoints_.newest();
    if (!loaded) {
      checkpoints_.rewind(-1);
      observer_.rewound(0);
      return;
    }
    const std::string where = (options_.folder / "resume_checkpoint").string();
    const auto fingerprint = base::get_string_or(loaded->training_state, "fingerprint", "", where);
    if (fingerprint != options_.fingerprint)
      throw base::bad_input({.what = "the checkpoint's fingerprint is that of another run: its inputs or options differ", .where = where,
                             .expected = options_.fingerprint, .found = fingerprint,
                             .remedy = cat("run with the options of that run, or with --fresh ", options_.stage)});
    state_ = loop_state_from_json(loaded->training_state.at("loop"), where);
    resumed_step_ = saved_step_ = state_.step;
    spikes_.restore(state_.spike);
    model_->load(*loaded);
    checkpoints_.rewind(state_.step);
    observer_.rewound(state_.step);
    say(cat(options_.stage, ": resumed after step ", state_.step, " of ", options_.max_steps));
  }

  struct Measured {
    StepSums sums;
    double norm;
    bool finite;
    SpikeWatch::Verdict spike;
  };

  // Loss and gradients of a step with the weights as they are, over all ranks.
  Measured measure(int64_t step) {
    const auto [first, last] = replicas_.share(options_.grad_accum_steps);
    StepSums sums;
    for (int64_t micro = first; micro < last; ++micro) {
      source_.fill(micro, batch_);
      if (source_.needs_scores()) add(sums, weigh(micro));
      auto view = batch_.view();
      view.dropout_key = static_cast<uint64_t>(step) * static_cast<uint64_t>(options_.grad_accum_steps) + static_cast<uint64_t>(micro);
      model_->accumulate(view);
    }
    news_ = {.signal = base::pending_signal(), .save_now = base::take_save_request(), .time_is_over = time_is_over(), .save_is_due = save_is_due()};
    const double weighed_nll = transformer_.take_loss();
    if (!source_.needs_scores()) sums.loss = weighed_nll;
    const double norm = model_->reduce(sums, news_);
    const bool finite = std::isfinite(sums.loss) && std::isfinite(norm);
    return {sums, norm, finite, spikes_.observe(finite ? sums.loss : std::numeric_limits<double>::quiet_NaN())};
  }

  // The objective's weights for the batch, from the model's scores of it.
  StepSums weigh(int64_t micro) {
    scores_.resize(batch_.tokens.size());
    model_->score(batch_.view(), scores_.data());
    return source_.weigh(micro, scores_.data(), batch_);
  }

  static void add(StepSums& all, const StepSums& more) {
    all.loss += more.loss;
    all.accuracy += more.accuracy;
    all.reward_margin += more.reward_margin;
  }

  // A warning once in a while is not worth a second pass over the step; what would change the run is.
  bool suspicious(const Measured& measured) const { return !measured.finite || (measured.spike.spike && options_.spike.rollback); }

  // The same step once more: the same data and weights give the same numbers, unless the hardware failed the first time.
  Measured replay(int64_t step, const Measured& before) {
    const LocalNews news = news_;
    model_->drop_gradients();
    const Measured again = measure(step);
    news_.signal = std::max(news_.signal, news.signal);
    news_.save_now = news_.save_now || news.save_now;
    const bool same = std::isfinite(before.sums.loss) == std::isfinite(again.sums.loss) && (!std::isfinite(before.sums.loss) || std::abs(again.sums.loss - before.sums.loss) <= kReplayTolerance * std::abs(before.sums.loss)) &&
                      std::isfinite(before.norm) == std::isfinite(again.norm);
    const char* verdict = same ? "real" : "transient_fault";
    auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); };
    observer_.event({{"event", "replay"}, {"stage", options_.stage}, {"step", step}, {"train_loss", number(before.sums.loss)}, {"grad_norm", number(before.norm)}, {"replayed_loss", number(again.sums.loss)},
                     {"replayed_grad_norm", number(again.norm)}, {"verdict", verdict}});
    if (!same)
      warn(cat(options_.stage, " step ", step, ": the same data and weights gave a loss of ", before.sums.loss, " and then of ", again.sums.loss,
               ": a transient fault of memory or a GPU. The second result is used; if this comes again, run `picochat sanity preh100` or change the host"));
    return again;
  }

  // One optimizer step. False when the loop went back to a snapshot instead.
  bool train_step() {
    const double begun = base::monotonic_seconds();
    const int64_t step = state_.step + 1;
    source_.prepare(step);
    Measured measured = measure(step);
    if (suspicious(measured)) measured = replay(step, measured);
    const auto& [sums, norm, finite, spike] = measured;
    if (spike.spike && options_.spike.rollback) {
      roll_back(step, sums.loss, spike);
      return false;
    }
    OptimizerStep update{.step = state_.updates + 1, .learning_rate = options_.learning_rate.at(step) * state_.lr_scale,
                         .weight_decay = weight_decay_at(options_.weight_decay, options_.weight_decay_decay, step, options_.max_steps),
                         .muon_momentum = muon_momentum_at(options_.muon_momentum_schedule, step, options_.max_steps)};
    if (options_.grad_clip > 0 && norm > options_.grad_clip) update.gradient_scale = options_.grad_clip / norm;
    if (finite) {
      model_->update(update);
      ++state_.updates;
      state_.skipped_in_a_row = 0;
    } else {
      skip_update(step);
    }
    state_.step = step;
    state_.train_loss = sums.loss;
    state_.supervised_tokens += source_.supervised_tokens();
    state_.spike = spikes_.state();
    const double seconds = base::monotonic_seconds() - begun;
    longest_step_ = std::max(longest_step_, seconds);
    clock_.stepped(seconds, options_.grad_accum_steps * batch_.rows * batch_.length);
    replicas_.report(step, options_.stage);
    report_step(update, measured, seconds);
    return true;
  }

  void skip_update(int64_t step) {
    model_->drop_gradients();
    observer_.event({{"event", "note"}, {"stage", options_.stage}, {"step", step}, {"note", "loss or gradient not finite: the update was skipped"}});
    warn(cat(options_.stage, " step ", step, ": loss or gradient is not finite; the update was skipped"));
    if (++state_.skipped_in_a_row >= kMaxSkippedInARow)
      throw base::Error(base::ExitCode::kBlocked, {.what = cat("training diverged: ", kMaxSkippedInARow, " steps in a row were not finite"),
                        .where = cat(options_.stage, " step ", step), .remedy = "lower the learning rate, switch on --loss-spike-rollback, or check the data"});
  }

  void report_step(const OptimizerStep& update, const Measured& measured, double seconds) {
    const auto& [sums, norm, finite, spike] = measured;
    Json event{{"event", "step"}, {"stage", options_.stage}, {"step", state_.step}, {"train_loss", state_.train_loss},
               {"learning_rate", update.learning_rate}, {"weight_decay", update.weight_decay}, {"grad_norm", norm},
               {"supervised_tokens", source_.supervised_tokens()}, {"epoch", source_.epoch()}};
    if (source_.needs_scores()) event.update({{"train_accuracy", sums.accuracy}, {"train_reward_margin", sums.reward_margin}});
    if (options_.optimizer.name == "muon") event["muon_momentum"] = update.muon_momentum;
    const double tokens = static_cast<double>(options_.grad_accum_steps * batch_.rows * batch_.length);
    event["timing"] = {{"step_time_sec", seconds}, {"tokens_per_sec", tokens / seconds}};
    observer_.event(event);
    if (!spike.spike) return;
    if (!spikes_.may_warn(state_.step)) return;
    state_.spike = spikes_.state();
    observer_.event({{"event", "spike"}, {"stage", options_.stage}, {"step", state_.step}, {"train_loss", state_.train_loss},
                     {"baseline_loss", spike.baseline}, {"spike_ratio", spike.ratio}, {"threshold", options_.spike.threshold}});
    warn(cat(options_.stage, " step ", state_.step, ": loss spike, ", fixed(state_.train_loss, 4), " is ", fixed(spike.ratio, 2),
                   " x the running mean ", fixed(spike.baseline, 4), " (threshold ", fixed(options_.spike.threshold, 2), ")"));
  }

  void take_snapshot() {
    model_->take_snapshot();
    snapshot_ = state_;
    snapshot_->spike = spikes_.state();
  }

  // Data goes back with the weights: the same batches are tried again at a lower learning rate.
  void roll_back(int64_t step, double loss, const SpikeWatch::Verdict& spike) {
    Json events = state_.rollback_events;
    const double scale = std::max(options_.spike.min_lr_scale, state_.lr_scale * options_.spike.lr_decay);
    Json event{{"event", "rollback"}, {"stage", options_.stage}, {"step", step}, {"train_loss", loss}, {"baseline_loss", spike.baseline},
               {"spike_ratio", spike.ratio}, {"replayed", true}, {"lr_scale_after", scale}, {"restored_snapshot_step", snapshot_->step}};
    if (!std::isfinite(loss)) event["train_loss"] = nullptr;
    if (!std::isfinite(spike.ratio)) event["spike_ratio"] = nullptr;
    events.push_back(event);
    if (static_cast<int64_t>(events.size()) > options_.spike.max_rollbacks)
      throw base::Error(base::ExitCode::kBlocked, {.what = cat("training diverged: ", options_.spike.max_rollbacks, " rollbacks did not help"),
                        .where = cat(options_.stage, " step ", step), .remedy = "lower the learning rate or check the data"});
    state_ = *snapshot_;
    spikes_.restore(state_.spike);
    model_->restore_snapshot();
    state_.lr_scale = scale;
    state_.rollback_events = events;
    snapshot_->lr_scale = scale;  // a second spike before the next snapshot lowers it further
    snapshot_->rollback_events = events;
    checkpoints_.rewind(state_.step);
    saved_step_ = std::min(saved_step_, state_.step);
    observer_.rewound(state_.step);
    observer_.event(event);
    warn(cat(options_.stage, " step ", step, ": loss spike; back to step ", state_.step, ", learning rate x ", scale));
  }

  bool evaluation_due() const {
    return state_.step == options_.max_steps || (options_.eval_every > 0 && state_.step % options_.eval_every == 0);
  }

  void evaluate() {
    const double begun = base::monotonic_seconds();
    model_->require_agreement(state_.step);
    const ValidationResult raw = model_->validate(validator_, false);
    Json event{{"event", "eval"}, {"stage", options_.stage}, {"step", state_.step}, {"train_loss", state_.train_loss}};
    event.update(to_json(raw));
    ValidationResult judged = raw;
    if (model_->averages()) {
      judged = model_->validate(validator_, true);
      event["ema_val_loss"] = judged.loss;
      event["ema_val_bpb"] = judged.bytes ? Json(judged.bpb) : Json(nullptr);
      event["ema_decay"] = options_.ema_decay;
    }
    const double metric = options_.select_by == SelectBy::kValBpb && judged.bytes > 0 ? judged.bpb : judged.loss;
    double saved = 0;
    const bool better = std::isfinite(metric) && (!state_.best_metric || metric < *state_.best_metric - options_.early_stop_min_delta);
    if (better) {
      state_.best_metric = metric;
      state_.best_step = state_.step;
      state_.evals_without_improvement = 0;
      const auto whole = model_->collect_weights();
      if (replicas_.leads()) clock_.saved(saved = checkpoints_.save_best(state_, whole.weights, event));
    } else {
      ++state_.evals_without_improvement;
    }
    event["best"] = better;
    state_.latest_eval = event;
    const double seconds = base::monotonic_seconds() - begun - saved;
    clock_.evaluated(seconds);
    event["timing"] = {{"eval_seconds", seconds}};
    observer_.event(event);
    observer_.progress(state_.step, state_.latest_eval, state_.train_loss, "in_progress");
    console_line(true);
    evaluated_since_checkpoint_ = true;
  }

  bool checkpoint_due() const {
    if (state_.step % std::max<int64_t>(1, options_.spike.rollback ? options_.spike.snapshot_every : 1) != 0) return false;
    if (evaluated_since_checkpoint_) return true;
    if (options_.checkpoint_every_steps > 0 && state_.step % options_.checkpoint_every_steps == 0) return true;
    return replicas_.alone() ? save_is_due() : news_.save_is_due;
  }

  bool save_is_due() const { return options_.checkpoint_minutes > 0 && base::monotonic_seconds() - last_checkpoint_time_ >= 60 * options_.checkpoint_minutes; }

  // With rollback on, what is saved is always a snapshot, so that a resumed run can roll back to the
  // same place as an undisturbed one.
  void save_for_resume() {
    evaluated_since_checkpoint_ = false;
    const bool live = !snapshot_ || snapshot_->step == state_.step;
    const LoopState& state = live ? state_ : *snapshot_;
    if (state.step <= saved_step_) return;
    saved_step_ = state.step;
    const double saving = base::monotonic_seconds();
    const auto whole = model_->collect(!live);
    if (!replicas_.leads()) return;
    observer_.sync();
    checkpoints_.save_resume(state, whole.weights, whole.first_moment, whole.second_moment);
    last_checkpoint_time_ = base::monotonic_seconds();
    clock_.saved(last_checkpoint_time_ - saving);
  }

  std::string stop_reason() const {
    if (state_.step >= options_.max_steps) return "max_steps";
    if (options_.early_stop_patience > 0 && state_.evals_without_improvement >= options_.early_stop_patience) return "early_stop";
    if (state_.step > 0 && (replicas_.alone() ? time_is_over() : news_.time_is_over)) return "max_minutes";
    if (options_.stop_when && options_.stop_when()) return "stopped";
    return "";
  }

  // Before the limit rather than after it: another step must fit, and what must be saved then.
  bool time_is_over() const {
    return options_.max_minutes > 0 && base::monotonic_seconds() - started_ + longest_step_ + checkpoints_.writer().longest_write() >= 60 * options_.max_minutes;
  }

  void console_line(bool evaluated) {
    if (!replicas_.leads()) return;
    const double now = base::monotonic_seconds();
    if (!evaluated && now - last_line_ < kConsoleSeconds) return;
    last_line_ = now;
    std::string line = cat(options_.stage == "base" ? "" : options_.stage + " ", "step ", state_.step, "/", options_.max_steps, " | train ", fixed(state_.train_loss, 4));
    if (evaluated) {
      line += cat(" | val ", fixed(state_.latest_eval.at("val_loss").get<double>(), 4));
      if (!state_.latest_eval.at("val_bpb").is_null())
        line += cat(" | val_bpb ", fixed(state_.latest_eval.at("val_bpb").get<double>(), 4), " +- ", fixed(state_.latest_eval.at("val_bpb_stderr").get<double>(), 4));
      if (state_.latest_eval.contains("val_accuracy")) line += cat(" | val_acc ", fixed(100 * state_.latest_eval.at("val_accuracy").get<double>(), 1), "%");
      if (state_.best_step == state_.step) line += " *";
    }
    line += cat(" | lr ", base::scientific(options_.learning_rate.at(state_.step) * state_.lr_scale, 2), clock_.line(now - started_, state_.step - resumed_step_, options_.max_steps - state_.step));
    base::say(line);
  }

  TrainResult finish(const std::string& stop) {
    if (state_.step != options_.max_steps && (state_.latest_eval.is_null() || state_.latest_eval.at("step") != state_.step)) evaluate();
    TrainResult result{.steps = state_.step, .stop_reason = stop, .best_step = state_.best_step};
    const auto whole = model_->collect_weights();
    if (!replicas_.leads()) return result;
    replicas_.report(state_.step, cat(options_.stage, " checkpoints"));
    checkpoints_.publish(state_, whole.weights, result);
    if (const auto text = checkpoints_.writer().summary(); !text.empty()) say(cat(options_.stage, ": ", text));
    result.seconds = base::monotonic_seconds() - started_;
    Json timing = clock_.to_json(result.seconds);
    timing["saves"] = checkpoints_.writer().timing();
    observer_.event({{"event", "stage_end"}, {"stage", options_.stage}, {"step", state_.step}, {"stop_reason", stop}, {"best_step", state_.best_step},
                     {"supervised_tokens", state_.supervised_tokens}, {"rollback_events", state_.rollback_events}, {"timing", timing}});
    observer_.progress(state_.step, state_.latest_eval, state_.train_loss, stop);
    observer_.sync();
    return result;
  }

  const TrainerOptions& options_;
  BatchSource& source_;
  Validator& validator_;
  TrainObserver& observer_;
  Replicas replicas_;
  LocalNews news_;  // as the ranks agreed in the last step
  model::StreamScope stream_{options_.compute.device};
  model::Transformer transformer_;
  std::unique_ptr<ModelState> model_;
  std::optional<LoopState> snapshot_;  // as the model's
  LoopState state_;
  SpikeWatch spikes_;
  MicroBatch batch_;
  std::vector<float> scores_;  // of its tokens, where the objective asks for them
  bool evaluated_since_checkpoint_ = false;
  int64_t resumed_step_ = 0, saved_step_ = 0;
  double longest_step_ = 0;
  StageClock clock_{options_.flops_per_token, options_.peak_flops, options_.hourly_usd, options_.measure_gemm_flops};
  double started_ = 0, last_line_ = 0, last_checkpoint_time_ = 0;
  StageCheckpoints checkpoints_;
};

}  // namespace

TrainResult train(base::FileSystem& files, const TrainerOptions& options, at::Tensor initial, BatchSource& source, Validator& validator,
                  TrainObserver& observer) {
  try {
    Loop loop(files, options, std::move(initial), source, validator, observer);
    return loop.run();
  } catch (const c10::OutOfMemoryError& error) {
    const std::string text = error.what_without_backtrace();
    throw base::environment_error({.what = "the device's memory is too small for this training", .where = cat(options.stage, ", micro-batches of ", source.max_rows(), " sequences"), .found = text.substr(0, text.find('\n')),
                                   .remedy = cat("choose a smaller micro-batch (--base-batch-size auto keeps the step as it is), add --gradient-checkpointing, or stop what else uses the device")});
  }
}

void clear_stage(base::FileSystem& files, const base::Path& folder) {
  if (std::filesystem::exists(folder)) base::remove_published(files, folder);
}

}  // namespace picochat::train
