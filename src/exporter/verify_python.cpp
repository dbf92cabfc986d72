#include "exporter/verify_python.hpp"

#include <stdlib.h>

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>

#include "exporter/compare.hpp"
#include "exporter/hf_files.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/process.hpp"
#include "picochat/base/safetensors.hpp"
#include "picochat/base/text.hpp"
#include "picochat/eval/generation.hpp"
#include "picochat/model/transformer.hpp"
#include "picochat/tasks/chat_format.hpp"

namespace picochat::exporter {
namespace {

using base::cat;
using base::Json;

constexpr int64_t kNewTokens = 16;

// A folder that is gone when the check is over.
class Scratch {
 public:
  Scratch() {
    auto name = (std::filesystem::temp_directory_path() / "picochat-verify-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw base::environment_error({.what = "cannot create a temporary folder", .where = name});
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const base::Path& path() const { return path_; }

 private:
  base::Path path_;
};

// Prompts of different lengths, so that a batch of them needs padding.
std::vector<std::vector<int32_t>> prompts_for(const gate::ModelConfig& config) {
  const auto tokens = comparison_tokens(config);
  const size_t longest = std::max<size_t>(1, tokens.size() / 2);
  std::vector<std::vector<int32_t>> prompts;
  for (size_t length : {longest, std::max<size_t>(1, longest / 3), std::max<size_t>(1, 2 * longest / 3)})
    prompts.emplace_back(tokens.end() - static_cast<ptrdiff_t>(length), tokens.end());
  return prompts;
}

Json generated_by(const eval::LanguageModel& model, const std::vector<std::vector<int32_t>>& prompts, int64_t new_tokens) {
  std::vector<eval::GenerationRequest> requests;
  for (const auto& prompt : prompts) requests.push_back({.prompt = {prompt.begin(), prompt.end()}, .max_new_tokens = new_tokens});
  Json out = Json::array();
  if (new_tokens > 0)
    for (const auto& generation : eval::generate(model, requests, {})) out.push_back(generation.tokens);
  return out;
}

struct Expected {
  std::vector<base::TensorView> views;
  std::vector<at::Tensor> storage;

  void add(const std::string& name, const std::string& dtype, at::Tensor values) {
    storage.push_back(values.contiguous());
    const auto& kept = storage.back();
    views.push_back({.name = name, .dtype = dtype, .shape = kept.sizes().vec(), .bytes = {static_cast<const char*>(kept.data_ptr()), kept.nbytes()}});
  }
};

std::string last_lines(const std::string& text, size_t count = 4) {
  auto lines = base::split(std::string(base::trim(text)), '\n');
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<ptrdiff_t>(count));
  return base::join(lines, "\n            ");
}

}  // namespace

void write_expected(base::FileSystem& files, const base::Path& folder, at::ScalarType dtype, const CheckpointSource& source,
                    std::shared_ptr<const tokenizer::Tokenizer> tokenizer) {
  const auto config = with_layers(source.config(), source.config().n_layer);
  std::vector<int64_t> all(static_cast<size_t>(config.n_layer));
  std::iota(all.begin(), all.end(), int64_t{0});
  eval::LanguageModel model;
  model.tokenizer = tokenizer;
  model.config = config;
  model.parameters = rounded_parameters(source, dtype, all);
  const auto prompts = prompts_for(config);
  const auto longest = static_cast<int64_t>(prompts.front().size());
  const int64_t new_tokens = std::clamp<int64_t>(config.context_size - longest, 0, kNewTokens);
  Expected tensors;
  model::Transformer transformer(config, 1, longest, false);
  for (size_t i = 0; i < prompts.size(); ++i) {
    const auto length = static_cast<int64_t>(prompts[i].size());
    at::Tensor logits = at::empty({length, config.vocab_size}, at::kFloat);
    transformer.logits({.rows = 1, .length = length, .tokens = prompts[i].data()}, model.parameters, logits.data_ptr<float>());
    tensors.add(cat("ids.", i), "I32", at::tensor(prompts[i], at::kInt));
    tensors.add(cat("logits.", i), "F32", logits);
  }
  const std::string text = "The quick brown fox's 12 jumps can't over-run\r\n\tif (x != 0) { return 3.14; }  \n\n"
                           "  na\u00efve caf\u00e9 \u2014 \u4f60\u597d <|end|> <unk>   ";
  const std::vector<tasks::ChatTurn> turns{{"system", "Be brief."}, {"user", "What is 7+5?"}, {"assistant", " It is 12.\n"}, {"user", "And 8+5?"}, {"assistant", "13"}};
  Json conversation = Json::array();
  for (const auto& turn : turns) conversation.push_back({{"role", turn.role}, {"content", turn.text}});
  const HfClass hf = hf_class(source.config());
  const Json expected{{"remote_code", needs_remote_code(hf)}, {"class", class_name(hf)}, {"parameters", config.parameter_count()},
                      {"prompts", prompts.size()}, {"new_tokens", new_tokens}, {"tolerance", kLogitTolerance},
                      {"generated", generated_by(model, prompts, new_tokens)}, {"text", text}, {"text_ids", tokenizer->encode(text)},
                      {"conversation", conversation}, {"conversation_ids", tasks::encode_chat(*tokenizer, turns).tokens},
                      {"prompt_ids", tasks::encode_prompt(*tokenizer, std::span(turns).first(turns.size() - 1))}};
  files.make_directories(folder);
  base::write_safetensors(files, folder / "expected.safetensors", tensors.views, {{"format", "pt"}});
  base::write_file(files, folder / "expected.json", base::dump(expected));
}

void require_python(const std::string& python) {
  const auto result = base::run_process({python, "-c", "import torch, transformers, safetensors; print(transformers.__version__)"});
  if (result.code == 0) return;
  throw base::environment_error({.what = "--verify-with-python needs a Python with torch, transformers and safetensors", .where = python,
                                 .found = last_lines(result.errors, 1), .remedy = "name one with --python, or leave --verify-with-python out: the export is checked without it too"});
}

Json verify_with_python(const PythonCheck& check, const CheckpointSource& source, std::shared_ptr<const tokenizer::Tokenizer> tokenizer) {
  const Scratch scratch;
  base::say("checking with transformers");
  auto& files = base::real_file_system();
  write_expected(files, scratch.path(), check.dtype, source, std::move(tokenizer));
  base::write_file(files, scratch.path() / "verify_export.py", python_file("verify_export.py"));
  const auto result = base::run_process({check.python, (scratch.path() / "verify_export.py").string(), check.export_folder.string(), scratch.path().string()},
                                  {"HF_MODULES_CACHE=" + (scratch.path() / "modules").string(), "PYTHONDONTWRITEBYTECODE=1"});
  Json report;
  if (result.code == 0 || result.code == 3) report = base::parse_json(base::trim(result.output), "the output of verify_export.py");
  if (result.code == 0 && report.at("passed") == true) return report;
  std::vector<std::string> failed;
  if (report.is_object())
    for (const auto& [name, passed] : report.at("checks").items())
      if (passed != true) failed.push_back(name);
  throw base::Error(base::ExitCode::kInternal,
                    {.what = "transformers does not compute what the checkpoint computes", .where = check.python,
                     .expected = "every check of verify_export.py to pass", .found = failed.empty() ? last_lines(result.errors) : cat("failed: ", base::join(failed, ", "), " ", base::dump(report, -1)),
                     .remedy = "nothing was written; report this as a defect, with the version of transformers"});
}

}  // namespace picochat::exporter
