#include "picochat/gate/budget.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "gate/good_facts.hpp"
#include "picochat/gate/interval.hpp"

namespace picochat::gate {
namespace {

TEST(Budget, FiguresOfThePublicPreset) {
  const Budget b = compute_budget(resolved("h100-100m").options, {});
  EXPECT_EQ(b.base_effective_batch_size, 128);
  EXPECT_EQ(b.base_effective_tokens_per_step, 65'536);
  EXPECT_EQ(b.base_planned_tokens, 2'162'688'000);
  EXPECT_EQ(b.target_training_tokens, 2'139'397'120);
  EXPECT_NEAR(b.planned_to_target_ratio, 1.011, 0.0005);
  EXPECT_EQ(b.recommended_base_steps, 32'645);
  EXPECT_DOUBLE_EQ(b.base_lr_sqrt_scale, 4);
  EXPECT_DOUBLE_EQ(b.base_effective_learning_rate, 2e-4);
  EXPECT_DOUBLE_EQ(b.sft_effective_learning_rate, 2e-5);
  EXPECT_TRUE(b.long_run);
  EXPECT_EQ(validation_interval(33'000), 1375);
}

TEST(Budget, EightRanks) {
  const Budget b = compute_budget(resolved("h100-100m-ddp8").options, {});
  EXPECT_EQ(b.ddp_world_size, 8);
  EXPECT_EQ(b.base_effective_batch_size, 1024);
  EXPECT_EQ(b.base_planned_tokens, 2'149'580'800);
  EXPECT_EQ(b.recommended_base_steps, 4081);
}

TEST(Budget, CountedTokensBeatSampledBeatEstimated) {
  RunOptions o;
  o.tokenizer_vocab_size = 8192;
  const BudgetInputs text{.documents = 10, .characters = 1'000'000};
  Budget b = compute_budget(o, text);
  EXPECT_EQ(b.estimated_corpus_tokens, 280'020);
  EXPECT_EQ(b.corpus_tokens_source, "estimated");
  BudgetInputs sampled = text;
  sampled.tokens_per_character = 0.25;
  EXPECT_EQ(compute_budget(o, sampled).estimated_corpus_tokens, 250'020);
  EXPECT_EQ(compute_budget(o, sampled).corpus_tokens_source, "sampled");
  BudgetInputs counted = sampled;
  counted.corpus_tokens = 260'000;
  b = compute_budget(o, counted);
  EXPECT_EQ(b.estimated_corpus_tokens, 260'000);
  EXPECT_EQ(b.corpus_tokens_source, "measured");
  EXPECT_DOUBLE_EQ(*b.estimated_base_epochs, 300.0 * 8 * 128 / 260'000);
  EXPECT_EQ(to_json(compute_budget(o, {})).at("estimated_corpus_tokens"), nullptr);  // not 0
  EXPECT_EQ(compute_budget(o, {}).corpus_tokens_source, "unknown");
}

TEST(Budget, RulesOfThumbByVocabulary) {
  RunOptions o;
  const BudgetInputs text{.documents = 0, .characters = 1000};
  auto tokens = [&](const char* type, std::optional<int64_t> vocab) {
    o.tokenizer_type = type;
    o.tokenizer_vocab_size = vocab;
    return *compute_budget(o, text).estimated_corpus_tokens;
  };
  EXPECT_EQ(tokens("char", {}), 1000);
  EXPECT_EQ(tokens("byte", {}), 1000);
  EXPECT_EQ(tokens("bpe", 511), 600);
  EXPECT_EQ(tokens("bpe", {}), 450);
  EXPECT_EQ(tokens("bpe", 1024), 350);
  EXPECT_EQ(tokens("hf_bpe", 2048), 280);
}

TEST(Budget, PackedSftCountsRowsNotSequences) {
  RunOptions o;
  o.context_size = 512;
  o.sft_steps = 10;
  o.sft_batch_size = 8;
  const BudgetInputs rows{.sft_rows = 400, .sft_sequences = 80, .average_chat_characters = 200};
  EXPECT_DOUBLE_EQ(*compute_budget(o, rows).estimated_sft_example_epochs, 0.2);
  o.sft_packing = "bos_bestfit";
  EXPECT_DOUBLE_EQ(*compute_budget(o, rows).estimated_sft_example_epochs, 1.0);
  BudgetInputs estimated = rows;
  estimated.sft_sequences.reset();
  EXPECT_NEAR(compute_budget(o, estimated).sft_rows_per_sequence, 0.95 * 512 / (200 * 0.45 + 6), 1e-9);
}

TEST(Budget, LongRunsAreLongOrLarge) {
  RunOptions o;
  EXPECT_FALSE(compute_budget(o, {}).long_run);
  o.base_steps = 5000;
  EXPECT_TRUE(compute_budget(o, {}).long_run);
  o.base_steps = 4999;
  EXPECT_FALSE(compute_budget(o, {}).long_run);
  o.n_embd = 256;
  EXPECT_TRUE(compute_budget(o, {}).long_run);
}

TEST(Resources, MemoryGrowsWithBatchAndShrinksWithCheckpointing) {
  RunOptions o = resolved("h100-100m").options;
  const ModelConfig c = model_config(o, 8192);
  const MemoryEstimate small = estimate_memory(o, c, "cuda");
  EXPECT_EQ(small.optimizer_bytes, c.parameter_count() * 8);  // two moments; the snapshot for a rollback lies in the host's memory
  EXPECT_EQ(estimate_memory(o, c, "cpu").optimizer_bytes, c.parameter_count() * 20);
  o.gradient_checkpointing = true;
  EXPECT_LT(estimate_memory(o, c, "cuda").activations_bytes, small.activations_bytes);
  o.gradient_checkpointing = false;
  o.base_batch_size = 16;
  EXPECT_GT(estimate_memory(o, c, "cuda").total(), small.total());
}

TEST(Resources, PeaksByName) {
  EXPECT_EQ(peak_flops("NVIDIA H100 80GB HBM3"), 989e12);
  EXPECT_EQ(peak_flops("NVIDIA H100 PCIe"), 756e12);
  EXPECT_EQ(peak_flops("NVIDIA H200"), 989e12);
  EXPECT_EQ(peak_flops("NVIDIA A100-SXM4-80GB"), 312e12);
  EXPECT_FALSE(peak_flops("Tesla T4"));
}

TEST(Wilson, KnownValuesAndEnds) {
  // Newcombe 1998, table I: 81/263 and 0/20.
  Interval i = wilson_interval(81, 263);
  EXPECT_NEAR(i.low, 0.2553, 5e-5);
  EXPECT_NEAR(i.high, 0.3662, 5e-5);
  i = wilson_interval(0, 20);
  EXPECT_EQ(i.low, 0);
  EXPECT_NEAR(i.high, 0.1611, 5e-5);
  i = wilson_interval(29, 29);
  EXPECT_EQ(i.high, 1);
  EXPECT_LT(i.low, 0.9);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
  EXPECT_TRUE(interval_json(0, 0).is_null());
}

}  // namespace
}  // namespace picochat::gate
