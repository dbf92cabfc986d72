#include "picochat/evidence/required.hpp"

#include <deque>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/judge.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;

constexpr const char* kRunAgain = "run the same `picochat run tiny` command again: it goes on with what is missing";

class Checklist {
 public:
  explicit Checklist(const RunFiles& files) : files_(files) {}

  void git_commit() {
    auto& item = add("git_commit", "reproduces the exact training code", {"summary.json"}, kRunAgain);
    const Json build = read(item, "summary.json").value("build", Json::object());
    if (item.status != "present") return;
    const std::string commit = build.value("git_commit", std::string());
    if (commit.size() < 7 || commit == "unknown") fail(item, "missing", "the program that trained does not know its commit", "build it in a git checkout, then train again");
    else if (build.value("git_dirty", false)) fail(item, "stale", cat("the program was built from ", commit.substr(0, 12), " with uncommitted changes"), "commit them, build, and train again");
  }

  void dataset_pack() {
    auto& item = add("dataset_pack", "shows the corpus's sources, filters and document counts", {"inputs/inputs.json", "corpus_manifest.json", "inputs/chat.jsonl", "inputs/eval.jsonl"}, kRunAgain);
    const Json inputs = read(item, "inputs/inputs.json");
    for (const auto& entry : inputs.value("files", Json::array())) {
      const std::string path = entry.value("path", std::string());
      if (!files_.contains(path)) fail(item, "missing", cat(path, " is not there"), kRunAgain);
      else if (files_.digest(path).hex() != entry.value("sha256", std::string())) fail(item, "damaged", cat(path, " was altered"), "restore it from a good copy");
      if (path != "inputs/chat.jsonl" && path != "inputs/eval.jsonl") item.files.push_back(path);
    }
    for (const auto& missing : inputs.value("missing_import_reports", Json::array()))
      fail(item, "missing", cat("the import report of ", missing.get<std::string>(), " is not beside its documents"), "import that source again with `picochat data hf-import`");
  }

  void reports() {
    add("preflight_report", "proves that token budget, replay risk, split and coverage were checked before training", {"preflight.json", "preflight.md"}, kRunAgain);
    auto& curves = add("training_curves", "shows base and SFT loss, validation bits per byte, best checkpoint and stop reason",
                       {"base/train_report.json", "base/curves.svg", "sft/sft_report.json", "sft/curves.svg", "metrics.jsonl"}, kRunAgain);
    bound(curves, "base/train_report.json", "base/checkpoint");
    bound(curves, "sft/sft_report.json", "sft/checkpoint");
    auto& honesty = add("honesty_report", "shows prompt overlap, contamination, duplicate prompts and support phrase hits", {"honesty/honesty_report.json", "honesty/report.md"}, kRunAgain);
    read(honesty, "honesty/honesty_report.json");
    auto& eval = add("internal_eval_report", "shows the scores of each category", {"eval/eval_report.json", "eval/report.md"}, kRunAgain);
    bound(eval, "eval/eval_report.json", "sft/checkpoint");
  }

  void external() {
    std::vector<std::string> found;
    for (const auto& path : files_.list())
      if (path.starts_with("external_eval/") && path.ends_with("/eval_report.json")) found.push_back(path);
    constexpr const char* kRemedy = "`picochat gate judge --run-dir RUN --external-eval arc-easy=FILE` scores one and judges again";
    auto& item = add("external_benchmark_report", "gives at least one common anchor, such as ARC or a part of MMLU", found, kRemedy);
    if (found.empty()) fail(item, "missing", "no outside benchmark was scored", kRemedy);
    for (const auto& path : found) bound(item, path, "sft/checkpoint");
  }

  void gate() {
    auto& item = add("release_gate", "shows approved, warn or blocked, with explicit issues", {"gate/gate.json", "gate/gate.md", "gate/gate_evidence.json"}, kRunAgain);
    if (item.status != "present") return;
    try {
      const auto replay = replay_gate(files_);
      if (replay.status == "same") return;
      const auto& lines = replay.evidence_differences.empty() ? replay.verdict_differences : replay.evidence_differences;
      fail(item, "stale", cat("the files are not those that were judged: ", lines.front()), "`picochat gate judge --run-dir RUN` judges what is there now");
    } catch (const base::Error& error) {
      fail(item, "damaged", error.details().what, kRunAgain);
    }
  }

  void model_card() {
    constexpr const char* kRemedy = "`picochat run bundle` writes it into the bundle";
    auto& item = add("hf_export_and_model_card", "makes the checkpoint reviewable and loadable by other users", {"export/release_manifest.json", "export/README.md"}, kRemedy);
    const Json manifest = read(item, "export/release_manifest.json");
    const auto checkpoint = artifact_digest(files_, "sft/checkpoint");
    const Json named = manifest.value("checkpoint", Json::object());
    if (item.status == "present" && checkpoint && (!named.is_object() || named.value("sha256", std::string()) != checkpoint->hex()))
      fail(item, "stale", "it is about another checkpoint", kRemedy);
  }

  std::vector<RequiredArtifact> take() { return {items_.begin(), items_.end()}; }

 private:
  RequiredArtifact& add(std::string name, std::string purpose, std::vector<std::string> files, const std::string& remedy) {
    items_.push_back({.name = std::move(name), .purpose = std::move(purpose), .files = std::move(files)});
    auto& item = items_.back();
    for (const auto& path : item.files)
      if (!files_.contains(path)) fail(item, "missing", cat(path, " is not there"), remedy);
    return item;
  }

  static void fail(RequiredArtifact& item, const char* status, std::string problem, std::string remedy) {
    if (item.status != "present") return;  // the first problem is the one to solve
    item.status = status;
    item.problem = std::move(problem);
    item.remedy = std::move(remedy);
  }

  // The report, or an empty object with the item marked.
  Json read(RequiredArtifact& item, const std::string& path) {
    if (!files_.contains(path)) return Json::object();
    try {
      Json json = base::parse_json(files_.read(path), files_.where(path));
      if (json.is_object()) return json;
      fail(item, "damaged", cat(path, " is not a report"), kRunAgain);
    } catch (const base::Error& error) {
      fail(item, "damaged", cat(path, ": ", error.details().what), "restore it from a good copy");
    }
    return Json::object();
  }

  // A report names the checkpoint that it is about by digest.
  void bound(RequiredArtifact& item, const std::string& path, const std::string& folder) {
    const Json named = read(item, path).value("checkpoint", Json(nullptr));
    const auto digest = artifact_digest(files_, folder);
    if (!digest) return fail(item, "missing", cat(folder, " is not there"), kRunAgain);
    if (!named.is_object() || named.value("sha256", std::string()) != digest->hex())
      fail(item, "stale", cat(path, " is about another checkpoint than ", folder), "evaluate the selected checkpoint again");
  }

  const RunFiles& files_;
  std::deque<RequiredArtifact> items_;  // references stay valid
};

}  // namespace

std::vector<RequiredArtifact> required_artifacts(const RunFiles& files) {
  Checklist list(files);
  list.git_commit();
  list.dataset_pack();
  list.reports();
  list.external();
  list.gate();
  list.model_card();
  return list.take();
}

Json to_json(const std::vector<RequiredArtifact>& artifacts) {
  Json out = Json::array();
  for (const auto& item : artifacts) {
    Json entry{{"name", item.name}, {"purpose", item.purpose}, {"status", item.status}, {"files", item.files}};
    if (!item.problem.empty()) entry["problem"] = item.problem;
    if (!item.remedy.empty()) entry["remedy"] = item.remedy;
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace picochat::evidence
