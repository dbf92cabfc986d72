#include "picochat/eval/external.hpp"

#include <algorithm>

#include "eval/choose_rows.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/eval/interval.hpp"
#include "picochat/eval/likelihood.hpp"
#include "picochat/model/compute.hpp"

namespace picochat::eval {
namespace {

using base::cat;
using base::Json;
using tasks::BenchmarkFile;
using tasks::BenchmarkRow;
using tokenizer::TokenId;

// The harness has no acc_norm for yes and no, nor for one and the same continuation.
bool has_acc_norm(const std::string& layout) { return layout != "boolq" && layout != "winogrande"; }

// The figure that a benchmark is usually quoted by: letters have no length to divide by.
const char* primary_metric(const std::string& layout) { return has_acc_norm(layout) && !layout.starts_with("mmlu") ? "acc_norm" : "acc"; }

// White space at the end of the context belongs to the continuation, and the continuation's tokens are what the
// whole has beyond the context's, as the harness cuts them.
LikelihoodRequest encode(const tokenizer::Tokenizer& tokenizer, const ExternalPrompt& prompt) {
  std::string context = prompt.context, spaces;
  while (!context.empty() && std::isspace(static_cast<unsigned char>(context.back()))) {
    spaces.insert(spaces.begin(), context.back());
    context.pop_back();
  }
  const auto head = tokenizer.encode(context);
  LikelihoodRequest request{.context = {tokenizer::kBos}, .continuations = {}};
  request.context.insert(request.context.end(), head.begin(), head.end());
  for (const auto& continuation : prompt.continuations) {
    const auto whole = tokenizer.encode(cat(context, spaces, continuation));
    const size_t cut = std::min(head.size(), whole.size() - 1);
    request.continuations.emplace_back(whole.begin() + static_cast<ptrdiff_t>(cut), whole.end());
  }
  return request;
}

size_t first_best(const std::vector<double>& values) { return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin()); }

struct Asked {
  const BenchmarkRow* row;
  std::vector<double> logprobs, per_character;
  bool truncated = false;
  size_t acc = 0, acc_norm = 0;  // what was chosen
  ChoiceResult letter;
  bool primary_correct(const std::string& layout) const { return (std::string_view(primary_metric(layout)) == "acc" ? acc : acc_norm) == row->correct; }
};

// The first worked examples, in the order of their file; those of the row's own subject where the file has several.
std::vector<BenchmarkRow> shots_for(const BenchmarkFile& file, const BenchmarkRow& row, size_t count) {
  std::vector<BenchmarkRow> shots;
  for (const auto& shot : file.dev_shots)
    if (shots.size() < count && (!file.layout.starts_with("mmlu") || shot.subject == row.subject)) shots.push_back(shot);
  if (shots.size() < count)
    throw base::bad_input({.what = cat("the dev file has ", shots.size(), " worked examples of subject \"", row.subject, "\""), .where = "--num-fewshot", .expected = cat(count), .remedy = "use a smaller --num-fewshot"});
  return shots;
}

std::vector<Asked> ask(const ExternalEvalOptions& options, const BenchmarkFile& file, const LanguageModel& model) {
  std::vector<Asked> asked;
  std::vector<LikelihoodRequest> requests;
  std::vector<tasks::EvalRow> letters;
  for (size_t i : choose_rows(file.rows.size(), options.max_rows, static_cast<uint64_t>(options.seed), [&](size_t row) -> const std::string& { return file.rows[row].question; })) {
    asked.push_back({.row = &file.rows[i], .logprobs = {}, .per_character = {}, .letter = {}});
    for (const auto& prompt : external_prompts(file, file.rows[i], shots_for(file, file.rows[i], static_cast<size_t>(options.num_fewshot)))) requests.push_back(encode(*model.tokenizer, prompt));
    letters.push_back(tasks::benchmark_eval_row(file.rows[i], options.benchmark_name));
  }
  base::Progress progress(options.benchmark_name, requests.size(), "prompts");
  const LikelihoodOptions likelihood{.batch_rows = options.batch_rows, .progress = [&](size_t done) { progress.update(done); }};
  const auto scores = score_continuations(model, requests, likelihood);
  const auto by_letter = score_choices(model, letters, {.batch_rows = options.batch_rows, .progress = {}});
  progress.finish();
  auto of_row = scores.begin();  // a row's scores stand in one request or in several
  for (size_t i = 0; i < asked.size(); ++i) {
    auto& item = asked[i];
    while (item.logprobs.size() < item.row->choices.size())
      for (const Likelihood& score : *of_row++) {
        const auto characters = base::count_code_points(item.row->choices[item.logprobs.size()]);
        item.logprobs.push_back(score.logprob);
        item.per_character.push_back(score.logprob / static_cast<double>(std::max<size_t>(1, characters)));
        item.truncated |= score.truncated;
      }
    item.acc = first_best(item.logprobs);
    // MMLU's choices are letters of one character: the harness divides by the text that it scores.
    item.acc_norm = file.layout.starts_with("mmlu") ? item.acc : first_best(item.per_character);
    item.letter = by_letter[i];
  }
  return asked;
}

void put_rate(Json& out, const std::string& name, int64_t hits, int64_t n, double confidence) {
  out[name] = rate_json(hits, n);
  out[name + "_ci"] = interval_json(hits, n, confidence);
}

Json summarise(const std::vector<Asked>& asked, const BenchmarkFile& file, double confidence) {
  int64_t acc = 0, acc_norm = 0, primary = 0, letter = 0, letter_scored = 0, truncated = 0;
  double chance = 0;
  std::map<size_t, int64_t> answers;
  for (const auto& item : asked) {
    acc += item.acc == item.row->correct;
    acc_norm += item.acc_norm == item.row->correct;
    primary += item.primary_correct(file.layout);
    truncated += item.truncated;
    letter_scored += item.letter.predicted >= 0;
    letter += !item.letter.tie && item.letter.predicted == static_cast<int64_t>(item.row->correct);
    chance += 1.0 / static_cast<double>(item.row->choices.size());
    ++answers[item.row->correct];
  }
  const auto n = static_cast<int64_t>(asked.size());
  int64_t majority = 0;
  for (const auto& [answer, times] : answers) majority = std::max(majority, times);
  Json out{{"num_examples", n}, {"num_scored", n}, {"num_passed", primary}, {"primary_metric", primary_metric(file.layout)}};
  put_rate(out, "pass_rate", primary, n, confidence);
  put_rate(out, "acc", acc, n, confidence);
  put_rate(out, "acc_norm", acc_norm, has_acc_norm(file.layout) ? n : 0, confidence);
  out["choice_examples"] = n;
  out["choice_correct"] = primary;
  out["choice_random_baseline"] = n ? Json(chance / static_cast<double>(n)) : Json(nullptr);
  out["majority_baseline"] = rate_json(majority, n);
  put_rate(out, "label_likelihood_accuracy", letter, letter_scored, confidence);
  out["label_likelihood_scored"] = letter_scored;
  out["num_truncated"] = truncated;
  return out;
}

Json contamination(const std::vector<Asked>& asked, const std::string& layout, const std::set<int64_t>& flagged) {
  int64_t hit = 0, clean = 0, passed = 0;
  Json lines = Json::array();
  for (const auto& item : asked) {
    if (flagged.contains(item.row->line)) {
      ++hit;
      lines.push_back(item.row->line);
    } else {
      ++clean;
      passed += item.primary_correct(layout);
    }
  }
  return {{"flagged_rows", hit}, {"flagged_lines", lines}, {"without_flagged", {{"num_examples", clean}, {"num_passed", passed}, {"pass_rate", rate_json(passed, clean)}}}};
}

Json example(const Asked& item, const std::string& layout, int64_t index) {
  return {{"index", index}, {"id", item.row->id}, {"line", item.row->line}, {"subject", item.row->subject}, {"question", item.row->question}, {"choices", item.row->choices},
          {"labels", item.row->labels}, {"correct", item.row->correct}, {"choice_logprobs", item.logprobs}, {"acc_choice", item.acc}, {"acc_norm_choice", item.acc_norm},
          {"passed", item.primary_correct(layout)}, {"truncated", item.truncated}, {"label_logprobs", item.letter.logprobs}, {"label_choice", item.letter.predicted}};
}

}  // namespace

Json eval_external(const ExternalEvalOptions& options, const BenchmarkFile& file, const Json& input_identity, const LanguageModel& model,
                   const std::optional<std::set<int64_t>>& flagged) {
  if (static_cast<size_t>(options.num_fewshot) > file.dev_shots.size())
    throw base::usage_error({.what = "there are not enough rows to show as examples", .where = "--num-fewshot", .expected = cat("at most ", file.dev_shots.size(), ", the rows of the dev file beside the benchmark"),
                             .found = cat(options.num_fewshot), .remedy = "put NAME_dev.csv beside NAME_test.csv, or use --num-fewshot 0"});
  const double started = base::monotonic_seconds();
  const auto asked = ask(options, file, model);
  Json config = external_eval_options().to_json(options);
  for (const char* name : {"checkpoint", "tokenizer", "out_dir", "input"}) config.erase(name);
  Json report{{"config", config}, {"checkpoint", model.checkpoint_identity}, {"tokenizer", model.tokenizer_identity}, {"input", input_identity}};
  report["input"]["rows"] = file.rows.size();
  report["input"]["layout"] = file.layout;
  report["summary"] = summarise(asked, file, options.ci_confidence);
  if (flagged) report["contamination"] = contamination(asked, file.layout, *flagged);
  report["examples"] = Json::array();
  for (const auto& item : asked) report["examples"].push_back(example(item, file.layout, static_cast<int64_t>(report["examples"].size()) + 1));
  report["timing"] = {{"seconds", base::monotonic_seconds() - started}};
  return report;
}

std::string external_markdown(const Json& report, const std::string& name) {
  const Json& s = report.at("summary");
  const int64_t n = s.at("num_examples");
  auto rate = [&](const char* key) {
    if (s.at(key).is_null()) return std::string("not measured");
    const Json& ci = s.at(cat(key, "_ci"));
    return cat(base::fixed(100 * s.at(key).get<double>(), 1), "% [", base::fixed(100 * ci.at("low").get<double>(), 1), ", ", base::fixed(100 * ci.at("high").get<double>(), 1), "]");
  };
  auto plain = [&](const char* key) { return s.at(key).is_null() ? std::string("not measured") : cat(base::fixed(100 * s.at(key).get<double>(), 1), "%"); };
  std::string out = cat("# Benchmark: ", name, "\n\n", n, " rows, layout ", report.at("input").at("layout").get<std::string>(), ", file SHA-256 `", report.at("input").at("sha256").get<std::string>(), "`.\n\n",
                        "| figure | value |\n| --- | ---: |\n");
  for (const auto& [key, title] : {std::pair{"acc", "acc: likeliest choice"}, {"acc_norm", "acc_norm: likeliest choice per character"}, {"label_likelihood_accuracy", "letter asked in the chat format (not a published metric)"}})
    if (std::string_view(key) != "acc_norm" || has_acc_norm(report.at("input").at("layout")))
      out += cat("| ", title, " | ", rate(key), " |\n");
  out += cat("| guessing | ", plain("choice_random_baseline"), " |\n| always the commonest answer | ", plain("majority_baseline"), " |\n| rows cut from the left to fit the context | ", s.at("num_truncated").get<int64_t>(), " |\n");
  if (report.contains("contamination")) {
    const Json& c = report.at("contamination");
    const Json& clean = c.at("without_flagged");
    out += cat("| rows found in the training material | ", c.at("flagged_rows").get<int64_t>(), " |\n| ", s.at("primary_metric").get<std::string>(), " without them | ", clean.at("num_passed").get<int64_t>(), " of ", clean.at("num_examples").get<int64_t>(), " |\n");
  }
  return out + cat("\nThe gate judges ", s.at("primary_metric").get<std::string>(), ", the figure that this benchmark is usually quoted by.\n");
}

void write_external_report(base::FileSystem& files, const base::Path& folder, const Json& report, const std::string& name) {
  base::write_file(files, folder / "report.md", external_markdown(report, name));
  base::write_file(files, folder / "eval_report.json", base::dump(report) + "\n");
}

const base::OptionTable<ExternalEvalOptions>& external_eval_options() {
  static const auto table = [] {
    using O = ExternalEvalOptions;
    base::OptionTable<O> t;
    t.add("input", &O::input, "benchmark (ARC, MMLU, HellaSwag, PIQA, OpenBookQA, BoolQ, WinoGrande) as JSON Lines, CSV or Parquet").must().metavar = "FILE";
    t.add("checkpoint", &O::checkpoint, "checkpoint folder of the model").must().metavar = "DIR";
    t.add("tokenizer", &O::tokenizer, "its tokenizer.json").must().metavar = "FILE";
    t.add("out_dir", &O::out_dir, "folder for eval_report.json and report.md").must().metavar = "DIR";
    t.add("benchmark_name", &O::benchmark_name, "name in reports");
    t.add("num_fewshot", &O::num_fewshot, "solved examples before each question, from the dev file beside the benchmark").at_least(0);
    t.add("max_rows", &O::max_rows, "score at most so many rows, chosen by hash; 0: all").at_least(0);
    t.add("device", &O::device, "where to evaluate").choose({"auto", "cpu", "cuda"});
    t.add("batch_rows", &O::batch_rows, "rows scored together; changes speed, never results").at_least(1);
    t.add("seed", &O::seed, "of the choice of rows").at_least(0);
    t.add("ci_confidence", &O::ci_confidence, "confidence of the intervals").more_than(0).at_most(0.9999);
    return t;
  }();
  return table;
}

Json run_eval_external(const ExternalEvalOptions& options, base::FileSystem& files) {
  const auto file = tasks::read_benchmark(options.input);
  const auto model = load_language_model(options.checkpoint, options.tokenizer, model::resolve_compute({.device = options.device}).options);
  const Json input{{"path", options.input}, {"sha256", base::sha256_file(options.input).hex()}};
  Json report = eval_external(options, file, input, model, {});
  write_external_report(files, options.out_dir, report, options.benchmark_name);
  return report;
}

}  // namespace picochat::eval
