#include "picochat/gate/model_config.hpp"

#include <gtest/gtest.h>

#include "picochat/base/error.hpp"

namespace picochat::gate {
namespace {

ModelConfig shape(int64_t vocab, int64_t context, int64_t d, int64_t heads, int64_t kv, int64_t layers) {
  ModelConfig c;
  c.vocab_size = vocab;
  c.context_size = context;
  c.n_embd = d;
  c.n_head = heads;
  c.n_kv_head = kv;
  c.n_layer = layers;
  return c;
}

ModelConfig modern(ModelConfig c) {
  c.norm_type = NormType::kRmsNorm;
  c.position_encoding = PositionEncoding::kRope;
  c.activation = Activation::kSwiglu;
  c.tie_embeddings = c.qk_norm = c.parallel_residual = true;
  c.linear_bias = false;
  return c;
}

TEST(ModelConfig, ParameterCountsOfKnownShapes) {
  EXPECT_EQ(modern(shape(8192, 512, 384, 8, 2, 8)).parameter_count(), 15'536'256);
  EXPECT_EQ(modern(shape(8192, 512, 768, 12, 4, 16)).parameter_count(), 106'969'856);
  EXPECT_EQ(shape(512, 256, 96, 4, 4, 3).parameter_count(), 459'104);    // learned positions, biases, untied head
  EXPECT_EQ(shape(1024, 512, 128, 4, 4, 4).parameter_count(), 1'122'048);
  EXPECT_EQ(shape(128, 128, 32, 4, 4, 1).parameter_count(), 25'184);
}

TEST(ModelConfig, SwigluWidthIsTheNearestMultipleOf64) {
  EXPECT_EQ(modern(shape(8, 8, 384, 8, 2, 1)).ffn_dim(), 1024);
  EXPECT_EQ(modern(shape(8, 8, 2048, 16, 4, 1)).ffn_dim(), 5440);  // 5461 would be an odd matrix
  EXPECT_EQ(modern(shape(8, 8, 128, 4, 2, 1)).ffn_dim(), 320);
  EXPECT_EQ(modern(shape(8, 8, 8, 4, 2, 1)).ffn_dim(), 64);
  EXPECT_EQ(shape(8, 8, 96, 4, 4, 1).ffn_dim(), 384);
}

TEST(ModelConfig, FlopsCountMatricesAndCausalAttention) {
  const ModelConfig c = modern(shape(8192, 512, 768, 12, 4, 16));
  const double matrices = 16.0 * 768 * (1280 + 768 + 2 * 2048 + 2048) + 8192.0 * 768;
  EXPECT_DOUBLE_EQ(c.flops_per_token(), 6 * matrices + 6.0 * 16 * 512 * 768);
}

TEST(ModelConfig, ReadsWhatItWrote) {
  ModelConfig c = modern(shape(1024, 256, 128, 4, 2, 4));
  c.logit_softcap = 15;
  c.scaled_residual_init = true;
  c.rope_base = 500'000;
  EXPECT_EQ(model_config_from_json(to_json(c), "config.json"), c);
}

TEST(ModelConfig, RefusesWhatCannotBeBuilt) {
  auto refused = [](auto spoil) {
    ModelConfig c = shape(64, 32, 64, 4, 4, 2);
    spoil(c);
    try {
      c.validate("config.json");
    } catch (const base::Error& error) {
      return error.code() == base::ExitCode::kBadInput && error.details().where == "config.json";
    }
    return false;
  };
  EXPECT_TRUE(refused([](ModelConfig& c) { c.n_embd = 66; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.n_kv_head = 3; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.vocab_size = 0; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.dropout = 1; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.initializer_range = 0; }));
  EXPECT_TRUE(refused([](ModelConfig& c) { c.n_embd = 20; c.n_head = 4; c.position_encoding = PositionEncoding::kRope; }));
  EXPECT_FALSE(refused([](ModelConfig&) {}));

  base::Json json = to_json(shape(64, 32, 64, 4, 4, 2));
  json["ffn_dim"] = 100;
  EXPECT_THROW(model_config_from_json(json, "config.json"), base::Error);
  json = to_json(modern(shape(64, 32, 64, 4, 4, 2)));  // imported models have SwiGLU of any width
  json["ffn_dim"] = 100;
  EXPECT_EQ(model_config_from_json(json, "config.json").ffn_dim(), 100);
  EXPECT_EQ(to_json(model_config_from_json(json, "config.json")), json);
  json["ffn_dim"] = 0;
  EXPECT_THROW(model_config_from_json(json, "config.json"), base::Error);
  for (const char* field : {"vocab_size", "context_size", "n_embd", "n_head", "n_kv_head", "n_layer"}) {  // no product may overflow
    json = to_json(shape(64, 32, 64, 4, 4, 2));
    json[field] = int64_t{1} << 62;
    EXPECT_THROW(model_config_from_json(json, "config.json"), base::Error) << field;
  }
  json = to_json(shape(64, 32, 64, 4, 4, 2));
  json["n_layers"] = 3;
  EXPECT_THROW(model_config_from_json(json, "config.json"), base::Error);
  json = to_json(shape(64, 32, 64, 4, 4, 2));
  json["activation"] = "swish";
  EXPECT_THROW(model_config_from_json(json, "config.json"), base::Error);
}

}  // namespace
}  // namespace picochat::gate
