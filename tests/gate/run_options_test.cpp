#include "picochat/gate/run_options.hpp"

#include <gmock/gmock.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/budget.hpp"

namespace picochat::gate {
namespace {

using base::Json;
using ::testing::HasSubstr;

Json with(Json flags) {
  if (!flags.contains("out_dir")) flags["out_dir"] = "runs/x";
  return flags;
}

// Runs `flags` and returns the error; fails the test when there is none.
base::Error refusal(const Json& flags, const ResolveContext& context = {}) {
  try {
    resolve_run_options(with(flags), context);
  } catch (const base::Error& error) {
    return error;
  }
  ADD_FAILURE() << "accepted: " << flags.dump();
  return base::internal_error("accepted");
}

TEST(RunOptions, FlagBeatsPresetBeatsDefault) {
  const auto run = resolve_run_options(with({{"scale", "pico"}, {"base_steps", 7}}));
  EXPECT_EQ(run.options.base_steps, 7);
  EXPECT_EQ(run.options.n_embd, 96);
  EXPECT_EQ(run.options.seed, 42);
  EXPECT_EQ(run.source.at("base_steps"), OptionSource::kFlag);
  EXPECT_EQ(run.source.at("n_embd"), OptionSource::kPreset);
  EXPECT_EQ(run.source.at("seed"), OptionSource::kDefault);
  const Json record = provenance_json(run);
  EXPECT_EQ(record.at("base_steps").at("source"), "flag");
  EXPECT_EQ(record.at("n_embd").at("value"), 96);
}

TEST(RunOptions, EveryBooleanOfAPresetCanBeSwitchedOff) {
  const auto run = resolve_run_options(with({{"scale", "h100-100m"}, {"torch_compile", false}, {"tie_embeddings", false}, {"loss_spike_rollback", false}}));
  EXPECT_FALSE(run.options.torch_compile);
  EXPECT_FALSE(run.options.tie_embeddings);
  EXPECT_FALSE(run.options.loss_spike_rollback);
  EXPECT_TRUE(run.options.qk_norm);
}

TEST(RunOptions, RecordedFlagsResolveToTheSameOptions) {
  const auto run = resolve_run_options(with({{"scale", "tiny-cpu"}, {"external_eval", {"arc=a.jsonl", "b.jsonl"}}, {"gpu_hourly_usd", 2.5}}));
  RunOptions again;
  run_options().merge(again, run_options().to_json(run.options), "record");
  EXPECT_EQ(run_options().to_json(again), run_options().to_json(run.options));
}

TEST(RunOptions, EveryFlagOfTheReferenceIsThere) {
  for (const char* name :
       {"out-dir", "tensorboard-log-dir", "scale", "dataset-pack", "corpus-input", "corpus-recipe", "chat-input", "eval-input", "external-eval",
        "external-eval-format", "external-eval-max-rows", "external-eval-shuffle", "external-eval-max-new-tokens", "context-size", "n-embd", "n-head",
        "n-kv-head", "n-layer", "dropout", "norm-type", "position-encoding", "activation", "tie-embeddings", "qk-norm", "xsa-last-n", "linear-bias",
        "parallel-residual", "scaled-residual-init", "attn-backend", "base-steps", "sft-steps", "base-batch-size", "sft-batch-size",
        "base-learning-rate", "sft-learning-rate", "base-early-stop-patience", "sft-early-stop-patience", "early-stop-min-delta", "base-max-minutes",
        "sft-max-minutes", "canary-count", "seed", "n-seeds", "device", "eval-max-new-tokens", "tokenizer-type", "tokenizer-vocab-size",
        "tokenizer-min-freq", "bpe-pretokenizer", "base-lr-warmup-steps", "sft-lr-warmup-steps", "base-lr-decay", "sft-lr-decay", "base-min-lr-ratio",
        "sft-min-lr-ratio", "base-grad-clip", "sft-grad-clip", "base-grad-accum-steps", "sft-grad-accum-steps", "base-optimizer", "sft-optimizer",
        "base-weight-decay", "sft-weight-decay", "base-weight-decay-decay", "sft-weight-decay-decay", "base-muon-learning-rate",
        "sft-muon-learning-rate", "base-muon-momentum-schedule", "sft-muon-momentum-schedule", "base-ema-decay", "sft-ema-decay",
        "target-param-data-ratio", "auto-lr-scaling", "loss-spike-rollback", "loss-spike-threshold", "loss-spike-lr-decay", "loss-spike-min-lr-scale",
        "loss-spike-snapshot-every", "logit-softcap", "precision", "matmul-precision", "torch-compile", "torch-compile-mode", "gradient-checkpointing",
        "ddp", "ddp-world-size", "sft-sampling", "sft-packing", "sft-fit-max-rows", "sft-peft", "sft-lora-rank", "sft-lora-alpha", "sft-lora-dropout",
        "sft-lora-targets", "dpo-input", "dpo-steps", "dpo-batch-size", "dpo-learning-rate", "dpo-beta", "dpo-grad-accum-steps", "dpo-lr-warmup-steps",
        "dpo-lr-decay", "dpo-min-lr-ratio", "dpo-grad-clip", "dpo-early-stop-patience", "dpo-early-stop-min-delta", "dpo-eval-batches",
        "dpo-max-minutes", "dpo-length-normalize", "base-resume-from", "sft-resume-from", "min-score", "split-mode", "base-dataset-mode",
        "base-shard-token-size", "base-shard-cache-size", "allow-leaky-eval", "allow-default-tuning-data", "allow-unsafe-long-run",
        "long-run-gate-profile", "preflight-only"}) {
    const auto* field = run_options().find(base::replace_all(name, "-", "_"));
    ASSERT_NE(field, nullptr) << name;
    EXPECT_EQ(field->flag(), base::cat("--", name));
    EXPECT_TRUE(field->hidden || !field->help.empty()) << name;
  }
  EXPECT_EQ(run_options().find("dataset_pack")->aliases, std::vector<std::string>{"--pack"});
  EXPECT_EQ(run_options().find("torch_compile")->aliases, std::vector<std::string>{"--compile"});
}

TEST(RunOptions, DefaultsPassTheirOwnBounds) {
  const RunOptions plain;
  for (const auto& field : run_options().fields()) EXPECT_NO_THROW(base::check_option(field, field.value(&plain), "default")) << field.name;
}

TEST(RunOptions, RefusedVocabularyPointsElsewhere) {
  const std::pair<Json, const char*> cases[] = {{{{"device", "mps"}}, "--device cpu"},
                                                {{{"activation", "leaky_relu2"}}, "relu2"},
                                                {{{"xsa_last_n", 2}}, "leave the flag out"}};
  for (const auto& [flags, pointer] : cases) {
    const auto error = refusal(flags);
    EXPECT_EQ(error.code(), base::ExitCode::kUsage) << flags.dump();
    EXPECT_THAT(error.details().remedy, HasSubstr(pointer));
    EXPECT_THAT(error.details().what, HasSubstr("not built"));
  }
  EXPECT_NO_THROW(resolve_run_options(with({{"xsa_last_n", 0}})));
}

TEST(RunOptions, BoundsAndChoices) {
  for (const Json& flags : {Json{{"loss_spike_threshold", 1.0}}, Json{{"loss_spike_lr_decay", 0.0}}, Json{{"loss_spike_lr_decay", 1.1}}, Json{{"n_seeds", 0}},
                            Json{{"min_score", 101}}, Json{{"base_min_lr_ratio", -0.1}}, Json{{"base_learning_rate", 0.0}}, Json{{"base_ema_decay", 1.0}},
                            Json{{"long_run_gate_profile", "tiny"}}, Json{{"attn_backend", "xformers"}}, Json{{"base_steps", 1.5}}, Json{{"ddp", "yes"}}})
    EXPECT_EQ(refusal(flags).code(), base::ExitCode::kUsage) << flags.dump();
}

TEST(RunOptions, CombinationsThatCannotBeMeant) {
  for (const Json& flags : {Json{{"dataset_pack", "p.json"}, {"corpus_input", "t.txt"}}, Json{{"dataset_pack", "p.json"}, {"eval_input", "e.jsonl"}},
                            Json{{"corpus_input", "a"}, {"corpus_recipe", "b"}}, Json{{"sft_resume_from", "x"}}, Json{{"dpo_input", "x"}}, Json{{"dpo_steps", 3}},
                            Json{{"device", "cpu"}, {"precision", "fp16"}}, Json{{"n_embd", 10}, {"n_head", 4}}, Json{{"n_head", 4}, {"n_kv_head", 3}},
                            Json{{"sft_lora_targets", "attn_qkv,mlp"}}, Json{{"sft_lora_rank", 4}}, Json{{"sft_peft", "none"}, {"sft_lora_alpha", 8.0}}, Json{{"corpus_input", ""}}, Json{{"ddp", false}, {"ddp_world_size", 8}}}) {
    const auto error = refusal(flags);
    EXPECT_EQ(error.code(), base::ExitCode::kUsage) << flags.dump();
    EXPECT_FALSE(error.details().remedy.empty()) << flags.dump();
  }
  EXPECT_THAT(refusal({{"scale", "h100-100"}}).details().remedy, HasSubstr("h100-100m"));
  EXPECT_THAT(refusal({{"base_step", 3}}).details().remedy, HasSubstr("base_steps"));
  EXPECT_THROW(resolve_run_options(Json::object()), base::Error);  // --out-dir is missing
}

TEST(RunOptions, SequencesPerStepStayFixed) {
  auto accumulation = [](Json flags, ResolveContext context = {}) {
    return resolve_run_options(with(std::move(flags)), context).options.base_grad_accum_steps;
  };
  EXPECT_EQ(accumulation({{"scale", "h100-100m"}}), 16);
  EXPECT_EQ(accumulation({{"scale", "h100-100m"}, {"base_batch_size", 32}}), 4);
  EXPECT_EQ(accumulation({{"scale", "h100-100m"}, {"ddp", true}, {"ddp_world_size", 4}}), 4);
  EXPECT_EQ(accumulation({{"scale", "h100-100m-ddp8"}}, {.world_size = 4}), 32);
  EXPECT_THAT(refusal({{"scale", "h100-100m"}, {"base_batch_size", 24}}).details().where, HasSubstr("--base-batch-size"));

  // Set by hand, the accumulation wins over the preset's wish, not over the user's own.
  const auto run = resolve_run_options(with({{"scale", "h100-100m"}, {"base_grad_accum_steps", 3}}));
  EXPECT_EQ(run.options.base_grad_accum_steps, 3);
  EXPECT_FALSE(run.options.base_sequences_per_step);
  EXPECT_EQ(refusal({{"base_sequences_per_step", 64}, {"base_batch_size", 8}, {"base_grad_accum_steps", 3}}).code(), base::ExitCode::kUsage);
}

TEST(RunOptions, LaunchersImplyDdp) {
  const auto run = resolve_run_options(with({{"scale", "h100-pilot"}, {"loss_spike_rollback", false}}), {.world_size = 2});
  EXPECT_TRUE(run.options.ddp);
  EXPECT_EQ(planned_world_size(run.options), 2);
  EXPECT_EQ(run.source.at("ddp"), OptionSource::kEnvironment);
  EXPECT_EQ(refusal({{"ddp", false}}, {.world_size = 2}).code(), base::ExitCode::kUsage);
  EXPECT_TRUE(resolve_run_options(with({{"ddp_world_size", 4}})).options.ddp);
  EXPECT_EQ(planned_world_size(resolve_run_options(with({{"scale", "h100-100m-ddp8"}, {"ddp", false}, {"base_batch_size", 8}})).options), 1);
}

TEST(RunOptions, ModelConfigFollowsTheOptions) {
  const auto run = resolve_run_options(with({{"scale", "tiny-cpu"}}));
  const ModelConfig config = model_config(run.options, 1024);
  EXPECT_EQ(config.n_kv_head, 2);
  EXPECT_EQ(config.activation, Activation::kSwiglu);
  EXPECT_EQ(config.position_encoding, PositionEncoding::kRope);
  EXPECT_TRUE(config.tie_embeddings);
  RunOptions plain;
  EXPECT_EQ(model_config(plain, 64).n_kv_head, plain.n_head);
}

}  // namespace
}  // namespace picochat::gate
