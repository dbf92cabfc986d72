// Forward and backward of every form of the model: our kernels against plain ATen in float64, plain
// ATen against finite differences, and float32 against float64.
#include <gtest/gtest.h>

#include "model/support.hpp"

namespace picochat::model {
namespace {

struct Result {
  double loss;
  at::Tensor gradients;
};

Result run(const Config& config, const OwnedBatch& batch, const at::Tensor& parameters,
           const TransformerOptions& options, uint64_t dropout_key = 0) {
  Transformer transformer(config, batch.rows, batch.length, true, options);
  Result result{0, at::zeros_like(parameters)};
  Batch b = batch.batch();
  b.dropout_key = dropout_key;
  result.loss = transformer.forward_backward(b, parameters, result.gradients);
  return result;
}

void expect_same_gradients(const Config& config, const at::Tensor& value, const at::Tensor& expected,
                           double tolerance) {
  const ParameterLayout layout(config);
  for (const auto& entry : layout.entries())
    EXPECT_LT(relative_error(layout.view(value, entry), layout.view(expected, entry)), tolerance) << entry.name;
}

class EveryForm : public testing::TestWithParam<NamedConfig> {};

const TransformerOptions kDouble{.dtype = at::kDouble};
const TransformerOptions kReference{.dtype = at::kDouble, .reference = true};

TEST_P(EveryForm, KernelsEqualPlainAtenInFloat64) {
  const Config& config = GetParam().config;
  const at::Tensor parameters = test_parameters(config).to(at::kDouble);
  for (bool packed : {false, true}) {
    OwnedBatch batch = random_batch(config, 3, 33, 1);
    if (packed) {
      add_random_weights(batch, 2);
      add_random_segments(batch, 3);
    }
    const Result ours = run(config, batch, parameters, kDouble), expected = run(config, batch, parameters, kReference);
    EXPECT_NEAR(ours.loss, expected.loss, 1e-11 * std::abs(expected.loss) + 1e-12);
    expect_same_gradients(config, ours.gradients, expected.gradients, 1e-10);
  }
}

TEST_P(EveryForm, GradientIsTheDerivativeOfTheLoss) {
  const Config& config = GetParam().config;
  const ParameterLayout layout(config);
  const at::Tensor parameters = test_parameters(config).to(at::kDouble);
  OwnedBatch batch = random_batch(config, 2, 19, 4);
  add_random_weights(batch, 5);
  add_random_segments(batch, 6);
  const Result result = run(config, batch, parameters, kDouble);
  Transformer transformer(config, batch.rows, batch.length, true, kDouble);
  at::Tensor unused = at::zeros_like(parameters);
  for (const auto& entry : layout.entries()) {  // along one random direction per tensor
    at::Tensor direction = at::zeros_like(parameters);
    base::Random random(8, entry.name);
    double* d = direction.data_ptr<double>() + entry.offset;
    for (int64_t i = 0; i < entry.count; ++i) d[i] = random.normal();
    const double step = 1e-5 / std::sqrt(static_cast<double>(entry.count));
    const double up = transformer.forward_backward(batch.batch(), parameters + step * direction, unused);
    const double down = transformer.forward_backward(batch.batch(), parameters - step * direction, unused);
    const double measured = (up - down) / (2 * step), claimed = (result.gradients * direction).sum().item<double>();
    const double size = layout.view(result.gradients, entry).norm().item<double>();
    EXPECT_NEAR(claimed, measured, 2e-5 * size + 1e-8) << entry.name;
  }
}

TEST_P(EveryForm, Float32StaysCloseToFloat64) {
  const Config& config = GetParam().config;
  const at::Tensor parameters = test_parameters(config);
  OwnedBatch batch = random_batch(config, 3, 40, 9);
  const Result ours = run(config, batch, parameters, {}),
               exact = run(config, batch, parameters.to(at::kDouble), kReference);
  EXPECT_NEAR(ours.loss, exact.loss, 1e-6 * exact.loss);
  expect_same_gradients(config, ours.gradients, exact.gradients, 1e-5);
}

TEST_P(EveryForm, DropoutMasksAreTheSameOnBothSides) {
  Config config = GetParam().config;
  config.dropout = 0.3;
  const at::Tensor parameters = test_parameters(config).to(at::kDouble);
  OwnedBatch batch = random_batch(config, 2, 21, 10);
  const Result ours = run(config, batch, parameters, kDouble, 77),
               expected = run(config, batch, parameters, kReference, 77);
  EXPECT_NEAR(ours.loss, expected.loss, 1e-11 * expected.loss);
  expect_same_gradients(config, ours.gradients, expected.gradients, 1e-10);
  EXPECT_NE(ours.loss, run(config, batch, parameters, kDouble, 78).loss);
}

INSTANTIATE_TEST_SUITE_P(Model, EveryForm, testing::ValuesIn(interesting_configs()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace picochat::model
