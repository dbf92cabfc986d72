#include "picochat/evidence/required.hpp"

#include <deque>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/judge.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;
using base::member;

constexpr const char* kRunAgain = "run the same `picochat run tiny` command again: it goes on with what is missing";
constexpr const char* kJudgeAgain = "`picochat gate judge --run-dir RUN` judges what is there now";

class Checklist {
 public:
  Checklist(const RunFiles& files, const ReplayAttempt& replay) : files_(files), replay_(replay), checkpoint_(aligned_checkpoint(files)) {
    try {
      if (files_.contains(kEvidenceFile)) judged_ = base::parse_json(files_.read(kEvidenceFile), files_.where(kEvidenceFile));
    } catch (const base::Error&) {
      judged_ = nullptr;  // the gate's own item says so
    }
  }

  void git_commit() {
    auto& item = add("git_commit", "reproduces the exact training code", {"summary.json"}, kRunAgain);
    const Json summary = read(item, "summary.json"), build = summary.value("build", Json::object());
    if (item.status != "present") return;
    const Json trained = member(member(summary, "artifacts"), "aligned_eval_checkpoint");
    if (const auto digest = artifact_digest(files_, checkpoint_); digest && trained.is_object() && trained.value("sha256", Json(nullptr)) != digest->hex())
      return fail(item, "stale", cat("summary.json is about another checkpoint than ", checkpoint_), kRunAgain);
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
    const Json digests = member(judged_, "digests");
    for (const auto& [name, path] : {std::pair{"corpus_manifest", "corpus_manifest.json"}, {"chat_input", "inputs/chat.jsonl"}, {"eval_input", "inputs/eval.jsonl"}, {"preferences_input", "inputs/preferences.jsonl"}})
      judged(item, path, member(digests, name));
  }

  void reports() {
    auto& preflight = add("preflight_report", "proves that token budget, replay risk, split and coverage were checked before training", {"preflight.json", "preflight.md"}, kRunAgain);
    judged(preflight, "preflight.json", member(member(judged_, "preflight"), "digest"));
    const bool dpo = checkpoint_.starts_with("dpo/");
    std::vector<std::string> of_training{"base/train_report.json", "base/curves.svg", "sft/sft_report.json", "sft/curves.svg", "metrics.jsonl"};
    if (dpo) of_training.insert(of_training.end(), {"dpo/dpo_report.json", "dpo/curves.svg"});
    auto& curves = add("training_curves", "shows base and SFT loss, validation bits per byte, best checkpoint and stop reason", of_training, kRunAgain);
    bound(curves, "base/train_report.json", "base/checkpoint");
    bound(curves, "sft/sft_report.json", "sft/checkpoint");
    if (dpo) bound(curves, "dpo/dpo_report.json", "dpo/checkpoint");
    auto& honesty = add("honesty_report", "shows prompt overlap, contamination, duplicate prompts and support phrase hits", {"honesty/honesty_report.json", "honesty/report.md"}, kRunAgain);
    read(honesty, "honesty/honesty_report.json");
    judged(honesty, "honesty/honesty_report.json", member(member(judged_, "honesty"), "digest"));
    auto& eval = add("internal_eval_report", "shows the scores of each category", {"eval/eval_report.json", "eval/report.md"}, kRunAgain);
    bound(eval, "eval/eval_report.json", checkpoint_);
    judged(eval, "eval/eval_report.json", member(member(judged_, "eval"), "digest"));
  }

  void external() {
    std::vector<std::string> found, files;
    for (const auto& path : files_.list()) {
      if (!path.starts_with("external_eval/")) continue;
      if (path.ends_with("/eval_report.json")) found.push_back(path);
      if (path.ends_with("/eval_report.json") || path.ends_with("/report.md")) files.push_back(path);
    }
    constexpr const char* kRemedy = "`picochat gate judge --run-dir RUN --external-eval arc-easy=FILE` scores one and judges again";
    auto& item = add("external_benchmark_report", "gives at least one common anchor, such as ARC or a part of MMLU", files, kRemedy);
    if (found.empty()) fail(item, "missing", "no outside benchmark was scored", kRemedy);
    for (const auto& path : found) bound(item, path, checkpoint_);
    for (const auto& external : member(judged_, "external"))
      if (external.is_object()) judged(item, cat("external_eval/", external.value("name", std::string()), "/eval_report.json"), member(external, "digest"));
  }

  void gate() {
    auto& item = add("release_gate", "shows approved, warn or blocked, with explicit issues", {"gate/gate.json", "gate/gate.md", "gate/gate_evidence.json"}, kRunAgain);
    if (item.status != "present") return;
    if (!replay_.replay) return fail(item, "damaged", replay_.failure, kRunAgain);
    if (replay_.replay->status == "same") return;
    const auto& lines = replay_.replay->evidence_differences.empty() ? replay_.replay->verdict_differences : replay_.replay->evidence_differences;
    fail(item, "stale", cat("the files are not those that were judged: ", lines.front()), kJudgeAgain);
  }

  void model_card() {
    constexpr const char* kRemedy = "`picochat run bundle` writes it into the bundle";
    auto& item = add("hf_export_and_model_card", "makes the checkpoint reviewable and loadable by other users", {"export/release_manifest.json", "export/README.md"}, kRemedy);
    const Json manifest = read(item, "export/release_manifest.json");
    const auto checkpoint = artifact_digest(files_, checkpoint_);
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

  // A report that was judged is the one that is there.
  void judged(RequiredArtifact& item, const std::string& path, const Json& digest) {
    if (!digest.is_string() || digest.get_ref<const std::string&>().empty()) return;
    if (!files_.contains(path)) fail(item, "missing", cat(path, " is not there"), kRunAgain);
    else if (files_.digest(path).hex() != digest) fail(item, "stale", cat(path, " is not the one that was judged"), kJudgeAgain);
  }

  const RunFiles& files_;
  const ReplayAttempt& replay_;
  const std::string checkpoint_;  // that the run is judged by
  Json judged_;  // the evidence as it was when the gate judged; null when unknown
  std::deque<RequiredArtifact> items_;  // references stay valid
};

}  // namespace

std::vector<RequiredArtifact> required_artifacts(const RunFiles& files, const ReplayAttempt& replay) {
  Checklist list(files, replay);
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
