#include "picochat/eval/language_model.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/train/checkpoint.hpp"

namespace picochat::eval {

void require_tokenizer_of_checkpoint(const tokenizer::Tokenizer& tokenizer, const base::Path& tokenizer_path, const gate::ModelConfig& config,
                                     const base::Json& metadata, const base::Path& checkpoint) {
  auto refuse = [&](const std::string& expected, const std::string& found) {
    throw base::bad_input({.what = "the tokenizer is not the one that this model was trained with", .where = tokenizer_path.string(), .expected = expected,
                           .found = found, .remedy = "give the tokenizer.json of the run that made the checkpoint"});
  };
  const auto vocab = static_cast<int64_t>(tokenizer.vocab_size());
  if (vocab != config.vocab_size) refuse(base::cat(config.vocab_size, " tokens, as ", checkpoint.string(), " has"), base::cat(vocab, " tokens"));
  const std::string digest = tokenizer.digest().hex();
  if (auto found = metadata.find("tokenizer_sha256"); found != metadata.end() && found->is_string() && *found != digest)
    refuse(base::cat("SHA-256 ", found->get<std::string>(), ", as the checkpoint records"), digest);
}

LanguageModel load_language_model(const base::Path& checkpoint, const base::Path& tokenizer_path, const model::TransformerOptions& compute) {
  auto loaded = train::load_checkpoint(checkpoint);
  LanguageModel model;
  model.tokenizer = tokenizer::load_tokenizer(tokenizer_path);
  model.config = loaded.config;
  model.parameters = loaded.parameters.to(compute.device);
  model.compute = compute;
  require_tokenizer_of_checkpoint(*model.tokenizer, tokenizer_path, loaded.config, loaded.metadata, checkpoint);
  auto recorded = [&](const char* key) { return loaded.metadata.contains(key) ? loaded.metadata.at(key) : base::Json(nullptr); };
  model.checkpoint_identity = {{"path", checkpoint.generic_string()}, {"sha256", loaded.digest.hex()}, {"step", recorded("step")},
                               {"train_loss", recorded("train_loss")}};
  model.tokenizer_identity = {{"path", tokenizer_path.generic_string()}, {"sha256", model.tokenizer->digest().hex()}, {"type", model.tokenizer->type()},
                              {"vocab_size", model.tokenizer->vocab_size()}};
  return model;
}

}  // namespace picochat::eval
