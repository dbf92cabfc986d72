// What the stages of training have in common: from options to the trainer, from its results to a report.
#pragma once

#include "picochat/eval/generation.hpp"
#include "picochat/evidence/train_report.hpp"
#include "stage_training.hpp"

namespace picochat::factory {

// The options that every stage has under a name of its own.
struct StageOptions {
  int64_t steps, batch, accum, warmup, patience;
  double rate, min_ratio, clip, weight_decay, beta1, beta2, muon_rate, ema;
  std::optional<double> max_minutes;
  std::string decay, optimizer, weight_decay_decay, muon_momentum;
};

train::TrainerOptions trainer_options(const StageTraining& s, const std::string& stage, const StageOptions& o, const model::Config& config);
// Trains low-rank adapters where the options say so.
void add_lora(const StageTraining& s, const train::LoadedCheckpoint& start, train::TrainerOptions& t);

// Tells the other ranks to train along; `inputs`: what they cannot know from their command line. Paths are as rank 0 has them: all ranks see one file system.
void order_training(const StageTraining& s, const char* what, const Json& inputs);

Json checkpoint_reference(const StageTraining& s, const Path& path);
evidence::TrainFacts train_facts(const StageTraining& s, const std::string& stage, const StageOptions& o, const train::TrainerOptions& t, const train::TrainResult& result);
Json publish_report(const StageTraining& s, const std::string& name, const evidence::TrainFacts& facts, const train::TrainResult& result);
eval::LanguageModel selected_model(const StageTraining& s);

void train_dpo_as_rank(StageTraining& s, const Json& order);

}  // namespace picochat::factory
