// A run of the loop that takes a second: a small model, windows of a small corpus, a recorder of what the loop tells.
#pragma once

#include <csignal>

#include "fixture.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/train/trainer.hpp"
#include "picochat/train/window_source.hpp"
#include "support/modern_model.hpp"

namespace picochat::train::testing {

inline model::Config small_config() { return test::modern_model(static_cast<int64_t>(byte_tokenizer()->vocab_size()), 32, 32); }

// Records events; optionally raises a signal after a step.
class Recorder final : public TrainObserver {
 public:
  void event(const base::Json& event) override {
    base::Json kept = event;
    kept.erase("timing");
    if (event.at("event") == "step" && event.at("step") == signal_after) std::raise(SIGTERM);
    events.push_back(kept);
  }
  void rewound(int64_t step) override {
    std::erase_if(events, [&](const base::Json& e) { return e.at("step").get<int64_t>() > step; });
  }
  void progress(int64_t, const base::Json&, double, const std::string& status) override { last_status = status; }
  std::vector<base::Json> events;
  std::string last_status;
  int64_t signal_after = -1;
};

struct World {
  TemporaryFolder folder;
  std::shared_ptr<const TokenShards> shards = build_shards(folder.path() / "shards", some_documents(40));
  Split split = split_tokens(shards, 1500, 32);
  model::Config config = small_config();
  at::Tensor initial = model::allocate_flat(model::ParameterLayout(config).size());
  WindowSource source{split.train, {.context_size = 32, .batch_size = 4, .grad_accum_steps = 2, .seed = 1}};
  std::unique_ptr<Validator> validator = window_validator(split.validation, 32, 4, false, byte_lengths(*byte_tokenizer()));
  World() {
    base::install_signal_handlers();
    base::clear_pending_signal();
    model::initialize(config, 1, initial);
  }
  TrainerOptions options(const std::string& name, int64_t steps = 12) const {
    TrainerOptions o;
    o.stage = "base";
    o.folder = folder.path() / name;
    o.config = config;
    o.max_steps = steps;
    o.grad_accum_steps = 2;
    o.learning_rate = {.peak = 3e-3, .warmup_steps = 2, .max_steps = steps, .decay = "cosine", .min_ratio = 0.1};
    o.grad_clip = 1;
    o.eval_every = 4;
    o.checkpoint_minutes = 0;
    o.fingerprint = "test";
    return o;
  }
  TrainResult run(const TrainerOptions& o, Recorder& recorder) { return train(base::real_file_system(), o, initial, source, *validator, recorder); }
};

}  // namespace picochat::train::testing
