// The kernels of a GPU, run serially on the CPU: each against the plain operations in float64 over the shapes that GPU
// presets have, and the whole model made of them, forward and backward.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/device_optimizer.hpp"
#include "model/weights.hpp"
#include "model/support.hpp"
#include "picochat/base/error.hpp"
#include "picochat/model/decoder.hpp"
#include "picochat/model/optimizer_kernels.hpp"

namespace picochat::model {
namespace {

// --- one operation at a time ------------------------------------------------------------------

struct Case {
  std::string name;
  int64_t rows, columns, n_head, n_kv_head, head_dim, vocabulary;
};

// Rows are few, for the bodies run one after another; the widths are those of the presets, and odd ones.
const std::vector<Case> kCases{{"h100_100m", 37, 768, 12, 4, 64, 8192}, {"h200_1b", 35, 2048, 16, 4, 128, 4096},  {"pilot", 33, 512, 8, 2, 64, 2048},
                               {"one_row", 1, 64, 4, 4, 16, 64},        {"odd", 5, 35, 5, 1, 7, 37},              {"ratio_three", 70, 96, 6, 2, 16, 72},
                               {"narrow_head", 19, 48, 4, 1, 12, 50}};

class DeviceOp : public testing::TestWithParam<std::tuple<Case, at::ScalarType>> {
 protected:
  const Case& shape() const { return std::get<0>(GetParam()); }
  at::ScalarType type() const { return std::get<1>(GetParam()); }
  // Of the norm of the whole result: rounding to bfloat16 alone costs 2^-9.
  double tolerance() const { return type() == at::kFloat ? 2e-6 : 4e-3; }

  // The same numbers for both sides: rounded to the type that computes, then widened.
  at::Tensor values(int64_t rows, int64_t columns, const std::string& name, double scale = 1) const {
    at::Tensor matrix = at::empty({rows, columns}, at::kDouble);
    base::Random random(3, name);
    for (int64_t i = 0; i < matrix.numel(); ++i) matrix.data_ptr<double>()[i] = scale * random.normal();
    return matrix.to(type());
  }
  at::Tensor vector(int64_t count, const std::string& name) const { return (values(1, count, name).to(at::kFloat).view({count}) * 0.3f + 1).contiguous(); }
  static at::Tensor zeros(const at::Tensor& like, at::ScalarType type) { return at::zeros(like.sizes(), type); }
  void expect_close(const at::Tensor& value, const at::Tensor& expected, const std::string& what) const { EXPECT_LT(relative_error(value, expected), tolerance()) << what; }

  std::unique_ptr<ops::Ops> ours = ops::make_device_ops(at::kCPU, type(), {});
  std::unique_ptr<ops::Ops> plain = ops::make_reference_ops(at::kCPU, at::kDouble);
};

TEST_P(DeviceOp, Norm) {
  const auto [name, rows, columns, a, b, c, d] = shape();
  const at::Tensor x = values(rows, columns, "x"), dy = values(rows, columns, "dy"), weight = vector(columns, "weight"), start = values(rows, columns, "dx");
  const auto run = [&](ops::Ops& ops, at::ScalarType matrix, at::ScalarType statistics, double eps) {
    const ops::Norm norm{ops::NormKind::kRms, eps, weight.to(statistics), {}};
    const at::Tensor input = x.to(matrix), y = zeros(x, matrix), copy = zeros(x, matrix), dx = start.to(matrix, false, true), over = zeros(x, matrix);
    const ops::NormStatistics stats{{}, at::zeros({rows}, statistics)};
    const at::Tensor dweight = at::ones({columns}, statistics);
    ops.norm(norm, input, y, stats, copy);
    ops.norm_backward(norm, input, stats, dy.to(matrix), dx, true, dweight, {});
    ops.norm_backward(norm, input, stats, dy.to(matrix), over, false, dweight, {});
    return std::vector<at::Tensor>{y, copy, stats.rstd, dx, over, dweight};
  };
  const auto value = run(*ours, type(), at::kFloat, 1e-5), expected = run(*plain, at::kDouble, at::kDouble, 1e-5);
  for (size_t i = 0; i < value.size(); ++i) expect_close(value[i], expected[i], std::to_string(i));
  // The comparison sees a changed constant.
  const auto changed = run(*ours, type(), at::kFloat, 3e-2);
  EXPECT_GT(relative_error(changed[0], expected[0]), tolerance());
}

TEST_P(DeviceOp, QueriesAndKeys) {
  const auto [name, rows, columns, n_head, n_kv_head, width, d] = shape();
  if (width % 2) return;  // an odd head cannot be rotated; the model's tests run it without rotation
  const int64_t heads = n_head + n_kv_head, packed = (n_head + 2 * n_kv_head) * width;
  Config config;
  config.n_embd = n_head * width, config.n_head = n_head, config.context_size = 128;
  std::vector<int32_t> positions;
  for (int64_t i = 0; i < rows; ++i) positions.push_back(static_cast<int32_t>(i * 7 % 128));
  const at::Tensor in = values(rows, packed, "in"), slope = values(rows, packed, "slope"), q_weight = vector(width, "q"), k_weight = vector(width, "k");
  for (const bool norm : {true, false}) {
    for (const bool rotate : {true, false}) {
      if (!norm && !rotate) continue;
      const auto run = [&](ops::Ops& ops, at::ScalarType matrix, at::ScalarType statistics, double base) {
        Config c = config;
        c.position_encoding = PositionEncoding::kRope;
        c.rope_base = base;
        const RopeTable rope = rotate ? make_rope_table(c, at::kCPU, statistics) : RopeTable();
        const ops::QkNormRope qk{n_head, n_kv_head, width, 1e-5, norm ? q_weight.to(statistics) : at::Tensor(), norm ? k_weight.to(statistics) : at::Tensor(), rope.cosine, rope.sine, positions.data()};
        const at::Tensor input = in.to(matrix), out = at::zeros({rows, heads * width}, matrix), rstd = at::zeros({rows, heads}, statistics), gradient = slope.to(matrix, false, true);
        const at::Tensor dq = at::ones({width}, statistics), dk = at::ones({width}, statistics);
        ops.qk(qk, input, out, rstd);
        ops.qk_backward(qk, input, rstd, gradient, dq, dk);
        return std::vector<at::Tensor>{out, gradient, dq, dk};
      };
      const auto value = run(*ours, type(), at::kFloat, 10000), expected = run(*plain, at::kDouble, at::kDouble, 10000);
      for (size_t i = 0; i < value.size(); ++i) expect_close(value[i], expected[i], std::to_string(i));
      if (!rotate || rows == 1) continue;
      EXPECT_GT(relative_error(run(*ours, type(), at::kFloat, 500)[0], expected[0]), tolerance()) << "another base of the angles";
    }
  }
}

TEST_P(DeviceOp, SwiGlu) {
  const auto [name, rows, columns, a, b, c, d] = shape();
  const at::Tensor fc = values(rows, 2 * columns, "fc", 2), slope = values(rows, columns, "slope");
  const auto run = [&](ops::Ops& ops, at::ScalarType matrix) {
    const at::Tensor h = zeros(slope, matrix), gradient = fc.to(matrix, false, true), back = slope.to(matrix, false, true);
    ops.activation(ops::ActivationKind::kSwiglu, gradient, h);
    ops.activation_backward(ops::ActivationKind::kSwiglu, gradient, back);
    return std::vector<at::Tensor>{h, gradient, back};
  };
  const auto value = run(*ours, type()), expected = run(*plain, at::kDouble);
  for (size_t i = 0; i < value.size(); ++i) expect_close(value[i], expected[i], std::to_string(i));
}

TEST_P(DeviceOp, Embedding) {
  const auto [name, rows, columns, a, b, c, vocabulary] = shape();
  base::Random random(5, "tokens");
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < rows; ++i) tokens.push_back(static_cast<int32_t>(random.below(std::min<uint64_t>(9, static_cast<uint64_t>(vocabulary)))));  // many repeats
  const at::Tensor table = values(vocabulary, columns, "table"), dx = values(rows, columns, "dx");
  const auto run = [&](ops::Ops& ops, at::ScalarType matrix, at::ScalarType gradients) {
    const at::Tensor x = zeros(dx, matrix), dtable = at::ones({vocabulary, columns}, gradients);
    ops.embedding(tokens, nullptr, table.to(matrix), {}, x);
    ops.embedding_backward(tokens, nullptr, dx.to(matrix), dtable, {});
    return std::vector<at::Tensor>{x, dtable - 1};
  };
  const auto value = run(*ours, type(), at::kFloat), expected = run(*plain, at::kDouble, at::kDouble);
  EXPECT_EQ(relative_error(value[0], expected[0]), 0);
  expect_close(value[1], expected[1], "gradient");
}

TEST_P(DeviceOp, CrossEntropy) {
  const auto [name, rows, a, b, c, d, vocabulary] = shape();
  base::Random random(6, "targets");
  std::vector<int32_t> targets;
  std::vector<float> weights;
  for (int64_t i = 0; i < rows; ++i) {
    targets.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(vocabulary))));
    weights.push_back(i % 3 == 1 ? 0.0f : static_cast<float>(random.uniform() - 0.2));
  }
  const at::Tensor logits = values(rows, vocabulary, "logits", 3);
  for (const double cap : {0.0, 4.0}) {
    const auto run = [&](ops::Ops& ops, at::ScalarType matrix, double softcap) {
      const at::Tensor gradient = logits.to(matrix, false, true), nll = at::zeros({rows}, at::kDouble);
      ops.cross_entropy(gradient, targets.data(), weights.data(), softcap, nll.data_ptr<double>());
      for (int64_t i = 0; i < rows; ++i)
        if (weights[static_cast<size_t>(i)] == 0) nll[i] = 0;
      return std::vector<at::Tensor>{nll, gradient};
    };
    const auto value = run(*ours, type(), cap), expected = run(*plain, at::kDouble, cap);
    EXPECT_LT(relative_error(value[0], expected[0]), 1e-6) << "nll, softcap " << cap;
    expect_close(value[1], expected[1], "gradient");
    if (cap == 0) continue;
    EXPECT_GT(relative_error(run(*ours, type(), 4.5)[1], expected[1]), tolerance()) << "another cap";
  }
  at::Tensor infinite = at::full({1, vocabulary}, std::numeric_limits<double>::infinity(), type());
  const float none = 0;
  double nll = 1;
  ours->cross_entropy(infinite, targets.data(), &none, 0, &nll);
  EXPECT_EQ(nll, 0);
  EXPECT_EQ(infinite.abs().sum().item<double>(), 0) << "a row of weight 0 counts for nothing, whatever its logits are";
}

TEST_P(DeviceOp, Products) {
  const auto [name, rows, columns, a, b, c, d] = shape();
  const at::Tensor x = values(rows, columns, "x"), weight = values(2 * columns, columns, "weight", 0.1), dy = values(rows, 2 * columns, "dy"), before = values(rows, 2 * columns, "before");
  const auto run = [&](ops::Ops& ops, at::ScalarType matrix, at::ScalarType gradients) {
    const at::Tensor y = before.to(matrix, false, true), dx = zeros(x, matrix), exact = at::zeros({rows, 2 * columns}, gradients), dweight = at::ones(weight.sizes(), gradients);
    ops.linear(x.to(matrix), weight.to(matrix), {}, y, true);
    ops.linear(x.to(matrix), weight.to(matrix), {}, exact, false);
    ops.linear_backward_input(dy.to(matrix), weight.to(matrix), dx, false);
    ops.linear_backward_weight(dy.to(matrix), x.to(matrix), dweight, {});
    return std::vector<at::Tensor>{y, dx, exact, dweight};
  };
  const auto value = run(*ours, type(), at::kFloat), expected = run(*plain, at::kDouble, at::kDouble);
  for (size_t i = 0; i < value.size(); ++i) EXPECT_LT(relative_error(value[i], expected[i]), i < 2 ? tolerance() : 2e-6) << i;
}

TEST_P(DeviceOp, CachedAttention) {
  const auto [name, rows, columns, n_head, n_kv_head, width, d] = shape();
  constexpr int64_t kCapacity = 48;
  const ops::AttentionShape attention{1, kCapacity, n_head, n_kv_head, width, nullptr};
  // Two sequences: one goes on after 9 tokens, one starts.
  const std::vector<ops::CachedSequence> sequences{{1, 0, 2, 9}, {0, 2, 4, 0}};
  const at::Tensor q = values(6, n_head * width, "q"), k = values(6, n_kv_head * width, "k"), v = values(6, n_kv_head * width, "v");
  const at::Tensor old_k = values(2 * n_kv_head * kCapacity, width, "old k"), old_v = values(2 * n_kv_head * kCapacity, width, "old v");
  const auto run = [&](ops::Ops& ops, at::ScalarType matrix) {
    const std::vector<int64_t> cache{2, n_kv_head, kCapacity, width};
    const at::Tensor cache_k = old_k.to(matrix, false, true).view(cache), cache_v = old_v.to(matrix, false, true).view(cache), out = at::zeros({6, n_head * width}, matrix);
    ops.cached_attention(attention, sequences, q.to(matrix), k.to(matrix), v.to(matrix), cache_k, cache_v, out);
    return std::vector<at::Tensor>{out, cache_k, cache_v};
  };
  const auto value = run(*ours, type()), expected = run(*plain, at::kDouble);
  for (size_t i = 0; i < value.size(); ++i) expect_close(value[i], expected[i], std::to_string(i));
}

INSTANTIATE_TEST_SUITE_P(Kernels, DeviceOp, testing::Combine(testing::ValuesIn(kCases), testing::Values(at::kFloat, at::kBFloat16)),
                         [](const auto& info) { return std::get<0>(info.param).name + (std::get<1>(info.param) == at::kFloat ? "_float32" : "_bfloat16"); });

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
