#include "picochat/exporter/import_hf.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "exporter/compare.hpp"
#include "exporter/hf_shape.hpp"
#include "exporter/release_manifest.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/tokenizer/tokenizer.hpp"
#include "picochat/train/checkpoint.hpp"

namespace picochat::exporter {
namespace {

using base::cat;
using base::Json;
using base::Path;

// Puts the rows of `part` where its source has them.
void place(const ExportedModel& model, const TensorPart& part, const model::ParameterLayout& layout, const at::Tensor& flat) {
  const at::Tensor from = model.tensor(part.name);
  if (from.sizes().vec() != part.shape) {
    auto text = [](const std::vector<int64_t>& shape) {
      std::string out;
      for (int64_t extent : shape) out += (out.empty() ? "" : " x ") + cat(extent);
      return out;
    };
    throw base::bad_input({.what = cat("tensor ", part.name, " has another shape than config.json implies"), .where = model.folder().string(),
                           .expected = text(part.shape), .found = text(from.sizes().vec())});
  }
  if (!at::isfinite(from).all().item<bool>())
    throw base::bad_input({.what = cat("tensor ", part.name, " holds values that are not finite"), .where = model.folder().string(), .remedy = "the file is damaged; take it from its source again"});
  const auto& entry = layout.at(part.source);
  float* to = flat.data_ptr<float>() + entry.offset;
  const float* values = from.data_ptr<float>();
  const int64_t width = part.row_size();
  for (int64_t row = 0; row < part.rows(); ++row) std::copy_n(values + row * width, width, to + part.source_row(row) * width);
}

// A tied head may be stored a second time; rotary frequencies are computed.
void refuse_unknown_tensors(const ExportedModel& model, const std::vector<TensorPart>& parts, const gate::ModelConfig& config) {
  for (const auto& name : model.names()) {
    const bool known = std::any_of(parts.begin(), parts.end(), [&](const auto& part) { return part.name == name; });
    if (known || name.ends_with("rotary_emb.inv_freq")) continue;
    if (name == "lm_head.weight" && config.tie_embeddings && model.view(name).bytes == model.view("model.embed_tokens.weight").bytes) continue;
    throw base::bad_input({.what = cat("the weights hold a tensor that config.json does not explain: ", name), .where = model.folder().string(),
                           .remedy = "docs/export.md lists what can be imported"});
  }
}

std::shared_ptr<tokenizer::Tokenizer> tokenizer_of(const Path& folder, const gate::ModelConfig& config) {
  const Path path = folder / "tokenizer.json";
  std::shared_ptr<tokenizer::Tokenizer> tokenizer = tokenizer::load_tokenizer(path);
  if (static_cast<int64_t>(tokenizer->vocab_size()) != config.vocab_size)
    throw base::bad_input({.what = "the tokenizer has another size than the model's vocabulary", .where = path.string(), .expected = cat(config.vocab_size, " tokens"),
                           .found = cat(tokenizer->vocab_size(), " tokens")});
  return tokenizer;
}

void check_output(const Path& out_dir) {
  if (!std::filesystem::exists(out_dir) || (std::filesystem::is_directory(out_dir) && std::filesystem::is_empty(out_dir))) return;
  throw base::bad_input({.what = "the output folder is not empty", .where = out_dir.string(), .expected = "a new or empty folder", .remedy = "choose another --out-dir"});
}

}  // namespace

const base::OptionTable<ImportHfOptions>& import_hf_options() {
  static const auto table = [] {
    using O = ImportHfOptions;
    base::OptionTable<O> t;
    t.add("model", &O::model, "folder with config.json, safetensors and tokenizer.json").must().metavar = "DIR";
    t.add("out_dir", &O::out_dir, "folder to make: checkpoint/ and tokenizer.json").must().metavar = "DIR";
    t.add("json", &O::json, "print the result as JSON");
    return t;
  }();
  return table;
}

base::CommandOutput import_hf(base::FileSystem& files, const ImportHfOptions& options) {
  const Path out_dir = Path(options.out_dir).lexically_normal();
  check_output(out_dir);
  if (!std::filesystem::is_directory(options.model))
    throw base::bad_input({.what = "there is no model folder here", .where = options.model, .expected = "a folder with config.json, model.safetensors and tokenizer.json"});
  check_as_exported(options.model);
  const ExportedModel model(options.model);
  const HfShape shape = read_hf_config(model.config(), (Path(options.model) / "config.json").string());
  const auto& config = shape.config;
  const auto tokenizer = tokenizer_of(options.model, config);
  auto parts = hf_tensors(config, rotates_pairs(shape.hf));
  std::erase_if(parts, [&](const TensorPart& part) { return shape.lacks(part.name); });
  refuse_unknown_tensors(model, parts, config);
  const model::ParameterLayout layout(config);
  at::Tensor flat = model::allocate_flat(layout.size());
  flat.zero_();  // biases that the model does not have
  for (const auto& part : parts) {
    base::throw_if_interrupted();
    place(model, part, layout, flat);
  }
  const Json metadata{{"stage", "import"}, {"step", 0}, {"checkpoint_kind", "imported"}, {"weights", "raw"}, {"train_loss", nullptr},
                      {"num_parameters", config.parameter_count()}, {"tokenizer_sha256", tokenizer->digest().hex()},
                      {"imported_from", {{"model_type", shape.type}, {"config_sha256", base::sha256_file(model.folder() / "config.json").hex()}}}};
  Json report;
  base::publish_directory(files, out_dir, [&](const Path& folder) {
    const auto digest = train::save_checkpoint(files, folder / "checkpoint", {.config = config, .parameters = flat, .metadata = metadata, .state = {}, .training_state = {}});
    flat = at::Tensor();
    base::write_file(files, folder / "tokenizer.json", base::read_file(Path(options.model) / "tokenizer.json"));
    const auto comparison = compare_with_checkpoint(model, CheckpointSource(folder / "checkpoint"), at::kFloat);
    report = {{"model_type", shape.type}, {"parameters", config.parameter_count()}, {"checkpoint", {{"sha256", digest.hex()}}},
              {"tokenizer", {{"sha256", tokenizer->digest().hex()}, {"type", tokenizer->type()}}}, {"comparison", comparison.to_json()}};
    base::write_file(files, folder / "import_report.json", base::dump(report) + "\n");
    if (std::filesystem::exists(out_dir)) files.remove_all(out_dir);  // an empty folder
  });
  return {.json = {{"out_dir", out_dir.string()}, {"report", report}},
          .text = cat("imported: ", out_dir.string(), "\ncheckpoint: ", (out_dir / "checkpoint").string(), "\ntokenizer: ", (out_dir / "tokenizer.json").string(), "\nmodel: ",
                      shape.type, ", ", base::grouped(config.parameter_count()), " parameters\ncompared: logits differ by at most ",
                      base::dump(report.at("comparison").at("largest_difference"), -1), "\n")};
}

}  // namespace picochat::exporter
