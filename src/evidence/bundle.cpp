#include "picochat/evidence/bundle.hpp"

#include <algorithm>
#include <fstream>
#include <map>

#include "evidence/archive.hpp"
#include "evidence/bundle_manifest.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/required.hpp"
#include "picochat/evidence/run_files.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;
using base::Path;

struct Member {
  Path source;        // empty: `bytes` holds it
  std::string bytes;
  uint64_t size = 0;
  base::Digest digest;
};
using Members = std::map<std::string, Member>;  // by path in the run's folder

bool inside(const std::string& path, const char* folder) { return path.starts_with(cat(folder, "/")); }

// What is left out unless asked for; "" keeps it.
std::string left_out(const std::string& path, const BundleOptions& options) {
  if (path.find("/.") != std::string::npos || path.front() == '.') return "hidden";  // locks and leftovers
  if (inside(path, "base/token_shards")) return options.include_token_shards ? "" : "token shards: --include-token-shards";
  if (path == "corpus.txt") return options.include_corpus ? "" : "corpus text: --include-corpus";
  if (options.checkpoints == "all") return "";
  for (const char* stage : {"base", "sft", "dpo"})
    for (const char* folder : {"resume_checkpoint", "last_checkpoint", "ema_checkpoint", "best"})
      if (inside(path, cat(stage, "/", folder).c_str())) return "further checkpoints: --checkpoints all";
  return "";
}

Path run_folder(const BundleOptions& options) {
  const Path dir = Path(options.run_dir).lexically_normal();
  if (!std::filesystem::exists(dir / "run.json"))
    throw base::bad_input({.what = "there is no run here", .where = dir.string(), .expected = "a folder that `picochat run tiny` made", .remedy = "give the run's --out-dir"});
  return dir;
}

// The run directory and what is added to it, as one set of files: what a bundle will look like.
class Planned : public RunFiles {
 public:
  explicit Planned(const Members& members) : members_(members) {}
  std::vector<std::string> list() const override {
    std::vector<std::string> names;
    for (const auto& [name, member] : members_) names.push_back(name);
    return names;
  }
  bool contains(const std::string& path) const override { return members_.contains(path); }
  uint64_t size(const std::string& path) const override { return members_.at(path).size; }
  base::Digest digest(const std::string& path) const override { return members_.at(path).digest; }
  std::string read(const std::string& path) const override { return base::read_file(members_.at(path).source); }
  std::string where(const std::string& path) const override { return members_.contains(path) ? members_.at(path).source.string() : path; }

 private:
  const Members& members_;
};

struct Plan {
  std::string name;  // of the run, and of the top folder
  Members members;
  std::map<std::string, std::string> excluded;  // folder or file -> how to include it
};

void add_file(Plan& plan, const std::string& path, const Path& source) {
  plan.members[path] = {.source = source, .size = std::filesystem::file_size(source), .digest = base::sha256_file(source)};
}

Plan plan_bundle(const Path& dir, const BundleOptions& options, const std::vector<ExtraFile>& extra) {
  Plan plan{.name = std::filesystem::weakly_canonical(dir).filename().string()};
  for (const auto& path : open_run_files(dir)->list()) {
    const std::string reason = left_out(path, options);
    if (reason.empty()) add_file(plan, path, dir / path);
    else if (reason != "hidden") plan.excluded[path.substr(0, path.rfind('/'))] = reason;
    base::throw_if_interrupted();
  }
  for (const auto& file : extra) add_file(plan, file.path, file.source);
  if (options.logs_dir) {
    if (!std::filesystem::is_directory(*options.logs_dir))
      throw base::bad_input({.what = "there is no folder of logs", .where = *options.logs_dir, .remedy = "leave --logs-dir out, or give the folder that `tee` wrote to"});
    for (const auto& path : base::list_files(*options.logs_dir)) add_file(plan, cat("logs/", path.generic_string()), Path(*options.logs_dir) / path);
  }
  return plan;
}

void refuse_incomplete(const std::vector<RequiredArtifact>& required, const Path& dir) {
  std::vector<std::string> lines;
  for (const auto& item : required)
    if (item.status != "present") lines.push_back(cat(item.name, " is ", item.status, ": ", item.problem, "\n              -> ", item.remedy));
  if (lines.empty()) return;
  throw base::blocked({.what = cat("the run lacks ", lines.size(), " of the ", required.size(), " artifacts that a public model must ship with"), .where = dir.string(),
                       .found = base::join(lines, "\n            "), .remedy = "make what is listed, then bundle again; without --strict the bundle says what it lacks"});
}

base::Digest write_archive(base::FileSystem& files, const Path& out, const Plan& plan) {
  ArchiveWriter archive(files, out);
  uint64_t total = 0, done = 0;
  for (const auto& [path, member] : plan.members) total += member.size;
  base::Progress progress("bundle", total, "B");
  std::vector<char> buffer(1 << 20);
  auto write = [&](const std::string& path, const Member& member) {
    archive.begin_entry(cat(plan.name, "/", path), member.size);
    if (member.source.empty()) return archive.append(member.bytes);
    std::ifstream in(member.source, std::ios::binary);
    base::Sha256 hash;
    while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
      const std::string_view piece(buffer.data(), static_cast<size_t>(in.gcount()));
      hash.update(piece);
      archive.append(piece);
      progress.update(done += piece.size());
      base::throw_if_interrupted();
    }
    if (hash.finish() != member.digest)
      throw base::environment_error({.what = "a file changed while it was bundled", .where = member.source.string(), .remedy = "wait until the run has ended, then bundle again"});
  };
  // What describes the bundle stands first, so that looking at it needs no pass over the weights.
  for (const char* path : {kBundleManifest, kBundleMarkdown, kDigestList}) write(path, plan.members.at(path));
  for (const auto& [path, member] : plan.members)
    if (path != kBundleManifest && path != kBundleMarkdown && path != kDigestList) write(path, member);
  progress.finish();
  return archive.publish();
}

void add_text(Plan& plan, const char* path, std::string text) {
  const auto digest = base::sha256(text);
  const uint64_t size = text.size();
  plan.members[path] = {.source = {}, .bytes = std::move(text), .size = size, .digest = digest};
}

}  // namespace

base::CommandOutput write_bundle(base::FileSystem& files, const BundleOptions& options, const std::vector<ExtraFile>& extra) {
  const Path dir = run_folder(options);
  Plan plan = plan_bundle(dir, options, extra);
  const Path out = options.out ? Path(*options.out) : Path(cat(plan.name, "-bundle.tgz"));
  const Planned planned(plan.members);
  const auto required = required_artifacts(planned, try_replay(planned));
  if (options.strict) refuse_incomplete(required, dir);

  const Json manifest = bundle_manifest(planned, {.run = plan.name, .strict = options.strict, .include_corpus = options.include_corpus,
                                                  .include_token_shards = options.include_token_shards, .logs = options.logs_dir.has_value(),
                                                  .required = required, .excluded = plan.excluded});
  std::string digests;
  add_text(plan, kBundleManifest, base::dump(manifest) + "\n");
  add_text(plan, kBundleMarkdown, bundle_markdown(manifest));
  for (const auto& [path, member] : plan.members) digests += cat(member.digest.hex(), "  ", path, "\n");
  add_text(plan, kDigestList, std::move(digests));
  const base::Digest digest = write_archive(files, out, plan);

  Json sidecar = manifest;
  sidecar["bundle"] = out.filename().string();
  sidecar["bundle_bytes"] = std::filesystem::file_size(out);
  sidecar["bundle_sha256"] = digest.hex();
  sidecar["manifest_json"] = cat(out.filename().string(), ".manifest.json");
  sidecar["manifest_md"] = cat(out.filename().string(), ".manifest.md");
  sidecar["timing"] = {{"created_at", base::utc_timestamp()}};
  base::write_file(files, Path(out.string() + ".manifest.json"), base::dump(sidecar) + "\n");
  base::write_file(files, Path(out.string() + ".manifest.md"), bundle_markdown(sidecar));
  return {sidecar, cat(bundle_text(sidecar), "bundle: ", out.string(), "\ncheck it anywhere with: picochat run verify ", out.string(), "\n")};
}

const base::OptionTable<BundleOptions>& bundle_options() {
  static const auto table = [] {
    base::OptionTable<BundleOptions> t;
    t.add("run_dir", &BundleOptions::run_dir, "run to package").must();
    t.add("out", &BundleOptions::out, "archive to write; default <run name>-bundle.tgz in the current folder");
    t.add("logs_dir", &BundleOptions::logs_dir, "folder of logs to add");
    t.add("checkpoints", &BundleOptions::checkpoints, "the selected checkpoints, or all that are there").choose({"selected", "all"});
    t.add("include_corpus", &BundleOptions::include_corpus, "add the training text as corpus.txt");
    t.add("include_token_shards", &BundleOptions::include_token_shards, "add the corpus as token ids");
    t.add("strict", &BundleOptions::strict, "fail unless all nine artifacts of a public model are there and fit together");
    t.add("json", &BundleOptions::json, "print the manifest as JSON");
    return t;
  }();
  return table;
}

}  // namespace picochat::evidence
