// Small random models as checkpoints on disk, with a tokenizer of their own.
#pragma once

#include <utility>

#include "picochat/exporter/export_hf.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/tokenizer/train.hpp"
#include "picochat/train/checkpoint.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::exporter {

struct Shape {
  bool parallel = true, qk_norm = true, tied = true;
  int64_t n_head = 4, n_kv_head = 2;
};

inline gate::ModelConfig config_of(const Shape& shape) {
  gate::ModelConfig c;
  c.vocab_size = 300;
  c.context_size = 64;
  c.n_embd = 48;
  c.n_head = shape.n_head;
  c.n_kv_head = shape.n_kv_head;
  c.n_layer = 3;
  c.norm_type = gate::NormType::kRmsNorm;
  c.position_encoding = gate::PositionEncoding::kRope;
  c.activation = gate::Activation::kSwiglu;
  c.tie_embeddings = shape.tied;
  c.qk_norm = shape.qk_norm;
  c.parallel_residual = shape.parallel;
  c.linear_bias = false;
  c.norm_eps = 1e-5;      // neither value is the default of the classes it is written for
  c.rope_base = 5000;
  c.initializer_range = 0.2;
  return c;
}

// The preset "small": learned positions, LayerNorm, GELU, biases.
inline gate::ModelConfig plain_config() {
  gate::ModelConfig c = config_of({.parallel = false, .qk_norm = false, .tied = false, .n_kv_head = 4});
  c.norm_type = gate::NormType::kLayerNorm;
  c.position_encoding = gate::PositionEncoding::kLearned;
  c.activation = gate::Activation::kGelu;
  c.linear_bias = true;
  return c;
}

class ModelOnDisk {
 public:
  explicit ModelOnDisk(const gate::ModelConfig& config, uint64_t seed = 7) : config(config) {
    train_tokenizer();
    this->config.vocab_size = static_cast<int64_t>(tokenizer->vocab_size());
    parameters = model::allocate_flat(model::ParameterLayout(this->config).size());
    model::initialize(this->config, seed, parameters);
    vary_vectors();
    save(folder / "checkpoint");
  }

  base::Digest save(const base::Path& where) {
    return train::save_checkpoint(base::real_file_system(), where,
                                  {.config = config, .parameters = parameters,
                                   .metadata = {{"stage", "sft"}, {"step", 12}, {"val_bpb", 1.25}, {"tokenizer_sha256", tokenizer->digest().hex()}},
                                   .state = {}, .training_state = {}});
  }

  ExportHfOptions options(const std::string& out = "export") const {
    ExportHfOptions o;
    o.checkpoint = (folder / "checkpoint").string();
    o.tokenizer = (folder / "tokenizer.json").string();
    o.out_dir = (folder / out).string();
    o.license = "mit";
    return o;
  }

  test::TemporaryFolder folder;
  gate::ModelConfig config;
  std::shared_ptr<tokenizer::Tokenizer> tokenizer;
  at::Tensor parameters;

 private:
  void train_tokenizer() {
    tokenizer::TrainOptions options;
    options.vocab_size = 300;
    int left = 20;
    tokenizer = tokenizer::train_tokenizer(options, [&](std::string& text) {
      text = "the cat sat on the mat with the other cats, 12 of them";
      return left-- > 0;
    });
    folder.write("tokenizer.json", tokenizer->to_json());
  }
  // Norm weights of 1 and biases of 0 would hide a tensor in the wrong place.
  void vary_vectors() {
    const model::ParameterLayout layout(config);
    float* values = parameters.data_ptr<float>();
    for (const auto& entry : layout.entries())
      if (entry.shape.size() == 1)
        for (int64_t i = 0; i < entry.count; ++i) values[entry.offset + i] += 0.01f * static_cast<float>((entry.offset + 7 * i) % 31 - 15);
  }
};

}  // namespace picochat::exporter
