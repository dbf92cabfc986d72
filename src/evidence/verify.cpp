// `run verify` and `run inspect-bundle`: what a stranger does with a bundle.
#include <map>
#include <set>

#include "evidence/bundle_manifest.hpp"
#include "picochat/base/artifact.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/bundle.hpp"
#include "picochat/evidence/judge.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;

class Verifier {
 public:
  Verifier(const RunFiles& files, bool is_bundle) : files_(files), is_bundle_(is_bundle), attempt_(try_replay(files)) {
    for (const auto& path : files_.list()) names_.insert(path);
  }

  // A step over reports that anybody may have written: a value of a type that no report has is a problem of `file`.
  void step(const char* file, void (Verifier::*look)()) {
    try {
      (this->*look)();
    } catch (const Json::exception& error) {
      problem(file, cat("holds a value of the wrong type: ", error.what()));
    }
  }

  // Every file is listed with its digest, and nothing else is there.
  void digest_list() {
    if (!files_.contains(kDigestList)) return problem(kDigestList, "the list of digests is missing");
    std::set<std::string> listed{kDigestList};
    for (const auto& line : base::split(files_.read(kDigestList), '\n')) {
      if (line.empty()) continue;
      if (line.size() < 67 || line.substr(64, 2) != "  ") return problem(kDigestList, "a line of it is no digest with a name");
      const std::string digest = line.substr(0, 64), path = line.substr(66);
      listed.insert(path);
      if (!files_.contains(path)) problem(path, "is missing");
      else if (files_.digest(path).hex() != digest) problem(path, "was altered: its SHA-256 is not the one in SHA256SUMS");
    }
    for (const auto& path : names_)
      if (!listed.contains(path)) problem(path, "is not listed in SHA256SUMS");
  }

  void manifest() {
    const Json manifest = read(kBundleManifest);
    if (manifest.is_null()) return;
    if (manifest.value("kind", std::string()) != kBundleKind) return problem(kBundleManifest, "is not the manifest of a bundle");
    if (manifest.value("format", 0) != kBundleFormat) return problem(kBundleManifest, cat("has format ", manifest.value("format", 0), "; this program reads ", kBundleFormat));
    std::set<std::string> listed{kBundleManifest, kBundleMarkdown, kDigestList};
    for (const auto& file : manifest.value("included_files", Json::array())) {
      const std::string path = file.value("path", std::string());
      listed.insert(path);
      if (!files_.contains(path)) problem(path, "is missing");
      else if (files_.digest(path).hex() != file.value("sha256", std::string())) problem(path, "was altered: its SHA-256 is not the one in the manifest");
    }
    for (const auto& path : names_)
      if (!listed.contains(path)) problem(path, "is not listed in the manifest");
    for (const auto& item : manifest.value("required_artifacts", Json::array())) {
      const std::string name = item.value("name", std::string());
      if (item.value("status", std::string()) == "present") promised_.insert(name);
      for (const auto& file : item.value("files", Json::array())) owner_.emplace(file.get<std::string>(), name);
    }
  }

  // The summary names the files that it is about. A bundle may lack some: its own lists say which.
  void summary() {
    const bool bundle = is_bundle_;
    const Json summary = read("summary.json");
    if (summary.is_null()) return;
    const Json artifacts = summary.value("artifacts", Json::object());
    for (const auto& [name, artifact] : artifacts.items()) {
      if (!artifact.is_object() || !artifact.contains("sha256") || artifact.at("sha256").is_null()) continue;
      const std::string path = artifact.value("path", std::string());
      const auto digest = files_.contains(path) ? std::optional(files_.digest(path)) : artifact_digest(files_, path);
      if (!digest && !bundle) problem(path, "is missing");
      else if (digest && digest->hex() != artifact.at("sha256")) problem(path, "is not the one that summary.json names");
    }
  }

  // Folders with a manifest of their own: checkpoints, token shards.
  void artifact_folders() {
    const std::string suffix = cat("/", base::kManifestFile);
    for (const auto& path : names_) {
      if (!path.ends_with(suffix)) continue;
      const std::string folder = path.substr(0, path.size() - suffix.size());
      const Json manifest = read(path);
      if (!manifest.is_object() || !manifest.contains("files") || !manifest.at("files").is_object()) continue;
      for (const auto& [name, entry] : manifest.at("files").items()) {
        const std::string file = cat(folder, "/", name);
        if (!files_.contains(file)) problem(file, "is missing");
        else if (!entry.is_object() || files_.digest(file).hex() != entry.value("sha256", std::string())) problem(file, cat("was altered: its SHA-256 is not the one in ", path));
      }
    }
  }

  // The checkpoint was trained with this tokenizer.
  void tokenizer() {
    for (const char* path : {"base/checkpoint/metadata.json", "sft/checkpoint/metadata.json", "dpo/checkpoint/metadata.json"}) {
      if (!files_.contains(path) || !files_.contains("tokenizer.json")) continue;
      const Json metadata = read(path);
      const std::string named = metadata.is_object() ? metadata.value("tokenizer_sha256", std::string()) : "";
      if (!named.empty() && named != files_.digest("tokenizer.json").hex()) problem("tokenizer.json", cat("is not the tokenizer that ", path, " names"));
    }
  }

  void required() {
    artifacts_ = required_artifacts(files_, attempt_);
    for (const auto& item : artifacts_) {
      owner_.emplace(item.name, item.name);
      for (const auto& file : item.files) owner_.emplace(file, item.name);
      // A program built from changed sources is no fault of the files: strict bundles refuse it, a check of digests does not.
      const bool altered = item.status == "damaged" || item.status == "stale";
      if (promised_.contains(item.name) ? item.status != "present" : altered && item.name != "git_commit")
        problem(item.name, cat("the artifact is ", item.status, ": ", item.problem));
    }
  }

  void gate() {
    if (!attempt_.replay) return problem(kVerdictFile, cat("the gate cannot be replayed: ", attempt_.failure));
    first_of(kEvidenceFile, attempt_.replay->evidence_differences);
    first_of(kVerdictFile, attempt_.replay->verdict_differences);
  }

  base::CommandOutput result(const std::string& target) const {
    Json problems = Json::array();
    std::string text;
    for (const auto& [file, what] : problems_) {
      const auto owner = owner_.find(file);
      problems.push_back({{"file", file}, {"artifact", owner == owner_.end() ? Json(nullptr) : Json(owner->second)}, {"problem", what}});
      text += cat("  ", file, ": ", what, owner == owner_.end() || owner->second == file ? "" : cat(" (part of the ", owner->second, ")"), "\n");
    }
    uint64_t bytes = 0;
    for (const auto& name : names_) bytes += files_.size(name);
    const bool good = problems_.empty();
    Json json{{"status", good ? "verified" : "failed"}, {"target", target}, {"files", names_.size()}, {"bytes", bytes}, {"problems", problems},
              {"required_artifacts", to_json(artifacts_)}, {"gate", attempt_.replay ? to_json(*attempt_.replay) : Json(nullptr)}};
    if (attempt_.replay) text += cat("release gate, judged again: ", attempt_.replay->verdict.status, " (", attempt_.replay->verdict.summary, ")\n");
    text += good ? cat("verified: ", names_.size(), " files, ", base::human_bytes(bytes), "; every digest and every tie holds\n")
                 : cat("FAILED: ", problems_.size(), problems_.size() == 1 ? " problem" : " problems", " in ", names_.size(), " files\n");
    return {std::move(json), std::move(text)};
  }

 private:
  // One altered report shows in many figures: the first stands for them.
  void first_of(const std::string& file, const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    problem(file, lines.size() == 1 ? lines.front() : cat(lines.front(), " (and ", lines.size() - 1, " more: `picochat gate replay` lists them)"));
  }

  void problem(const std::string& file, const std::string& what) {
    for (const auto& [known, text] : problems_)
      if (known == file && text == what) return;
    problems_.emplace_back(file, what);
  }

  Json read(const std::string& path) {
    if (!files_.contains(path)) {
      problem(path, "is missing");
      return nullptr;
    }
    try {
      return base::parse_json(files_.read(path), files_.where(path));
    } catch (const base::Error& error) {
      problem(path, cat("cannot be read: ", error.details().what));
      return nullptr;
    }
  }

  const RunFiles& files_;
  const bool is_bundle_;
  std::set<std::string> names_, promised_;
  std::vector<std::pair<std::string, std::string>> problems_;
  std::vector<RequiredArtifact> artifacts_;
  std::map<std::string, std::string> owner_;  // file -> required artifact
  const ReplayAttempt attempt_;
};

}  // namespace

base::CommandOutput verify(const VerifyOptions& options) {
  const auto files = open_run_files(options.target);
  const bool bundle = files->contains(kBundleManifest) || files->contains(kDigestList) || !std::filesystem::is_directory(options.target);
  Verifier verifier(*files, bundle);
  if (bundle) {
    verifier.digest_list();
    verifier.step(kBundleManifest, &Verifier::manifest);
  }
  verifier.step("summary.json", &Verifier::summary);
  verifier.step(base::kManifestFile, &Verifier::artifact_folders);
  verifier.step("metadata.json", &Verifier::tokenizer);
  verifier.step("summary.json", &Verifier::required);
  verifier.gate();
  return verifier.result(options.target);
}

base::CommandOutput inspect_bundle(const InspectBundleOptions& options) {
  const auto files = open_run_files(options.bundle);
  if (!files->contains(kBundleManifest))
    throw base::bad_input({.what = "this archive has no manifest of a bundle", .where = files->where(kBundleManifest), .remedy = "make one with `picochat run bundle`"});
  const Json manifest = base::parse_json(files->read(kBundleManifest), files->where(kBundleManifest));
  Json checkpoints = Json::array();
  for (const auto& path : files->list()) {
    constexpr std::string_view kMetadata = "/metadata.json";
    if (!path.ends_with(kMetadata)) continue;
    const std::string folder = path.substr(0, path.size() - kMetadata.size());
    const Json metadata = base::parse_json(files->read(path), files->where(path));
    const std::string shape = folder + "/config.json";
    checkpoints.push_back({{"path", folder}, {"phase", metadata.value("stage", Json(nullptr))}, {"checkpoint_kind", metadata.value("checkpoint_kind", Json(nullptr))},
                           {"step", metadata.value("step", Json(nullptr))}, {"has_model", files->contains(folder + "/model.safetensors")},
                           {"has_training_state", files->contains(folder + "/training_state.safetensors")},
                           {"config", files->contains(shape) ? base::parse_json(files->read(shape), files->where(shape)) : Json(nullptr)}});
  }
  Json json{{"bundle", options.bundle}, {"bundle_bytes", std::filesystem::file_size(options.bundle)}, {"included_file_count", files->list().size()},
            {"checkpoints", checkpoints}, {"has_corpus", files->contains("corpus.txt")}, {"has_tokenizer", files->contains("tokenizer.json")},
            {"has_preflight", files->contains("preflight.json")}, {"has_summary", files->contains("summary.json")}, {"manifest", manifest}};
  std::string text = bundle_text(manifest);
  for (const auto& checkpoint : checkpoints)
    text += cat("checkpoint: ", checkpoint.at("path").get<std::string>(), ", step ", base::dump(checkpoint.at("step"), -1), checkpoint.at("has_training_state").get<bool>() ? ", can be resumed" : "", "\n");
  return {std::move(json), std::move(text)};
}

const base::OptionTable<VerifyOptions>& verify_options() {
  static const auto table = [] {
    base::OptionTable<VerifyOptions> t;
    t.add("target", &VerifyOptions::target, "bundle, or run directory").must().place().alias("--bundle").alias("--run-dir");
    t.add("json", &VerifyOptions::json, "print the findings as JSON");
    return t;
  }();
  return table;
}

const base::OptionTable<InspectBundleOptions>& inspect_bundle_options() {
  static const auto table = [] {
    base::OptionTable<InspectBundleOptions> t;
    t.add("bundle", &InspectBundleOptions::bundle, "archive made by `run bundle`").must().place();
    t.add("json", &InspectBundleOptions::json, "print as JSON");
    return t;
  }();
  return table;
}

}  // namespace picochat::evidence
