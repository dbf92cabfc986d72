// `train sft-sweep`: SFT over a grid of learning rates, steps and samplings, each candidate trained from the same checkpoint and asked what it
// learned. A candidate is a `train sft` in a folder of its own, so a sweep that was cut off goes on where it stood.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "picochat/base/artifact.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/eval/chat_eval.hpp"
#include "picochat/evidence/markdown.hpp"
#include "picochat/factory/train_commands.hpp"
#include "ranks.hpp"
#include "training_data.hpp"

namespace picochat::factory {
namespace {

using base::cat;
using base::Json;
using base::Path;

struct Candidate {
  std::string name, sampling;
  double learning_rate = 0;
  int64_t steps = 0;
};

double number_of(const std::string& text, const char* flag) {
  size_t used = 0;
  double value = 0;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
  }
  if (used == 0 || used != text.size() || !(value > 0))
    throw base::usage_error({.what = "not a list of numbers above 0", .where = flag, .expected = "numbers with commas between", .found = text});
  return value;
}

std::vector<std::string> items_of(const std::string& list) {
  std::vector<std::string> out;
  for (const auto& item : base::split(list, ',')) out.emplace_back(base::trim(item));
  return out;
}

// 3e-05 -> "3em05"
std::string rate_name(double rate) {
  const int exponent = static_cast<int>(std::floor(std::log10(rate) + 1e-9));
  char text[64];
  std::snprintf(text, sizeof text, "%.6ge%c%02d", rate / std::pow(10.0, exponent), exponent < 0 ? 'm' : 'p', std::abs(exponent));
  return base::replace_all(text, ".", "_");
}

std::vector<Candidate> grid(const SftSweepOptions& options) {
  std::vector<Candidate> out;
  std::set<std::string> names;
  for (const auto& sampling : items_of(options.samplings)) {
    base::check_option(*train_sft_options().find("sampling"), sampling, "--samplings");
    for (const auto& rate : items_of(options.learning_rates))
      for (const auto& steps : items_of(options.step_counts)) {
        Candidate c{"", sampling, number_of(rate, "--learning-rates"), static_cast<int64_t>(number_of(steps, "--steps"))};
        c.name = cat(sampling, "-lr", rate_name(c.learning_rate), "-steps", c.steps);
        if (!names.insert(c.name).second) throw base::usage_error({.what = "the grid names a candidate twice", .where = "train sft-sweep", .found = c.name, .remedy = "leave the second one out"});
        out.push_back(std::move(c));
      }
  }
  return out;
}

// Passed and asked of one eval; absent where nothing was asked.
Json tally(const Json& summary, const char* total, const char* passed) {
  const int64_t n = summary.value(total, int64_t{0});
  if (n == 0) return nullptr;
  const int64_t p = summary.value(passed, int64_t{0});
  return {{"n", n}, {"passed", p}, {"rate", static_cast<double>(p) / static_cast<double>(n)}};
}

Json ask(base::FileSystem& files, const SftSweepOptions& options, const Path& folder, const std::string& name, const std::string& title, const std::vector<tasks::EvalRow>& rows, const std::string& input) {
  auto model = eval::load_language_model(folder / "checkpoint", options.tokenizer);
  eval::ChatEvalOptions asked;
  asked.max_new_tokens = options.eval_max_new_tokens;
  asked.seed = options.seed;
  eval::EvalJob job{.rows = rows, .input_identity = {{"path", input}, {"sha256", base::sha256_file(input).hex()}}, .label = cat(folder.filename().string(), " ", name), .where = (folder / name).string()};
  const auto report = eval::eval_chat(asked, job, model);
  eval::write_eval_report(files, folder / name, report, title);
  return report.summary;
}

Json judge(base::FileSystem& files, const SftSweepOptions& options, const Candidate& c, const Path& folder, const Json& report) {
  const Json made_of{{"checkpoint", base::artifact_digest(folder / "checkpoint").hex()}, {"eval", options.eval_input ? Json(base::sha256_file(*options.eval_input).hex()) : Json(nullptr)},
                     {"fit_max_rows", options.sft_fit_max_rows}, {"eval_max_new_tokens", options.eval_max_new_tokens}, {"seed", options.seed}};
  const Path path = folder / "candidate_summary.json";
  if (std::filesystem::exists(path))
    if (const Json known = base::read_json(path); known.value("made_of", Json()) == made_of) return known;
  const auto chat = tasks::read_chat_rows(options.input);
  std::vector<tasks::ChatRow> trained;
  for (const auto& index : report.at("dataset").at("train").at("row_indices")) trained.push_back(chat.at(index.get<size_t>()));
  const auto fit_rows = eval::sft_fit_rows(trained, "sft_train", options.sft_fit_max_rows, static_cast<uint64_t>(options.seed));
  const Json fit = ask(files, options, folder, "sft_fit", "SFT fit: rows that were trained on", fit_rows, options.input);
  Json summary{{"name", c.name}, {"sampling", c.sampling}, {"learning_rate", c.learning_rate}, {"steps", c.steps}, {"made_of", made_of}, {"val_loss", base::read_json(folder / "checkpoint/metadata.json").value("val_loss", Json(nullptr))},
               {"stop_reason", report.at("stop_reason")}, {"sft_fit", tally(fit, "num_scored", "num_passed")}, {"eval", nullptr}, {"non_choice_eval", nullptr}};
  if (options.eval_input) {
    const Json held_out = ask(files, options, folder, "eval", "Held-out eval", tasks::read_eval_rows(*options.eval_input), *options.eval_input);
    summary["eval"] = tally(held_out, "num_scored", "num_passed");
    summary["non_choice_eval"] = tally(held_out, "non_choice_examples", "non_choice_passed");
  }
  base::write_file(files, path, base::dump(summary) + "\n");
  return summary;
}

// The name of the first candidate with the highest rate; null where none was asked.
Json best(const Json& candidates, const char* key) {
  const Json* found = nullptr;
  for (const Json& c : candidates)
    if (!c.at(key).is_null() && (!found || c.at(key).at("rate") > found->at(key).at("rate"))) found = &c;
  return found ? Json{{"name", found->at("name")}, {"rate", found->at(key).at("rate")}} : Json(nullptr);
}

std::string markdown(const Json& sweep) {
  auto of = [](const Json& t) { return t.is_null() ? std::string("not measured") : cat(t.at("passed").get<int64_t>(), "/", t.at("n").get<int64_t>(), " (", base::fixed(100 * t.at("rate").get<double>(), 1), "%)"); };
  std::vector<std::vector<std::string>> rows;
  for (const Json& c : sweep.at("candidates"))
    rows.push_back({c.at("name").get<std::string>(), evidence::figure(c.at("val_loss"), 4), of(c.at("sft_fit")), of(c.at("eval")), of(c.at("non_choice_eval")), c.at("stop_reason").get<std::string>()});
  std::string text = cat("# SFT sweep\n\n", evidence::markdown_table({"candidate", "val loss", "SFT fit", "eval", "eval, not choice", "stopped by"}, rows, " ::::"), "\n");
  for (const char* key : {"best_sft_fit", "best_eval", "best_non_choice_eval"})
    text += cat("- ", key, ": ", sweep.at(key).is_null() ? "not measured" : sweep.at(key).at("name").get<std::string>(), "\n");
  return text + "\nRates near each other do not tell candidates apart: look at the intervals in each eval's report. A candidate that fits best need not answer new questions best.\n";
}

}  // namespace

base::CommandOutput sft_sweep_command(base::FileSystem& files, const SftSweepOptions& options) {
  refuse_ranks("train sft-sweep");
  const auto candidates = grid(options);
  const Path dir = options.out_dir;
  claim_command_folder(files, dir, "sft_sweep.json");
  const base::DirectoryLock lock(dir);
  Json sweep{{"status", "in_progress"}, {"candidates", Json::array()}};
  base::write_file(files, dir / "sft_sweep.json", base::dump(sweep) + "\n");
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& c = candidates[i];
    base::say(cat("candidate ", i + 1, "/", candidates.size(), ": ", c.name));
    TrainSftOptions one = options;
    one.out_dir = (dir / c.name).string();
    one.sft_learning_rate = c.learning_rate;
    one.sft_steps = c.steps;
    one.sft_sampling = c.sampling;
    const Json report = train_sft_command(files, one).json;
    sweep["candidates"].push_back(judge(files, options, c, one.out_dir, report));
  }
  sweep["status"] = "done";
  sweep["best_sft_fit"] = best(sweep.at("candidates"), "sft_fit");
  sweep["best_eval"] = best(sweep.at("candidates"), "eval");
  sweep["best_non_choice_eval"] = best(sweep.at("candidates"), "non_choice_eval");
  base::write_file(files, dir / "sft_sweep.md", markdown(sweep));
  base::write_file(files, dir / "sft_sweep.json", base::dump(sweep) + "\n");
  base::CommandOutput output{sweep, ""};
  for (const char* key : {"best_sft_fit", "best_eval", "best_non_choice_eval"})
    output.text += cat(key, ": ", sweep.at(key).is_null() ? "not measured" : sweep.at(key).at("name").get<std::string>(), "\n");
  output.text += cat("report: ", (dir / "sft_sweep.md").string(), "\n");
  return output;
}

}  // namespace picochat::factory
