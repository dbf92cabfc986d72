#include "earlier_runs.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "multi_seed.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/metrics_log.hpp"
#include "picochat/gate/reports.hpp"

namespace picochat::factory {
namespace {

namespace fs = std::filesystem;
using base::cat;

constexpr const char* kSanityReport = "preh100_sanity.json";
constexpr size_t kFewestSteps = 8;  // below: start-up dominates
// What changes how fast a step is.
const std::vector<std::string> kSpeedFields{"context_size", "n_embd", "n_head", "n_kv_head", "n_layer", "activation", "norm_type", "position_encoding",
                                            "tie_embeddings", "qk_norm", "parallel_residual", "linear_bias", "tokenizer_vocab_size", "base_batch_size",
                                            "base_grad_accum_steps", "precision", "attn_backend", "torch_compile", "gradient_checkpointing", "base_optimizer",
                                            "ddp", "ddp_world_size", "threads"};

// The run's own folder and those beside it, from new to old; of one of several seeds, also what lies beside them all.
std::vector<Path> neighbours(const Path& run_dir, const char* file) {
  std::vector<std::pair<fs::file_time_type, Path>> found;
  std::error_code ignored;
  const Path parent = fs::absolute(run_dir).lexically_normal().parent_path();
  auto look = [&](const Path& folder) {
    const Path path = folder / file;
    if (fs::is_regular_file(path, ignored)) found.emplace_back(fs::last_write_time(path, ignored), folder);
  };
  std::vector<Path> places{parent};
  if (fs::exists(parent / kSeedsFile, ignored)) places.push_back(parent.parent_path());
  for (const Path& place : places) {
    for (const auto& entry : fs::directory_iterator(place, fs::directory_options::skip_permission_denied, ignored))
      if (entry.is_directory(ignored)) look(entry.path());
    look(place);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Path> out;
  for (auto& [time, path] : found) out.push_back(std::move(path));
  return out;
}

// A file of an earlier run may be damaged or of another version: then it says nothing.
std::optional<Json> read_quietly(const Path& path) {
  try {
    return base::read_json(path);
  } catch (const base::Error&) {
    return {};
  }
}

bool same_shape(const Json& run, const gate::RunOptions& options, const std::string& device) {
  if (!run.is_object() || !run.contains("options")) return false;
  const Json timing = run.value("timing", Json::object());
  if (timing.value("host", std::string()) != host_identity() || timing.value("device", std::string()) != device) return false;
  const Json mine = gate::run_options().to_json(options);
  return std::all_of(kSpeedFields.begin(), kSpeedFields.end(), [&](const std::string& field) {
    const auto recorded = run.at("options").find(field);
    return recorded != run.at("options").end() && recorded->is_object() && recorded->value("value", Json()) == mine.at(field);
  });
}

std::optional<double> median_speed(const Path& metrics) {
  std::vector<double> rates;
  try {
    for (const auto& event : evidence::read_metrics(metrics, "base"))
      if (event.value("event", std::string()) == "step" && event.contains("timing") && event.at("timing").value("tokens_per_sec", 0.0) > 0)
        rates.push_back(event.at("timing").at("tokens_per_sec").get<double>());
  } catch (const base::Error&) {
    return {};
  }
  if (rates.size() < kFewestSteps) return {};
  const auto half = rates.begin() + static_cast<std::ptrdiff_t>(rates.size() / 2);
  std::sort(half, rates.end());
  return half[(rates.end() - half) / 2];
}

}  // namespace

std::string host_identity() {
  std::ifstream id("/etc/machine-id");
  std::string text;
  if (std::getline(id, text) && !base::trim(text).empty()) return base::sha256(cat("picochat host ", base::trim(text))).hex().substr(0, 16);
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return base::sha256(cat("picochat host ", name)).hex().substr(0, 16);
}

std::optional<MeasuredSpeed> speed_of_earlier_runs(const gate::RunOptions& options, const Path& run_dir, const std::string& device) {
  for (const Path& folder : neighbours(run_dir, "metrics.jsonl")) {
    const auto run = read_quietly(folder / "run.json");
    if (!run || !same_shape(*run, options, device)) continue;
    if (const auto rate = median_speed(folder / "metrics.jsonl"))
      return MeasuredSpeed{.tokens_per_second = *rate * static_cast<double>(gate::planned_world_size(options)), .source = "dry_run", .where = folder.filename().string()};
  }
  return {};
}

std::optional<Path> find_sanity_report(const gate::RunOptions& options, const Path& run_dir) {
  if (options.sanity_report) return Path(*options.sanity_report);
  for (const Path& folder : neighbours(run_dir, kSanityReport)) return folder / kSanityReport;
  return {};
}

gate::SanityFacts sanity_of(const Path& path) {
  const Json report = base::read_json(path);
  auto facts = gate::sanity_facts(report, path.string());
  facts.digest = base::sha256_file(path).hex();
  facts.this_host = base::get_string_or(report, "host", "", path.string()) == host_identity();
  return facts;
}

std::optional<MeasuredSpeed> speed_of_sanity(const gate::RunOptions& options, const Path& run_dir, const std::string& device) {
  const auto path = find_sanity_report(options, run_dir);
  const auto report = path ? read_quietly(*path) : std::nullopt;
  if (!report || !report->is_object() || report->value("host", std::string()) != host_identity() || report->value("device", std::string()) != device) return {};
  const Json wanted{{"model", gate::to_json(gate::model_config(options, gate::estimated_vocab_size(options)))}, {"sequences_per_step", options.base_batch_size * options.base_grad_accum_steps}};
  for (const Json& check : report->value("checks", Json::array())) {
    if (check.value("name", std::string()) != "scale_capacity" || check.value("status", std::string()) != "pass") continue;
    if (check.value("shape", Json()) == wanted && check.value("tokens_per_sec", 0.0) > 0)
      return MeasuredSpeed{.tokens_per_second = check.at("tokens_per_sec").get<double>() * static_cast<double>(gate::planned_world_size(options)), .source = "sanity", .where = path->parent_path().filename().string()};
  }
  return {};
}

}  // namespace picochat::factory
