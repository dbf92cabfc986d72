#include "command_data.hpp"

#include <algorithm>

#include "picochat/base/console.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/document.hpp"

namespace picochat::factory {

using base::cat;
using base::Path;

corpus::Corpus open_corpus(const Path& path) {
  corpus::CorpusOptions options;
  if (path.filename() == "dataset_pack.json") options.pack = path;
  else if (path.filename() == "corpus_recipe.json") options.recipe = path;
  else options.input = path;
  return corpus::Corpus::open(options);
}

Path command_shards(base::FileSystem& files, StageCache& cache, const Path& dir, const corpus::Corpus& corpus, const tokenizer::Tokenizer& tokenizer,
                    const Path& tokenizer_path, int64_t shard_tokens, int threads) {
  const auto manifest = corpus.scan(threads, [](uint64_t, uint64_t) { base::throw_if_interrupted(); });
  corpus::require_documents(manifest);
  const base::Json json = corpus::manifest_json(manifest);
  base::write_file(files, dir / "corpus_manifest.json", base::dump(json) + "\n");
  base::Json weights = base::Json::array();
  for (const auto& source : corpus.sources()) weights.push_back({source.weight, source.max_documents.value_or(-1), source.max_bytes.value_or(-1)});
  const StageKey key{.stage = "token_shards", .inputs = {{"corpus", json.at("digest")}, {"source_weights", weights}, {"tokenizer", base::sha256_file(tokenizer_path).hex()}},
                     .options = {{"shard_token_size", shard_tokens}}};
  const Path folder = dir / "token_shards";
  if (cache.is_current(key)) return folder;
  cache.record_started(key);
  base::sweep_leftovers(files, dir);
  if (std::filesystem::exists(folder)) base::remove_published(files, folder);
  const auto texts = corpus.texts();
  train::build_token_shards(files, folder, tokenizer, [&](train::ShardDocument& document) {
    base::throw_if_interrupted();
    return texts(document.text);
  }, {.shard_tokens = shard_tokens, .total_bytes = json.at("stats").at("num_bytes").get<int64_t>(), .threads = threads,
      .key_of = [](std::string_view text) { return corpus::document_key(text, 0); }});
  cache.record_done(key, {"token_shards"});
  return folder;
}

int64_t held_out_tokens(const train::TokenShards& shards, double fraction, int64_t context_size) {
  return std::max(context_size + 1, static_cast<int64_t>(fraction * static_cast<double>(shards.size())));
}

}  // namespace picochat::factory
