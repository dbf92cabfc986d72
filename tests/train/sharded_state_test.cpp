// Fully sharded training is training: no rank holds the model, and all of them end where one that holds it does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "ranks.hpp"
#include "small_world.hpp"

namespace picochat::train {
namespace {

using testing::in_ranks;
using testing::Recorder;
using testing::World;

constexpr int64_t kMicroSteps = 4;

std::vector<base::Json> train_on(World& world, int ranks, const TrainerOptions& given, const model::TransformerOptions& compute = {}) {
  Recorder recorder;
  auto train_one = [&](const std::shared_ptr<ProcessGroup>& group, TrainObserver& observer) {
    // 23 validation batches: some rank has none in the last round.
    WindowSource source(world.split.train, {.context_size = 32, .batch_size = 2, .grad_accum_steps = kMicroSteps, .seed = 1});
    const auto validator = window_validator(world.split.validation, 32, 2, false, byte_lengths(*testing::byte_tokenizer()));
    auto options = given;
    options.grad_accum_steps = kMicroSteps;
    options.compute = compute;
    options.group = group;
    train(base::real_file_system(), options, world.initial, source, *validator, observer);
  };
  if (ranks == 1) train_one(nullptr, recorder);
  else
    in_ranks(ranks, [&](const auto& group) {
      SilentObserver silent;
      train_one(group, group->rank() == 0 ? static_cast<TrainObserver&>(recorder) : silent);
    });
  return recorder.events;
}

TrainerOptions options_of(const World& world, const std::string& name, int64_t steps, Strategy strategy) {
  auto o = world.options(name, steps);
  o.grad_clip = 0.5;
  o.ema_decay = 0.9;
  o.eval_every = 10;
  o.strategy = strategy;
  return o;
}

double relative_distance(const at::Tensor& a, const at::Tensor& b) { return ((a - b).norm() / b.norm()).item<double>(); }

at::Tensor weights_in(const TrainerOptions& options, const char* checkpoint) { return load_checkpoint(options.folder / checkpoint).parameters; }

TEST(ShardedState, EndsWhereDataParallelTrainingEnds) {
  World world;
  const auto whole = options_of(world, "ddp", 50, Strategy::kDdp);
  const auto expected = train_on(world, 2, whole);
  for (const int ranks : {2, 4}) {
    const auto sharded = options_of(world, base::cat("fsdp-", ranks), 50, Strategy::kFsdp);
    const auto events = train_on(world, ranks, sharded);
    for (const char* checkpoint : {"last_checkpoint", "ema_checkpoint"}) EXPECT_LT(relative_distance(weights_in(sharded, checkpoint), weights_in(whole, checkpoint)), 1e-5) << ranks << checkpoint;
    ASSERT_EQ(events.size(), expected.size());
    for (size_t i = 0; i < events.size(); ++i)
      for (const char* key : {"train_loss", "grad_norm", "val_loss", "ema_val_loss"})
        if (expected[i].contains(key)) { EXPECT_NEAR(events[i].at(key).get<double>(), expected[i].at(key).get<double>(), 1e-4) << key; }
  }
}

TEST(ShardedState, BlocksThatAreRunAgainInTheBackwardPassGiveTheSame) {
  World world;
  const auto kept = options_of(world, "kept", 6, Strategy::kFsdp), again = options_of(world, "again", 6, Strategy::kFsdp);
  train_on(world, 2, kept);
  train_on(world, 2, again, {.recompute = true});
  EXPECT_TRUE(at::equal(weights_in(kept, "last_checkpoint"), weights_in(again, "last_checkpoint")));
}

TEST(ShardedState, ItsCheckpointsGoOnUnderAnyStrategyAndNumberOfRanks) {
  World world;
  const auto whole = options_of(world, "undisturbed", 12, Strategy::kDdp);
  train_on(world, 1, whole);
  for (const auto& [before, after, strategy] : {std::tuple{2, 1, Strategy::kDdp}, {4, 2, Strategy::kFsdp}, {2, 2, Strategy::kZero1}}) {
    auto options = options_of(world, base::cat(before, "-", after, "-", static_cast<int>(strategy)), 12, Strategy::kFsdp);
    options.checkpoint_every_steps = 6;
    auto first = options;
    first.max_steps = 6;  // the schedule is that of all twelve
    train_on(world, before, first);
    options.strategy = strategy;
    train_on(world, after, options);
    EXPECT_LT(relative_distance(weights_in(options, "last_checkpoint"), weights_in(whole, "last_checkpoint")), 1e-5) << before << " ranks, then " << after;
  }
}

TEST(ShardedState, AResumedRunOfTheSameRanksHasTheSameBytes) {
  World world;
  const auto whole = options_of(world, "whole", 12, Strategy::kFsdp);
  const auto expected = train_on(world, 2, whole);
  auto cut = options_of(world, "cut", 12, Strategy::kFsdp);
  cut.checkpoint_every_steps = 5;
  auto first = cut;
  first.max_steps = 5;
  train_on(world, 2, first);
  train_on(world, 2, cut);
  for (const char* checkpoint : {"last_checkpoint", "ema_checkpoint"}) EXPECT_TRUE(at::equal(weights_in(cut, checkpoint), weights_in(whole, checkpoint))) << checkpoint;
}

// A rank whose micro-batch teaches nothing still takes part in what the others need of it.
class HalfEmpty final : public BatchSource {
 public:
  explicit HalfEmpty(BatchSource& source) : source_(source) {}
  void prepare(int64_t step) override { source_.prepare(step); }
  void fill(int64_t micro, MicroBatch& out) const override {
    source_.fill(micro, out);
    out.weights.assign(out.tokens.size(), micro == 0 ? 0.0f : out.uniform_weight);
  }
  int64_t supervised_tokens() const override { return source_.supervised_tokens(); }
  int64_t epoch() const override { return source_.epoch(); }
  int64_t max_rows() const override { return source_.max_rows(); }
  int64_t max_length() const override { return source_.max_length(); }
  base::Json description() const override { return source_.description(); }

 private:
  BatchSource& source_;
};

TEST(ShardedState, ARankWithNothingToLearnKeepsStep) {
  World world;
  std::vector<at::Tensor> ends;
  for (const Strategy strategy : {Strategy::kDdp, Strategy::kFsdp}) {
    const auto options = options_of(world, base::cat("half-", static_cast<int>(strategy)), 5, strategy);
    in_ranks(2, [&](const auto& group) {
      WindowSource windows(world.split.train, {.context_size = 32, .batch_size = 2, .grad_accum_steps = 2, .seed = 1});
      HalfEmpty source(windows);
      const auto validator = window_validator(world.split.validation, 32, 2, false, byte_lengths(*testing::byte_tokenizer()));
      auto mine = options;
      mine.grad_accum_steps = 2;
      mine.group = group;
      SilentObserver silent;
      train(base::real_file_system(), mine, world.initial, source, *validator, silent);
    });
    ends.push_back(weights_in(options, "last_checkpoint"));
  }
  EXPECT_LT(relative_distance(ends[1], ends[0]), 1e-5);
}

}  // namespace
}  // namespace picochat::train
