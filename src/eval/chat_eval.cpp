#include "picochat/eval/chat_eval.hpp"

#include <algorithm>

#include "eval/choose_rows.hpp"
#include "eval/words.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/eval/generation.hpp"
#include "picochat/eval/likelihood.hpp"
#include "picochat/eval/summary.hpp"
#include "picochat/eval/text_match.hpp"
#include "picochat/tasks/chat_format.hpp"

namespace picochat::eval {
namespace {

using base::cat;
using base::Json;

// "eval 0050/0200 | passed 31/50 | 4.2 s | eta 12 s | runs/x/eval"
class ProgressLines {
 public:
  ProgressLines(const EvalJob& job, int64_t log_every)
      : job_(job), total_(static_cast<int64_t>(job.rows.size())), every_(log_every > 0 ? log_every : std::max<int64_t>(1, total_ / 10)),
        started_(base::monotonic_seconds()) {}

  void row(const RowScore& score) {
    ++done_;
    scored_ += score.scored;
    passed_ += score.passed;
    if (done_ % every_ != 0 && done_ != total_) return;
    const double elapsed = base::monotonic_seconds() - started_;
    const double left = elapsed / static_cast<double>(done_) * static_cast<double>(total_ - done_);
    const size_t width = std::max<size_t>(4, std::to_string(total_).size());
    auto zeros = [&](int64_t number) { return base::zero_padded(static_cast<uint64_t>(number), width); };
    base::say(cat(job_.label, " ", zeros(done_), "/", zeros(total_), " | passed ", passed_, "/", scored_, " | ", base::human_seconds(elapsed), " | eta ",
                  base::human_seconds(left), job_.where.empty() ? "" : cat(" | ", job_.where)));
  }
  double seconds() const { return base::monotonic_seconds() - started_; }

 private:
  const EvalJob& job_;
  int64_t total_, every_, done_ = 0, scored_ = 0, passed_ = 0;
  double started_;
};

// A row's own bounds end a runaway reply early; byte-sized tokens say nothing about words.
int64_t max_new_tokens(const tasks::EvalRow& row, int64_t configured, const tokenizer::Tokenizer& tokenizer) {
  constexpr int64_t kLeast = 8, kMargin = 8, kTokensPerWord = 6;
  int64_t bound = configured;
  if (row.max_chars) bound = std::min(bound, *row.max_chars + kMargin);
  if (row.max_words && tokenizer.type() != "char" && tokenizer.type() != "byte") bound = std::min(bound, *row.max_words * kTokensPerWord + kMargin);
  return std::min(configured, std::max(kLeast, bound));
}

void check_options(const ChatEvalOptions& options, const EvalJob& job, const LanguageModel& model) {
  if (job.rows.empty()) throw base::bad_input({.what = "there is nothing to evaluate: no rows", .where = options.input});
  if (options.precision == "bfloat16" && model.compute.device.is_cpu())
    throw base::environment_error({.what = "the CPU evaluates in float32", .where = "--precision", .found = options.precision, .remedy = "use --precision float32"});
  if (options.ci_bootstrap_samples) base::warn("--ci-bootstrap-samples has no effect: intervals are Wilson's, which need no samples");
  if (job.open_support_corpus) return;
  for (const auto& row : job.rows)
    if (row.require_corpus_support)
      throw base::bad_input({.what = "a row requires corpus support and no corpus was given", .where = row.line ? cat(options.input, ":", row.line) : options.input,
                             .remedy = "give --support-corpus PATH"});
}

GenerationOptions generation_options(const ChatEvalOptions& options) {
  return {.temperature = options.temperature, .top_k = std::max<int64_t>(0, options.top_k), .top_p = options.top_p,
          .repetition_penalty = options.repetition_penalty, .seed = static_cast<uint64_t>(options.seed), .batch_rows = options.batch_rows};
}

Json resolved_config(const ChatEvalOptions& options, const base::OptionTable<ChatEvalOptions>& table, const EvalJob& job, const LanguageModel& model) {
  Json config = table.to_json(options);
  config["requested_device"] = options.device;
  config["device"] = model.compute.device.is_cpu() ? "cpu" : "cuda";
  config["precision_runtime"] = std::string(model.compute.dtype == at::kBFloat16 ? "bfloat16, logits in float32" : "float32") + "; log-probabilities summed in float64";
  config["matmul_precision_runtime"] = "float32";
  config["ci_method"] = "wilson";
  config["support_corpus_given"] = static_cast<bool>(job.open_support_corpus);
  return config;
}

// One pass over the corpus, looking only for words that replies used: memory is bounded by the replies.
WordSet find_in_corpus(const std::vector<ScoredRow>& rows, const std::function<SupportStream()>& open) {
  WordSet wanted, found;
  for (const auto& row : rows)
    if (!row.row.is_choice())
      for (auto& word : content_words(row.reply)) wanted.insert(std::move(word));
  auto next = open();
  std::string text, key;
  while (!wanted.empty() && next(text)) {
    base::throw_if_interrupted();
    for_each_word(fold(text), [&](std::string_view word) {
      key.assign(word);
      if (auto node = wanted.extract(key); !node.empty()) found.insert(std::move(node));
    });
  }
  return found;
}

void generate_replies(const ChatEvalOptions& options, const LanguageModel& model, const ScoringOptions& scoring, std::vector<ScoredRow>& rows,
                      ProgressLines& progress) {
  std::vector<GenerationRequest> requests;
  std::vector<size_t> places;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].row.is_choice()) continue;
    rows[i].max_new_tokens = max_new_tokens(rows[i].row, options.max_new_tokens, *model.tokenizer);
    requests.push_back({.prompt = tasks::encode_prompt(*model.tokenizer, std::string_view(rows[i].row.user)), .max_new_tokens = rows[i].max_new_tokens,
                        .stream = base::hash64(rows[i].row.user)});
    rows[i].prompt_tokens = static_cast<int64_t>(requests.back().prompt.size());
    places.push_back(i);
  }
  generate(model, requests, generation_options(options), [&](size_t index, const Generation& generation) {
    ScoredRow& row = rows[places[index]];
    row.reply = base::trim(generation.text);
    row.stop_reason = to_text(generation.stop);
    row.new_tokens = static_cast<int64_t>(generation.tokens.size());
    row.score = score_reply(row.row, row.reply, scoring);
    progress.row(row.score);
  });
}

void score_choice_rows(const LanguageModel& model, std::vector<ScoredRow>& rows, ProgressLines& progress) {
  std::vector<tasks::EvalRow> asked;
  std::vector<size_t> places;
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i].row.is_choice()) {
      asked.push_back(rows[i].row);
      places.push_back(i);
    }
  auto results = score_choices(model, asked);
  for (size_t k = 0; k < places.size(); ++k) {
    ScoredRow& row = rows[places[k]];
    row.choice = results[k];
    row.stop_reason = results[k].predicted < 0 ? to_text(StopReason::kPromptTooLong) : "choice";
    if (results[k].predicted >= 0) row.reply = row.row.choice_labels[static_cast<size_t>(results[k].predicted)];
    row.score = score_choice(row.row, results[k]);
    progress.row(row.score);
  }
}

}  // namespace

EvalReport eval_chat(const ChatEvalOptions& options, const EvalJob& job, const LanguageModel& model) {
  check_options(options, job, model);
  const ScoringOptions scoring{.case_sensitive = options.case_sensitive, .corpus_support_threshold = options.corpus_support_threshold};
  std::vector<ScoredRow> rows(job.rows.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i].row = job.rows[i];

  ProgressLines progress(job, options.log_every);
  score_choice_rows(model, rows, progress);
  generate_replies(options, model, scoring, rows, progress);
  const double seconds = progress.seconds();
  if (job.open_support_corpus) {
    const WordSet found = find_in_corpus(rows, job.open_support_corpus);
    for (auto& row : rows)
      if (!row.row.is_choice()) row.score = score_reply(row.row, row.reply, scoring, &found);
  }

  const SummaryOptions summary{.confidence = options.ci_confidence, .corpus_support_measured = static_cast<bool>(job.open_support_corpus),
                               .sample_seed = static_cast<uint64_t>(options.seed)};
  EvalReport report;
  report.config = resolved_config(options, chat_eval_options(), job, model);
  report.checkpoint = model.checkpoint_identity;
  report.tokenizer = model.tokenizer_identity;
  report.input = job.input_identity;
  report.input["rows"] = rows.size();
  report.summary = summarize(rows, summary);
  report.analysis = analyze(rows, report.summary);
  report.generations = sample_generations(rows, summary);
  for (size_t i = 0; i < rows.size(); ++i) report.examples.push_back(example_json(rows[i], static_cast<int64_t>(i) + 1));
  const auto new_tokens = report.summary.at("new_tokens").get<double>();
  report.timing = {{"seconds", seconds}, {"examples_per_sec", static_cast<double>(rows.size()) / std::max(seconds, 1e-9)},
                   {"new_tokens_per_sec", new_tokens / std::max(seconds, 1e-9)}};
  return report;
}

std::vector<tasks::EvalRow> sft_fit_rows(std::span<const tasks::ChatRow> rows, const std::string& split, int64_t max_rows, uint64_t seed) {
  std::vector<tasks::EvalRow> out;
  for (size_t i : choose_rows(rows.size(), max_rows, seed, [&](size_t row) -> const std::string& { return rows[row].user(); })) {
    out.push_back(tasks::fit_row(rows[i]));
    out.back().split = split;
  }
  return out;
}

}  // namespace picochat::eval
