// Training on several ranks is training: the same data, the same decisions, the same files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/optimizer_kernels.hpp"
#include "ranks.hpp"
#include "small_world.hpp"

namespace picochat::train {
namespace {

using testing::in_ranks;
using testing::Recorder;
using testing::World;
using ::testing::HasSubstr;

constexpr int64_t kMicroSteps = 4;  // of a step, on all ranks together; World has two in one process

// Trains on `world` ranks (1: without a group) as kMicroSteps x 2 sequences a step.
TrainResult train_on(World& world, const std::shared_ptr<ProcessGroup>& group, TrainerOptions options, TrainObserver& observer, const at::Tensor& initial) {
  WindowSource source(world.split.train, {.context_size = 32, .batch_size = 2, .grad_accum_steps = kMicroSteps, .seed = 1});
  const auto validator = window_validator(world.split.validation, 32, 2, false, byte_lengths(*testing::byte_tokenizer()));
  options.grad_accum_steps = kMicroSteps;
  options.group = group;
  return train(base::real_file_system(), options, initial, source, *validator, observer);
}

std::vector<base::Json> train_on_ranks(World& world, int ranks, const TrainerOptions& options) {
  Recorder recorder;
  if (ranks == 1) train_on(world, nullptr, options, recorder, world.initial);
  else
    in_ranks(ranks, [&](const auto& group) {
      SilentObserver silent;
      train_on(world, group, options, group->rank() == 0 ? static_cast<TrainObserver&>(recorder) : silent, world.initial);
    });
  return recorder.events;
}

double relative_distance(const at::Tensor& a, const at::Tensor& b) { return ((a - b).norm() / b.norm()).item<double>(); }

at::Tensor last_weights(const TrainerOptions& options) { return load_checkpoint(options.folder / "last_checkpoint").parameters; }

TEST(Replicas, RanksTrainAsOneProcessDoes) {
  World world;
  auto one = world.options("one");
  const auto expected = train_on_ranks(world, 1, one);
  for (const int ranks : {2, 4}) {
    auto options = world.options(base::cat("ranks-", ranks));
    const auto events = train_on_ranks(world, ranks, options);
    EXPECT_LT(relative_distance(last_weights(options), last_weights(one)), 1e-5) << ranks;
    ASSERT_EQ(events.size(), expected.size());
    for (size_t i = 0; i < events.size(); ++i) {
      EXPECT_EQ(events[i].at("event"), expected[i].at("event"));
      if (events[i].contains("train_loss")) { EXPECT_NEAR(events[i].at("train_loss").get<double>(), expected[i].at("train_loss").get<double>(), 1e-5); }
    }
  }
}

// Each rank takes one micro-step; one process sums its micro-gradients apart, in their order.
TEST(Replicas, OneMicroStepARankHasTheBitsOfOneProcess) {
  World world;
  auto options = world.options("ranks", 6);
  options.grad_clip = 0.5;
  train_on_ranks(world, kMicroSteps, options);

  const model::ParameterLayout layout(world.config);
  model::Transformer transformer(world.config, 2, 32, true);
  Optimizer optimizer(layout, options.optimizer);
  WindowSource source(world.split.train, {.context_size = 32, .batch_size = 2, .grad_accum_steps = kMicroSteps, .seed = 1});
  at::Tensor parameters = world.initial.clone();
  MicroBatch batch;
  for (int64_t step = 1; step <= 6; ++step) {
    source.prepare(step);
    at::Tensor sum;
    for (int64_t micro = 0; micro < kMicroSteps; ++micro) {
      source.fill(micro, batch);
      at::Tensor gradients = model::allocate_flat(layout.size());
      transformer.forward_backward(batch.view(), parameters, gradients);
      sum = sum.defined() ? sum + gradients : gradients;
    }
    const double norm = std::sqrt(model::squared_norm(sum.data_ptr<float>(), sum.numel()));
    OptimizerStep update{.step = step, .learning_rate = options.learning_rate.at(step), .weight_decay = options.weight_decay};
    if (norm > options.grad_clip) update.gradient_scale = options.grad_clip / norm;
    optimizer.step(update, parameters, sum);
  }
  EXPECT_TRUE(at::equal(last_weights(options), parameters));
}

TEST(Replicas, ShardedOptimizerStateHasTheBitsOfTheWholeAndItsCheckpointsAreTheSame) {
  World world;
  auto whole = world.options("whole");
  whole.grad_clip = 0.5;
  whole.checkpoint_every_steps = 5;
  whole.keep_checkpoints = 9;
  auto sharded = whole;
  sharded.folder = world.folder.path() / "sharded";
  sharded.strategy = Strategy::kZero1;
  const auto expected = train_on_ranks(world, 4, whole), events = train_on_ranks(world, 4, sharded);
  EXPECT_EQ(events, expected);
  EXPECT_TRUE(at::equal(last_weights(sharded), last_weights(whole)));
  for (const char* step : {"step-00000004", "step-00000005", "step-00000008", "step-00000010"})
    EXPECT_EQ(base::read_file(sharded.folder / "resume_checkpoint" / step / "manifest.json"), base::read_file(whole.folder / "resume_checkpoint" / step / "manifest.json")) << step;
  // It goes on from the other's checkpoint, and the other from its.
  for (const auto& [mine, other] : {std::pair{sharded, whole}, {whole, sharded}}) {
    auto again = mine;
    again.folder = world.folder.path() / (mine.strategy == Strategy::kZero1 ? "then-sharded" : "then-whole");
    std::filesystem::create_directories(again.folder / "resume_checkpoint");
    std::filesystem::copy(other.folder / "resume_checkpoint/step-00000005", again.folder / "resume_checkpoint/step-00000005", std::filesystem::copy_options::recursive);
    std::filesystem::copy(other.folder / "best", again.folder / "best", std::filesystem::copy_options::recursive);
    train_on_ranks(world, 4, again);
    EXPECT_TRUE(at::equal(last_weights(again), last_weights(whole)));
  }
}

TEST(Replicas, GoOnFromTheCheckpointOfAnotherNumberOfRanks) {
  World world;
  auto whole = world.options("whole");
  const auto expected = train_on_ranks(world, 1, whole);
  for (const auto& [before, after] : {std::pair{4, 1}, {1, 4}, {2, 4}}) {
    auto options = world.options(base::cat(before, "-to-", after));
    options.checkpoint_every_steps = 6;
    options.eval_every = 100;
    auto first = options;
    first.max_steps = 6;  // the schedule is that of all twelve
    train_on_ranks(world, before, first);
    std::filesystem::remove_all(options.folder / "last_checkpoint");
    const auto events = train_on_ranks(world, after, options);
    EXPECT_LT(relative_distance(last_weights(options), last_weights(whole)), 1e-5) << before << " ranks, then " << after;
  }
}

TEST(Replicas, AResumedRunOfTheSameRanksHasTheSameBytes) {
  World world;
  auto whole = world.options("whole"), cut = world.options("cut");
  whole.spike.rollback = cut.spike.rollback = true;
  whole.spike.snapshot_every = cut.spike.snapshot_every = 3;
  const auto expected = train_on_ranks(world, 2, whole);
  cut.checkpoint_every_steps = 3;
  // A signal to one rank only: all of them save after the same step and end.
  Recorder recorder;
  recorder.signal_after = 5;
  EXPECT_THROW(in_ranks(2, [&](const auto& group) {
    SilentObserver silent;
    train_on(world, group, cut, group->rank() == 0 ? static_cast<TrainObserver&>(recorder) : silent, world.initial);
  }), base::Interrupted);
  base::clear_pending_signal();
  EXPECT_EQ(recorder.last_status, "interrupted");
  in_ranks(2, [&](const auto& group) {
    SilentObserver silent;
    recorder.signal_after = -1;
    train_on(world, group, cut, group->rank() == 0 ? static_cast<TrainObserver&>(recorder) : silent, world.initial);
  });
  EXPECT_EQ(recorder.events, expected);
  EXPECT_TRUE(at::equal(last_weights(cut), last_weights(whole)));
}

// At one step the first `times` passes over the data have a loss far above the others'.
class Spiking final : public BatchSource {
 public:
  Spiking(BatchSource& source, int64_t spike_at, int times) : source_(source), spike_at_(spike_at), times_(times) {}
  void prepare(int64_t step) override { step_ = step, source_.prepare(step); }
  void fill(int64_t micro, MicroBatch& out) const override {
    source_.fill(micro, out);
    if (step_ != spike_at_ || times_ == 0) return;
    out.uniform_weight *= 50;
    if (micro % 2 == 1) --times_;  // the last one of a pass: two to a rank
  }
  int64_t supervised_tokens() const override { return source_.supervised_tokens(); }
  int64_t epoch() const override { return source_.epoch(); }
  int64_t max_rows() const override { return source_.max_rows(); }
  int64_t max_length() const override { return source_.max_length(); }
  base::Json description() const override { return source_.description(); }

 private:
  BatchSource& source_;
  int64_t spike_at_, step_ = 0;
  mutable int times_;
};

std::vector<base::Json> train_with_spike(World& world, const TrainerOptions& options, int times) {
  Recorder recorder;
  in_ranks(2, [&](const auto& group) {
    SilentObserver silent;
    WindowSource windows(world.split.train, {.context_size = 32, .batch_size = 2, .grad_accum_steps = kMicroSteps, .seed = 1});
    Spiking source(windows, 7, times);
    const auto validator = window_validator(world.split.validation, 32, 2, false, byte_lengths(*testing::byte_tokenizer()));
    auto mine = options;
    mine.grad_accum_steps = kMicroSteps;
    mine.group = group;
    train(base::real_file_system(), mine, world.initial, source, *validator, group->rank() == 0 ? static_cast<TrainObserver&>(recorder) : silent);
  });
  return recorder.events;
}

const base::Json* find_event(const std::vector<base::Json>& events, const std::string& name) {
  const auto found = std::find_if(events.begin(), events.end(), [&](const base::Json& event) { return event.at("event") == name; });
  return found == events.end() ? nullptr : &*found;
}

TEST(Replicas, ASpikeThatIsInTheDataRollsAllRanksBack) {
  World world;
  auto options = world.options("rollback");
  options.spike.rollback = true;
  options.spike.snapshot_every = 4;
  const auto events = train_with_spike(world, options, 2);  // the replay has it too; the course after the rollback does not
  const auto* rollback = find_event(events, "rollback");
  ASSERT_TRUE(rollback);
  EXPECT_EQ(rollback->at("restored_snapshot_step"), 4);
  EXPECT_EQ(events.back().at("step"), 12);
}

TEST(Replicas, AFaultThatAReplayDoesNotShowCostsNoByte) {
  World world;
  auto options = world.options("fault"), whole = world.options("whole");
  options.spike.rollback = whole.spike.rollback = true;
  train_with_spike(world, whole, 0);
  const auto events = train_with_spike(world, options, 1);
  EXPECT_FALSE(find_event(events, "rollback"));
  const auto* replay = find_event(events, "replay");
  ASSERT_TRUE(replay);
  EXPECT_EQ(replay->at("verdict"), "transient_fault");
  EXPECT_GT(replay->at("train_loss").get<double>(), 10 * replay->at("replayed_loss").get<double>());
  EXPECT_TRUE(at::equal(last_weights(options), last_weights(whole)));
}

TEST(Replicas, RanksWithOtherWeightsAreNamed) {
  World world;
  auto options = world.options("broken");
  try {
    in_ranks(4, [&](const auto& group) {
      SilentObserver silent;
      auto mine = options;
      if (group->rank() == 2) mine.learning_rate.peak *= 1.0001;
      train_on(world, group, mine, silent, world.initial);
    });
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the weights of rank 2 are not those of rank 0"));
  }
}

TEST(Replicas, AStepThatCannotBeSharedIsRefused) {
  World world;
  auto options = world.options("odd");
  try {
    train_on_ranks(world, 3, options);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("4 micro-batches cannot be shared equally"));
  }
}

}  // namespace
}  // namespace picochat::train
