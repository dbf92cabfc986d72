#include "exporter/hf_files.hpp"

#include <algorithm>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tokenizer/hub_files.hpp"

namespace picochat::embedded {
const std::vector<std::pair<std::string, std::string>>& python_files();
}

namespace picochat::exporter {
namespace {

using base::Json;
using gate::ModelConfig;

// Keys that every class reads.
Json common_config(const ModelConfig& c, HfClass hf, const std::string& dtype) {
  return {{"architectures", {class_name(hf)}},
          {"model_type", model_type(hf)},
          {"vocab_size", c.vocab_size},
          {"hidden_size", c.n_embd},
          {"intermediate_size", c.ffn_dim()},
          {"num_hidden_layers", c.n_layer},
          {"num_attention_heads", c.n_head},
          {"num_key_value_heads", c.n_kv_head},
          {"head_dim", c.head_dim()},
          {"max_position_embeddings", c.context_size},
          {"initializer_range", c.initializer_range},
          {"tie_word_embeddings", c.tie_embeddings},
          {"bos_token_id", tokenizer::kBos},
          {"eos_token_id", tokenizer::kEos},
          {"pad_token_id", tokenizer::kPad},
          {"use_cache", true},
          {"dtype", dtype},
          {"torch_dtype", dtype}};
}

// Both spellings: transformers 5 reads rope_parameters, 4 reads rope_theta.
void add_rope(Json& config, const ModelConfig& c) {
  config["rope_theta"] = c.rope_base;
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", c.rope_base}};
}

void add_stock(Json& config, const ModelConfig& c) {
  config["hidden_act"] = "silu";
  config["rms_norm_eps"] = c.norm_eps;
  config["attention_bias"] = false;
  config["attention_dropout"] = 0.0;
  add_rope(config, c);
}

// Every layer in the dense "prefix", with full attention and rotary positions.
void add_cohere2_moe(Json& config, const ModelConfig& c) {
  const auto layers = static_cast<size_t>(c.n_layer);
  config["logit_scale"] = 1.0;
  config["layer_types"] = std::vector<std::string>(layers, "full_attention");
  config["mlp_layer_types"] = std::vector<std::string>(layers, "dense");
  config["prefix_dense_intermediate_size"] = c.ffn_dim();
  config["prefix_dense_sliding_window_pattern"] = 1;
}

void add_picochat(Json& config, const ModelConfig& c) {
  config["auto_map"] = {{"AutoConfig", "configuration_picochat.PicochatConfig"},
                        {"AutoModel", "modeling_picochat.PicochatModel"},
                        {"AutoModelForCausalLM", "modeling_picochat.PicochatForCausalLM"}};
  config["norm_type"] = gate::to_text(c.norm_type);
  config["norm_eps"] = c.norm_eps;
  config["position_encoding"] = gate::to_text(c.position_encoding);
  config["activation"] = gate::to_text(c.activation);
  config["qk_norm"] = c.qk_norm;
  config["parallel_residual"] = c.parallel_residual;
  config["linear_bias"] = c.linear_bias;
  config["logit_softcap"] = c.logit_softcap;
  add_rope(config, c);
}

std::string lines(const Json& value) { return base::dump(value) + "\n"; }

}  // namespace

Json hf_config(const ModelConfig& c, HfClass hf, const std::string& dtype) {
  Json config = common_config(c, hf, dtype);
  if (hf == HfClass::kPicochat) add_picochat(config, c);
  else add_stock(config, c);
  if (hf == HfClass::kLlama) config["mlp_bias"] = false;
  if (hf == HfClass::kQwen3) config["use_sliding_window"] = false;
  if (hf == HfClass::kCohere2Moe) add_cohere2_moe(config, c);
  return config;
}

Json generation_config(const ModelConfig& c) {
  // A reply ends with <|end|> or <eos>; a model that opens a turn of its own has ended its reply too.
  return {{"bos_token_id", tokenizer::kBos},
          {"eos_token_id", {tokenizer::kEos, tokenizer::kEnd, tokenizer::kSystem, tokenizer::kUser, tokenizer::kAssistant}},
          {"pad_token_id", tokenizer::kPad},
          {"do_sample", false},
          {"max_new_tokens", std::min<int64_t>(256, std::max<int64_t>(1, c.context_size / 2))}};
}

std::map<std::string, std::string> hf_files(const ModelConfig& config, HfClass hf, const std::string& dtype, const tokenizer::Tokenizer& tokenizer) {
  std::map<std::string, std::string> files{{"config.json", lines(hf_config(config, hf, dtype))},
                                           {"generation_config.json", lines(generation_config(config))}};
  for (auto& [name, bytes] : tokenizer::hub_files(tokenizer, config.context_size)) files[name] = std::move(bytes);
  if (needs_remote_code(hf))
    for (const char* name : {"configuration_picochat.py", "modeling_picochat.py"}) files[name] = python_file(name);
  return files;
}

const std::string& python_file(const std::string& name) {
  for (const auto& [file, text] : embedded::python_files())
    if (file == name) return text;
  throw base::internal_error(base::cat("no embedded file is called ", name));
}

}  // namespace picochat::exporter
