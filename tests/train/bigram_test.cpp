#include "picochat/train/bigram_baseline.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "fixture.hpp"

namespace picochat::train {
namespace {

using testing::build_shards;
using testing::byte_tokenizer;
using testing::some_documents;
using testing::TemporaryFolder;

// Interpolated Kneser-Ney as the textbook writes it, with maps and no cleverness.
double textbook(const std::vector<int32_t>& train, const std::vector<int32_t>& held_out, size_t vocab) {
  std::map<std::pair<int32_t, int32_t>, double> pairs;
  for (size_t i = 0; i + 1 < train.size(); ++i) ++pairs[{train[i], train[i + 1]}];
  std::map<int32_t, double> total, followers, leaders;
  double once = 0, twice = 0;
  for (const auto& [pair, count] : pairs) {
    total[pair.first] += count;
    ++followers[pair.first];
    ++leaders[pair.second];
    once += count == 1;
    twice += count == 2;
  }
  const double discount = once / (once + 2 * twice), types = static_cast<double>(pairs.size());
  double nats = 0;
  for (size_t i = 0; i + 1 < held_out.size(); ++i) {
    const int32_t v = held_out[i], w = held_out[i + 1];
    const double continuation = std::max(leaders[w] - discount, 0.0) / types + discount * static_cast<double>([&] {
      std::set<int32_t> used;
      for (const auto& [token, count] : leaders)
        if (count > 0) used.insert(token);
      return used.size();
    }()) / types / static_cast<double>(vocab);
    const double count = pairs.contains({v, w}) ? pairs[{v, w}] : 0;
    nats -= std::log(total[v] == 0 ? continuation : std::max(count - discount, 0.0) / total[v] + discount * followers[v] / total[v] * continuation);
  }
  return nats;
}

TEST(Bigram, EqualsTheTextbookFormula) {
  TemporaryFolder folder;
  const auto shards = build_shards(folder.path() / "a", some_documents(24, 12));
  const auto split = split_tokens(shards, 400, 16);
  std::vector<int32_t> train(static_cast<size_t>(split.train.size())), held_out(static_cast<size_t>((split.validation.size() - 1) / 16 * 16 + 1));
  split.train.read(0, train);
  split.validation.read(0, held_out);
  const auto vocab = byte_tokenizer()->vocab_size();
  const auto result = bigram_baseline(split.train, split.validation, 16, static_cast<int64_t>(vocab), byte_lengths(*byte_tokenizer()));
  ASSERT_EQ(result.tokens, static_cast<int64_t>(held_out.size()) - 1);
  EXPECT_NEAR(result.loss * static_cast<double>(result.tokens), textbook(train, held_out, vocab), 1e-6 * static_cast<double>(result.tokens));
}

}  // namespace
}  // namespace picochat::train
