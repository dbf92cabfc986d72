// `train lr-range`: the learning rate rises by a constant factor each step; where the smoothed loss
// falls fastest and where it turns tells how high a peak may be (Smith, "Cyclical Learning Rates", 2017).
#include <algorithm>
#include <cmath>

#include "availability.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/factory/lr_range_summary.hpp"
#include "picochat/factory/train_commands.hpp"
#include "picochat/gate/run_options.hpp"
#include "picochat/model/determinism.hpp"
#include "picochat/train/trainer.hpp"
#include "run_context.hpp"
#include "training_data.hpp"

namespace picochat::factory {
namespace {

using base::cat;

// Smooths the loss as it comes and says when to stop.
class RangeWatch final : public train::TrainObserver {
 public:
  explicit RangeWatch(const LrRangeOptions& options) : options_(options) {}
  void event(const Json& event) override {
    if (event.at("event") != "step") return;
    rows.push_back({event.at("step").get<int64_t>(), event.at("learning_rate").get<double>(), event.at("train_loss").get<double>(), 0});
    smooth_and_judge(rows, options_.smoothing_beta, options_.base_steps, options_.divergence_factor, diverged);
  }
  void rewound(int64_t) override { rows.clear(); }
  void progress(int64_t, const Json&, double, const std::string&) override {}
  std::vector<LrRangeRow> rows;
  bool diverged = false;

 private:
  const LrRangeOptions& options_;
};

Json rows_json(const std::vector<LrRangeRow>& rows) {
  Json list = Json::array();
  for (const auto& row : rows) list.push_back({{"step", row.step}, {"learning_rate", row.learning_rate}, {"train_loss", row.loss}, {"smooth_loss", row.smooth}});
  return list;
}

std::string markdown(const Json& report) {
  const Json& summary = report.at("summary");
  std::string text = "# Learning-rate range test\n\n| | |\n| --- | --- |\n";
  for (const auto& [key, value] : summary.items()) text += cat("| ", key, " | ", value.is_string() ? value.get<std::string>() : base::dump(value, -1), " |\n");
  text += "\n| step | learning rate | loss | smoothed |\n| ---: | ---: | ---: | ---: |\n";
  for (const auto& row : report.at("rows"))
    text += cat("| ", row.at("step").get<int64_t>(), " | ", row.at("learning_rate").get<double>(), " | ", base::fixed(row.at("train_loss").get<double>(), 4), " | ",
                base::fixed(row.at("smooth_loss").get<double>(), 4), " |\n");
  return text;
}

}  // namespace

void smooth_and_judge(std::vector<LrRangeRow>& rows, double beta, int64_t planned_steps, double divergence_factor, bool& diverged) {
  auto& last = rows.back();
  // A running mean with the weights of exponential smoothing, divided by their sum: without that the first losses count for hundreds of steps.
  const double n = static_cast<double>(rows.size()), before = 1 - std::pow(beta, n - 1), now = 1 - std::pow(beta, n);
  last.smooth = rows.size() == 1 ? last.loss : (beta * before * rows[rows.size() - 2].smooth + (1 - beta) * last.loss) / now;
  double best = last.smooth;
  for (const auto& row : rows) best = std::min(best, row.smooth);
  diverged = !std::isfinite(last.smooth) || (last.step >= std::max<int64_t>(8, planned_steps / 10) && last.smooth > best * divergence_factor);
}

Json lr_range_summary(const std::vector<LrRangeRow>& rows, int64_t planned_steps, double min_lr, bool diverged) {
  base::require(!rows.empty(), "a range test has run a step");
  constexpr double kSafe = 1.2;  // a smoothed loss within a fifth of its best is still safe
  const LrRangeRow* best = &rows.front();
  for (const auto& row : rows)
    if (row.smooth < best->smooth) best = &row;
  double ceiling = min_lr;
  for (const auto& row : rows)
    if (row.step >= std::max<int64_t>(3, planned_steps / 20) && row.smooth <= kSafe * best->smooth) ceiling = row.learning_rate;
  const double recommended = std::max(min_lr, std::min(ceiling / 3, best->learning_rate));
  return {{"steps_run", static_cast<int64_t>(rows.size())}, {"stop_reason", diverged ? "diverged" : "max_steps"}, {"best_step", best->step},
          {"best_lr", best->learning_rate}, {"best_smooth_loss", best->smooth}, {"recommended_lr", recommended}, {"safe_lr_ceiling", ceiling},
          {"recommendation_note", diverged ? "a third of the highest learning rate that was safe, or where the loss was lowest"
                                           : "the loss never diverged: a higher --max-lr would tell more"}};
}

base::CommandOutput lr_range_command(base::FileSystem& files, const LrRangeOptions& given) {
  refuse_unbuilt(given, "train lr-range");
  refuse_ranks("train lr-range");
  const Compute compute = resolve_compute(given);
  if (compute.device == "cpu") explain_cpu_options(given, true, "train lr-range");
  if (given.min_lr >= given.max_lr)
    throw base::usage_error({.what = "the learning rate would not rise", .where = "--min-lr", .expected = cat("less than --max-lr ", given.max_lr), .found = cat(given.min_lr),
                             .remedy = "choose a lower --min-lr"});
  model::set_compute_threads(static_cast<int>(given.threads));
  const auto corpus = open_corpus(given.corpus);
  const std::shared_ptr<tokenizer::Tokenizer> tokenizer = tokenizer::load_tokenizer(given.tokenizer);
  const auto config = gate::model_config(given, static_cast<int64_t>(tokenizer->vocab_size()));
  const Path dir = given.out_dir, work = dir / "work";
  claim_command_folder(files, dir);
  const base::DirectoryLock lock(dir);
  StageCache cache(files, dir);
  const auto shards = command_shards(files, cache, dir, corpus, *tokenizer, given.tokenizer, given.base_shard_token_size, static_cast<int>(given.threads));
  BaseData data(shards, 8 * (config.context_size + 1), given.split_mode,
                {.context_size = config.context_size, .batch_size = given.base_batch_size, .grad_accum_steps = given.base_grad_accum_steps, .seed = static_cast<uint64_t>(given.seed),
                 .isolate_documents = given.base_dataset_mode == "packed"});
  const auto validator = data.validator(train::byte_lengths(*tokenizer));
  auto initial = model::allocate_flat(model::ParameterLayout(config).size());
  model::initialize(config, static_cast<uint64_t>(given.seed), initial);

  RangeWatch watch(given);
  train::TrainerOptions t;
  t.stage = "base";
  t.folder = work;
  t.config = config;
  t.compute = compute.options;
  t.max_steps = given.base_steps;
  t.grad_accum_steps = given.base_grad_accum_steps;
  t.learning_rate = {.peak = given.max_lr, .max_steps = given.base_steps, .decay = "exponential_rise", .min_ratio = given.min_lr / given.max_lr};
  t.optimizer = {.name = given.base_optimizer, .beta1 = given.base_beta1, .beta2 = given.base_beta2, .muon_rate_ratio = given.base_muon_learning_rate / given.max_lr};
  t.weight_decay = given.base_weight_decay;
  t.grad_clip = given.base_grad_clip;
  t.checkpoint_minutes = 0;
  t.fingerprint = "lr-range";
  t.stop_when = [&] { return watch.diverged; };
  train::clear_stage(files, work);  // a range test is short: it starts anew
  train::train(files, t, initial, data.source, *validator, watch);
  train::clear_stage(files, work);

  Json report{{"config", lr_range_options().to_json(given)}, {"summary", lr_range_summary(watch.rows, given.base_steps, given.min_lr, watch.diverged)},
              {"rows", rows_json(watch.rows)}};
  base::write_file(files, dir / "lr_range.json", base::dump(report) + "\n");
  base::write_file(files, dir / "lr_range.md", markdown(report));
  base::CommandOutput output;
  output.json = report;
  const Json& summary = report.at("summary");
  output.text = cat("recommended_lr: ", summary.at("recommended_lr").get<double>(), "\nsafe_lr_ceiling: ", summary.at("safe_lr_ceiling").get<double>(), "\nstop_reason: ",
                    summary.at("stop_reason").get<std::string>(), "\nreport: ", (dir / "lr_range.md").string(), "\n");
  return output;
}

}  // namespace picochat::factory
