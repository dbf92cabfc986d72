// DPO learns what it is told to prefer, on one rank and on several, and its gradient is that of its loss.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/train/preference_source.hpp"
#include "ranks.hpp"
#include "small_world.hpp"

namespace picochat::train {
namespace {

using testing::in_ranks;
using testing::Recorder;
using testing::World;

constexpr int64_t kContext = 32;

// Prompts of one word; "yes" is preferred over "no".
std::vector<tasks::PreferenceRow> some_rows(int count) {
  std::vector<tasks::PreferenceRow> rows;
  for (int i = 0; i < count; ++i) rows.push_back({.prompt = {{"user", base::cat("ask", i)}}, .chosen = "yes", .rejected = i % 3 ? "no" : "never", .line = i + 1});
  return rows;
}

struct Preferences {
  World world;
  DpoOptions options{.beta = 0.5, .context_size = kContext, .batch_size = 2, .grad_accum_steps = 2, .seed = 3};
  PreferenceData data = prepare_preferences(*testing::byte_tokenizer(), some_rows(20), kContext, 3, 0.2);

  void measure_reference(const std::shared_ptr<ProcessGroup>& group = nullptr) {
    for (auto* side : {&data.train, &data.validation})
      side->reference = reply_log_probabilities(world.config, {}, world.initial, side->replies, options, group);
  }
  TrainerOptions trainer(const std::string& name, int64_t steps) const {
    auto o = world.options(name, steps);
    o.stage = "dpo";
    o.select_by = SelectBy::kValLoss;
    o.learning_rate = {.peak = 1e-3, .max_steps = steps};
    o.grad_accum_steps = options.grad_accum_steps;
    return o;
  }
  TrainResult run(const TrainerOptions& o, TrainObserver& observer) {
    PreferenceSource source(data.train, options);
    return train(base::real_file_system(), o, world.initial, source, *preference_validator(data.validation, options), observer);
  }
};

std::vector<base::Json> of_kind(const std::vector<base::Json>& events, const char* kind) {
  std::vector<base::Json> out;
  for (const auto& event : events)
    if (event.at("event") == kind) out.push_back(event);
  return out;
}

TEST(Preferences, PairsStayTogetherAndWhatIsTooLongIsCounted) {
  auto rows = some_rows(10);
  rows[4].rejected = std::string(200, 'x');
  const auto data = prepare_preferences(*testing::byte_tokenizer(), rows, kContext, 3, 0.2);
  EXPECT_EQ(data.report.at("skipped_long_examples"), 1);
  EXPECT_EQ(data.train.size() + data.validation.size(), 9);
  EXPECT_EQ(data.validation.size(), 1);
  for (const auto* side : {&data.train, &data.validation})
    for (size_t i = 0; i < side->replies.size(); i += 2) {
      EXPECT_EQ(side->replies[i].row, side->replies[i + 1].row);
      EXPECT_NE(side->replies[i].tokens, side->replies[i + 1].tokens);
    }
  for (auto& row : rows) row.chosen = std::string(200, 'y');
  EXPECT_THROW(prepare_preferences(*testing::byte_tokenizer(), rows, kContext, 3), base::Error);
}

// Each weight is the derivative of the step's loss in that token's negative log-likelihood.
TEST(Preferences, WeightsAreTheSlopesOfTheLoss) {
  for (const bool normalize : {false, true}) {
    Preferences p;
    p.options.length_normalize = normalize;
    p.measure_reference();
    PreferenceSource source(p.data.train, p.options);
    source.prepare(1);
    MicroBatch batch;
    source.fill(1, batch);
    std::vector<float> nll(batch.tokens.size());
    for (size_t i = 0; i < nll.size(); ++i) nll[i] = batch.weights[i] == 0 ? 0 : 1 + 0.25f * static_cast<float>(i % 7);
    MicroBatch weighed = batch;
    source.weigh(1, nll.data(), weighed);
    int64_t supervised = 0, negative = 0;
    for (size_t i = 0; i < nll.size(); ++i) {
      if (batch.weights[i] == 0) {
        EXPECT_EQ(weighed.weights[i], 0);
        continue;
      }
      constexpr float kStep = 0.03125f;
      auto loss_at = [&](float change) {
        auto moved = nll;
        moved[i] += change;
        MicroBatch scratch = batch;
        return source.weigh(1, moved.data(), scratch).loss;
      };
      EXPECT_NEAR(weighed.weights[i], (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep), 2e-5);
      ++supervised;
      negative += weighed.weights[i] < 0;
    }
    EXPECT_GT(negative, 0);
    EXPECT_LT(negative, supervised);
  }
}

TEST(Preferences, TheModelComesToPreferWhatIsChosen) {
  Preferences p;
  p.measure_reference();
  Recorder recorder;
  p.run(p.trainer("dpo", 24), recorder);
  const auto evals = of_kind(recorder.events, "eval"), steps = of_kind(recorder.events, "step");
  // Before the first update policy and reference are one, so every margin is 0.
  EXPECT_NEAR(steps.front().at("train_loss").get<double>(), std::log(2), 1e-6);
  EXPECT_NEAR(steps.front().at("train_reward_margin").get<double>(), 0, 1e-5);
  EXPECT_EQ(evals.back().at("val_accuracy"), 1.0);
  EXPECT_GT(evals.back().at("val_reward_margin").get<double>(), 1.0);
  EXPECT_LT(evals.back().at("val_loss").get<double>(), 0.5);
  EXPECT_EQ(evals.back().at("val_pairs"), p.data.validation.size());
  EXPECT_TRUE(evals.back().at("val_bpb").is_null());
  EXPECT_EQ(steps.back().at("train_accuracy"), 1.0);
}

TEST(Preferences, AnInterruptedRunEndsAsAnUndisturbedOne) {
  Preferences p;
  p.measure_reference();
  Recorder whole, first, second;
  const auto expected = p.run(p.trainer("whole", 12), whole);
  first.signal_after = 7;
  EXPECT_THROW(p.run(p.trainer("broken", 12), first), base::Interrupted);
  base::clear_pending_signal();
  const auto result = p.run(p.trainer("broken", 12), second);
  EXPECT_EQ(result.checkpoint_digest, expected.checkpoint_digest);
}

TEST(Preferences, RanksTrainAsOneProcessDoes) {
  Preferences p;
  p.measure_reference();
  Recorder alone;
  p.options.grad_accum_steps = 2;
  p.run(p.trainer("alone", 8), alone);
  Recorder recorder;
  const auto reference = p.data.train.reference;
  in_ranks(2, [&](const auto& group) {
    Preferences mine;
    mine.measure_reference(group);
    EXPECT_EQ(mine.data.train.reference, reference);
    auto o = p.trainer("ranks", 8);
    o.group = group;
    SilentObserver silent;
    mine.run(o, group->rank() == 0 ? static_cast<TrainObserver&>(recorder) : silent);
  });
  const auto expected = of_kind(alone.events, "step"), found = of_kind(recorder.events, "step");
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    for (const char* key : {"train_loss", "train_accuracy", "train_reward_margin"}) EXPECT_NEAR(found[i].at(key).get<double>(), expected[i].at(key).get<double>(), 1e-4) << key << i;
}

}  // namespace
}  // namespace picochat::train
