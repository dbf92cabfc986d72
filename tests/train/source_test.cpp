#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "fixture.hpp"
#include "picochat/base/error.hpp"
#include "picochat/train/sft_source.hpp"
#include "picochat/train/window_source.hpp"

namespace picochat::train {
namespace {

using testing::build_shards;
using testing::byte_tokenizer;
using testing::some_documents;
using testing::TemporaryFolder;

TokenStream whole(const std::shared_ptr<const TokenShards>& shards) { return {shards, {{0, shards->size()}}}; }

TEST(WindowSource, ShowsEveryWindowExactlyOncePerEpochInADifferentOrderEach) {
  TemporaryFolder folder;
  const auto stream = whole(build_shards(folder.path() / "a", some_documents(30)));
  WindowSource source(stream, {.context_size = 32, .batch_size = 1, .seed = 7});
  std::vector<std::vector<std::vector<int32_t>>> epochs(2);
  MicroBatch batch;
  for (int64_t step = 1; step <= 2 * source.windows(); ++step) {
    source.prepare(step);
    source.fill(0, batch);
    epochs[static_cast<size_t>((step - 1) / source.windows())].push_back(batch.tokens);
  }
  EXPECT_NE(epochs[0], epochs[1]);
  std::vector<std::vector<int32_t>> expected;
  for (int64_t w = 0; w < source.windows(); ++w) {
    expected.emplace_back(32);
    stream.read(w * 32, expected.back());
  }
  std::sort(expected.begin(), expected.end());
  for (auto& epoch : epochs) {
    std::sort(epoch.begin(), epoch.end());
    EXPECT_EQ(epoch, expected);
  }
}

TEST(WindowSource, DataOrderDependsOnTheGlobalBatchAloneNotOnHowItIsCut) {
  TemporaryFolder folder;
  const auto stream = whole(build_shards(folder.path() / "a", some_documents(30)));
  WindowSource wide(stream, {.context_size = 16, .batch_size = 6, .grad_accum_steps = 1, .seed = 3});
  WindowSource narrow(stream, {.context_size = 16, .batch_size = 2, .grad_accum_steps = 3, .seed = 3});
  MicroBatch all, part;
  for (int64_t step : {1, 2, 9}) {
    wide.prepare(step);
    narrow.prepare(step);
    wide.fill(0, all);
    std::vector<int32_t> joined;
    for (int64_t micro = 0; micro < 3; ++micro) {
      narrow.fill(micro, part);
      joined.insert(joined.end(), part.tokens.begin(), part.tokens.end());
    }
    EXPECT_EQ(joined, all.tokens);
    EXPECT_FLOAT_EQ(all.uniform_weight, part.uniform_weight);
  }
}

TEST(WindowSource, TargetsAreTheNextTokensAndIsolationStartsAtBos) {
  TemporaryFolder folder;
  const auto stream = whole(build_shards(folder.path() / "a", some_documents(30, 4)));
  WindowSource source(stream, {.context_size = 64, .batch_size = 2, .seed = 1, .isolate_documents = true});
  MicroBatch batch;
  source.prepare(1);
  source.fill(0, batch);
  int boundaries = 0;
  for (size_t i = 0; i + 1 < 64; ++i) {
    EXPECT_EQ(batch.targets[i], batch.tokens[i + 1]);
    if (batch.tokens[i] == static_cast<int32_t>(tokenizer::kBos)) {
      ++boundaries;
      EXPECT_EQ(batch.segment_start[i], static_cast<int32_t>(i));
    } else if (i > 0) {
      EXPECT_EQ(batch.segment_start[i], batch.segment_start[i - 1]);
    }
  }
  EXPECT_GT(boundaries, 0);
}

std::vector<tasks::ChatRow> chat_rows(int count) {
  std::vector<tasks::ChatRow> rows;
  for (int i = 0; i < count; ++i) {
    tasks::ChatRow row;
    row.turns = {{"user", "question " + std::to_string(i)}, {"assistant", std::string(static_cast<size_t>(3 + i % 11), 'a')}};
    row.category = i % 4 == 0 ? "rare" : "common";
    row.group = "group-" + std::to_string(i / 3);
    rows.push_back(row);
  }
  return rows;
}

TEST(SftData, KeepsGroupsTogetherAndCountsWhatIsTooLong) {
  auto rows = chat_rows(60);
  rows[5].turns[1].text = std::string(500, 'x');
  const auto data = prepare_sft(*byte_tokenizer(), rows, 96, 1);
  EXPECT_EQ(data.report.at("skipped_long_examples"), 1);
  EXPECT_EQ(data.train.size() + data.validation.size(), 59u);
  std::set<std::string> train_groups, validation_groups;
  for (const auto& e : data.train) train_groups.insert(rows[static_cast<size_t>(e.row)].group);
  for (const auto& e : data.validation) validation_groups.insert(rows[static_cast<size_t>(e.row)].group);
  for (const auto& group : validation_groups) EXPECT_FALSE(train_groups.contains(group)) << group;
  EXPECT_GE(data.validation.size(), 11u);
}

TEST(SftData, RefusesRowsThatAllExceedTheContext) { EXPECT_THROW(prepare_sft(*byte_tokenizer(), chat_rows(3), 4, 1), base::Error); }

class SftSourceTest : public ::testing::TestWithParam<std::string> {};

TEST_P(SftSourceTest, SupervisesAssistantTokensOnlyAndNormalisesByTheirGlobalNumber) {
  const auto rows = chat_rows(40);
  const auto data = prepare_sft(*byte_tokenizer(), rows, 96, 1);
  SftSource source(data.train, {.context_size = 96, .batch_size = 2, .grad_accum_steps = 3, .packing = GetParam(), .seed = 5});
  MicroBatch batch;
  for (int64_t step : {1, 2, 3, 11}) {
    source.prepare(step);
    double sum = 0;
    for (int64_t micro = 0; micro < 3; ++micro) {
      source.fill(micro, batch);
      ASSERT_EQ(batch.rows, 2);
      for (size_t i = 0; i < batch.weights.size(); ++i) {
        sum += batch.weights[i];
        if (batch.weights[i] == 0) continue;
        const auto target = static_cast<tokenizer::TokenId>(batch.targets[i]);
        const bool answer = byte_tokenizer()->decode(std::vector{target}) == "a", end = target == tokenizer::kEnd || target == tokenizer::kEos;
        EXPECT_TRUE(answer || end) << "token " << target << " is not the assistant's";
      }
    }
    EXPECT_NEAR(sum, 1, 1e-4) << "step " << step;
  }
}

TEST_P(SftSourceTest, KeepsEachConversationInItsOwnSegment) {
  const auto data = prepare_sft(*byte_tokenizer(), chat_rows(40), 96, 1);
  SftSource source(data.train, {.context_size = 96, .batch_size = 4, .packing = GetParam(), .seed = 5});
  MicroBatch batch;
  source.prepare(2);
  source.fill(0, batch);
  for (int64_t row = 0; row < batch.rows; ++row)
    for (int64_t i = 0; i < batch.length; ++i) {
      const auto cell = static_cast<size_t>(row * batch.length + i);
      if (batch.tokens[cell] == static_cast<int32_t>(tokenizer::kBos)) {
        EXPECT_EQ(batch.segment_start[cell], i);
      }
      EXPECT_LE(batch.segment_start[cell], i);
    }
}

INSTANTIATE_TEST_SUITE_P(Packings, SftSourceTest, ::testing::Values("separate", "bos_bestfit"));

TEST(SftSource, AnEpochOfUniformSamplingHasEveryConversationOnce) {
  const auto data = prepare_sft(*byte_tokenizer(), chat_rows(40), 96, 1);
  std::vector<int64_t> order(data.train.size());
  std::iota(order.begin(), order.end(), 0);
  const auto rows = pack_best_fit(data.train, order, 96);
  std::multiset<int64_t> seen;
  for (const auto& row : rows) {
    int64_t used = 0;
    for (int64_t index : row) seen.insert(index), used += static_cast<int64_t>(data.train[static_cast<size_t>(index)].tokens.size()) - 1;
    EXPECT_LE(used, 96);
  }
  EXPECT_EQ(seen.size(), data.train.size());
  EXPECT_LT(rows.size(), data.train.size());
}

TEST(SftSource, BalancedSamplingDrawsCategoriesEquallyOften) {
  const auto data = prepare_sft(*byte_tokenizer(), chat_rows(200), 96, 1);
  SftSource source(data.train, {.context_size = 96, .batch_size = 50, .sampling = "category_balanced", .seed = 2});
  std::map<std::string, int> drawn;
  MicroBatch batch;
  int rare = 0, all = 0;
  for (int64_t step = 1; step <= 20; ++step) {
    source.prepare(step);
    source.fill(0, batch);
    for (int64_t row = 0; row < batch.rows; ++row) {
      // "question <i>": i divisible by 4 is the rare category
      std::string text;
      for (int64_t i = 0; i < batch.length; ++i)
        text += byte_tokenizer()->decode(std::vector{static_cast<tokenizer::TokenId>(batch.tokens[static_cast<size_t>(row * batch.length + i)])});
      rare += std::stoi(text.substr(text.find("question ") + 9)) % 4 == 0;
      ++all;
    }
  }
  EXPECT_NEAR(static_cast<double>(rare) / all, 0.5, 0.06);
}

}  // namespace
}  // namespace picochat::train
