// Adapters: their gradients are those of the model they are merged into, and what they make is what two more products would make.
#include "picochat/train/lora.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include <ATen/ATen.h>

#include "fixture.hpp"
#include "picochat/base/random.hpp"
#include "picochat/model/transformer.hpp"
#include "support/modern_model.hpp"

namespace picochat::train {
namespace {

model::Config small_config() {
  model::Config c = test::modern_model(61, 20, 24);
  c.initializer_range = 0.2;
  return c;
}

struct World {
  model::Config config = small_config();
  model::ParameterLayout layout{config};
  at::Tensor frozen = model::allocate_flat(layout.size());
  World() { model::initialize(config, 3, frozen); }
  Lora lora(std::vector<std::string> targets = {"all_linear"}) const { return {config, {.rank = 3, .alpha = 7, .targets = std::move(targets)}, frozen}; }
  // Both factors random, in float64.
  static at::Tensor random_adapters(const Lora& lora) {
    at::Tensor adapters = at::zeros({lora.size()}, at::kDouble);
    base::Random random(5, "adapters");
    for (int64_t i = 0; i < adapters.numel(); ++i) adapters.data_ptr<double>()[i] = 0.3 * random.normal();
    return adapters;
  }
};

TEST(Lora, AdaptsTheMatricesThatWereNamed) {
  const World world;
  auto names = [&](std::vector<std::string> targets) {
    std::vector<std::string> out;
    const Lora lora = world.lora(std::move(targets));
    for (const auto& pair : lora.pairs()) out.push_back(pair.matrix.name);
    return out;
  };
  EXPECT_EQ(names({"attn_qkv", "attn_proj"}), (std::vector<std::string>{"blocks.0.attn.qkv.weight", "blocks.0.attn.proj.weight", "blocks.1.attn.qkv.weight", "blocks.1.attn.proj.weight"}));
  EXPECT_EQ(names({"mlp_proj"}), (std::vector<std::string>{"blocks.0.mlp.proj.weight", "blocks.1.mlp.proj.weight"}));
  EXPECT_EQ(names({"all_linear"}).size(), 8u);
}

TEST(Lora, AFreshAdapterChangesNothing) {
  const World world;
  const Lora lora = world.lora();
  auto adapters = model::allocate_flat(lora.size()), merged = model::allocate_flat(world.layout.size());
  lora.initialize(1, adapters);
  merged.copy_(world.frozen);
  lora.merge(adapters, merged);
  EXPECT_TRUE(at::equal(merged, world.frozen));
  EXPECT_GT(adapters.abs().max().item<double>(), 0);
}

// y = x W^T + alpha / rank * (x A^T) B^T is what the merged matrix computes.
TEST(Lora, TheMergedMatrixComputesWhatTheAdapterDoes) {
  const World world;
  const at::Tensor frozen = world.frozen.to(at::kDouble);
  const Lora lora(world.config, {.rank = 3, .alpha = 7, .targets = {"all_linear"}}, frozen);
  const at::Tensor adapters = World::random_adapters(lora), merged = frozen.clone();
  lora.merge(adapters, merged);
  for (const auto& pair : lora.pairs()) {
    const at::Tensor x = at::randn({5, pair.matrix.shape[1]}, at::kDouble);
    const at::Tensor with_adapter = at::mm(x, world.layout.view(frozen, pair.matrix).t()) + 7.0 / 3 * at::mm(at::mm(x, lora.a(adapters, pair).t()), lora.b(adapters, pair).t());
    EXPECT_LT((with_adapter - at::mm(x, world.layout.view(merged, pair.matrix).t())).abs().max().item<double>(), 1e-12) << pair.matrix.name;
  }
  for (const auto& entry : world.layout.entries()) {
    if (entry.hidden_matrix) continue;
    EXPECT_TRUE(at::equal(world.layout.view(merged, entry), world.layout.view(frozen, entry))) << entry.name << " is frozen";
  }
}

// Against autograd through the merge, and against the slope of the whole model's loss, in float64.
TEST(Lora, GradientsAreThoseOfTheMergedModel) {
  const World world;
  const at::Tensor frozen = world.frozen.to(at::kDouble);
  const Lora lora(world.config, {.rank = 3, .alpha = 7, .targets = {"all_linear"}}, frozen);
  const at::Tensor adapters = World::random_adapters(lora);
  std::vector<int32_t> tokens, targets;
  base::Random random(9, "tokens");
  for (int i = 0; i < 34; ++i) tokens.push_back(static_cast<int32_t>(random.below(61))), targets.push_back(static_cast<int32_t>(random.below(61)));
  const model::Batch batch{.rows = 2, .length = 17, .tokens = tokens.data(), .targets = targets.data(), .uniform_weight = 1.0f / 34};
  model::Transformer transformer(world.config, 2, 17, true, {.dtype = at::kDouble});
  auto loss_and_gradient = [&](const at::Tensor& at_adapters, at::Tensor& gradients) {
    const at::Tensor merged = frozen.clone();
    lora.merge(at_adapters, merged);
    gradients = at::zeros_like(frozen);
    return transformer.forward_backward(batch, merged, gradients);
  };
  at::Tensor gradients, unused;
  loss_and_gradient(adapters, gradients);
  const at::Tensor slopes = at::full_like(adapters, 77);  // overwritten
  lora.project(adapters, gradients, slopes);
  for (const auto& pair : lora.pairs()) {
    const at::Tensor a = lora.a(adapters, pair).clone().requires_grad_(true), b = lora.b(adapters, pair).clone().requires_grad_(true);
    ((7.0 / 3 * at::mm(b, a)) * world.layout.view(gradients, pair.matrix)).sum().backward();
    EXPECT_LT((a.grad() - lora.a(slopes, pair)).norm().item<double>(), 1e-12 * a.grad().norm().item<double>()) << pair.matrix.name;
    EXPECT_LT((b.grad() - lora.b(slopes, pair)).norm().item<double>(), 1e-12 * b.grad().norm().item<double>()) << pair.matrix.name;
    for (const at::Tensor& part : {lora.a(adapters, pair), lora.b(adapters, pair)}) {
      const at::Tensor direction = at::zeros_like(adapters);
      double* d = direction.data_ptr<double>() + part.storage_offset();
      for (int64_t i = 0; i < part.numel(); ++i) d[i] = random.normal();
      const double step = 1e-5 / std::sqrt(static_cast<double>(part.numel()));
      const double measured = (loss_and_gradient(adapters + step * direction, unused) - loss_and_gradient(adapters - step * direction, unused)) / (2 * step);
      EXPECT_NEAR((slopes * direction).sum().item<double>(), measured, 2e-5 * slopes.norm().item<double>() + 1e-8) << pair.matrix.name;
    }
  }
}

}  // namespace
}  // namespace picochat::train
