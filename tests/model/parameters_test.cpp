#include <gtest/gtest.h>

#include <set>

#include "model/support.hpp"

namespace picochat::model {
namespace {

class LayoutOfEveryForm : public testing::TestWithParam<NamedConfig> {};

TEST_P(LayoutOfEveryForm, HoldsExactlyTheParametersOfTheConfig) {
  const Config& config = GetParam().config;
  const ParameterLayout layout(config);
  int64_t count = 0, end = 0;
  bool rest = false;
  std::set<std::string> names;
  for (const auto& entry : layout.entries()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_EQ(entry.offset % 16, 0) << entry.name;
    EXPECT_GE(entry.offset, end) << entry.name;
    if (!entry.decay && !rest) {
      EXPECT_EQ(entry.offset, layout.decay_size());
      rest = true;
    }
    EXPECT_EQ(entry.decay, !rest) << entry.name << ": decayed matrices come first";
    EXPECT_EQ(entry.decay, entry.shape.size() == 2) << entry.name;
    EXPECT_EQ(entry.hidden_matrix, entry.decay && entry.name.starts_with("blocks.")) << entry.name;
    count += entry.count;
    end = entry.offset + entry.count;
  }
  EXPECT_EQ(count, config.parameter_count());
  EXPECT_GE(layout.size(), end);
}

INSTANTIATE_TEST_SUITE_P(Model, LayoutOfEveryForm, testing::ValuesIn(interesting_configs()),
                         [](const auto& info) { return info.param.name; });

TEST(Layout, UsesTheFieldsNames) {
  Config c = small_config();
  c.qk_norm = true;
  const ParameterLayout layout(c);
  for (const char* name :
       {"token_embedding.weight", "position_embedding.weight", "blocks.1.ln_1.weight", "blocks.1.ln_2.bias",
        "blocks.0.attn.qkv.weight", "blocks.0.attn.qkv.bias", "blocks.0.attn.q_norm.weight",
        "blocks.0.attn.k_norm.weight", "blocks.0.attn.proj.bias", "blocks.0.mlp.fc.weight", "blocks.0.mlp.proj.weight",
        "ln_f.weight", "ln_f.bias", "lm_head.weight", "lm_head.bias"})
    EXPECT_NE(layout.find(name), nullptr) << name;
  const ParameterLayout tied(parallel_config());
  for (const char* name :
       {"lm_head.weight", "lm_head.bias", "position_embedding.weight", "blocks.0.ln_2.weight", "ln_f.bias"})
    EXPECT_EQ(tied.find(name), nullptr) << name;
}

TEST(Initialisation, HasTheStatedDistribution) {
  Config c = parallel_config();
  c.vocab_size = 2000;
  c.n_embd = 128;
  c.n_layer = 8;
  c.initializer_range = 0.02;
  c.scaled_residual_init = true;
  const ParameterLayout layout(c);
  at::Tensor flat = allocate_flat(layout.size());
  initialize(c, 3, flat);
  for (const auto& entry : layout.entries()) {
    const at::Tensor t = layout.view(flat, entry);
    if (!entry.decay) {
      EXPECT_TRUE(t.eq(1).all().item<bool>()) << entry.name;
      continue;
    }
    const double deviation = entry.name.ends_with(".proj.weight") ? 0.02 / 4 : 0.02;
    const double n = static_cast<double>(entry.count);
    EXPECT_NEAR(t.mean().item<double>(), 0, 5 * deviation / std::sqrt(n)) << entry.name;
    EXPECT_NEAR(t.std().item<double>(), deviation, 5 * deviation / std::sqrt(2 * n)) << entry.name;
  }
}

}  // namespace
}  // namespace picochat::model
