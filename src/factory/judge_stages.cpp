// Fit diagnostics, the held-out eval, and the release gate over all that was recorded.
#include "picochat/base/console.hpp"
#include "external_stage.hpp"
#include "picochat/base/text.hpp"
#include "picochat/eval/chat_eval.hpp"
#include "picochat/evidence/judge.hpp"
#include "picochat/evidence/run_files.hpp"
#include "picochat/gate/release_gate.hpp"
#include "picochat/tasks/rows.hpp"
#include "run_context.hpp"

namespace picochat::factory {
namespace {

using base::cat;

// The rows of one side of the SFT split, by the indices that the SFT report recorded.
std::vector<tasks::ChatRow> rows_of(const std::vector<tasks::ChatRow>& rows, const Json& side) {
  std::vector<tasks::ChatRow> chosen;
  for (const auto& index : side.at("row_indices")) chosen.push_back(rows.at(index.get<size_t>()));
  return chosen;
}

struct Evaluator {
  RunContext& run;
  eval::LanguageModel language_model;
  eval::ChatEvalOptions options;

  Json operator()(const std::vector<tasks::EvalRow>& rows, const std::string& folder, const std::string& title, const Json& input) {
    eval::EvalJob job{.rows = rows, .input_identity = input, .label = folder, .where = folder};
    const auto report = eval::eval_chat(options, job, language_model);
    eval::write_eval_report(run.files, run.at(folder), report, title);
    return report.to_json();
  }
};

}  // namespace

void eval_stages(RunContext& run) {
  const auto& options = run.options();
  const std::string checkpoint = evidence::aligned_checkpoint(run.dir);
  StageKey key{.stage = "eval", .inputs = {{"sft_checkpoint", digest_of(run.at(checkpoint)).hex()}, {"tokenizer", run.tokenizer_digest().hex()},
                                           {"chat", base::sha256_file(run.chat_input).hex()}, {"eval", base::sha256_file(run.eval_input).hex()}},
               .options = run.picked({"eval_max_new_tokens", "sft_fit_max_rows", "seed"})};
  run_stage(run, key, {"sft_fit/eval_report.json", "sft_fit_heldout/eval_report.json", "eval/eval_report.json", "honesty/generated_report.json"}, [&] {
    Evaluator evaluate{run, eval::load_language_model(run.at(checkpoint), run.at("tokenizer.json"), run.compute.options), {}};
    evaluate.options.max_new_tokens = options.eval_max_new_tokens;
    evaluate.options.seed = options.seed;
    // Reports name files relative to the run, so that they are equal wherever it lies.
    evaluate.language_model.checkpoint_identity["path"] = checkpoint;
    evaluate.language_model.tokenizer_identity["path"] = "tokenizer.json";
    const auto chat = tasks::read_chat_rows(run.chat_input);
    const auto& dataset = run.sft_report.at("dataset");
    const Json chat_input{{"path", run.chat_input.filename().string()}, {"sha256", base::sha256_file(run.chat_input).hex()}};
    for (const auto& [side, folder, split] : {std::tuple{"train", "sft_fit", "sft_train"}, std::tuple{"validation", "sft_fit_heldout", "sft_heldout"}}) {
      const auto rows = eval::sft_fit_rows(rows_of(chat, dataset.at(side)), split, options.sft_fit_max_rows, static_cast<uint64_t>(options.seed));
      base::write_file(run.files, run.at(cat(folder, "/sft_fit_eval.jsonl")), tasks::to_jsonl(rows));
      evaluate(rows, folder, side == std::string("train") ? "SFT fit: rows that were trained on" : "SFT fit: held-out rows", chat_input);
    }
    const auto rows = tasks::read_eval_rows(run.eval_input);
    const Json held_out = evaluate(rows, "eval", "Held-out eval", {{"path", run.eval_input.filename().string()}, {"sha256", base::sha256_file(run.eval_input).hex()}, {"rows", rows.size()}});
    check_generated_replies(run, held_out);
  });
  run.sft_fit = base::read_json(run.at("sft_fit/eval_report.json"));
  run.sft_fit_heldout = base::read_json(run.at("sft_fit_heldout/eval_report.json"));
  run.eval = base::read_json(run.at("eval/eval_report.json"));
  score_benchmarks(run.files, run.dir, parse_benchmarks(options.external_eval), run.honesty_report, options.seed, run.compute.options);
}

gate::GateVerdict gate_stage(RunContext& run) {
  return evidence::judge_run(run.files, run.dir, gate::parse_gate_profile(run.options().long_run_gate_profile, "--long-run-gate-profile"));
}

}  // namespace picochat::factory
