// Corpus, honesty, preflight, tokenizer and token shards.
#include <cstring>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/reports.hpp"
#include "picochat/honesty/honesty.hpp"
#include "picochat/tasks/inspect.hpp"
#include "picochat/tokenizer/train.hpp"
#include "earlier_runs.hpp"
#include "preflight_facts.hpp"
#include "run_context.hpp"
#include "training_data.hpp"

namespace picochat::factory {
namespace {

using base::cat;

// What a corpus scan depends on without reading the text again: names, sizes and times of its files.
Json corpus_identity(const corpus::Corpus& corpus) {
  Json list = Json::array();
  for (const auto& file : corpus.files()) {
    std::error_code missing;
    const auto time = std::filesystem::last_write_time(file.path, missing).time_since_epoch().count();
    list.push_back({file.name, file.label, file.bytes, static_cast<int64_t>(time), file.included});
  }
  return list;
}

// The text and how often each part of it counts: what tokenizer and shards depend on.
Json corpus_content(const RunContext& run) {
  return {{"corpus", run.corpus_manifest.at("digest")}, {"source_weights", source_weights(run.corpus)}};
}

void add_canaries(const RunContext& run, std::vector<std::string>& documents) {
  for (int64_t i = 0; i < run.options().canary_count; ++i) documents.push_back(canary_line(run.options().seed, i));
}

}  // namespace

std::string canary_value(int64_t seed, int64_t index) {
  return cat("pico-canary-", base::zero_padded(static_cast<uint64_t>(seed), 4), "-", base::zero_padded(static_cast<uint64_t>(index), 2));
}

std::string canary_line(int64_t seed, int64_t index) { return cat(kCanaryPrefix, canary_value(seed, index), "."); }

void corpus_stage(RunContext& run) {
  const StageKey key{.stage = "corpus", .semantics = 2, .inputs = {{"files", base::sha256(base::canonical(corpus_identity(run.corpus))).hex()}},
                     .options = run.picked({"min_score"})};
  run_stage(run, key, {"corpus_manifest.json", "corpus_report.md"}, [&] {
    uint64_t total = 0;
    for (const auto& file : run.corpus.files()) total += file.included ? file.bytes : 0;
    base::Progress progress("corpus", total, "B");
    const auto manifest = run.corpus.scan({.threads = static_cast<int>(run.options().threads), .near_duplicates = true, .progress = [&](uint64_t done, uint64_t) {
      base::throw_if_interrupted();
      progress.update(done);
    }});
    progress.finish();
    corpus::require_documents(manifest);
    base::write_file(run.files, run.at("corpus_manifest.json"), base::dump(corpus::manifest_json(manifest)) + "\n");
    base::write_file(run.files, run.at("corpus_report.md"), corpus::corpus_report_markdown(manifest));
  });
  run.corpus_manifest = base::read_json(run.at("corpus_manifest.json"));
  const Json& stats = run.corpus_manifest.at("stats");
  base::say(cat("corpus: ", base::grouped(stats.at("num_documents").get<int64_t>()), " documents, ",
                base::human_bytes(stats.at("num_bytes").get<uint64_t>()), ", digest ", run.corpus_manifest.at("digest").get<std::string>().substr(0, 12)));
}

void honesty_stage(RunContext& run) {
  honesty::HonestyInputs inputs;
  inputs.chat = run.chat_input;
  inputs.eval = run.eval_input;
  inputs.threads = static_cast<int>(run.options().threads);
  StageKey key{.stage = "honesty", .semantics = 2,
               .inputs = {{"corpus", run.corpus_manifest.at("digest")}, {"chat", base::sha256_file(run.chat_input).hex()}, {"eval", base::sha256_file(run.eval_input).hex()}}};
  if (run.options().dpo_input) {
    inputs.preferences = *run.options().dpo_input;
    key.inputs["preferences"] = base::sha256_file(inputs.preferences).hex();
  }
  for (const auto& given : run.options().external_eval) {
    inputs.external.push_back(tasks::parse_named_benchmark(given, "--external-eval"));
    const auto& [name, path] = inputs.external.back();
    // A file that is not there becomes a blocking finding of the check.
    key.inputs[cat("external_", name)] = std::filesystem::is_regular_file(path) ? base::sha256_file(path).hex() : "missing";
  }
  run_stage(run, key, {"honesty/honesty_report.json"}, [&] {
    base::Progress progress("honesty", run.corpus_manifest.at("stats").at("num_bytes").get<uint64_t>(), "B");
    inputs.corpus_label = run.corpus_manifest.at("digest").get<std::string>();
    inputs.corpus = honesty::stream_of(run.corpus);
    inputs.progress = [&](uint64_t done) { progress.update(done); };
    const Json report = honesty::check_honesty(inputs);
    progress.finish();
    honesty::write_honesty_report(run.files, report, run.at("honesty"));
  });
  run.honesty_report = base::read_json(run.at("honesty/honesty_report.json"));
  const std::string status = run.honesty_report.at("status");
  base::say(cat("honesty: ", status, ", ", base::get_string_or(run.honesty_report, "summary", "", "honesty report")));
}

void judge_preflight_stage(RunContext& run, bool training_starts) {
  auto& facts = run.facts;
  facts.corpus = [&] {
    auto corpus = gate::corpus_facts(run.corpus_manifest, "corpus_manifest.json");
    if (facts.corpus) {  // what was measured since the manifest was written
      corpus.tokens = facts.corpus->tokens;
      corpus.tokens_per_character = facts.corpus->tokens_per_character;
      corpus.tokens_per_character_stderr = facts.corpus->tokens_per_character_stderr;
      corpus.sample_bytes = facts.corpus->sample_bytes;
    }
    add_source_records(run, corpus);
    return corpus;
  }();
  const auto chat_before = facts.chat;
  facts.chat = gate::chat_facts(run.chat_report, run.chat_input.string());
  if (chat_before) {
    facts.chat->sequences = chat_before->sequences;
    facts.chat->supervised_tokens = chat_before->supervised_tokens;
    facts.chat->masked_tokens = chat_before->masked_tokens;
    facts.chat->rows_without_supervision = chat_before->rows_without_supervision;
    facts.chat->skipped_long_rows = chat_before->skipped_long_rows;
  }
  facts.eval = gate::eval_file_facts(run.eval_report, run.eval_input.string());
  facts.honesty = gate::honesty_facts(run.honesty_report, "honesty/honesty_report.json");
  facts.device = device_facts(run.options(), run.dir, facts.vocab_size.value_or(gate::estimated_vocab_size(run.options())));
  if (const auto sanity = find_sanity_report(run.options(), run.dir); sanity && facts.device->resolved != "cpu") facts.sanity = sanity_of(*sanity);
  facts.external = external_facts(run.options());
  facts.intent = run.resolved.intent;
  facts.training_starts = training_starts;
  run.preflight = gate::judge_preflight(facts, run.options());
  base::write_file(run.files, run.at("preflight.json"), base::dump(gate::to_json(run.preflight)) + "\n");
  base::write_file(run.files, run.at("preflight_facts.json"), base::dump(gate::to_json(facts)) + "\n");
  base::write_file(run.files, run.at("preflight.md"), gate::preflight_markdown(run.preflight));
}

void tokenizer_stage(RunContext& run) {
  const auto& options = run.options();
  // An option is part of the key when it can change the tokenizer, so that runs made before it was there go on.
  std::vector<std::string> decisive = {"tokenizer_type", "tokenizer_vocab_size", "tokenizer_min_freq", "bpe_pretokenizer", "min_score"};
  const bool sentencepiece = options.tokenizer_type == "sentencepiece";
  if (sentencepiece) decisive.push_back("sentencepiece_model");
  if (options.tokenizer_sample_bytes > 0) decisive.push_back("tokenizer_sample_bytes");
  const StageKey key{.stage = "tokenizer", .inputs = corpus_content(run), .options = run.picked(decisive)};
  run_stage(run, key, {"tokenizer.json"}, [&] {
    tokenizer::TrainOptions train{.type = options.tokenizer_type, .vocab_size = gate::estimated_vocab_size(options), .min_freq = options.tokenizer_min_freq,
                                  .pretokenizer = options.bpe_pretokenizer, .sentencepiece_model = options.sentencepiece_model,
                                  .threads = static_cast<int>(options.threads)};
    uint64_t total = run.corpus_manifest.at("stats").at("num_bytes").get<uint64_t>(), bytes = 0;
    const int64_t budget = options.tokenizer_sample_bytes == 0 && sentencepiece ? tokenizer::kSentencePieceSampleBytes : options.tokenizer_sample_bytes;
    tokenizer::DocumentSample sample{.documents = run.corpus.texts()};
    if (budget > 0) {
      sample = tokenizer::sample_documents([&] { return run.corpus.texts(); }, static_cast<uint64_t>(budget));
      total = std::min(total, static_cast<uint64_t>(budget));
    }
    base::Progress progress("tokenizer", total, "B");
    const auto trained = tokenizer::train_tokenizer(train, [&](std::string& text) {
      base::throw_if_interrupted();
      if (!sample.documents(text)) return false;
      progress.update(bytes += text.size());
      return true;
    });
    progress.finish();
    base::write_file(run.files, run.at("tokenizer.json"), trained->to_json());
  });
  run.tokenizer = tokenizer::load_tokenizer(run.at("tokenizer.json"));
  run.facts.vocab_size = static_cast<int64_t>(run.tokenizer->vocab_size());
  base::say(cat("tokenizer: ", run.tokenizer->type(), ", ", run.tokenizer->vocab_size(), " tokens"));
}

void shards_stage(RunContext& run) {
  const auto& options = run.options();
  StageKey key{.stage = "token_shards", .inputs = corpus_content(run), .options = run.picked({"base_shard_token_size", "canary_count", "min_score"})};
  key.inputs["tokenizer"] = run.tokenizer_digest().hex();
  if (options.canary_count > 0) key.options["seed"] = options.seed;
  run_stage(run, key, {"base/token_shards"}, [&] {
    std::vector<std::string> canaries;
    add_canaries(run, canaries);
    size_t next_canary = 0;
    auto texts = run.corpus.texts();
    replace_token_shards(run.files, run.at("base/token_shards"), *run.tokenizer, [&](train::ShardDocument& document) {
      if (texts(document.text)) return true;
      if (next_canary == canaries.size()) return false;
      document = {canaries[next_canary++], UINT64_MAX};  // never held out
      return true;
    }, {.shard_tokens = options.base_shard_token_size, .text_bytes = run.corpus_manifest.at("stats").at("num_bytes").get<int64_t>(), .threads = static_cast<int>(options.threads)});
  });
  const Json info = base::read_json(run.at("base/token_shards/token_shards_manifest.json"));
  const auto tokens = info.at("num_tokens").get<int64_t>();
  run.facts.corpus->tokens = tokens;
  run.facts.corpus->tokens_per_character_stderr.reset();
  run.facts.corpus->tokens_per_character = static_cast<double>(tokens) / std::max<double>(1, run.corpus_manifest.at("stats").at("num_characters").get<double>());
  base::say(cat("token shards: ", base::grouped(tokens), " tokens in ", info.at("shard_tokens").size(), " shards, ",
                base::fixed(info.at("text_bytes").get<double>() / static_cast<double>(std::max<int64_t>(1, tokens)), 2), " bytes per token"));
}

}  // namespace picochat::factory
