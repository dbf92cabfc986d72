#include "picochat/tasks/benchmark_fetch.hpp"

#include <algorithm>
#include <array>

#include "picochat/base/console.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/row_file.hpp"
#include "picochat/hub/dataset.hpp"
#include "picochat/hub/download.hpp"
#include "picochat/tasks/benchmark_file.hpp"

namespace picochat::tasks {
namespace {

using base::cat;
using base::Json;

// Where each benchmark lives, and the part that is quoted: the test split where its answers are public, else validation.
struct Known {
  const char *name, *dataset, *config, *split, *dev;  // dev: split of the worked examples
};
constexpr std::array<Known, 8> kKnown{{{"arc-easy", "allenai/ai2_arc", "ARC-Easy", "test", ""},
                                       {"arc-challenge", "allenai/ai2_arc", "ARC-Challenge", "test", ""},
                                       {"mmlu", "cais/mmlu", "all", "test", "dev"},
                                       {"hellaswag", "Rowan/hellaswag", "", "validation", ""},
                                       {"piqa", "baber/piqa", "", "validation", ""},
                                       {"openbookqa", "allenai/openbookqa", "main", "test", ""},
                                       {"boolq", "google/boolq", "", "validation", ""},
                                       {"winogrande", "allenai/winogrande", "winogrande_xl", "validation", ""}}};

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  for (const Known& known : kKnown) names.emplace_back(known.name);
  return names;
}

const Known& known_benchmark(const std::string& name) {
  const auto found = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& known) { return name == known.name; });
  if (found != kKnown.end()) return *found;
  const auto names = known_names();
  const std::string near = base::closest(name, names);
  throw base::usage_error({.what = "this benchmark is not known", .where = "eval fetch", .expected = base::join(names, ", "), .found = name,
                           .remedy = near.empty() ? "give a file of your own to --external-eval instead" : cat("did you mean ", near, "?")});
}

// ".parquet" and ".jsonl" as they are; others are not read as benchmarks.
std::string_view benchmark_kind(std::string_view path) {
  return path.ends_with(".parquet") || path.ends_with(".jsonl") || path.ends_with(".json") ? "benchmark" : "";
}

class Fetch {
 public:
  Fetch(base::FileSystem& files, const FetchBenchmarkOptions& options, const hub::Environment& environment)
      : files_(files), options_(options), known_(known_benchmark(options.name)),
        client_(std::make_shared<const hub::Client>(hub::settings_from(environment, {options.endpoint, options.token_env}))),
        dataset_(hub::open_hub_dataset(client_, known_.dataset, options.revision)), config_(options.config.value_or(known_.config)) {}

  // One split as one file; returns what its .source.json says.
  Json part(const std::string& split, const std::string& stem) {
    const hub::Dataset* from = dataset_.get();
    std::unique_ptr<hub::Dataset> converted;
    auto resolved = hub::resolve_data_files(from->files(), from->card(),
                                            {config_.empty() ? std::nullopt : std::optional(config_), split, {}, [](std::string_view path) { return std::string(benchmark_kind(path)); }}, from->address());
    if (resolved.files.empty()) {
      std::string why;
      converted = from->converted(resolved.config, resolved.split, why);
      if (!converted)
        throw base::bad_input({.what = cat("no file of split \"", split, "\" can be read as a benchmark"), .where = from->address(), .remedy = why});
      from = converted.get();
      resolved.files = from->files();
    }
    if (resolved.files.size() != 1)
      throw base::bad_input({.what = cat("split \"", split, "\" has ", resolved.files.size(), " files, and a benchmark is one"), .where = from->address(), .remedy = "give another --config or --split"});
    const auto& file = resolved.files.front();
    const base::Path cached = hub::fetch_into_cache(files_, client_, known_.dataset, from->commit(), file);
    const BenchmarkFile benchmark = read_benchmark(cached);
    const base::Path target = base::Path(options_.out_dir) / cat(stem, base::Path(file.path).extension().string());
    const std::string digest = base::sha256_file(cached).hex();
    publish(cached, target, digest);
    const Json source{{"benchmark", known_.name}, {"path", target.string()}, {"dataset", known_.dataset}, {"config", resolved.config}, {"split", resolved.split}, {"commit", from->commit()},
                      {"file", file.path}, {"sha256", digest}, {"rows", benchmark.rows.size()}, {"layout", benchmark.layout}, {"license", dataset_->license()}};
    Json beside = source;
    beside.erase("path");
    base::write_file(files_, target.string() + ".source.json", base::dump(beside) + "\n");
    return source;
  }

  Json all() {
    Json parts = Json::array();
    const std::string split = options_.split.value_or(known_.split);
    std::string stem = options_.name;
    if (options_.config && *options_.config != known_.config) stem = *options_.config;
    if (*known_.dev && split != known_.dev) {
      parts.push_back(part(split, stem + "_test"));
      parts.push_back(part(known_.dev, stem + "_dev"));
    } else {
      parts.push_back(part(split, stem));
    }
    return parts;
  }

 private:
  void publish(const base::Path& cached, const base::Path& target, const std::string& digest) {
    if (std::filesystem::exists(target)) {
      if (base::sha256_file(target).hex() == digest) return;
      if (!options_.force)
        throw base::bad_input({.what = "another file has this name", .where = target.string(), .expected = cat("SHA-256 ", digest), .remedy = "move it away, choose another --out-dir, or give --force"});
    }
    files_.make_directories(target.parent_path());
    base::write_file(files_, target, base::read_file(cached));
  }

  base::FileSystem& files_;
  const FetchBenchmarkOptions& options_;
  const Known& known_;
  std::shared_ptr<const hub::Client> client_;
  std::unique_ptr<hub::Dataset> dataset_;
  std::string config_;
};

}  // namespace

const base::OptionTable<FetchBenchmarkOptions>& fetch_benchmark_options() {
  using O = FetchBenchmarkOptions;
  static const auto table = [] {
    base::OptionTable<O> t;
    t.add("name", &O::name, cat("benchmark: ", base::join(known_names(), ", "))).must().place().metavar = "NAME";
    t.add("out_dir", &O::out_dir, "folder to write it into").metavar = "DIR";
    t.add("config", &O::config, "another configuration of the data set, such as a subject of mmlu").metavar = "NAME";
    t.add("split", &O::split, "another split").metavar = "NAME";
    t.add("revision", &O::revision, "branch, tag or commit of the data set");
    t.add("endpoint", &O::endpoint, "address of the hub (default: HF_ENDPOINT)").metavar = "URL";
    t.add("token_env", &O::token_env, "environment variable that holds the token").metavar = "NAME";
    t.add("force", &O::force, "replace another file of the same name");
    t.add("json", &O::json, "print JSON");
    return t;
  }();
  return table;
}

base::CommandOutput fetch_benchmark(base::FileSystem& files, const FetchBenchmarkOptions& options, const hub::Environment& environment) {
  const Json parts = Fetch(files, options, environment).all();
  std::string text;
  for (const Json& p : parts)
    text += cat(p["path"].get<std::string>(), ": ", p["rows"].get<int64_t>(), " rows of ", p["dataset"].get<std::string>(), " at ", p["commit"].get<std::string>().substr(0, 12), ", SHA-256 ",
                p["sha256"].get<std::string>().substr(0, 16), ", licence ", p["license"].get<std::string>().empty() ? "not stated" : p["license"].get<std::string>(), "\n");
  text += cat("Use it: --external-eval ", options.name, "=", parts[0]["path"].get<std::string>(), "\n");
  return {{{"benchmark", options.name}, {"files", parts}}, text};
}

}  // namespace picochat::tasks
