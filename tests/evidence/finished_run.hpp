// A finished run as a folder: every required artifact, small but whole, bound to one another as `run tiny` does.
#pragma once

#include <string>

#include "picochat/base/artifact.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/evidence/judge.hpp"
#include "picochat/evidence/run_summary.hpp"

namespace picochat::evidence {

using base::Json;
using base::Path;

inline void put(const Path& path, const std::string& bytes) { base::write_file(base::real_file_system(), path, bytes); }
inline void put(const Path& path, const Json& json) { put(path, base::dump(json) + "\n"); }

inline std::string checkpoint(const Path& folder, const std::string& weights, const std::string& tokenizer) {
  put(folder / "model.safetensors", weights);
  put(folder / "config.json", Json{{"n_layer", 2}});
  put(folder / "metadata.json", Json{{"stage", folder.parent_path().filename().string()}, {"step", 10}, {"checkpoint_kind", "best_validation"}, {"tokenizer_sha256", tokenizer}});
  return base::write_manifest(base::real_file_system(), folder, "picochat-checkpoint").hex();
}

struct FinishedRun {
  Path dir;
  std::string tokenizer, checkpoint_digest;

  explicit FinishedRun(Path folder) : dir(std::move(folder)) {
    put(dir / "run.json", Json{{"kind", "run"}, {"options", Json::object()}});
    put(dir / "tokenizer.json", Json{{"model", {{"type", "BPE"}}}});
    tokenizer = base::sha256_file(dir / "tokenizer.json").hex();
    const std::string base_digest = checkpoint(dir / "base/checkpoint", std::string(5000, 'b'), tokenizer);
    checkpoint_digest = checkpoint(dir / "sft/checkpoint", std::string(5000, 's'), tokenizer);
    put(dir / "corpus_manifest.json", Json{{"digest", std::string(64, 'd')}});
    put(dir / "inputs/chat.jsonl", std::string("{}\n"));
    put(dir / "inputs/eval.jsonl", std::string("{\"user\":\"x\"}\n"));
    put(dir / "inputs/dataset_pack.json", Json{{"name", "pack"}});
    Json list = Json::array();
    for (const char* name : {"inputs/chat.jsonl", "inputs/eval.jsonl", "inputs/dataset_pack.json"})
      list.push_back({{"path", name}, {"sha256", base::sha256_file(dir / name).hex()}});
    put(dir / "inputs/inputs.json", Json{{"kind", "inputs"}, {"files", list}});
    put(dir / "preflight.json", Json{{"status", "ready"}, {"profile", "skill_release"}, {"budget", {{"long_run", true}}}});
    put(dir / "preflight.md", std::string("# Preflight\n"));
    put(dir / "honesty/honesty_report.json", Json{{"status", "ready"}, {"summary", "clean"}, {"exact_prompt_leaks", 0}, {"near_prompt_leaks", 0}, {"corpus_prompt_hits", 0},
                                                  {"corpus_support_phrase_hits", 0}, {"contamination_matrix", {{"pairs", Json::array()}}}});
    put(dir / "honesty/report.md", std::string("# Honesty\n"));
    put(dir / "metrics.jsonl", std::string("{\"event\":\"metrics\",\"version\":1}\n"));
    put(dir / "base/train_report.json", Json{{"checkpoint", {{"path", "base/checkpoint"}, {"sha256", base_digest}}}});
    put(dir / "sft/sft_report.json", Json{{"checkpoint", {{"path", "sft/checkpoint"}, {"sha256", checkpoint_digest}}}});
    for (const char* stage : {"base", "sft"}) put(dir / stage / "curves.svg", std::string("<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>\n"));
    for (const char* folder : {"sft_fit", "sft_fit_heldout", "eval"}) eval(folder, 100, 90);
    eval("external_eval/arc-easy", 570, 300);
    put(dir / "export/README.md", std::string("# Card\n"));
    put(dir / "export/release_manifest.json", Json{{"checkpoint", {{"sha256", checkpoint_digest}}}});
    judge_run(base::real_file_system(), dir, gate::GateProfile::kResearch);
    Json artifacts = Json::object();
    for (const char* path : {"sft/checkpoint", "base/checkpoint", "tokenizer.json", "gate/gate.json", "eval/eval_report.json"}) artifacts[path] = artifact(dir, dir / path);
    put(dir / "summary.json", Json{{"build", {{"git_commit", std::string(40, '1')}, {"git_dirty", false}}}, {"artifacts", artifacts}});
  }

  void eval(const std::string& folder, int rows, int passed) const {
    Json summary{{"num_examples", rows}, {"num_passed", passed}, {"non_choice_examples", rows}, {"non_choice_passed", passed}, {"unsafe_refusal_examples", 10},
                 {"unsafe_refusal_passed", 10}, {"benign_non_refusal_examples", 30}, {"benign_non_refusal", 30}};
    put(dir / folder / "eval_report.json", Json{{"checkpoint", {{"sha256", checkpoint_digest}}}, {"tokenizer", {{"sha256", tokenizer}}},
                                                {"input", {{"sha256", base::sha256_file(dir / "inputs/eval.jsonl").hex()}}}, {"summary", summary},
                                                {"contamination", {{"flagged_rows", 0}, {"without_flagged", {{"num_examples", rows}, {"num_passed", passed}}}}}});
    put(dir / folder / "report.md", std::string("# Eval\n"));
  }
};

}  // namespace picochat::evidence
