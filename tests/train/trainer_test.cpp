#include "picochat/train/trainer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include <ATen/ATen.h>

#include "fixture.hpp"
#include "small_world.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/safetensors.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/train/window_source.hpp"

namespace picochat::train {
namespace {

using testing::Recorder;
using testing::World;

std::string weights(const base::Path& checkpoint) { return base::read_file(checkpoint / "model.safetensors"); }

TEST(Trainer, LearnsAndPublishesCheckpointsThatVerify) {
  World world;
  Recorder recorder;
  const auto result = world.run(world.options("a", 40), recorder);
  EXPECT_EQ(result.stop_reason, "max_steps");
  const auto& events = recorder.events;
  EXPECT_LT(events[events.size() - 3].at("train_loss").get<double>(), events.front().at("train_loss").get<double>() - 1);
  const auto best = load_checkpoint(result.checkpoint), last = load_checkpoint(result.last_checkpoint);
  EXPECT_EQ(best.metadata.at("step"), result.best_step);
  EXPECT_EQ(last.metadata.at("step"), 40);
  EXPECT_TRUE(std::filesystem::equivalent(world.folder.path() / "a/best_checkpoint", result.checkpoint));
}

TEST(Trainer, TwoRunsGiveByteIdenticalCheckpointsAndMetrics) {
  World world;
  Recorder first, second;
  const auto a = world.run(world.options("a"), first), b = world.run(world.options("b"), second);
  EXPECT_EQ(a.checkpoint_digest, b.checkpoint_digest);
  EXPECT_EQ(first.events, second.events);
}

// Adapters of rank 2 on all matrices of the world's initial weights.
std::shared_ptr<const Lora> small_lora(const TrainerOptions& o) {
  auto frozen = model::allocate_flat(model::ParameterLayout(o.config).size());
  model::initialize(o.config, 1, frozen);
  return std::make_shared<Lora>(o.config, LoraOptions{.rank = 2, .alpha = 8, .targets = {"all_linear"}}, frozen);
}

TEST(Trainer, LoraTrainsAdaptersOnlyAndSavesThemBesideTheMergedModel) {
  World world;
  Recorder recorder;
  auto o = world.options("lora", 40);
  o.lora = small_lora(o);
  o.learning_rate.peak = 2e-2;
  const auto result = world.run(o, recorder);
  EXPECT_LT(recorder.events[recorder.events.size() - 3].at("train_loss").get<double>(), recorder.events.front().at("train_loss").get<double>() - 0.1);
  const model::ParameterLayout layout(o.config);
  for (const auto& folder : {result.checkpoint, result.last_checkpoint}) {
    const auto loaded = load_checkpoint(folder);
    const base::SafetensorsFile adapter(folder / kAdapterTensors);
    EXPECT_EQ(adapter.tensors().size(), 2 * o.lora->pairs().size());
    for (const auto& entry : layout.entries()) {
      const at::Tensor now = layout.view(loaded.parameters, entry), before = layout.view(world.initial, entry);
      EXPECT_EQ(at::equal(now, before), !entry.hidden_matrix) << entry.name;
      if (!entry.hidden_matrix) continue;  // the saved factors make the saved matrix
      const std::string module = entry.name.substr(0, entry.name.size() - 7);
      auto factor = [&](const std::string& name) {
        const auto& tensor = adapter.tensor(module + name);
        return at::from_blob(const_cast<char*>(tensor.bytes.data()), tensor.shape, at::kFloat).clone();
      };
      EXPECT_TRUE(at::allclose(now, before + 4 * at::mm(factor(".lora_b"), factor(".lora_a")), 1e-5, 1e-7)) << entry.name;
    }
  }
}

struct Variant {
  const char* name;
  std::function<void(TrainerOptions&)> set;
};

class TrainerResume : public ::testing::TestWithParam<Variant> {};

TEST_P(TrainerResume, AfterASignalAtAnyStepEndsBitIdenticalToAnUndisturbedRun) {
  World world;
  Recorder undisturbed;
  auto o = world.options("whole");
  GetParam().set(o);
  const auto expected = world.run(o, undisturbed);
  for (int64_t step : {1, 4, 7, 11}) {
    auto options = world.options("cut-" + std::to_string(step));
    GetParam().set(options);
    Recorder recorder;
    recorder.signal_after = step;
    EXPECT_THROW(world.run(options, recorder), base::Interrupted);
    EXPECT_EQ(recorder.last_status, "interrupted");
    base::clear_pending_signal();
    recorder.signal_after = -1;
    const auto result = world.run(options, recorder);
    EXPECT_EQ(weights(result.last_checkpoint), weights(expected.last_checkpoint)) << "interrupted after step " << step;
    EXPECT_EQ(result.checkpoint_digest, expected.checkpoint_digest);
    EXPECT_EQ(recorder.events, undisturbed.events);
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, TrainerResume, ::testing::Values(
    Variant{"adamw", [](TrainerOptions&) {}}, Variant{"muon", [](TrainerOptions& o) { o.optimizer.name = "muon", o.optimizer.muon_rate_ratio = 5; }},
    Variant{"lora", [](TrainerOptions& o) { o.lora = small_lora(o); }},
    Variant{"lora_rollback", [](TrainerOptions& o) { o.lora = small_lora(o), o.spike = {.rollback = true, .snapshot_every = 3}; }},
    Variant{"ema", [](TrainerOptions& o) { o.ema_decay = 0.9; }},
    Variant{"rollback", [](TrainerOptions& o) { o.spike = {.rollback = true, .snapshot_every = 3}; }}),
    [](const auto& info) { return info.param.name; });

TEST(Trainer, SkipsADamagedCheckpointNamesItAndResumesTheOneBefore) {
  World world;
  auto o = world.options("a");
  Recorder recorder, undisturbed;
  const auto expected = world.run(world.options("whole"), undisturbed);
  recorder.signal_after = 11;
  EXPECT_THROW(world.run(o, recorder), base::Interrupted);
  base::clear_pending_signal();
  recorder.signal_after = -1;
  const CheckpointSeries series(base::real_file_system(), o.folder / "resume_checkpoint");
  ASSERT_EQ(series.steps(), (std::vector<int64_t>{8, 11}));
  std::filesystem::resize_file(series.path(11) / "model.safetensors", 1000);
  ::testing::internal::CaptureStderr();
  const auto result = world.run(o, recorder);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::AllOf(::testing::HasSubstr("step-00000011"), ::testing::HasSubstr("resumed after step 8")));
  EXPECT_EQ(result.checkpoint_digest, expected.checkpoint_digest);
}

TEST(Trainer, RefusesACheckpointOfOtherInputs) {
  World world;
  auto o = world.options("a");
  Recorder recorder;
  recorder.signal_after = 5;
  EXPECT_THROW(world.run(o, recorder), base::Interrupted);
  base::clear_pending_signal();
  o.fingerprint = "other data";
  Recorder again;
  try {
    world.run(o, again);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("fingerprint"));
  }
}

TEST(Trainer, StopsEarlyWhenValidationNoLongerImproves) {
  World world;
  auto o = world.options("a", 100);
  o.early_stop_patience = 2;
  o.early_stop_min_delta = 1e9;  // after the first evaluation nothing counts as better
  Recorder recorder;
  const auto result = world.run(o, recorder);
  EXPECT_EQ(result.stop_reason, "early_stop");
  EXPECT_EQ(result.steps, 12);
  EXPECT_EQ(result.best_step, 4);
}


TEST(Trainer, RollbackRestoresASnapshotAndLowersTheLearningRate) {
  World world;
  auto o = world.options("a", 12);
  o.spike = {.rollback = true, .threshold = 1.0000001, .snapshot_every = 3, .max_rollbacks = 2};
  o.learning_rate = {.peak = 3, .max_steps = 12};  // far too high: the loss rises at once
  Recorder recorder;
  EXPECT_THROW(world.run(o, recorder), base::Error);
  int rollbacks = 0;
  for (const auto& e : recorder.events) rollbacks += e.at("event") == "rollback";
  EXPECT_GE(rollbacks, 1);
}

}  // namespace
}  // namespace picochat::train
