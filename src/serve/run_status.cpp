#include "picochat/serve/run_status.hpp"

#include <ctime>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/run_options.hpp"
#include "serve/run_view.hpp"

namespace picochat::serve {
namespace {

using base::cat;
using base::Json;
using base::member;

std::optional<double> seconds_of(const Json& utc) {
  std::tm parts{};
  if (!utc.is_string() || !::strptime(utc.get_ref<const std::string&>().c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts)) return std::nullopt;
  return static_cast<double>(::timegm(&parts));
}

// Dollars since the last start; a finished run costs what its stages took.
Json cost_of(const Json& run, const Json& record, const std::optional<double>& price, double now) {
  const Json recorded = gate::recorded_option(record, "gpu_hourly_usd"), devices = gate::recorded_option(record, "ddp_world_size");
  const double hourly = price ? *price : recorded.is_number() ? recorded.get<double>() : 0;
  const auto started = seconds_of(run.at("started_at"));
  if (hourly <= 0 || !started || run.at("running") != true) return nullptr;
  const double count = gate::recorded_option(record, "ddp") == true && devices.is_number() ? devices.get<double>() : 1;
  return hourly * count * std::max(0.0, now - *started) / 3600;
}

std::string state_of(const Json& run) {
  if (run.at("running") == true) return "running";
  return run.at("complete") == true ? "complete" : "not running; the same command goes on with it";
}

std::string text_of(const std::string& path, const Json& run) {
  std::string out = cat(path, ": ", state_of(run), "\n");
  if (run.at("stage").is_string()) {
    out += cat("  ", run.at("stage").get<std::string>(), " step ", run.at("step").is_number() ? base::grouped(run.at("step").get<int64_t>()) : "?");
    if (run.at("max_steps").is_number()) out += cat(" of ", base::grouped(run.at("max_steps").get<int64_t>()));
    if (run.at("progress").is_number()) out += cat(" (", base::fixed(100 * run.at("progress").get<double>(), 0), "%)");
    if (run.at("stage_seconds_left").is_number()) out += cat(", ", base::human_seconds(run.at("stage_seconds_left").get<double>()), " left in this stage");
    out += "\n";
    if (run.at("train_loss").is_number()) out += cat("  train loss ", base::fixed(run.at("train_loss").get<double>(), 4));
    if (run.at("val_bpb").is_number()) out += cat(", val_bpb ", base::fixed(run.at("val_bpb").get<double>(), 4));
    out += "\n";
  }
  out += "  stages:";
  for (const Json& stage : run.at("stages")) out += cat(" ", stage.at("name").get<std::string>(), "=", stage.at("status").is_string() ? stage.at("status").get<std::string>() : "?");
  out += cat("\n  last written ", base::human_seconds(run.at("seconds_since_change").get<double>()), " ago\n");
  if (run.at("cost_usd").is_number()) out += cat("  since the last start: ", base::fixed(run.at("cost_usd").get<double>(), 2), " USD\n");
  if (run.at("verdict").is_string()) out += cat("  verdict: ", run.at("verdict").get<std::string>(), "\n");
  for (const Json& problem : run.at("problems")) out += cat("  cannot be read: ", problem.get<std::string>(), "\n");
  return out;
}

}  // namespace

const base::OptionTable<RunStatusOptions>& run_status_options() {
  static const auto table = [] {
    base::OptionTable<RunStatusOptions> t;
    t.add("run", &RunStatusOptions::run, "run directory").must().place().alias("--run-dir").metavar = "RUN";
    t.add("gpu_hourly_usd", &RunStatusOptions::gpu_hourly_usd, "price of a device for an hour; default: what the run was told").at_least(0);
    t.add("json", &RunStatusOptions::json, "print JSON");
    return t;
  }();
  return table;
}

base::CommandOutput run_status(const RunStatusOptions& options, double now) {
  const base::Path path = base::Path(options.run).lexically_normal();
  if (!std::filesystem::is_regular_file(path / "run.json"))
    throw base::bad_input({.what = "this is no run", .where = options.run, .expected = "a folder with run.json", .remedy = "give the --out-dir of a run"});
  RunView view(path);
  Json run = view.run(view.names().at(0));
  run["cost_usd"] = cost_of(run, base::read_json(path / "run.json"), options.gpu_hourly_usd, now);
  Json out{{"run", path.string()}, {"state", state_of(run)}};
  for (const char* key : {"running", "complete", "stage", "step", "max_steps", "progress", "train_loss", "val_bpb", "stage_seconds_left", "seconds_since_change", "started_at", "cost_usd", "verdict", "stages", "problems"})
    out[key] = run.at(key);
  return {out, text_of(path.string(), run)};
}

}  // namespace picochat::serve
