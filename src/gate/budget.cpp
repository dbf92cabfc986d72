#include "picochat/gate/budget.hpp"

#include <algorithm>
#include <cmath>

#include "picochat/base/text.hpp"

namespace picochat::gate {

using base::cat;
using base::Json;

namespace {

constexpr int64_t kLongRunSteps = 5000, kLongRunParameters = 1'000'000;
constexpr double kBestFitFill = 0.95;  // share of a packed row that best-fit packing fills
constexpr double kTwoSided95 = 1.96;
constexpr double kTurnTokens = 6;      // <bos>, two role tokens, two <|end|>, <eos> of a single-turn row

// English text under byte-level BPE of this vocabulary, until a tokenizer measures it.
double tokens_per_character(const RunOptions& options, int64_t vocab_size) {
  if (options.tokenizer_type == "char" || options.tokenizer_type == "byte") return 1;
  return vocab_size >= 2048 ? 0.28 : vocab_size >= 1024 ? 0.35 : vocab_size >= 512 ? 0.45 : 0.60;
}

void count_corpus_tokens(Budget& b, const RunOptions& options, const BudgetInputs& in) {
  if (in.corpus_tokens) {
    b.estimated_corpus_tokens = in.corpus_tokens;
    b.corpus_tokens_source = "measured";
    b.corpus_token_note = "corpus tokens: measured (counted with the run's tokenizer)";
    return;
  }
  if (!in.characters) {
    b.corpus_tokens_source = "unknown";
    b.corpus_token_note = "corpus tokens: not measured";
    return;
  }
  const double rate = in.tokens_per_character.value_or(tokens_per_character(options, b.vocab_size));
  const int64_t boundaries = 2 * in.documents.value_or(0);  // <bos> and <eos>
  b.estimated_corpus_tokens = *in.characters == 0 ? 0 : static_cast<int64_t>(static_cast<double>(*in.characters) * rate) + boundaries;
  b.corpus_tokens_source = in.tokens_per_character ? "sampled" : "estimated";
  std::string margin;
  if (in.tokens_per_character && in.tokens_per_character_stderr) {
    b.corpus_tokens_margin = static_cast<int64_t>(kTwoSided95 * *in.tokens_per_character_stderr * static_cast<double>(*in.characters));
    margin = cat(" +- ", base::fixed(100 * kTwoSided95 * *in.tokens_per_character_stderr / rate, 2), "%");
  }
  b.corpus_token_note = in.tokens_per_character
      ? cat("corpus tokens: estimated from a sample (", base::fixed(rate, 4), " tokens per character", margin, ")")
      : cat("corpus tokens: estimated (", base::fixed(rate, 2), " tokens per character is a rule of thumb for this vocabulary)");
}

double rows_per_sequence(const RunOptions& options, const Budget& b, const BudgetInputs& in) {
  if (options.sft_packing != "bos_bestfit") return 1;
  if (in.sft_rows && in.sft_sequences && *in.sft_sequences > 0)
    return static_cast<double>(*in.sft_rows) / static_cast<double>(*in.sft_sequences);
  if (!in.average_chat_characters) return 1;
  const double rate = in.tokens_per_character.value_or(tokens_per_character(options, b.vocab_size));
  const double row_tokens = *in.average_chat_characters * rate + kTurnTokens;
  return std::max(1.0, kBestFitFill * static_cast<double>(options.context_size) / row_tokens);
}

std::optional<double> ratio(std::optional<int64_t> over, double of) {
  if (!over || *over <= 0) return {};
  return of / static_cast<double>(*over);
}

template <typename T>
Json nullable(const std::optional<T>& value) { return value ? Json(*value) : Json(nullptr); }

}  // namespace

int64_t estimated_vocab_size(const RunOptions& options) {
  if (options.tokenizer_type == "byte") return 264;  // 256 bytes and eight special tokens
  if (options.tokenizer_vocab_size) return *options.tokenizer_vocab_size;
  return 512;
}

int64_t planned_world_size(const RunOptions& options) { return options.ddp ? std::max<int64_t>(1, options.ddp_world_size) : 1; }

int64_t validation_interval(int64_t steps) { return std::max<int64_t>(1, steps / 24); }

Budget compute_budget(const RunOptions& o, const BudgetInputs& in) {
  Budget b;
  b.vocab_size = in.vocab_size.value_or(estimated_vocab_size(o));
  const ModelConfig config = model_config(o, b.vocab_size);
  b.estimated_parameters = config.parameter_count();
  b.flops_per_token = config.flops_per_token();
  count_corpus_tokens(b, o, in);

  const double parameters = static_cast<double>(b.estimated_parameters);
  b.ddp_world_size = planned_world_size(o);
  b.base_effective_batch_size = o.base_batch_size * o.base_grad_accum_steps * b.ddp_world_size;
  b.sft_effective_batch_size = o.sft_batch_size * o.sft_grad_accum_steps * b.ddp_world_size;
  b.base_effective_tokens_per_step = b.base_effective_batch_size * o.context_size;
  b.base_planned_tokens = o.base_steps * b.base_effective_tokens_per_step;
  b.planned_flops = b.flops_per_token * static_cast<double>(b.base_planned_tokens);
  b.target_param_data_ratio = std::max(1.0, o.target_param_data_ratio);
  b.target_training_tokens = std::llround(parameters * b.target_param_data_ratio);
  b.recommended_base_steps = (b.target_training_tokens + b.base_effective_tokens_per_step - 1) / b.base_effective_tokens_per_step;
  b.recommended_base_tokens = b.recommended_base_steps * b.base_effective_tokens_per_step;
  b.planned_to_target_ratio = static_cast<double>(b.base_planned_tokens) / static_cast<double>(b.target_training_tokens);

  b.target_training_epochs = ratio(b.estimated_corpus_tokens, static_cast<double>(b.target_training_tokens));
  b.recommended_base_epochs = ratio(b.estimated_corpus_tokens, static_cast<double>(b.recommended_base_tokens));
  b.estimated_base_epochs = ratio(b.estimated_corpus_tokens, static_cast<double>(b.base_planned_tokens));
  if (b.estimated_corpus_tokens) b.corpus_tokens_per_parameter = static_cast<double>(*b.estimated_corpus_tokens) / parameters;

  b.sft_rows_per_sequence = rows_per_sequence(o, b, in);
  b.sft_planned_example_updates =
      std::llround(static_cast<double>(o.sft_steps * b.sft_effective_batch_size) * b.sft_rows_per_sequence);
  b.estimated_sft_example_epochs = ratio(in.sft_rows, static_cast<double>(b.sft_planned_example_updates));

  const double reference = static_cast<double>(b.base_lr_reference_effective_batch);
  b.base_lr_sqrt_scale = std::sqrt(static_cast<double>(b.base_effective_batch_size) / reference);
  b.sft_lr_sqrt_scale = std::sqrt(static_cast<double>(b.sft_effective_batch_size) / reference);
  b.auto_lr_scaling = o.auto_lr_scaling;
  b.base_effective_learning_rate = o.base_learning_rate * (o.auto_lr_scaling ? b.base_lr_sqrt_scale : 1);
  b.sft_effective_learning_rate = o.sft_learning_rate * (o.auto_lr_scaling ? b.sft_lr_sqrt_scale : 1);

  const bool many_steps = o.base_steps >= kLongRunSteps, large = b.estimated_parameters >= kLongRunParameters;
  b.long_run = many_steps || large;
  b.long_run_reason = many_steps && large ? cat(base::grouped(o.base_steps), " base steps and ", base::short_count(parameters), " parameters")
                      : many_steps        ? cat(base::grouped(o.base_steps), " base steps")
                      : large             ? cat(base::short_count(parameters), " parameters")
                                          : "short run";
  return b;
}

Json to_json(const Budget& b) {
  return {{"vocab_size", b.vocab_size},
          {"estimated_parameters", b.estimated_parameters},
          {"estimated_corpus_tokens", nullable(b.estimated_corpus_tokens)},
          {"corpus_tokens_source", b.corpus_tokens_source},
          {"corpus_tokens_margin", nullable(b.corpus_tokens_margin)},
          {"corpus_token_note", b.corpus_token_note},
          {"corpus_tokens_per_parameter", nullable(b.corpus_tokens_per_parameter)},
          {"ddp_world_size", b.ddp_world_size},
          {"base_effective_batch_size", b.base_effective_batch_size},
          {"sft_effective_batch_size", b.sft_effective_batch_size},
          {"base_effective_tokens_per_step", b.base_effective_tokens_per_step},
          {"base_planned_tokens", b.base_planned_tokens},
          {"target_param_data_ratio", b.target_param_data_ratio},
          {"target_training_tokens", b.target_training_tokens},
          {"target_training_epochs", nullable(b.target_training_epochs)},
          {"recommended_base_steps", b.recommended_base_steps},
          {"recommended_base_tokens", b.recommended_base_tokens},
          {"recommended_base_epochs", nullable(b.recommended_base_epochs)},
          {"planned_to_target_ratio", b.planned_to_target_ratio},
          {"sft_planned_example_updates", b.sft_planned_example_updates},
          {"sft_rows_per_sequence", b.sft_rows_per_sequence},
          {"estimated_base_epochs", nullable(b.estimated_base_epochs)},
          {"estimated_sft_example_epochs", nullable(b.estimated_sft_example_epochs)},
          {"base_lr_reference_effective_batch", b.base_lr_reference_effective_batch},
          {"base_lr_sqrt_scale", b.base_lr_sqrt_scale},
          {"sft_lr_sqrt_scale", b.sft_lr_sqrt_scale},
          {"auto_lr_scaling", b.auto_lr_scaling},
          {"base_effective_learning_rate", b.base_effective_learning_rate},
          {"sft_effective_learning_rate", b.sft_effective_learning_rate},
          {"long_run", b.long_run},
          {"long_run_reason", b.long_run_reason},
          {"flops_per_token", b.flops_per_token},
          {"planned_flops", b.planned_flops}};
}

}  // namespace picochat::gate
