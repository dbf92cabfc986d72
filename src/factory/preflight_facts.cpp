#include "preflight_facts.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "earlier_runs.hpp"
#include "micro_batch.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/jsonl.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/sample.hpp"
#include "picochat/corpus/source_record.hpp"
#include "picochat/model/device.hpp"
#include "picochat/model/kernel_check.hpp"
#include "picochat/model/transformer.hpp"
#include "picochat/tokenizer/train.hpp"

namespace picochat::factory {
namespace {

using base::cat;

// 32 MiB from 1,024 places: three quarters train a tokenizer, one quarter is counted. Many small places
// tell more about a mixed corpus than few large ones.
constexpr uint64_t kSampleBytes = 32 << 20;
constexpr int kSampleSpots = 1024, kCountedOneIn = 4;
constexpr uint64_t kSampleSeed = 0;  // one sample for every seed of a run
constexpr const char* kSampleFile = "preflight_sample.json";
// What a process holds beside the plan: libraries and their workspaces; on a GPU its context and graphs.
constexpr int64_t kProcessBytesCpu = int64_t{400} << 20, kProcessBytesCuda = int64_t{1536} << 20;

int64_t characters_of(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

struct Measured {
  double tokens_per_character = 0;
  std::optional<double> stderr_of_it;
};

// A ratio of sums with its standard error over spots (linearised; Cochran, Sampling Techniques, 6.3).
Measured count_tokens(const tokenizer::Tokenizer& tokenizer, const std::vector<const corpus::SampleSpot*>& spots, int threads, bool whole) {
  std::vector<double> tokens, characters;
  for (const auto* spot : spots) {
    base::throw_if_interrupted();
    std::vector<std::vector<tokenizer::TokenId>> ids;
    tokenizer::encode_documents(tokenizer, spot->documents, ids, threads);
    double t = 0, c = 0;
    for (const auto& document : ids) t += static_cast<double>(document.size());
    for (const auto& document : spot->documents) c += static_cast<double>(characters_of(document));
    tokens.push_back(t);
    characters.push_back(c);
  }
  double all_tokens = 0, all_characters = 0, squares = 0;
  for (size_t i = 0; i < tokens.size(); ++i) all_tokens += tokens[i], all_characters += characters[i];
  Measured m;
  m.tokens_per_character = all_characters > 0 ? all_tokens / all_characters : 0;
  if (whole || tokens.size() < 2) return m;
  for (size_t i = 0; i < tokens.size(); ++i) squares += std::pow(tokens[i] - m.tokens_per_character * characters[i], 2);
  const double n = static_cast<double>(tokens.size());
  m.stderr_of_it = std::sqrt(n / (n - 1) * squares) / all_characters;
  return m;
}

Json sample_tokens(const RunContext& run) {
  const auto& options = run.options();
  const auto sample = corpus::sample_text(run.corpus, kSampleBytes, kSampleSpots, kSampleSeed);
  std::vector<const corpus::SampleSpot*> learned, counted;
  for (size_t i = 0; i < sample.spots.size(); ++i) {
    const bool count_it = !sample.whole && i % kCountedOneIn == kCountedOneIn - 1;
    if (!count_it) learned.push_back(&sample.spots[i]);
    if (count_it || sample.whole) counted.push_back(&sample.spots[i]);
  }
  if (learned.empty() || counted.empty()) return nullptr;
  size_t spot = 0, document = 0;
  const auto trained = tokenizer::train_tokenizer(
      {.type = options.tokenizer_type, .vocab_size = gate::estimated_vocab_size(options), .min_freq = options.tokenizer_min_freq,
       .pretokenizer = options.bpe_pretokenizer, .threads = static_cast<int>(options.threads)},
      [&](std::string& text) {
        base::throw_if_interrupted();
        while (spot < learned.size() && document == learned[spot]->documents.size()) ++spot, document = 0;
        if (spot == learned.size()) return false;
        text = learned[spot]->documents[document++];
        return true;
      });
  const auto measured = count_tokens(*trained, counted, static_cast<int>(options.threads), sample.whole);
  return {{"vocab_size", trained->vocab_size()},
          {"tokens_per_character", measured.tokens_per_character},
          {"tokens_per_character_stderr", measured.stderr_of_it ? Json(*measured.stderr_of_it) : Json(nullptr)},
          {"sample_bytes", sample.bytes()},
          {"spots", sample.spots.size()},
          {"whole_corpus", sample.whole}};
}

int64_t count_rows(const Path& path) {
  if (path.extension() == ".json") {
    const Json all = base::read_json(path);
    const Json& rows = all.is_object() && all.contains("data") ? all.at("data") : all;
    if (!rows.is_array()) throw base::bad_input({.what = "not a list of rows", .where = path.string()});
    return static_cast<int64_t>(rows.size());
  }
  int64_t rows = 0;
  if (path.extension() == ".jsonl") {
    base::read_jsonl(path, [&](const Json& row, int64_t line) {
      if (!row.is_object()) throw base::bad_input({.what = "a row is not an object", .where = cat(path.string(), ":", line)});
      ++rows;
      return true;
    });
    return rows;
  }
  throw base::bad_input({.what = "not a benchmark file that can be counted", .where = path.string(), .expected = ".jsonl or .json"});
}

}  // namespace

int64_t usable_memory() {
  int64_t bytes = static_cast<int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
  for (const char* limit : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    int64_t value = 0;
    if (std::ifstream(limit) >> value && value > 0) bytes = std::min(bytes, value);
  }
  return bytes;
}

std::vector<gate::ExternalFileFacts> external_facts(const gate::RunOptions& options) {
  std::vector<gate::ExternalFileFacts> out;
  for (const auto& given : options.external_eval) {
    const size_t equals = given.find('=');
    const Path path = equals == std::string::npos ? given : given.substr(equals + 1);
    gate::ExternalFileFacts facts{.name = equals == std::string::npos ? path.stem().string() : given.substr(0, equals), .path = path.string(), .digest = "", .rows = {}, .problem = ""};
    try {
      if (!std::filesystem::is_regular_file(path)) throw base::bad_input({.what = "the file does not exist", .where = path.string()});
      facts.rows = count_rows(path);
      if (options.external_eval_max_rows > 0) facts.rows = std::min(*facts.rows, options.external_eval_max_rows);
      facts.digest = base::sha256_file(path).hex();
    } catch (const base::Error& error) {
      facts.rows.reset();
      facts.problem = error.details().what;
    }
    out.push_back(std::move(facts));
  }
  return out;
}

void measure_token_sample(RunContext& run) {
  const auto& options = run.options();
  if (options.tokenizer_type != "bpe" && options.tokenizer_type != "hf_bpe") return;
  StageKey key{.stage = "preflight_sample", .inputs = {{"corpus", run.corpus_manifest.at("digest")}},
               .options = run.picked({"tokenizer_type", "tokenizer_vocab_size", "tokenizer_min_freq", "bpe_pretokenizer", "min_score"})};
  if (!run.cache.is_current(key)) {
    run.cache.record_started(key);
    const double begun = base::monotonic_seconds();
    const Json sample = sample_tokens(run);
    if (sample.is_null()) return;
    base::write_file(run.files, run.at(kSampleFile), base::dump(sample) + "\n");
    run.cache.record_done(key, {kSampleFile});
    base::say(cat("tokens: counted on a sample of ", base::human_bytes(sample.at("sample_bytes").get<uint64_t>()), " in ", base::human_seconds(base::monotonic_seconds() - begun)));
  }
  const Json sample = base::read_json(run.at(kSampleFile));
  run.facts.vocab_size = sample.at("vocab_size").get<int64_t>();
  if (!run.facts.corpus) run.facts.corpus.emplace();
  auto& facts = *run.facts.corpus;
  facts.tokens_per_character = sample.at("tokens_per_character").get<double>();
  if (!sample.at("tokens_per_character_stderr").is_null()) facts.tokens_per_character_stderr = sample.at("tokens_per_character_stderr").get<double>();
  facts.sample_bytes = sample.at("sample_bytes").get<int64_t>();
}

void add_source_records(const RunContext& run, gate::CorpusFacts& facts) {
  const auto records = corpus::source_records(run.corpus, run.corpus_manifest);
  facts.sources = static_cast<int64_t>(records.size());
  facts.sources_with_license = facts.sources_with_provenance = 0;
  facts.sources_without_license.clear();
  facts.sources_without_provenance.clear();
  for (const auto& record : records) {
    if (record.license_known()) ++*facts.sources_with_license;
    else facts.sources_without_license.push_back(record.label);
    if (record.provenance_complete()) ++*facts.sources_with_provenance;
    else facts.sources_without_provenance.push_back(record.problem.empty() ? record.label : cat(record.label, ": ", record.problem));
  }
}

int64_t planned_peak_bytes(const gate::RunOptions& options, const gate::ModelConfig& config, const std::string& device) {
  const bool cuda = device == "cuda", half = cuda && options.precision != "float32";
  gate::RunOptions larger = options;  // of the two stages
  larger.base_ema_decay = std::max(options.base_ema_decay, options.sft_ema_decay);
  const model::TransformerOptions arena{.dtype = half ? at::kBFloat16 : at::kFloat, .device_kernels = cuda, .recompute = cuda && options.gradient_checkpointing};
  int64_t bytes = training_bytes(larger, config, std::max({options.base_batch_size, options.sft_batch_size, options.dpo_input ? 2 * options.dpo_batch_size : 0}), arena);
  // On the CPU the state to go back to after a bad step is a copy: parameters, two moments, the moving average.
  if (options.loss_spike_rollback && !cuda) bytes += (options.base_ema_decay > 0 ? 4 : 3) * 4 * config.parameter_count();
  return bytes + (cuda ? kProcessBytesCuda : kProcessBytesCpu);
}

gate::DeviceFacts device_facts(const gate::RunOptions& options, const Path& run_dir, int64_t vocab_size) {
  gate::DeviceFacts facts;
  struct statvfs disk {};
  const bool here = options.device != "cpu" && !model::why_no_cuda();
  facts.deferred = options.device == "cuda" && !here;  // planned here, trained elsewhere
  facts.resolved = here || facts.deferred ? "cuda" : "cpu";
  facts.predicted_peak_bytes = planned_peak_bytes(options, gate::model_config(options, vocab_size), facts.resolved);
  auto speed = speed_of_earlier_runs(options, run_dir, facts.resolved);
  if (!speed) speed = speed_of_sanity(options, run_dir, facts.resolved);
  if (speed) {
    facts.tokens_per_second = speed->tokens_per_second;
    facts.throughput_source = cat(speed->source, " ", speed->where);
  }
  if (facts.deferred) return facts;
  if (::statvfs(run_dir.c_str(), &disk) == 0) facts.disk_free_bytes = static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
  if (here) {
    const auto gpu = model::describe_device(at::Device(at::kCUDA, 0));
    facts.name = gpu.name;
    facts.count = gpu.count;
    facts.bf16 = gpu.compute_major >= 8;
    facts.memory_bytes = model::device_memory(at::Device(at::kCUDA, 0)).total;
    facts.attention_backends = model::attention_backends(at::Device(at::kCUDA, 0), options.precision == "float32" || !facts.bf16 ? at::kFloat : at::kBFloat16, gate::model_config(options, vocab_size));
    return facts;
  }
  facts.name = "cpu";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);)
    if (line.starts_with("model name")) {
      facts.name = std::string(base::trim(line.substr(line.find(':') + 1)));
      break;
    }
  facts.count = 1;
  facts.bf16 = false;
  facts.memory_bytes = usable_memory();
  facts.attention_backends = {"auto", "math"};
  return facts;
}

}  // namespace picochat::factory
