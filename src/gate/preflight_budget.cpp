// Tokens planned against tokens needed and tokens there, and whether the learning rates fit the batch.
#include <cmath>

#include "gate/preflight_sheet.hpp"

namespace picochat::gate {

using base::cat;
using base::fixed;
using base::grouped;

namespace {

constexpr const char* kBudget = "Base budget";

std::string epochs_text(double epochs) { return cat(fixed(epochs, 2), " epochs"); }

// The point estimate decides; a limit that the interval of a sample does not exclude is said.
std::string limits_inside(const Budget& b, double wanted_tokens, std::initializer_list<double> limits) {
  if (!b.corpus_tokens_margin || *b.corpus_tokens_margin <= 0) return {};
  const double low = wanted_tokens / static_cast<double>(*b.estimated_corpus_tokens + *b.corpus_tokens_margin);
  const double high = wanted_tokens / std::max(1.0, static_cast<double>(*b.estimated_corpus_tokens - *b.corpus_tokens_margin));
  std::string out;
  for (const double limit : limits)
    if (low < limit && limit < high) out += cat("; the limit of ", limit, " epochs lies inside the sample's interval (", fixed(low, 2), " to ", fixed(high, 2), ")");
  return out;
}

void check_horizon(Sheet& s) {
  const Budget& b = s.budget;
  const double ratio = b.planned_to_target_ratio;
  s.add(kBudget, "compute_optimal_horizon", s.quality(ratio > 3, ratio < 0.5 || ratio > 1.5), cat(fixed(ratio, 3), "x target"),
        "warn < 0.50 or > 1.50, block a release > 3.00",
        cat(grouped(b.base_planned_tokens), " planned, ", grouped(b.target_training_tokens), " wanted (", fixed(b.target_param_data_ratio, 1),
            " per parameter)"),
        cat("use --base-steps ", b.recommended_base_steps, ", or say what you aim at with --target-param-data-ratio"));
  if (!s.release()) return;
  const bool enough = s.options.target_param_data_ratio >= 20 && ratio >= 0.90;
  s.add(kBudget, "release_token_budget", s.block_if(!enough),
        cat("ratio ", fixed(s.options.target_param_data_ratio, 1), ", planned ", fixed(ratio, 3), "x target"),
        "ratio >= 20.0 and planned >= 0.90x target", "a release trains on at least 20 tokens per parameter",
        cat("use --target-param-data-ratio 20 and --base-steps ", b.recommended_base_steps, ", or --long-run-gate-profile research for a trial"));
}

void check_exposure(Sheet& s) {
  const Budget& b = s.budget;
  const char* more = "import more documents, or choose a smaller --scale";
  const std::string fit_rule = "warn > 12 epochs, block a release > 30", base_rule = "warn > 12 epochs (or < 0.25 on a long or release run), block a release > 30";
  if (!b.estimated_corpus_tokens) {
    s.not_measured(kBudget, "corpus_model_fit", fit_rule, "the size of the corpus is not known", "scan the corpus");
    s.not_measured(kBudget, "base_exposure", base_rule, "the size of the corpus is not known", "scan the corpus");
    return;
  }
  if (*b.estimated_corpus_tokens == 0) {
    s.add(kBudget, "corpus_model_fit", CheckStatus::kBlock, "0 tokens", fit_rule, "there is nothing to train on", more);
    s.add(kBudget, "base_exposure", CheckStatus::kBlock, "0 tokens", base_rule, "there is nothing to train on", more);
    return;
  }
  const double target = *b.target_training_epochs, planned = *b.estimated_base_epochs;
  s.add(kBudget, "corpus_model_fit", s.quality(target > 30, target > 12), epochs_text(target), fit_rule,
        cat(grouped(*b.estimated_corpus_tokens), " tokens (", b.corpus_tokens_source, ") for a target of ", grouped(b.target_training_tokens), limits_inside(b, static_cast<double>(b.target_training_tokens), {12, 30})), more);
  const bool sliver = s.scrutinised() && planned < 0.25;
  s.add(kBudget, "base_exposure", s.quality(planned > 30, planned > 12 || sliver), epochs_text(planned), base_rule,
        cat(sliver ? "most of the corpus is never seen" : "how often the plan sees the corpus", limits_inside(b, static_cast<double>(b.base_planned_tokens), {12, 30})),
        sliver ? "plan more steps, or import fewer documents" : more);
}

// A learning rate belongs to a batch. Judged against the pair that the preset (or the built-in
// default) intends: another batch with the same rate is worth a look, the pair itself is not.
void batch_scaling(Sheet& s, const char* group, const char* name, int64_t batch, int64_t intended_batch, double rate, double intended_rate,
                   const char* flag) {
  const double change = static_cast<double>(batch) / static_cast<double>(intended_batch);
  const bool moved = !s.options.auto_lr_scaling && std::abs(rate - intended_rate) <= 1e-12 * intended_rate && (change > 2 || change < 0.5);
  s.add(group, name, s.warn_if(moved), s.options.auto_lr_scaling ? "scaled by sqrt(batch / 8)" : cat(batch, " sequences, intended ", intended_batch),
        "warn: the batch changed more than 2x and the learning rate did not", "the learning rate against the effective batch",
        cat("use ", flag, " ", rate * std::sqrt(change), ", or --auto-lr-scaling"));
}

void check_rates(Sheet& s) {
  const RunOptions& o = s.options;
  const Budget& b = s.budget;
  s.add(kBudget, "effective_batch", s.warn_if(b.base_effective_batch_size < 8), cat(b.base_effective_batch_size, " sequences"), "warn < 8",
        "sequences per optimizer step", "raise --base-grad-accum-steps");
  s.add(kBudget, "base_lr", o.base_learning_rate <= 0 ? CheckStatus::kBlock : s.warn_if(o.base_learning_rate > 0.003), cat(o.base_learning_rate),
        "block <= 0, warn > 0.003", "peak learning rate of base training", "lower --base-learning-rate");
  if (o.auto_lr_scaling) {
    const double rate = b.base_effective_learning_rate;
    s.add(kBudget, "base_effective_lr", rate <= 0 ? CheckStatus::kBlock : s.warn_if(rate > 0.003 || (s.scrutinised() && rate > 0.001)), cat(rate),
          "block <= 0, warn > 0.003 (> 0.001 on a long or release run)", cat("after scaling by ", fixed(b.base_lr_sqrt_scale, 3)), "lower --base-learning-rate");
  }
  const PresetIntent intent = s.facts.intent.value_or(PresetIntent{.base_effective_batch = 8, .sft_effective_batch = 7, .world_size = 1,
                                                                   .base_learning_rate = RunOptions{}.base_learning_rate,
                                                                   .sft_learning_rate = RunOptions{}.sft_learning_rate});
  batch_scaling(s, kBudget, "lr_batch_scaling", b.base_effective_batch_size, intent.base_effective_batch, o.base_learning_rate,
                intent.base_learning_rate, "--base-learning-rate");
  batch_scaling(s, "SFT", "sft_lr_batch_scaling", b.sft_effective_batch_size, intent.sft_effective_batch, o.sft_learning_rate,
                intent.sft_learning_rate, "--sft-learning-rate");
  if (o.auto_lr_scaling && b.ddp_world_size > 1) {
    const bool moved = b.base_effective_batch_size != intent.base_effective_batch || b.sft_effective_batch_size != intent.sft_effective_batch;
    s.add(kBudget, "ddp_auto_lr_scaling", s.warn_if(moved), cat(b.ddp_world_size, " ranks, x", fixed(b.base_lr_sqrt_scale, 3)),
          "warn: the ranks change the batch, and with it the learning rate", "learning rates follow the number of ranks",
          "fix the batch with --base-sequences-per-step, or set the rates and --no-auto-lr-scaling");
  }
}

}  // namespace

void check_budget(Sheet& s) {
  const RunOptions& o = s.options;
  check_horizon(s);
  check_exposure(s);
  check_rates(s);
  s.add(kBudget, "residual_init_scale", s.warn_if(o.n_layer >= 16 && o.initializer_range >= 0.02 && !o.scaled_residual_init),
        cat(o.n_layer, " layers, std ", o.initializer_range, o.scaled_residual_init ? ", scaled" : ""),
        "warn: 16 layers or more at std >= 0.02 without scaling", "the residual stream grows with depth", "add --scaled-residual-init");
  const char* rule = "rows stay documents; blobs of several rows warn, and block a release";
  if (!s.facts.corpus) {
    s.not_measured(kBudget, "document_boundaries", rule, "the corpus was not scanned", "scan the corpus");
  } else if (s.facts.corpus->documents > 1) {
    const bool rows = s.facts.corpus->documents_are_rows;
    s.add(kBudget, "document_boundaries", s.quality(!rows, false), rows ? "kept" : "lost", rule,
          rows ? "every document starts with <bos> and ends with <eos>" : "several rows were joined into one document",
          "import again: rows are kept apart");
  } else if (s.scrutinised()) {
    s.add(kBudget, "document_boundaries", s.warn_if(true), "1 document", rule, "one document has no boundaries to learn from",
          "split the text into documents (one per row or file)");
  }
}

}  // namespace picochat::gate
