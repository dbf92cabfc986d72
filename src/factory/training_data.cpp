#include "training_data.hpp"

#include <algorithm>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/document.hpp"
#include "stage_training.hpp"

namespace picochat::factory {

using base::Path;

namespace {

constexpr uint64_t kSplitKeySeed = 0;  // one split for every seed of a run, so that seeds can be compared

}  // namespace

void claim_command_folder(base::FileSystem& files, const Path& dir, const char* mark) {
  files.make_directories(dir);
  const bool ours = std::filesystem::exists(dir / mark);
  for (const auto& entry : std::filesystem::directory_iterator(dir))
    if (!ours && entry.path().filename() != ".lock")
      throw base::bad_input({.what = "the output folder holds something else", .where = dir.string(), .found = entry.path().filename().string(),
                             .remedy = "choose a new or empty --out-dir"});
}

corpus::Corpus open_corpus(const Path& path) {
  corpus::CorpusOptions options;
  if (path.filename() == "dataset_pack.json") options.pack = path;
  else if (path.filename() == "corpus_recipe.json") options.recipe = path;
  else options.input = path;
  return corpus::Corpus::open(options);
}

base::Json source_weights(const corpus::Corpus& corpus) {
  base::Json weights = base::Json::array();
  for (const auto& source : corpus.sources()) weights.push_back({source.weight, source.max_documents.value_or(-1), source.max_bytes.value_or(-1)});
  return weights;
}

void replace_token_shards(base::FileSystem& files, const Path& folder, const tokenizer::Tokenizer& tokenizer, const std::function<bool(train::ShardDocument&)>& next,
                          const ShardPlan& plan) {
  base::sweep_leftovers(files, folder.parent_path());
  if (std::filesystem::exists(folder)) base::remove_published(files, folder);
  train::build_token_shards(files, folder, tokenizer, next, {.shard_tokens = plan.shard_tokens, .total_bytes = plan.text_bytes, .threads = plan.threads,
                                                             .key_of = [](std::string_view text) { return corpus::document_key(text, kSplitKeySeed); }});
}

std::shared_ptr<const train::TokenShards> command_shards(base::FileSystem& files, StageCache& cache, const Path& dir, const corpus::Corpus& corpus,
                                                         const tokenizer::Tokenizer& tokenizer, const Path& tokenizer_path, int64_t shard_tokens, int threads, const std::string& made_of_them) {
  const auto manifest = corpus.scan(threads, [](uint64_t, uint64_t) { base::throw_if_interrupted(); });
  corpus::require_documents(manifest);
  const base::Json json = corpus::manifest_json(manifest);
  const StageKey key{.stage = "token_shards", .inputs = {{"corpus", json.at("digest")}, {"source_weights", source_weights(corpus)}, {"tokenizer", base::sha256_file(tokenizer_path).hex()}},
                     .options = {{"shard_token_size", shard_tokens}}};
  const Path folder = dir / "token_shards";
  if (!cache.is_current(key)) {
    if (!made_of_them.empty()) refuse_discarding_training(cache, files, made_of_them, cache.differences(key), dir, "--fresh");
    cache.record_started(key);
    base::write_file(files, dir / "corpus_manifest.json", base::dump(json) + "\n");
    const auto texts = corpus.texts();
    replace_token_shards(files, folder, tokenizer, [&](train::ShardDocument& document) {
      base::throw_if_interrupted();
      return texts(document.text);
    }, {.shard_tokens = shard_tokens, .text_bytes = json.at("stats").at("num_bytes").get<int64_t>(), .threads = threads});
    cache.record_done(key, {"token_shards"});
  }
  return std::make_shared<const train::TokenShards>(folder);
}

int64_t held_out_tokens(const train::TokenShards& shards, double fraction, int64_t context_size) {
  return std::max(context_size + 1, static_cast<int64_t>(fraction * static_cast<double>(shards.size())));
}

BaseData::BaseData(std::shared_ptr<const train::TokenShards> shards, int64_t val_tokens, const std::string& split_mode, const train::WindowOptions& options)
    : windows(options), split(train::split_tokens(std::move(shards), val_tokens, options.context_size, split_mode == "window" ? train::SplitMode::kWindow : train::SplitMode::kDocument)),
      source(split.train, windows) {}

std::unique_ptr<train::Validator> BaseData::validator(std::vector<uint32_t> byte_lengths) const {
  return train::window_validator(split.validation, windows.context_size, windows.batch_size, windows.isolate_documents, std::move(byte_lengths));
}

}  // namespace picochat::factory
