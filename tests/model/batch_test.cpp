// What a batch may say: weights, masks, segments, and what must come out exactly.
#include <gtest/gtest.h>

#include "model/support.hpp"
#include "picochat/base/error.hpp"

namespace picochat::model {
namespace {

Batch uniform(const OwnedBatch& owned, float weight = 1) {
  Batch batch = owned.batch();
  batch.uniform_weight = weight;
  return batch;
}

TEST(BatchWeights, AllMaskedGivesExactlyZeroAndNoNaN) {
  const Config config = parallel_config();
  at::Tensor parameters = test_parameters(config), gradients = at::zeros_like(parameters);
  parameters[5] = INFINITY;  // even a diverged model must not turn "nothing to learn" into NaN
  OwnedBatch owned = random_batch(config, 2, 16, 1);
  owned.weights.assign(32, 0.0f);
  owned.targets.assign(32, -100);
  Transformer transformer(config, 2, 16, true);
  std::vector<float> nll(32, 5);
  EXPECT_EQ(transformer.forward_backward(owned.batch(), parameters, gradients, nll.data()), 0);
  EXPECT_TRUE(gradients.eq(0).all().item<bool>());
  EXPECT_EQ(nll, std::vector<float>(32, 0));
}

TEST(BatchWeights, MaskedTargetsAreNeverRead) {
  const Config config = parallel_config();
  const at::Tensor parameters = test_parameters(config);
  OwnedBatch owned = random_batch(config, 2, 20, 2);
  add_random_weights(owned, 3);
  at::Tensor first = at::zeros_like(parameters), second = at::zeros_like(parameters);
  Transformer transformer(config, 2, 20, true);
  const double loss = transformer.forward_backward(owned.batch(), parameters, first);
  for (size_t i = 0; i < owned.targets.size(); ++i)
    if (owned.weights[i] == 0) owned.targets[i] = -100;
  EXPECT_EQ(loss, transformer.forward_backward(owned.batch(), parameters, second));
  EXPECT_TRUE(at::equal(first, second));
}

TEST(BatchWeights, TrailingMaskedTokensAddExactlyNothing) {
  // A row whose tail is masked teaches what the same row without its tail teaches.
  const Config config = parallel_config();
  const at::Tensor parameters = test_parameters(config).to(at::kDouble);
  OwnedBatch longer = random_batch(config, 1, 30, 4);
  longer.weights.assign(30, 0.0f);
  std::fill_n(longer.weights.begin(), 18, 1.0f);
  OwnedBatch shorter{1, 18, {}, {}, {}, {}};
  shorter.tokens.assign(longer.tokens.begin(), longer.tokens.begin() + 18);
  shorter.targets.assign(longer.targets.begin(), longer.targets.begin() + 18);
  Transformer transformer(config, 1, 30, true, {.dtype = at::kDouble});
  at::Tensor a = at::zeros_like(parameters), b = at::zeros_like(parameters);
  EXPECT_NEAR(transformer.forward_backward(longer.batch(), parameters, a),
              transformer.forward_backward(uniform(shorter), parameters, b), 1e-11);
  EXPECT_LT(relative_error(a, b), 1e-12);
}

TEST(BatchWeights, GradientsAreAddedAndWeightsAreLinear) {
  const Config config = parallel_config();
  const at::Tensor parameters = test_parameters(config).to(at::kDouble);
  const OwnedBatch owned = random_batch(config, 2, 17, 5);
  Transformer transformer(config, 2, 17, true, {.dtype = at::kDouble});
  at::Tensor once = at::zeros_like(parameters), thrice = at::zeros_like(parameters);
  const double loss = transformer.forward_backward(uniform(owned, 1), parameters, once);
  transformer.forward_backward(uniform(owned, 2), parameters, thrice);
  EXPECT_NEAR(transformer.forward_backward(uniform(owned, 1), parameters, thrice), loss, 1e-11);
  EXPECT_LT(relative_error(thrice, 3 * once), 1e-12);
}

class Segments : public testing::TestWithParam<NamedConfig> {};

TEST_P(Segments, PackedConversationsAreAsIfAlone) {
  const Config& config = GetParam().config;
  const at::Tensor parameters = test_parameters(config).to(at::kDouble);
  const std::vector<int32_t> starts = {0, 7, 8, 30};  // segments of 7, 1, 22 and 10 tokens
  OwnedBatch packed = random_batch(config, 1, 40, 6);
  for (int32_t t = 0; t < 40; ++t)
    packed.segment_start.push_back(*(std::upper_bound(starts.begin(), starts.end(), t) - 1));
  Transformer transformer(config, 1, 40, true, {.dtype = at::kDouble});
  at::Tensor together = at::zeros_like(parameters), apart = at::zeros_like(parameters);
  std::vector<float> nll(40), alone(40);
  const double loss = transformer.forward_backward(uniform(packed), parameters, together, nll.data());
  double sum = 0;
  for (size_t s = 0; s < starts.size(); ++s) {
    const int32_t begin = starts[s], end = s + 1 < starts.size() ? starts[s + 1] : 40;
    OwnedBatch one{1, end - begin, {}, {}, {}, {}};
    one.tokens.assign(packed.tokens.begin() + begin, packed.tokens.begin() + end);
    one.targets.assign(packed.targets.begin() + begin, packed.targets.begin() + end);
    sum += transformer.forward_backward(uniform(one), parameters, apart, alone.data() + begin);
  }
  EXPECT_NEAR(loss, sum, 1e-10);
  EXPECT_LT(relative_error(together, apart), 1e-11);
  for (size_t i = 0; i < 40; ++i) EXPECT_NEAR(nll[i], alone[i], 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Model, Segments, testing::ValuesIn(interesting_configs()),
                         [](const auto& info) { return info.param.name; });

TEST(Scores, AreTheNegativeLogLikelihoodsOfTraining) {
  const Config config = parallel_config();
  const at::Tensor parameters = test_parameters(config);
  const OwnedBatch owned = random_batch(config, 3, 24, 7);
  Transformer training(config, 3, 24, true), scoring(config, 3, 24, false);
  at::Tensor gradients = at::zeros_like(parameters);
  std::vector<float> trained(72), scored(72);
  const double loss = training.forward_backward(uniform(owned), parameters, gradients, trained.data());
  scoring.score(uniform(owned), parameters, scored.data());
  EXPECT_EQ(trained, scored);
  double sum = 0;
  for (float value : scored) sum += value;
  EXPECT_NEAR(sum, loss, 1e-3);
  EXPECT_LT(scoring.arena_bytes(), training.arena_bytes());

  OwnedBatch some = owned;
  add_random_weights(some, 8);
  std::vector<float> masked(72);
  scoring.score(some.batch(), parameters, masked.data());
  for (size_t i = 0; i < 72; ++i) EXPECT_NEAR(masked[i], some.weights[i] == 0 ? 0 : scored[i], 1e-5);
}

TEST(Scores, ChunksOfTheHeadDoNotShow) {
  Config config = parallel_config();
  config.vocab_size = 70000;  // one chunk holds 64 rows of the 3 x 40
  config.n_layer = 1;
  const at::Tensor parameters = test_parameters(config);
  const OwnedBatch owned = random_batch(config, 3, 40, 9);
  Transformer transformer(config, 3, 40, false);
  std::vector<float> nll(120), logits(120 * 70000);
  transformer.score(uniform(owned), parameters, nll.data());
  transformer.logits(uniform(owned), parameters, logits.data());
  for (int64_t i = 0; i < 120; ++i) {
    const at::Tensor row = at::from_blob(logits.data() + i * 70000, {70000}, at::kFloat).to(at::kDouble);
    const double expected =
        at::logsumexp(row, 0).item<double>() - row[owned.targets[static_cast<size_t>(i)]].item<double>();
    EXPECT_NEAR(nll[static_cast<size_t>(i)], expected, 1e-5);
  }
}

TEST(BatchChecks, IdsOutsideTheVocabularyStopTheRun) {
  const Config config = parallel_config();
  const at::Tensor parameters = test_parameters(config);
  Transformer transformer(config, 1, 8, true);
  at::Tensor gradients = at::zeros_like(parameters);
  for (int32_t bad : {-1, 61}) {
    OwnedBatch owned = random_batch(config, 1, 8, 1);
    owned.tokens[3] = bad;
    EXPECT_THROW(transformer.forward_backward(owned.batch(), parameters, gradients), base::Error);
    owned = random_batch(config, 1, 8, 1);
    owned.targets[3] = bad;
    EXPECT_THROW(transformer.forward_backward(owned.batch(), parameters, gradients), base::Error);
  }
  EXPECT_TRUE(gradients.eq(0).all().item<bool>());
}

}  // namespace
}  // namespace picochat::model
