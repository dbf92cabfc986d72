// Where each piece of the gate's evidence lies in a run, and how it is bound to the others.
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/judge.hpp"
#include "picochat/gate/reports.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;

class Collector {
 public:
  explicit Collector(const RunFiles& files) : files_(files) {}

  // Reads a report and hands it on; nothing happens when it is not there.
  template <typename Use>
  void report(const std::string& path, Use use) {
    if (!files_.contains(path)) return;
    try {
      use(base::parse_json(files_.read(path), files_.where(path)), files_.digest(path).hex());
    } catch (const base::Error& error) {
      evidence_.faults.push_back({.name = path, .expected = "a readable report", .found = error.details().what});
    } catch (const Json::exception& error) {
      evidence_.faults.push_back({.name = path, .expected = "a readable report", .found = error.what()});
    }
  }

  void eval(const std::string& folder, std::optional<gate::EvalEvidence>& out) {
    const std::string path = folder + "/eval_report.json";
    report(path, [&](const Json& json, const std::string& digest) {
      auto part = gate::eval_evidence(json, path);
      part.digest = digest;
      out = std::move(part);
    });
  }

  void external(const std::string& name) {
    const std::string path = cat("external_eval/", name, "/eval_report.json");
    report(path, [&](const Json& json, const std::string& digest) {
      gate::ExternalEvidence part{.name = name, .eval = gate::eval_evidence(json, path)};
      part.eval.digest = digest;
      if (const auto found = json.find("contamination"); found != json.end() && found->is_object()) {
        part.flagged_rows = base::get_int(*found, "flagged_rows", path);
        const Json& clean = found->at("without_flagged");
        part.without_flagged = gate::Tally{.n = base::get_int(clean, "num_examples", path), .passed = base::get_int(clean, "num_passed", path)};
      }
      evidence_.external.push_back(std::move(part));
    });
  }

  void file_digest(const char* name, const std::string& path) {
    if (files_.contains(path)) evidence_.digests[name] = files_.digest(path).hex();
  }
  void folder_digest(const char* name, const std::string& folder) {
    if (const auto digest = artifact_digest(files_, folder)) evidence_.digests[name] = digest->hex();
  }

  gate::GateEvidence collect() {
    report("preflight.json", [&](const Json& json, const std::string& digest) {
      evidence_.preflight = gate::preflight_evidence(json, "preflight.json");
      evidence_.preflight->digest = digest;
    });
    report("honesty/honesty_report.json", [&](const Json& json, const std::string& digest) {
      evidence_.honesty = gate::honesty_facts(json, "honesty/honesty_report.json");
      evidence_.honesty->digest = digest;
    });
    eval("sft_fit", evidence_.sft_fit);
    eval("sft_fit_heldout", evidence_.sft_fit_heldout);
    eval("eval", evidence_.eval);
    constexpr std::string_view kExternal = "external_eval/", kReport = "/eval_report.json";
    for (const auto& path : files_.list())
      if (path.starts_with(kExternal) && path.ends_with(kReport) && path.size() > kExternal.size() + kReport.size())
        external(path.substr(kExternal.size(), path.size() - kExternal.size() - kReport.size()));
    folder_digest("checkpoint", aligned_checkpoint(files_));
    folder_digest("base_checkpoint", "base/checkpoint");
    file_digest("tokenizer", "tokenizer.json");
    file_digest("eval_input", "inputs/eval.jsonl");
    file_digest("chat_input", "inputs/chat.jsonl");
    if (files_.contains("inputs/preferences.jsonl")) file_digest("preferences_input", "inputs/preferences.jsonl");
    file_digest("corpus_manifest", "corpus_manifest.json");
    file_digest("honesty", "honesty/honesty_report.json");
    file_digest("preflight", "preflight.json");
    return std::move(evidence_);
  }

 private:
  const RunFiles& files_;
  gate::GateEvidence evidence_;
};

}  // namespace

gate::GateEvidence collect_gate_evidence(const RunFiles& files) { return Collector(files).collect(); }

}  // namespace picochat::evidence
