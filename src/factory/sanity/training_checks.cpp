#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include <ATen/ATen.h>

#include "factory/sanity/check.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/document.hpp"
#include "picochat/exporter/export_hf.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/tokenizer/train.hpp"
#include "picochat/train/trainer.hpp"
#include "picochat/train/window_source.hpp"

namespace picochat::factory::sanity {
namespace {

using base::cat;

std::shared_ptr<tokenizer::Tokenizer> byte_tokenizer() { return tokenizer::train_tokenizer({.type = "byte"}, [](std::string&) { return false; }); }

std::vector<std::string> some_documents(int64_t count, const std::string& about = "a host") {
  std::vector<std::string> documents;
  for (int64_t i = 0; i < count; ++i) documents.push_back(cat("Document ", i, " about ", about, ": line ", i * 7 % 11, " of it is checked against line ", i * 5 % 13, "."));
  return documents;
}

Path build_shards(const Context& context, const std::vector<std::string>& documents, int64_t shard_tokens) {
  size_t next = 0;
  const Path folder = context.work / "token_shards";
  train::build_token_shards(context.files, folder, *byte_tokenizer(), [&](train::ShardDocument& document) {
    if (next == documents.size()) return false;
    document = {documents[next], corpus::document_key(documents[next], 0)};
    ++next;
    return true;
  }, {.shard_tokens = shard_tokens});
  return folder;
}

class Losses final : public train::TrainObserver {
 public:
  void event(const Json& event) override {
    if (event.at("event") == "step") by_step[event.at("step").get<int64_t>()] = event.at("train_loss").get<double>();
  }
  void rewound(int64_t) override {}
  void progress(int64_t, const Json&, double, const std::string&) override {}
  std::map<int64_t, double> by_step;
};

// `steps` of the `plan` steps in `folder`, going on from what is there; every step but the last is saved.
std::map<int64_t, double> train_steps(const Context& context, const Path& folder, const std::shared_ptr<const train::TokenShards>& shards, const std::string& fingerprint, int64_t seed, int64_t steps,
                                      int64_t plan) {
  const auto tokenizer = byte_tokenizer();
  const auto split = train::split_tokens(shards, 32, 8);
  train::WindowSource source(split.train, {.context_size = 8, .batch_size = 2, .grad_accum_steps = 1, .seed = static_cast<uint64_t>(seed)});
  const auto validator = train::window_validator(split.validation, 8, 2, false, train::byte_lengths(*tokenizer));
  train::TrainerOptions t;
  t.stage = "base";
  t.folder = folder;
  t.config = tiny_config(static_cast<int64_t>(tokenizer->vocab_size()), 8);
  t.max_steps = plan;
  t.learning_rate = {.peak = 1e-3, .max_steps = plan};
  t.checkpoint_every_steps = 1;
  t.fingerprint = fingerprint;
  auto initial = model::allocate_flat(model::ParameterLayout(t.config).size());
  model::initialize(t.config, 123, initial);
  Losses losses;
  if (steps < plan) t.stop_when = [&losses, steps] { return static_cast<int64_t>(losses.by_step.size()) >= steps; };
  train::train(context.files, t, initial, source, *validator, losses);
  return losses.by_step;
}

}  // namespace

Finding resume_fingerprint_guard(const Context& context, const ResumeGuardCase& c) {
  const auto shards = std::make_shared<const train::TokenShards>(build_shards(context, some_documents(12), 1000));
  const Path folder = context.work / "run";
  train_steps(context, folder, shards, c.first, 123, 2, 4);
  try {
    train_steps(context, folder, shards, c.second, 123, 4, 4);
  } catch (const base::Error& error) {
    const bool named = std::string(error.what()).find("fingerprint") != std::string::npos;
    return passed_if(named, named ? "a run that was made of something else is refused by its fingerprint" : cat("refused for another reason: ", error.details().what));
  }
  return passed_if(false, "a checkpoint was resumed though its run was made of something else");
}

Finding resume_loss_determinism(const Context& context, const ResumeLossCase& c) {
  const auto shards = std::make_shared<const train::TokenShards>(build_shards(context, some_documents(12), 24));
  const auto whole = train_steps(context, context.work / "whole", shards, "one", c.seed, 4, 4);
  train_steps(context, context.work / "cut", shards, "one", c.seed, 3, 4);
  const auto resumed = train_steps(context, context.work / "cut", shards, "one", c.resumed_seed, 4, 4);
  double worst = 0;
  int64_t compared = 0;
  for (int64_t step : {3, 4})
    if (whole.contains(step) && resumed.contains(step)) {
      worst = std::max(worst, std::abs(whole.at(step) - resumed.at(step)));
      ++compared;
    }
  return passed_if(compared == 2 && !resumed.contains(2) && worst <= 1e-6, cat("steps 3 and 4 after a resume: losses differ by ", worst, " (allowed 1e-6), ", compared, " of 2 compared"),
                   {{"largest_difference", worst}, {"steps_compared", compared}});
}

Finding sharded_loader(const Context& context, const LoaderCase& c) {
  const auto documents = some_documents(c.documents);
  const Path folder = build_shards(context, documents, 12);
  if (c.flip_a_bit)
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.path().extension() == ".bin") {
        std::string bytes = base::read_file(entry.path());
        bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
        base::write_file(context.files, entry.path(), bytes);
        break;
      }
  const auto shards = std::make_shared<const train::TokenShards>(folder);
  const auto tokenizer = byte_tokenizer();
  int64_t equal = 0;
  for (int64_t d = 0; d < shards->document_count() && d < c.documents; ++d) {
    std::vector<int32_t> read(static_cast<size_t>(shards->document_end(d) - shards->document_start(d)));
    shards->read(shards->document_start(d), read);
    std::vector<tokenizer::TokenId> ids{tokenizer::kBos};
    tokenizer->encode(documents[static_cast<size_t>(d)], ids);
    ids.push_back(tokenizer::kEos);
    equal += std::equal(read.begin(), read.end(), ids.begin(), ids.end(), [](int32_t a, tokenizer::TokenId b) { return a == static_cast<int32_t>(b); });
  }
  train::WindowSource source(train::split_tokens(shards, 32, 8).train, {.context_size = 8, .batch_size = 2, .grad_accum_steps = 1, .seed = 123});
  return passed_if(equal == static_cast<int64_t>(documents.size()) && shards->shard_count() > 1,
                   cat(equal, " of ", documents.size(), " documents come back token for token from ", shards->shard_count(), " shards"),
                   {{"shards", shards->shard_count()}, {"documents_equal", equal}});
}

// A global batch is cut into micro-batches; rank r takes every world-th of them. No window may be taken twice, and another epoch has another order.
Finding ddp_batcher_rank_split(const Context& context, const RankSplitCase& c) {
  std::vector<std::string> documents;
  base::Random random(123, "sanity documents");  // so that no two windows are alike by chance
  for (int64_t left = c.tokens; left > 0;) {
    std::string text;
    for (; left > 0 && text.size() < 60; --left) text += static_cast<char>('!' + random.below(90));
    documents.push_back(std::move(text));
  }
  const auto shards = std::make_shared<const train::TokenShards>(build_shards(context, documents, 100000));
  const train::TokenStream stream(shards, {{0, shards->size()}});
  train::WindowSource source(stream, {.context_size = c.context, .batch_size = c.batch, .grad_accum_steps = c.world, .seed = 123});
  auto windows_of_step = [&](int64_t step) {
    source.prepare(step);
    std::vector<std::vector<std::vector<int32_t>>> ranks;
    for (int64_t rank = 0; rank < c.world; ++rank) {
      train::MicroBatch batch;
      source.fill(rank, batch);
      auto& own = ranks.emplace_back();
      for (int64_t r = 0; r < batch.rows; ++r) own.emplace_back(batch.tokens.begin() + r * batch.length, batch.tokens.begin() + (r + 1) * batch.length);
    }
    return ranks;
  };
  const auto first = windows_of_step(1);
  const int64_t steps_of_an_epoch = std::max<int64_t>(1, source.windows() / (c.batch * c.world));
  const bool other_order = windows_of_step(1 + steps_of_an_epoch) != first;
  std::set<std::vector<int32_t>> seen;
  size_t taken = 0;
  for (const auto& rank : first)
    for (const auto& window : rank) {
      seen.insert(window);
      ++taken;
    }
  return passed_if(seen.size() == taken && other_order,
                   cat(c.world, " ranks take ", taken, " windows of a step, ", seen.size(), " of them different; a later epoch ", other_order ? "has another order" : "repeats the order"),
                   {{"windows", taken}, {"different", seen.size()}});
}

constexpr int kLatencyTries = 20, kBandwidthTries = 3;
constexpr size_t kBandwidthValues = size_t{1} << 23;

// Every rank gives (rank + 1) x index; the sum over the ranks is known to each of them, and exact in float32.
Finding collective(const Context&, const CollectiveCase& c) {
  if (c.world <= 1) return skipped("one process: there is no process group to ask");
  std::vector<float> values(4096);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(c.rank + 1) * static_cast<float>(i % 64);
  c.all_reduce(values);
  const auto ranks = static_cast<float>(c.world * (c.world + 1) / 2);
  int64_t wrong = 0;
  for (size_t i = 0; i < values.size(); ++i) wrong += values[i] != ranks * static_cast<float>(i % 64);
  if (wrong > 0) return passed_if(false, cat("sum over ", c.world, " ranks: ", wrong, " of ", values.size(), " values are wrong"), {{"world_size", c.world}, {"wrong_values", wrong}});
  auto seconds = [&](size_t count, int times) {  // of one sum, the best of some
    double best = 1e9;
    std::vector<float> buffer(count);
    for (int i = 0; i < times; ++i) {
      const double begun = base::monotonic_seconds();
      c.all_reduce(buffer);
      best = std::min(best, base::monotonic_seconds() - begun);
    }
    return best;
  };
  const double latency = seconds(1, kLatencyTries), bandwidth = static_cast<double>(kBandwidthValues) * 4 / seconds(kBandwidthValues, kBandwidthTries);
  return passed_if(true, cat("sum over ", c.world, " ranks: right, ", base::fixed(1e6 * latency, 0), " us for one value, ", base::fixed(1e-9 * bandwidth, 2), " GB/s for ", base::human_bytes(kBandwidthValues * 4)),
                   {{"world_size", c.world}, {"wrong_values", 0}, {"latency_us", 1e6 * latency}, {"bandwidth_gb_per_sec", 1e-9 * bandwidth}});
}

CollectiveCase collective_case(train::ProcessGroup& group, at::Device device) {
  return {.rank = group.rank(), .world = group.world_size(), .all_reduce = [&group, device](std::vector<float>& values) {
            const at::Tensor host = at::from_blob(values.data(), {static_cast<int64_t>(values.size())}, at::kFloat);
            at::Tensor buffer = host.to(device);
            group.all_reduce_sum(buffer);
            if (!device.is_cpu()) host.copy_(buffer);
          }};
}

Finding hf_export(const Context& context) {
  const auto tokenizer = byte_tokenizer();
  model::Config config = tiny_config(static_cast<int64_t>(tokenizer->vocab_size()), 8);
  config.activation = model::Activation::kSwiglu;
  config.logit_softcap = 0;
  config.tie_embeddings = config.qk_norm = config.parallel_residual = true;
  config.linear_bias = false;
  auto parameters = model::allocate_flat(model::ParameterLayout(config).size());
  model::initialize(config, 123, parameters);
  context.fault(parameters);
  base::write_file(context.files, context.work / "tokenizer.json", tokenizer->to_json());
  train::save_checkpoint(context.files, context.work / "checkpoint",
                         {.config = config, .parameters = parameters, .metadata = {{"stage", "base"}, {"step", 1}, {"tokenizer_sha256", base::sha256_file(context.work / "tokenizer.json").hex()}}});
  exporter::ExportHfOptions options;
  options.checkpoint = (context.work / "checkpoint").string();
  options.tokenizer = (context.work / "tokenizer.json").string();
  options.out_dir = (context.work / "export").string();
  options.model_name = "sanity";
  options.license = "mit";
  const auto out = exporter::export_hf(context.files, options);
  std::vector<std::string> missing;
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json", "README.md", "release_manifest.json"})
    if (!std::filesystem::exists(Path(options.out_dir) / name)) missing.emplace_back(name);
  return passed_if(missing.empty(), missing.empty() ? "configuration, weights, tokenizer, model card and manifest are there; the weights were read back and compared" : cat("missing: ", base::join(missing, ", ")));
}

}  // namespace picochat::factory::sanity
