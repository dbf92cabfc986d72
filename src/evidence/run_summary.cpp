#include "picochat/evidence/run_summary.hpp"

#include "picochat/base/artifact.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/report_html.hpp"
#include "picochat/evidence/train_report.hpp"

namespace picochat::evidence {

using base::Json;

Json artifact(const base::Path& run_dir, const base::Path& path) {
  std::error_code ignored;
  const auto relative = path.lexically_normal().lexically_relative(run_dir.lexically_normal());
  const bool inside = !relative.empty() && *relative.begin() != "..";
  const std::string shown = (inside ? relative : path).generic_string();
  if (std::filesystem::is_directory(path, ignored)) {
    const bool whole = std::filesystem::exists(path / base::kManifestFile, ignored);
    return {{"path", shown}, {"sha256", whole ? Json(base::artifact_digest(path).hex()) : Json(nullptr)}};
  }
  if (!std::filesystem::is_regular_file(path, ignored)) return nullptr;
  return {{"path", shown}, {"sha256", base::sha256_file(path).hex()}};
}

Json build_summary(const RunFacts& facts) {
  Json stages = Json::array();
  for (const auto& stage : facts.stages) stages.push_back({{"stage", stage.stage}, {"seconds", stage.seconds}, {"reused", stage.reused}});
  return {{"config", facts.config},
          {"artifacts", facts.artifacts},
          {"corpus", facts.corpus},
          {"preflight", facts.preflight},
          {"honesty", facts.honesty},
          {"tokenizer", facts.tokenizer},
          {"base", stage_summary(facts.base_report)},
          {"sft", stage_summary(facts.sft_report)},
          {"dpo", stage_summary(facts.dpo_report)},
          {"sft_fit", facts.sft_fit},
          {"sft_fit_dataset", facts.sft_fit_dataset},
          {"sft_fit_analysis", facts.sft_fit_analysis},
          {"sft_fit_heldout", facts.sft_fit_heldout},
          {"sft_fit_heldout_dataset", facts.sft_fit_heldout_dataset},
          {"sft_fit_heldout_analysis", facts.sft_fit_heldout_analysis},
          {"eval", facts.eval},
          {"eval_analysis", facts.eval_analysis},
          {"eval_generations", facts.eval_generations},
          {"external_evals", facts.external_evals},
          {"long_run_gate", facts.long_run_gate},
          {"build", facts.build},
          {"command", facts.command},
          {"timing", {{"total_seconds", facts.total_seconds}, {"stages", stages}}}};
}

void write_summary(base::FileSystem& files, const base::Path& run_dir, const Json& summary) {
  base::write_file(files, run_dir / "summary.md", summary_markdown(summary));
  write_report_html(files, run_dir, summary);
  base::write_file(files, run_dir / "summary.json", base::dump(summary) + "\n");
}

}  // namespace picochat::evidence
