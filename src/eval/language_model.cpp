#include "picochat/eval/language_model.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/train/checkpoint.hpp"

namespace picochat::eval {

LanguageModel load_language_model(const base::Path& checkpoint, const base::Path& tokenizer_path) {
  auto loaded = train::load_checkpoint(checkpoint);
  LanguageModel model;
  model.tokenizer = tokenizer::load_tokenizer(tokenizer_path);
  model.config = loaded.config;
  model.parameters = loaded.parameters;
  const auto vocab = static_cast<int64_t>(model.tokenizer->vocab_size());
  if (vocab != loaded.config.vocab_size)
    throw base::bad_input({.what = "the tokenizer is not the one that this model was trained with", .where = tokenizer_path.string(),
                           .expected = base::cat(loaded.config.vocab_size, " tokens, as ", checkpoint.string(), " has"),
                           .found = base::cat(vocab, " tokens"), .remedy = "give the tokenizer.json of the run that made the checkpoint"});
  const std::string digest = model.tokenizer->digest().hex();
  if (auto found = loaded.metadata.find("tokenizer_sha256"); found != loaded.metadata.end() && found->is_string() && *found != digest)
    throw base::bad_input({.what = "the tokenizer is not the one that this model was trained with", .where = tokenizer_path.string(),
                           .expected = base::cat("SHA-256 ", found->get<std::string>(), ", as the checkpoint records"), .found = digest,
                           .remedy = "give the tokenizer.json of the run that made the checkpoint"});
  auto recorded = [&](const char* key) { return loaded.metadata.contains(key) ? loaded.metadata.at(key) : base::Json(nullptr); };
  model.checkpoint_identity = {{"path", checkpoint.generic_string()}, {"sha256", loaded.digest.hex()}, {"step", recorded("step")},
                               {"train_loss", recorded("train_loss")}};
  model.tokenizer_identity = {{"path", tokenizer_path.generic_string()}, {"sha256", digest}, {"type", model.tokenizer->type()}, {"vocab_size", vocab}};
  return model;
}

}  // namespace picochat::eval
