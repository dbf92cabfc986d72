// Decoding with a cache gives what the whole model gives, whatever is batched with what.
#include <gtest/gtest.h>

#include "model/support.hpp"
#include "picochat/model/decoder.hpp"
#include "picochat/model/determinism.hpp"

namespace picochat::model {
namespace {

using Tokens = std::vector<TokenId>;

Tokens random_tokens(const Config& config, int64_t count, uint64_t seed) {
  base::Random random(seed, "test tokens");
  Tokens tokens;
  for (int64_t i = 0; i < count; ++i)
    tokens.push_back(static_cast<TokenId>(random.below(static_cast<uint64_t>(config.vocab_size))));
  return tokens;
}

std::vector<float> full_logits(const Config& config, const at::Tensor& parameters, const Tokens& tokens) {
  Transformer transformer(config, 1, static_cast<int64_t>(tokens.size()), false);
  const std::vector<int32_t> ids(tokens.begin(), tokens.end());
  std::vector<float> out(tokens.size() * static_cast<size_t>(config.vocab_size));
  Batch batch;
  batch.rows = 1;
  batch.length = static_cast<int64_t>(tokens.size());
  batch.tokens = ids.data();
  transformer.logits(batch, parameters, out.data());
  return out;
}

double distance(std::span<const float> a, std::span<const float> b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

class DecoderOfEveryForm : public testing::TestWithParam<NamedConfig> {};

TEST_P(DecoderOfEveryForm, EqualsTheFullModelForAnyCutOfTheSequence) {
  const Config& config = GetParam().config;
  const at::Tensor parameters = test_parameters(config);
  const Tokens tokens = random_tokens(config, 40, 1);
  const std::vector<float> expected = full_logits(config, parameters, tokens);
  const size_t v = static_cast<size_t>(config.vocab_size);
  Decoder decoder(config, parameters, 3, 40);
  for (const std::vector<size_t>& cuts : {std::vector<size_t>(40, 1), {40}, {7, 1, 1, 20, 11}, {39, 1}, {1, 39}}) {
    decoder.reset(1);
    size_t first = 0;
    for (size_t count : cuts) {
      std::vector<float> all(count * v), last(v);
      const Decoder::Append item{1, std::span(tokens).subspan(first, count)};
      decoder.append({&item, 1}, all.data(), Decoder::Logits::kAllTokens);
      EXPECT_LT(distance(all, std::span(expected).subspan(first * v, count * v)), 1e-5) << first << " + " << count;
      first += count;
      EXPECT_EQ(decoder.length(1), static_cast<int64_t>(first));
    }
  }
}

TEST_P(DecoderOfEveryForm, AppendsEachTokenAsIfItWereAlone) {
  const Config& config = GetParam().config;
  const at::Tensor parameters = test_parameters(config);
  const size_t v = static_cast<size_t>(config.vocab_size);
  const Tokens a = random_tokens(config, 17, 1), b = random_tokens(config, 9, 2);
  Decoder decoder(config, parameters, 2, 40), single(config, parameters, 2, 40);
  std::vector<float> together(10 * v), alone(10 * v);
  const Decoder::Append prompts[] = {{0, std::span(a).first(11)}, {1, std::span(b).first(5)}};
  for (Decoder* each : {&decoder, &single}) each->append(prompts, together.data());

  // What drafts leave in the cache is gone when they are cut off.
  const Decoder::Append guess[] = {{0, std::span(b).first(1)}, {1, std::span(a).first(1)}};
  for (int i = 0; i < 3; ++i) decoder.draft(guess, together.data());
  decoder.truncate(0, 11);
  decoder.truncate(1, 5);

  const Decoder::Append items[] = {{0, std::span(a).last(6)}, {1, std::span(b).last(4)}};
  decoder.append_each(items, together.data());
  size_t at = 0;
  for (const Decoder::Append& item : items)
    for (const TokenId& token : item.tokens) {
      const Decoder::Append one{item.row, {&token, 1}};
      single.append({&one, 1}, alone.data() + at++ * v);
    }
  EXPECT_EQ(together, alone);
  const Decoder::Append next[] = {{0, std::span(a).first(1)}, {1, std::span(a).first(1)}};
  together.resize(2 * v);
  alone.resize(2 * v);
  decoder.append(next, together.data());
  single.append(next, alone.data());
  EXPECT_EQ(together, alone);
}

TEST_P(DecoderOfEveryForm, DraftsAreCloseToTheModel) {
  const Config& config = GetParam().config;
  const at::Tensor parameters = test_parameters(config);
  const Tokens tokens = random_tokens(config, 12, 1);
  const size_t v = static_cast<size_t>(config.vocab_size);
  Decoder decoder(config, parameters, 1, 12);
  ASSERT_TRUE(decoder.can_draft());
  std::vector<float> drafted(v), exact(v);
  for (const TokenId& token : tokens) {
    const Decoder::Append item{0, {&token, 1}};
    decoder.draft({&item, 1}, drafted.data());
  }
  decoder.reset(0);
  for (const TokenId& token : tokens) {
    const Decoder::Append item{0, {&token, 1}};
    decoder.append({&item, 1}, exact.data());
  }
  EXPECT_LT(distance(drafted, exact), 0.05);
  EXPECT_NE(drafted, exact);
}

INSTANTIATE_TEST_SUITE_P(Model, DecoderOfEveryForm, testing::ValuesIn(interesting_configs()),
                         [](const auto& info) { return info.param.name; });

TEST(Decoder, RowsDoNotInfluenceEachOther) {
  const Config config = parallel_config();
  const at::Tensor parameters = test_parameters(config);
  const size_t v = static_cast<size_t>(config.vocab_size);
  std::vector<Tokens> sequences;
  for (uint64_t row = 0; row < 7; ++row)
    sequences.push_back(random_tokens(config, 5 + 3 * static_cast<int64_t>(row), row));

  auto alone = [&](const Tokens& tokens) {  // prompt of all but two tokens, then two steps
    Decoder decoder(config, parameters, 1, 40);
    std::vector<float> logits(v);
    for (size_t first = 0; first < tokens.size();) {
      const size_t count = first == 0 ? tokens.size() - 2 : 1;
      const Decoder::Append item{0, std::span(tokens).subspan(first, count)};
      decoder.append({&item, 1}, logits.data());
      first += count;
    }
    return logits;
  };
  Decoder decoder(config, parameters, 7, 40);
  std::vector<float> logits(7 * v);
  for (int pass = 0; pass < 3; ++pass) {
    std::vector<Decoder::Append> items;
    for (size_t row = 0; row < 7; ++row) {
      const size_t prompt = sequences[row].size() - 2;
      items.push_back({static_cast<int64_t>(row),
                       pass == 0 ? std::span(sequences[row]).first(prompt)
                                 : std::span(sequences[row]).subspan(prompt + static_cast<size_t>(pass) - 1, 1)});
    }
    decoder.append(items, logits.data());
  }
  for (size_t row = 0; row < 7; ++row) {
    const std::vector<float> expected = alone(sequences[row]);
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), logits.begin() + static_cast<int64_t>(row * v)))
        << "row " << row;
  }
}

// Enough rows for a lane of each of four threads, in numbers that they do not share evenly.
TEST(Decoder, AStepOfManyRowsGivesTheSameBitsOnAnyNumberOfThreads) {
  const Config config = parallel_config();
  const at::Tensor parameters = test_parameters(config);
  const size_t v = static_cast<size_t>(config.vocab_size);
  constexpr size_t kRows = 21;
  std::vector<Tokens> sequences;
  for (uint64_t row = 0; row < kRows; ++row) sequences.push_back(random_tokens(config, 3 + static_cast<int64_t>(row) % 7, row));
  const int threads = compute_threads();
  std::vector<std::vector<float>> results;
  for (int count : {1, 2, 4}) {
    set_compute_threads(count);
    Decoder decoder(config, parameters, kRows, 40);
    results.emplace_back(kRows * v);
    for (size_t pass = 0; pass < 3; ++pass) {
      std::vector<Decoder::Append> items;
      for (size_t row = 0; row < kRows; ++row) {
        const std::span<const TokenId> all(sequences[row]);
        items.push_back({static_cast<int64_t>(row), pass == 0 ? all.first(all.size() - 2) : all.subspan(all.size() - 3 + pass, 1)});
      }
      decoder.append(items, results.back().data());
    }
  }
  set_compute_threads(threads);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(Decoder, PromptsAndStepsMixInOneCall) {
  const Config config = parallel_config();
  const at::Tensor parameters = test_parameters(config);
  const size_t v = static_cast<size_t>(config.vocab_size);
  const Tokens a = random_tokens(config, 9, 1), b = random_tokens(config, 6, 2), c = random_tokens(config, 4, 3);
  Decoder decoder(config, parameters, 3, 20);
  std::vector<float> logits(3 * v), expected(3 * v);
  const Decoder::Append prompts[] = {{0, std::span(a).first(8)}, {2, std::span(c).first(3)}};
  decoder.append(prompts, logits.data());
  const Decoder::Append mixed[] = {{0, std::span(a).last(1)}, {1, b}, {2, std::span(c).last(1)}};
  decoder.append(mixed, logits.data());
  Decoder other(config, parameters, 3, 20);
  other.append(prompts, expected.data());
  for (size_t i = 0; i < 3; ++i) other.append({&mixed[i], 1}, expected.data() + i * v);
  EXPECT_EQ(logits, expected);
}

TEST(Decoder, TruncateAndCopyReuseAPrompt) {
  const Config config = parallel_config();
  const at::Tensor parameters = test_parameters(config);
  const size_t v = static_cast<size_t>(config.vocab_size);
  const Tokens prompt = random_tokens(config, 10, 1), left = random_tokens(config, 3, 2),
               right = random_tokens(config, 3, 3);
  Decoder decoder(config, parameters, 2, 20);
  std::vector<float> first(v), again(v), copied(v), unused(v);
  auto run = [&](int64_t row, const Tokens& tokens, std::vector<float>& out) {
    const Decoder::Append item{row, tokens};
    decoder.append({&item, 1}, out.data());
  };
  run(0, prompt, unused);
  decoder.copy_row(0, 1);
  run(0, left, first);
  decoder.truncate(0, 10);
  run(0, right, unused);
  decoder.truncate(0, 10);
  run(0, left, again);
  run(1, left, copied);
  EXPECT_EQ(first, again);
  EXPECT_EQ(first, copied);
  EXPECT_NE(first, unused);
}

}  // namespace
}  // namespace picochat::model
