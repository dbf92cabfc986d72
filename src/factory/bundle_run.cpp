#include "picochat/factory/bundle_run.hpp"

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/commands.hpp"
#include "picochat/evidence/run_files.hpp"
#include "picochat/exporter/export_hf.hpp"
#include "picochat/gate/run_options.hpp"

namespace picochat::factory {
namespace {

using base::cat;
using base::Json;
using base::Path;

std::optional<std::string> option_of(const Json& run, const char* name) {
  const Json value = gate::recorded_option(run, name);
  return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
}

// The training text is not in the run directory: it is read again from where the run read it, and must still
// be the same.
void write_corpus(base::FileSystem& files, const Path& run_dir, const Path& out) {
  const Json run = base::read_json(run_dir / "run.json"), manifest = base::read_json(run_dir / "corpus_manifest.json");
  const auto made = corpus::build(files, {.dataset_pack = option_of(run, "dataset_pack"), .input = option_of(run, "corpus_input"), .recipe = option_of(run, "corpus_recipe"),
                                          .manifest = cat(out.string(), ".manifest.json"), .report = cat(out.string(), ".report.md"), .out = out.string(),
                                          .min_score = manifest.value("min_quality_score", int64_t{0})});
  if (made.json.at("digest") != manifest.at("digest"))
    throw base::bad_input({.what = "the corpus is no longer the one that was trained on", .where = run_dir.string(), .expected = manifest.at("digest").get<std::string>(),
                           .found = made.json.at("digest").get<std::string>(), .remedy = "restore its files, or leave --include-corpus out: the manifest names the text by digest"});
}

// Files that live as long as the bundle is being written.
class Scratch {
 public:
  Scratch(base::FileSystem& files, const Path& run_dir) : files_(files), folder_(run_dir / ".tmp-bundle") {
    files_.remove_all(folder_);
    files_.make_directories(folder_);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Path at(const std::string& name) const { return folder_ / name; }

 private:
  base::FileSystem& files_;
  Path folder_;
};

// A checkpoint that cannot be described is not in the way of the bundle, which says what it lacks.
void add_export_description(base::FileSystem& files, const Path& run_dir, const Path& folder, std::vector<evidence::ExtraFile>& extra) {
  try {
    exporter::describe_export(files, run_dir, folder);
    for (const auto& path : base::list_files(folder)) extra.push_back({folder / path, cat("export/", path.generic_string())});
  } catch (const base::Error& error) {
    if (error.code() == base::ExitCode::kEnvironment) throw;  // a full disk is no property of the checkpoint
    base::warn(cat("the bundle has no export manifest and model card: ", error.what()));
  }
}

}  // namespace

base::CommandOutput bundle_run(base::FileSystem& files, const evidence::BundleOptions& options) {
  const Path dir = options.run_dir;
  if (!std::filesystem::exists(dir / "run.json")) return evidence::write_bundle(files, options, {});  // says what is wrong
  const base::DirectoryLock lock(dir);
  const Scratch scratch(files, dir);
  std::vector<evidence::ExtraFile> extra;
  if (options.include_corpus) {
    write_corpus(files, dir, scratch.at("corpus.txt"));
    extra.push_back({scratch.at("corpus.txt"), "corpus.txt"});
  }
  if (std::filesystem::exists(dir / evidence::aligned_checkpoint(dir))) add_export_description(files, dir, scratch.at("export"), extra);
  return evidence::write_bundle(files, options, extra);
}

}  // namespace picochat::factory
