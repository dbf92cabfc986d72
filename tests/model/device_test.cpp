// The kernels of a GPU, run serially on the CPU: each against the plain operations in float64 over the shapes that GPU
// presets have, and the whole model made of them, forward and backward.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/device_optimizer.hpp"
#include "model/ops/ops.hpp"
#include "model/support.hpp"
#include "picochat/base/error.hpp"
#include "picochat/model/decoder.hpp"
#include "picochat/model/kernel_check.hpp"
#include "picochat/model/optimizer_kernels.hpp"

namespace picochat::model {
namespace {

// --- one operation at a time ------------------------------------------------------------------

class DeviceKernels : public testing::TestWithParam<std::tuple<KernelShape, at::ScalarType>> {};

TEST_P(DeviceKernels, EqualPlainOperationsInFloat64) {
  const auto& [shape, dtype] = GetParam();
  const auto errors = compare_kernels(at::kCPU, dtype, shape);
  EXPECT_GE(errors.size(), 12u);
  for (const auto& found : errors) EXPECT_TRUE(found.good()) << found.kernel << ": " << found.error << ", allowed " << found.tolerance;
}

INSTANTIATE_TEST_SUITE_P(Shapes, DeviceKernels, testing::Combine(testing::ValuesIn(kernel_shapes()), testing::Values(at::kFloat, at::kBFloat16)),
                         [](const auto& info) { return std::get<0>(info.param).name + (std::get<1>(info.param) == at::kFloat ? "_float32" : "_bfloat16"); });

// Each of the constants, changed a little on one side, is noticed where it is used and nowhere else.
TEST(DeviceKernels, AChangedConstantIsNoticed) {
  const KernelShape& shape = kernel_shapes().at(2);
  const auto noticed_by = [&](const KernelFault& fault) {
    std::vector<std::string> bad;
    for (const auto& found : compare_kernels(at::kCPU, at::kFloat, shape, fault))
      if (!found.good()) bad.push_back(found.kernel);
    return bad;
  };
  using testing::ElementsAre;
  EXPECT_THAT(noticed_by({}), ElementsAre());
  EXPECT_THAT(noticed_by({.eps = 1.001e-1}), testing::Contains("rms_norm"));
  EXPECT_THAT(noticed_by({.rope_base = 9990}), ElementsAre("qk_norm_rope", "qk_rope"));
  EXPECT_THAT(noticed_by({.softcap = 4.01}), ElementsAre("cross_entropy_softcap"));
  EXPECT_THAT(noticed_by({.beta2 = 0.9501}), ElementsAre("adamw"));
  EXPECT_THAT(noticed_by({.gate_scale = 1.001}), ElementsAre("swiglu"));
  EXPECT_THAT(noticed_by({.key_scale = 1.001}), ElementsAre("attention", "attention_isolated", "cached_attention"));
}

TEST(DeviceKernels, ARowOfWeightZeroCountsForNothingWhateverItsLogitsAre) {
  const auto ops = ops::make_device_ops(at::kCPU, at::kBFloat16, {});
  at::Tensor infinite = at::full({1, 64}, std::numeric_limits<double>::infinity(), at::kBFloat16);
  const int32_t target = 3;
  const float none = 0;
  double nll = 1;
  ops->cross_entropy(infinite, &target, &none, 0, &nll);
  EXPECT_EQ(nll, 0);
  EXPECT_EQ(infinite.abs().sum().item<double>(), 0);
}

// --- the whole model --------------------------------------------------------------------------

std::vector<NamedConfig> device_configs() {
  auto all = interesting_configs();
  for (const int64_t ratio : {1, 3, 4}) {  // widths that are read in packs
    Config c = parallel_config();
    c.n_embd = 96 * (ratio == 4 ? 2 : 1);
    c.n_head = c.n_embd / 16;
    c.n_kv_head = c.n_head / ratio;
    c.vocab_size = 64;
    all.push_back({"packs_gqa_" + std::to_string(ratio), c});
    c.parallel_residual = false;
    all.push_back({"packs_sequential_gqa_" + std::to_string(ratio), c});
  }
  return all;
}

struct Outcome {
  double loss;
  at::Tensor gradients;
  std::vector<float> nll;
};

Outcome learn(const Config& config, const OwnedBatch& batch, const at::Tensor& parameters, const TransformerOptions& options) {
  Transformer transformer(config, batch.rows, batch.length, true, options);
  Outcome out{0, at::zeros_like(parameters), std::vector<float>(batch.tokens.size())};
  transformer.accumulate(batch.batch(), parameters, out.gradients, out.nll.data());
  transformer.accumulate(batch.batch(), parameters, out.gradients);
  out.loss = transformer.take_loss();
  EXPECT_EQ(transformer.take_loss(), 0) << "it was taken";
  return out;
}

class DeviceModel : public testing::TestWithParam<NamedConfig> {};

TEST_P(DeviceModel, Float32EqualsPlainAtenInFloat64) {
  const Config& config = GetParam().config;
  const ParameterLayout layout(config);
  const at::Tensor parameters = test_parameters(config);
  for (const bool packed : {false, true}) {
    OwnedBatch batch = random_batch(config, 3, 33, 1);
    if (packed) {
      add_random_weights(batch, 2);
      add_random_segments(batch, 3);
    }
    const Outcome ours = learn(config, batch, parameters, {.device_kernels = true}), exact = learn(config, batch, parameters.to(at::kDouble), {.dtype = at::kDouble, .reference = true});
    EXPECT_NEAR(ours.loss, exact.loss, 2e-6 * std::abs(exact.loss) + 1e-6);
    for (const auto& entry : layout.entries()) EXPECT_LT(relative_error(layout.view(ours.gradients, entry), layout.view(exact.gradients, entry)), 2e-5) << entry.name;
    for (size_t i = 0; i < ours.nll.size(); ++i) EXPECT_NEAR(ours.nll[i], exact.nll[i], 1e-4);

    const Outcome again = learn(config, batch, parameters, {.device_kernels = true, .recompute = true});
    EXPECT_EQ(again.loss, ours.loss) << "blocks that are run again give the same values";
    EXPECT_TRUE(at::equal(again.gradients, ours.gradients));
  }
}

TEST_P(DeviceModel, Bfloat16StaysCloseAndKeepsMasterWeights) {
  const Config& config = GetParam().config;
  const ParameterLayout layout(config);
  const at::Tensor parameters = test_parameters(config);
  OwnedBatch batch = random_batch(config, 3, 33, 1);
  const Outcome ours = learn(config, batch, parameters, {.dtype = at::kBFloat16}), plain = learn(config, batch, parameters, {.dtype = at::kBFloat16, .reference = true}),
                exact = learn(config, batch, parameters.to(at::kDouble), {.dtype = at::kDouble, .reference = true});
  EXPECT_EQ(ours.gradients.scalar_type(), at::kFloat);
  EXPECT_NEAR(ours.loss, exact.loss, 0.02 * exact.loss);
  // As far from the truth as plain operations on the same type are, up to a factor for the order of roundings.
  const double error = relative_error(ours.gradients, exact.gradients), of_plain = relative_error(plain.gradients, exact.gradients);
  EXPECT_LT(error, 1.3 * of_plain + 1e-3);
  EXPECT_LT(error, 0.08);
}

TEST_P(DeviceModel, ScoresInFloat32) {
  const Config& config = GetParam().config;
  const at::Tensor parameters = test_parameters(config);
  OwnedBatch batch = random_batch(config, 2, 29, 4);
  add_random_weights(batch, 5);
  std::vector<float> exact(batch.tokens.size()), wide(batch.tokens.size()), narrow(batch.tokens.size());
  Transformer(config, 2, 29, false).score(batch.batch(), parameters, exact.data());
  Transformer(config, 2, 29, false, {.device_kernels = true}).score(batch.batch(), parameters, wide.data());
  Transformer(config, 2, 29, false, {.dtype = at::kBFloat16}).score(batch.batch(), parameters, narrow.data());
  for (size_t i = 0; i < exact.size(); ++i) {
    EXPECT_NEAR(wide[i], exact[i], 1e-4);
    EXPECT_NEAR(narrow[i], exact[i], 0.25);
    if (batch.weights[i] == 0) {
      EXPECT_EQ(narrow[i], 0);
    }
  }
}

TEST_P(DeviceModel, ChangedParametersAreSeen) {
  const Config& config = GetParam().config;
  at::Tensor parameters = test_parameters(config);
  const OwnedBatch batch = random_batch(config, 1, 8, 4);
  Transformer transformer(config, 1, 8, true, {.dtype = at::kBFloat16});
  at::Tensor unused = at::zeros_like(parameters);
  const double before = transformer.forward_backward(batch.batch(), parameters, unused);
  parameters.mul_(1.5);
  transformer.parameters_changed();
  const double after = transformer.forward_backward(batch.batch(), parameters, unused);
  EXPECT_NE(before, after);
  EXPECT_EQ(after, Transformer(config, 1, 8, true, {.dtype = at::kBFloat16}).forward_backward(batch.batch(), parameters, unused));
}

TEST_P(DeviceModel, DecodingEqualsTheWholeSequence) {
  const Config& config = GetParam().config;
  const at::Tensor parameters = test_parameters(config);
  const OwnedBatch batch = random_batch(config, 1, 24, 8);
  const auto vocabulary = static_cast<size_t>(config.vocab_size);
  std::vector<float> whole(24 * vocabulary), logits(vocabulary);
  Transformer(config, 1, 24, false, {.device_kernels = true}).logits(batch.batch(), parameters, whole.data());
  Decoder decoder(config, parameters, 2, 32, {.device_kernels = true});
  std::vector<TokenId> tokens(batch.tokens.begin(), batch.tokens.end());
  size_t done = 0;
  for (const size_t count : {5, 1, 1, 7, 1, 9}) {
    const Decoder::Append item{1, {tokens.data() + done, count}};
    decoder.append({&item, 1}, logits.data());
    done += count;
    for (size_t i = 0; i < vocabulary; ++i) EXPECT_NEAR(logits[i], whole[(done - 1) * vocabulary + i], 2e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Model, DeviceModel, testing::ValuesIn(device_configs()), [](const auto& info) { return info.param.name; });

// --- optimizer --------------------------------------------------------------------------------

at::Tensor random_flat(int64_t count, const std::string& name) {
  at::Tensor values = allocate_flat(count);
  base::Random random(11, name);
  for (int64_t i = 0; i < count; ++i) values.data_ptr<float>()[i] = static_cast<float>(random.normal());
  return values;
}

TEST(DeviceOptimizer, AdamWIsTheCpusToTheLastBits) {
  constexpr int64_t kCount = 20011, kDecayed = 12800;
  const AdamWStep step{.learning_rate = 0.01, .weight_decay = 0.1, .gradient_scale = 0.7, .step = 3};
  std::vector<at::Tensor> cpu{random_flat(kCount, "p"), random_flat(kCount, "g"), random_flat(kCount, "m"), random_flat(kCount, "v").abs()}, device;
  for (const auto& t : cpu) device.push_back(t.clone());
  adamw_step(step, kDecayed, cpu[0], cpu[1], cpu[2], cpu[3], true);
  device_adamw_step(step, kDecayed, device[0], device[1], device[2], device[3], true);
  for (size_t i = 0; i < cpu.size(); ++i) EXPECT_LT(relative_error(device[i], cpu[i]), 1e-7) << i;
  EXPECT_EQ(device[1].abs().sum().item<float>(), 0) << "gradients are cleared";
  AdamWStep other = step;
  other.beta2 = 0.96;
  const at::Tensor before = device[3].clone();
  device_adamw_step(other, kDecayed, device[0], device[1], device[2], device[3], true);
  EXPECT_GT(relative_error(device[3], before * step.beta2), 1e-3) << "a changed constant is seen";
}

TEST(DeviceOptimizer, SquaredNormMuonAndAverage) {
  const at::Tensor values = random_flat(20011, "norm");
  EXPECT_NEAR(device_squared_norm(values) / squared_norm(values), 1, 1e-12);
  const at::Tensor average = random_flat(20011, "average"), same = average.clone();
  ema_update(0.9, values, average);
  device_ema_update(0.9, values, same);
  EXPECT_LT(relative_error(same, average), 1e-6);
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{24, 40}, {40, 24}}) {
    auto matrix = [&, r = rows, c = columns](const std::string& name) { return random_flat(r * c, name).view({r, c}); };
    const MuonStep step{.momentum = 0.95, .gradient_scale = 0.5, .keep = 0.99, .rate = 0.02};
    std::vector<at::Tensor> cpu{matrix("p"), matrix("g"), matrix("m")}, device;
    for (const auto& t : cpu) device.push_back(t.clone());
    muon_step(step, cpu[0], cpu[1], cpu[2]);
    device_muon_step(step, device[0], device[1], device[2]);
    for (size_t i = 0; i < cpu.size(); ++i) EXPECT_LT(relative_error(device[i], cpu[i]), 1e-5) << i;
  }
}

TEST(DeviceMemory, CheckpointingKeepsOneBlockInsteadOfAll) {
  Config config = parallel_config();
  config.n_layer = 12;
  const auto bytes = [&](bool recompute) { return Transformer::arena_bytes(config, 8, 40, true, {.dtype = at::kBFloat16, .recompute = recompute}); };
  EXPECT_LT(bytes(true), bytes(false) / 3);
}

}  // namespace
}  // namespace picochat::model
