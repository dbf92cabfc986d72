#include "train/checkpoint_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "small_world.hpp"
#include "support/faulty_file_system.hpp"

namespace picochat::train {
namespace {

using testing::small_config;
using testing::TemporaryFolder;

// The real file system, whose first write waits until it is let go.
class HeldFileSystem final : public base::FileSystem {
 public:
  std::unique_ptr<base::WritableFile> create(const base::Path& path) override {
    let_go_.wait();
    return real().create(path);
  }
  std::unique_ptr<base::WritableFile> open_append(const base::Path& path) override { return real().open_append(path); }
  void make_directories(const base::Path& path) override { real().make_directories(path); }
  void rename_replacing(const base::Path& from, const base::Path& to) override { real().rename_replacing(from, to); }
  void rename_new(const base::Path& from, const base::Path& to) override { real().rename_new(from, to); }
  void remove_all(const base::Path& path) override { real().remove_all(path); }
  void truncate(const base::Path& path, uint64_t size) override { real().truncate(path, size); }
  void sync_directory(const base::Path& path) override { real().sync_directory(path); }
  void let_go() { gate_.set_value(); }

 private:
  static base::FileSystem& real() { return base::real_file_system(); }
  std::promise<void> gate_;
  std::shared_future<void> let_go_{gate_.get_future()};
};

CheckpointContent content_of(const at::Tensor& parameters, int64_t step) {
  return {.config = small_config(), .parameters = parameters, .metadata = {{"step", step}}, .state = {{"first_moment", parameters}}, .training_state = {{"step", step}}};
}

at::Tensor some_weights(float value) {
  at::Tensor weights = model::allocate_flat(model::ParameterLayout(small_config()).size());
  return weights.fill_(value);
}

TEST(CheckpointWriter, TheLoopGoesOnAndChangesWeightsWhileTheyAreWritten) {
  const TemporaryFolder folder;
  HeldFileSystem files;
  CheckpointSeries series(files, folder / "series");
  CheckpointWriter writer(files, {});
  at::Tensor weights = some_weights(1);
  writer.save("resume", series, 1, content_of(weights, 1), 2);  // returns although nothing can be written
  weights.fill_(2);
  EXPECT_TRUE(series.steps().empty());
  files.let_go();
  writer.finish();
  const auto saved = load_training_state(series.path(1));
  const model::ParameterLayout layout(small_config());
  for (const auto& entry : layout.entries()) EXPECT_TRUE(at::equal(layout.view(saved.checkpoint.parameters, entry), layout.view(some_weights(1), entry))) << "as they were when saved: " << entry.name;
}

TEST(CheckpointWriter, OlderOnesGoOnlyAfterTheNewOneVerified) {
  const TemporaryFolder folder;
  CheckpointSeries series(base::real_file_system(), folder / "series");
  {
    CheckpointWriter writer(base::real_file_system(), {});
    for (int64_t step = 1; step <= 3; ++step) writer.save("resume", series, step, content_of(some_weights(static_cast<float>(step)), step), 2);
    writer.finish();
  }
  EXPECT_EQ(series.steps(), (std::vector<int64_t>{2, 3}));
  for (int failing = 0;; ++failing) {  // a disk that is full at the n-th operation
    test::FaultyFileSystem files(failing);
    CheckpointSeries same(files, folder / "series");
    CheckpointWriter writer(files, {});
    bool failed = false;
    try {
      writer.save("resume", same, 4, content_of(some_weights(4), 4), 2);
      writer.finish();
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kEnvironment);
      failed = true;
    }
    if (!failed) break;
    const auto newest = series.newest();
    ASSERT_TRUE(newest) << "failing operation " << failing;
    if (series.steps().back() == 4) series.remove(4);  // published before what failed
    else EXPECT_EQ(series.steps(), (std::vector<int64_t>{2, 3})) << "failing operation " << failing;
    if (series.steps().size() < 2) {
      CheckpointWriter again(base::real_file_system(), {});
      series.remove(3);
      for (int64_t step = 2; step <= 3; ++step) again.save("resume", series, step, content_of(some_weights(static_cast<float>(step)), step), 2);
      again.finish();
    }
  }
  EXPECT_EQ(series.steps().back(), 4);
}

TEST(CheckpointWriter, WhatWentWrongIsThrownByTheNextCall) {
  const TemporaryFolder folder;
  test::FaultyFileSystem files(3);
  CheckpointSeries series(files, folder / "series");
  CheckpointWriter writer(files, {});
  writer.save("resume", series, 1, content_of(some_weights(1), 1), 2);
  EXPECT_THROW(writer.finish(), base::Error);
  EXPECT_NO_THROW(writer.finish()) << "once";
  writer.save("resume", series, 2, content_of(some_weights(2), 2), 2);
  writer.finish();
  EXPECT_EQ(series.steps(), (std::vector<int64_t>{2}));
}

TEST(CheckpointWriter, ASlowReaderOfCheckpointsHoldsUpNothing) {
  const TemporaryFolder folder;
  std::promise<void> gate;
  auto held = gate.get_future().share();
  std::vector<base::Path> published;
  CheckpointSeries series(base::real_file_system(), folder / "series");
  CheckpointWriter writer(base::real_file_system(), [&](const base::Path& path) {
    held.wait();
    if (std::filesystem::exists(path)) published.push_back(path.filename());
  });
  for (int64_t step = 1; step <= 4; ++step) writer.save("resume", series, step, content_of(some_weights(1), step), 2);
  gate.set_value();
  writer.finish();
  EXPECT_THAT(published, ::testing::Contains(base::Path("step-00000004")));
  EXPECT_EQ(writer.timing().at("checkpoints"), 4);
}

}  // namespace
}  // namespace picochat::train
