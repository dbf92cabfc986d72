#include "picochat/exporter/export_gguf.hpp"

#include <algorithm>

#include "exporter/checkpoint_source.hpp"
#include "exporter/gguf_writer.hpp"
#include "exporter/license.hpp"
#include "exporter/run_evidence.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/eval/language_model.hpp"
#include "picochat/tokenizer/hub_files.hpp"

namespace picochat::exporter {
namespace {

using base::cat;
using base::Json;
using base::Path;

constexpr uint32_t kNormalToken = 1, kControlToken = 3;

// What each class is called in llama.cpp, and whether its rotary positions turn neighbours.
struct GgufArchitecture {
  std::string name;
  bool pairs;
};

GgufArchitecture gguf_architecture(const gate::ModelConfig& config, const Path& checkpoint) {
  switch (hf_class(config)) {
    case HfClass::kQwen3: return {"qwen3", false};
    case HfClass::kLlama: return {"llama", true};
    case HfClass::kCohere2Moe: return {"cohere2moe", true};
    case HfClass::kPicochat: break;
  }
  const bool both = config.parallel_residual && config.qk_norm;
  throw base::bad_input({.what = both ? "llama.cpp has no architecture with a parallel residual and QK norm" : "llama.cpp has no architecture for this model",
                         .where = checkpoint.string(), .expected = "RMSNorm, rotary positions, SwiGLU, no biases or soft cap, and a sequential residual or no QK norm",
                         .found = cat(gate::to_text(config.norm_type), ", ", gate::to_text(config.position_encoding), ", ", gate::to_text(config.activation),
                                      config.linear_bias ? ", biases" : "", config.parallel_residual ? ", parallel residual" : ", sequential residual",
                                      config.qk_norm ? ", QK norm" : "", config.logit_softcap > 0 ? ", soft cap" : ""),
                         .remedy = "train with --scale h100-100m-stock or h200-1b-ddp8-stock (or --no-parallel-residual), or use picochat export hf"});
}

std::string gguf_name(const std::string& hf) {
  static const std::vector<std::pair<std::string, std::string>> words{
      {"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}, {"model.layers", "blk"},
      {"input_layernorm", "attn_norm"}, {"post_attention_layernorm", "ffn_norm"}, {"self_attn.q_proj", "attn_q"}, {"self_attn.k_proj", "attn_k"},
      {"self_attn.v_proj", "attn_v"}, {"self_attn.o_proj", "attn_output"}, {"self_attn.q_norm", "attn_q_norm"}, {"self_attn.k_norm", "attn_k_norm"},
      {"mlp.gate_proj", "ffn_gate"}, {"mlp.up_proj", "ffn_up"}, {"mlp.down_proj", "ffn_down"}};
  std::string name = hf;
  for (const auto& [from, to] : words) name = base::replace_all(name, from, to);
  return name;
}

// llama.cpp keeps norms in float32; a row that does not divide into blocks of 32 is kept in float16.
GgmlType stored_type(const TensorPart& part, const std::string& dtype) {
  if (part.shape.size() == 1 || dtype == "f32") return GgmlType::kF32;
  if (dtype == "bf16") return GgmlType::kBf16;
  return dtype == "q8_0" && part.row_size() % kQ8Block == 0 ? GgmlType::kQ8_0 : GgmlType::kF16;
}

uint32_t file_type(const std::string& dtype) { return dtype == "f32" ? 0 : dtype == "f16" ? 1 : dtype == "q8_0" ? 7 : 32; }

void add_model(GgufHeader& header, const gate::ModelConfig& c, const std::string& arch) {
  auto number = [&](const char* key, int64_t value) { header.add(cat(arch, ".", key), static_cast<uint32_t>(value)); };
  number("vocab_size", c.vocab_size);
  number("block_count", c.n_layer);
  number("context_length", c.context_size);
  number("embedding_length", c.n_embd);
  number("feed_forward_length", c.ffn_dim());
  number("attention.head_count", c.n_head);
  number("attention.head_count_kv", c.n_kv_head);
  number("attention.key_length", c.head_dim());
  number("attention.value_length", c.head_dim());
  number("rope.dimension_count", c.head_dim());
  header.add(cat(arch, ".attention.layer_norm_rms_epsilon"), static_cast<float>(c.norm_eps));
  header.add(cat(arch, ".rope.freq_base"), static_cast<float>(c.rope_base));
  if (arch != "cohere2moe") return;
  // All layers dense. It rotates positions in sliding-window layers only, so every layer is one, with a window that
  // no context exceeds; the expert figures must be there and are not used.
  number("attention.sliding_window", std::max<int64_t>(4096, c.context_size));
  header.add(cat(arch, ".attention.sliding_window_pattern"), std::vector<bool>(static_cast<size_t>(c.n_layer), true));
  header.add(cat(arch, ".logit_scale"), 1.0f);
  number("leading_dense_block_count", c.n_layer);
  number("expert_count", 8);
  number("expert_used_count", 2);
  number("expert_feed_forward_length", c.ffn_dim());
}

// "bailingmoe" splits as our pattern does. Without merges it does not matter how text is split.
void require_gguf_tokenizer(const Json& file, const std::string& type, const Path& path) {
  const bool pattern = file.at("pre_tokenizer").is_object() && file.at("pre_tokenizer").value("type", "") == "Sequence";
  if (type == "byte" || (type == "bpe" && pattern)) return;
  throw base::bad_input({.what = "llama.cpp has no pre-tokenizer that splits text as this tokenizer does", .where = path.string(),
                         .expected = "type bpe with the regex pre-tokenizer, or type byte", .found = cat("type ", type, pattern ? "" : ", not split into words"),
                         .remedy = "train with --tokenizer-type bpe --bpe-pretokenizer regex, or use picochat export hf"});
}

void add_tokenizer(GgufHeader& header, const Json& file) {
  const auto& vocab = file.at("model").at("vocab");
  std::vector<std::string> tokens(vocab.size()), merges;
  for (const auto& [text, id] : vocab.items()) tokens.at(id.get<size_t>()) = text;
  for (const auto& merge : file.at("model").at("merges"))
    merges.push_back(merge.is_string() ? merge.get<std::string>() : cat(merge.at(0).get<std::string>(), " ", merge.at(1).get<std::string>()));
  std::vector<int32_t> types(tokens.size(), kNormalToken);
  std::fill_n(types.begin(), tokenizer::kSpecialTokens, kControlToken);
  header.add("tokenizer.ggml.model", "gpt2");
  header.add("tokenizer.ggml.pre", "bailingmoe");
  header.add("tokenizer.ggml.tokens", tokens);
  header.add("tokenizer.ggml.token_type", types);
  header.add("tokenizer.ggml.merges", merges);
  header.add("tokenizer.ggml.bos_token_id", tokenizer::kBos);
  header.add("tokenizer.ggml.eos_token_id", tokenizer::kEos);
  header.add("tokenizer.ggml.eot_token_id", tokenizer::kEnd);
  header.add("tokenizer.ggml.unknown_token_id", tokenizer::kUnk);
  header.add("tokenizer.ggml.padding_token_id", tokenizer::kPad);
  header.add("tokenizer.ggml.add_bos_token", true);
  header.add("tokenizer.ggml.add_space_prefix", false);
  header.add("tokenizer.chat_template", std::string(tokenizer::chat_template()));
}

void write_tensor(const CheckpointSource& source, const TensorPart& part, GgmlType type, const std::function<void(std::string_view)>& append) {
  if (type == GgmlType::kQ8_0)
    source.read(part, at::kFloat, [&](std::string_view bytes) { append(quantize_q8_0(reinterpret_cast<const float*>(bytes.data()), static_cast<int64_t>(bytes.size() / 4))); });
  else
    source.read(part, type == GgmlType::kF32 ? at::kFloat : type == GgmlType::kF16 ? at::kHalf : at::kBFloat16, append);
  append(std::string(gguf_padding(ggml_bytes(part.count(), type)), '\0'));
}

// Under a temporary neighbour's name; read back before it gets its own.
base::Digest write_gguf(base::FileSystem& files, const Path& out, const std::string& header, const CheckpointSource& source,
                        const std::vector<TensorPart>& parts, const std::string& dtype) {
  files.make_directories(out.parent_path());
  const Path temporary = out.parent_path() / cat(".tmp-", out.filename().string());
  base::Sha256 hash;
  try {
    auto file = files.create(temporary);
    auto append = [&](std::string_view bytes) {
      base::throw_if_interrupted();
      hash.update(bytes);
      file->append(bytes);
    };
    append(header);
    for (const auto& part : parts) write_tensor(source, part, stored_type(part, dtype), append);
    file->sync();
    file->close();
    const auto written = hash.finish(), found = base::sha256_file(temporary);
    if (written != found)
      throw base::environment_error({.what = "the file does not read back as it was written", .where = temporary.string(), .expected = written.hex(), .found = found.hex(),
                                     .remedy = "nothing was published; check the disk and run the same command again"});
    files.rename_new(temporary, out);
    files.sync_directory(out.parent_path().empty() ? Path(".") : out.parent_path());
    return written;
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
}

}  // namespace

const base::OptionTable<ExportGgufOptions>& export_gguf_options() {
  static const auto table = [] {
    using O = ExportGgufOptions;
    base::OptionTable<O> t;
    t.add("checkpoint", &O::checkpoint, "checkpoint folder, as runs/x/sft/checkpoint").must().metavar = "DIR";
    t.add("tokenizer", &O::tokenizer, "the tokenizer.json it was trained with").must().metavar = "FILE";
    t.add("out", &O::out, "file to make, as model-f16.gguf").must().metavar = "FILE";
    t.add("model_name", &O::model_name, "name in the file; default: the file's name").metavar = "NAME";
    t.add("license", &O::license, "licence of the weights, as mit or apache-2.0").metavar = "ID";
    t.add("dtype", &O::dtype, "how matrices are stored").choose({"f32", "f16", "bf16", "q8_0"});
    t.add("json", &O::json, "print the result as JSON");
    return t;
  }();
  return table;
}

base::CommandOutput export_gguf(base::FileSystem& files, const ExportGgufOptions& options) {
  if (options.license) check_license(*options.license);
  const Path out = options.out;
  if (std::filesystem::exists(out))
    throw base::bad_input({.what = "the output exists already", .where = out.string(), .expected = "a new file", .remedy = "choose another --out, or delete it"});
  const CheckpointSource source(options.checkpoint);
  const auto arch = gguf_architecture(source.config(), options.checkpoint);
  const auto tokenizer = tokenizer::load_tokenizer(options.tokenizer);
  eval::require_tokenizer_of_checkpoint(*tokenizer, options.tokenizer, source.config(), source.metadata(), options.checkpoint);
  const Json tokenizer_file = base::read_json(options.tokenizer);
  require_gguf_tokenizer(tokenizer_file, tokenizer->type(), options.tokenizer);
  const auto evidence = find_evidence(options.checkpoint, source.digest(), tokenizer->digest());

  auto parts = hf_tensors(source.config(), arch.pairs);
  GgufHeader header;
  header.add("general.architecture", arch.name);
  header.add("general.type", "model");
  header.add("general.name", options.model_name.value_or(out.stem().string()));
  if (options.license) header.add("general.license", *options.license);
  header.add("general.description", cat("picochat checkpoint ", source.digest().hex(), ", release gate: ", evidence.verdict.status));
  header.add("general.file_type", file_type(options.dtype));
  header.add("general.quantization_version", uint32_t{2});
  header.add("general.alignment", static_cast<uint32_t>(kGgufAlignment));
  add_model(header, source.config(), arch.name);
  add_tokenizer(header, tokenizer_file);
  int64_t wide = 0;
  for (auto& part : parts) {
    part.name = gguf_name(part.name);
    const GgmlType type = stored_type(part, options.dtype);
    wide += options.dtype == "q8_0" && type == GgmlType::kF16;
    header.add_tensor(part.name, part.shape, type);
  }
  if (wide) base::say(cat("note: ", wide, " matrices stay in f16: their rows are no multiple of 32, the block of q8_0"));
  const auto digest = write_gguf(files, out, header.bytes(), source, parts, options.dtype);
  const uint64_t size = std::filesystem::file_size(out);
  return {.json = {{"out", out.string()}, {"architecture", arch.name}, {"dtype", options.dtype}, {"bytes", size}, {"sha256", digest.hex()},
                   {"tensors", parts.size()}, {"release_gate", evidence.verdict.status}},
          .text = cat("exported: ", out.string(), "\narchitecture: ", arch.name, ", ", options.dtype, ", ", base::human_bytes(size), "\nsha256: ", digest.hex(),
                      "\nrelease gate: ", evidence.verdict.status, evidence.verdict.reason.empty() ? "" : ": ", evidence.verdict.reason, "\n")};
}

}  // namespace picochat::exporter
