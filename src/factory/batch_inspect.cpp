#include <filesystem>

#include <unistd.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/factory/train_commands.hpp"
#include "picochat/tasks/rows.hpp"
#include "picochat/train/sft_source.hpp"
#include "training_data.hpp"

namespace picochat::factory {
namespace {

using base::cat;
using base::Json;

// Shards need a folder; what a look at a batch makes is gone when it ends.
struct ScratchFolder {
  base::Path path = std::filesystem::temp_directory_path() / cat("picochat-batch-", ::getpid());
  ScratchFolder() { std::filesystem::create_directories(path); }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

std::string text_of(const tokenizer::Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::vector<tokenizer::TokenId> tokens(ids.begin(), ids.end());
  return tokenizer.decode(tokens);
}

Json row_json(const train::MicroBatch& batch, int64_t row, const tokenizer::Tokenizer& tokenizer) {
  const auto begin = static_cast<size_t>(row * batch.length), length = static_cast<size_t>(batch.length);
  std::vector<int32_t> learned;
  std::vector<int32_t> segments;
  Json mask = Json::array();
  for (size_t i = begin; i < begin + length; ++i) {
    const bool counts = batch.weights.empty() ? batch.uniform_weight != 0 : batch.weights[i] != 0;
    mask.push_back(counts ? 1 : 0);
    if (counts) learned.push_back(batch.targets[i]);
    if (!batch.segment_start.empty() && (segments.empty() || segments.back() != batch.segment_start[i])) segments.push_back(batch.segment_start[i]);
  }
  const std::vector<int32_t> tokens(batch.tokens.begin() + static_cast<ptrdiff_t>(begin), batch.tokens.begin() + static_cast<ptrdiff_t>(begin + length));
  const std::vector<int32_t> targets(batch.targets.begin() + static_cast<ptrdiff_t>(begin), batch.targets.begin() + static_cast<ptrdiff_t>(begin + length));
  return {{"tokens", tokens}, {"targets", targets}, {"learned", mask}, {"segment_starts", segments}, {"text", text_of(tokenizer, tokens)},
          {"learned_text", text_of(tokenizer, learned)}};
}

Json inspect(const train::BatchSource& source, const train::MicroBatch& batch, const BatchInspectOptions& options, const tokenizer::Tokenizer& tokenizer) {
  Json out{{"step", options.step}, {"epoch", source.epoch()}, {"rows", batch.rows}, {"length", batch.length}, {"supervised_tokens_in_step", source.supervised_tokens()},
           {"source", source.description()}, {"examples", Json::array()}};
  for (int64_t row = 0; row < std::min(options.examples, batch.rows); ++row) out["examples"].push_back(row_json(batch, row, tokenizer));
  return out;
}

std::string text(const Json& json) {
  std::string out;
  for (const auto& [key, value] : json.items()) {
    if (key == "examples") continue;
    if (key == "source") {
      for (const auto& [name, part] : value.items()) out += cat(name, ": ", part.is_string() ? part.get<std::string>() : base::dump(part, -1), "\n");
    } else {
      out += cat(key, ": ", base::dump(value, -1), "\n");
    }
  }
  size_t number = 0;
  for (const auto& example : json.at("examples"))
    out += cat("\nexample ", number++, "\ntokens: ", base::dump(example.at("tokens"), -1), "\ntargets: ", base::dump(example.at("targets"), -1), "\nsegment_starts: ",
               base::dump(example.at("segment_starts"), -1), "\ntext: ", base::dump(example.at("text"), -1), "\nlearned_text: ", base::dump(example.at("learned_text"), -1), "\n");
  return out;
}

}  // namespace

base::CommandOutput batch_inspect_command(base::FileSystem& files, const BatchInspectOptions& options) {
  if (options.corpus.has_value() == options.input.has_value())
    throw base::usage_error({.what = options.corpus ? "--corpus together with --input" : "neither --corpus nor --input", .where = "batch inspect",
                             .remedy = "give --corpus for text, or --input for conversations"});
  const std::shared_ptr<tokenizer::Tokenizer> tokenizer = tokenizer::load_tokenizer(options.tokenizer);
  const auto seed = static_cast<uint64_t>(options.seed);
  train::MicroBatch batch;
  base::CommandOutput output;
  auto show = [&](train::BatchSource& source) {
    source.prepare(options.step);
    source.fill(0, batch);
    output.json = inspect(source, batch, options, *tokenizer);
  };
  if (options.input) {
    const auto data = train::prepare_sft(*tokenizer, tasks::read_chat_rows(*options.input), options.context_size, seed, options.val_fraction);
    train::SftSource source(data.train, {.context_size = options.context_size, .batch_size = options.batch_size, .grad_accum_steps = options.grad_accum_steps,
                                         .sampling = options.sampling, .packing = options.packing, .seed = seed});
    show(source);
    output.json["num_sequences"] = data.train.size();
  } else {
    const ScratchFolder scratch;
    StageCache cache(files, scratch.path);
    const auto corpus = open_corpus(*options.corpus);
    const auto shards = command_shards(files, cache, scratch.path, corpus, *tokenizer, options.tokenizer, gate::RunOptions{}.base_shard_token_size, 0);
    BaseData data(shards, held_out_tokens(*shards, options.val_fraction, options.context_size), options.split_mode,
                  {.context_size = options.context_size, .batch_size = options.batch_size, .grad_accum_steps = options.grad_accum_steps, .seed = seed,
                   .isolate_documents = options.dataset_mode == "packed"});
    show(data.source);
    output.json["num_sequences"] = data.source.windows();
  }
  output.text = text(output.json);
  return output;
}

}  // namespace picochat::factory
