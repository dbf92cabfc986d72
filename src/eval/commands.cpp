// `eval chat` and `eval sft-fit`: option tables, files in, files out.
#include <algorithm>
#include <memory>

#include "eval/choose_rows.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/eval/chat_eval.hpp"
#include "picochat/eval/interval.hpp"
#include "picochat/eval/summary.hpp"
#include "picochat/model/compute.hpp"

namespace picochat::eval {
namespace {

using base::cat;

void add_common(base::OptionTable<ChatEvalOptions>& t, const char* input_help) {
  using O = ChatEvalOptions;
  t.add("input", &O::input, input_help).must().metavar = "FILE";
  t.add("checkpoint", &O::checkpoint, "checkpoint folder of the model").must().metavar = "DIR";
  t.add("tokenizer", &O::tokenizer, "its tokenizer.json").must().metavar = "FILE";
  t.add("out_dir", &O::out_dir, "folder for eval_report.json and report.md").must().metavar = "DIR";
  t.add("max_rows", &O::max_rows, "evaluate at most so many rows, chosen by hash; 0: all").at_least(0);
  t.add("max_new_tokens", &O::max_new_tokens, "longest reply in tokens").at_least(1);
  t.add("temperature", &O::temperature, "0: always the likeliest token").at_least(0);
  t.add("top_k", &O::top_k, "sample among the k likeliest tokens; 0 or less: off");
  t.add("top_p", &O::top_p, "sample among the likeliest tokens that make up this probability").more_than(0).at_most(1);
  t.add("repetition_penalty", &O::repetition_penalty, "above 1 makes tokens of the text so far less likely").more_than(0);
  t.add("seed", &O::seed, "of sampling and of the generations shown").at_least(0);
  t.add("device", &O::device, "where to evaluate").choose({"auto", "cpu", "cuda"});
  t.add("precision", &O::precision, "arithmetic of the forward pass").choose({"auto", "float32", "bfloat16"});
  t.add("matmul_precision", &O::matmul_precision, "float32 matrix products on CUDA").choose({"default", "highest", "high", "medium"});
  t.add("batch_rows", &O::batch_rows, "rows decoded together; changes speed, never results").at_least(1);
  t.add("log_every", &O::log_every, "rows between progress lines; 0: about ten lines").at_least(0);
  t.add("case_sensitive", &O::case_sensitive, "phrases must match in case");
  t.add("support_corpus", &O::support_corpus, "text that the words of replies are looked up in").metavar = "PATH";
  t.add("corpus_support_threshold", &O::corpus_support_threshold, "least share of a reply's words found, where a row requires support").at_least(0).at_most(1);
  t.add("ci_confidence", &O::ci_confidence, "confidence of the intervals").more_than(0).at_most(0.9999);
  t.add("ci_bootstrap_samples", &O::ci_bootstrap_samples, "no effect: intervals are Wilson's").at_least(0).hidden = true;
}

base::Json file_identity(const std::string& path) { return {{"path", path}, {"sha256", base::sha256_file(path).hex()}}; }

std::vector<tasks::EvalRow> capped(std::vector<tasks::EvalRow> rows, int64_t max_rows, uint64_t seed) {
  std::vector<tasks::EvalRow> out;
  for (size_t i : choose_rows(rows.size(), max_rows, seed, [&](size_t row) -> const std::string& { return rows[row].user; })) out.push_back(std::move(rows[i]));
  return out;
}

EvalReport evaluate(const ChatEvalOptions& options, std::span<const tasks::EvalRow> rows, const std::string& label, const std::string& title,
                    base::FileSystem& files) {
  const auto compute = model::resolve_compute({.device = options.device, .precision = options.precision == "bfloat16" ? "bf16" : options.precision, .matmul_precision = options.matmul_precision});
  LanguageModel model = load_language_model(options.checkpoint, options.tokenizer, compute.options);
  EvalJob job{.rows = rows, .input_identity = file_identity(options.input), .label = label, .where = options.out_dir, .open_support_corpus = {}};
  if (options.support_corpus) {
    auto corpus = std::make_shared<corpus::Corpus>(corpus::Corpus::open({.input = base::Path(*options.support_corpus), .recipe = {}, .pack = {}}));
    job.open_support_corpus = [corpus] { return corpus->texts(); };
  }
  EvalReport report = eval_chat(options, job, model);
  write_eval_report(files, options.out_dir, report, title);
  base::write_result(category_table(report.summary));
  const int64_t passed = report.num_passed(), scored = report.summary.at("num_scored").get<int64_t>();
  base::result(cat(label == "eval" ? "chat eval" : label, ": ", passed, "/", scored, " passed (",
                   scored ? base::fixed(100.0 * static_cast<double>(passed) / static_cast<double>(scored), 2) + "%" : "not measured", ")"));
  base::result(cat("report: ", (base::Path(options.out_dir) / "report.md").generic_string()));
  return report;
}

}  // namespace

const base::OptionTable<ChatEvalOptions>& chat_eval_options() {
  static const auto table = [] {
    base::OptionTable<ChatEvalOptions> t;
    add_common(t, "eval rows, JSONL");
    return t;
  }();
  return table;
}

const base::OptionTable<ChatEvalOptions>& sft_fit_options() {
  static const auto table = [] {
    base::OptionTable<ChatEvalOptions> t;
    add_common(t, "chat rows (JSONL) to be asked back");
    return t;
  }();
  return table;
}

EvalReport run_eval_chat(const ChatEvalOptions& options, base::FileSystem& files) {
  auto rows = capped(tasks::read_eval_rows(options.input), options.max_rows, static_cast<uint64_t>(options.seed));
  return evaluate(options, rows, "eval", "Chat eval", files);
}

EvalReport run_eval_sft_fit(const ChatEvalOptions& options, base::FileSystem& files) {
  auto chat = tasks::read_chat_rows(options.input);
  auto rows = sft_fit_rows(chat, "sft_train", options.max_rows, static_cast<uint64_t>(options.seed));
  files.make_directories(options.out_dir);
  base::write_file(files, base::Path(options.out_dir) / "sft_fit_eval.jsonl", tasks::to_jsonl(rows));
  return evaluate(options, rows, "sft fit", "SFT fit: trained rows asked back", files);
}

}  // namespace picochat::eval
