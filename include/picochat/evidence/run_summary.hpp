// summary.json and summary.md of a run: what a person reads first and a program reads last.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::evidence {

// {"path": relative to run_dir with '/', "sha256"}; a folder's digest is that of the manifest in it
// (manifest.json), a missing file gives null.
base::Json artifact(const base::Path& run_dir, const base::Path& path);

// Everything below is JSON as its own room wrote it; absent parts stay null and are said to be not measured.
struct RunFacts {
  base::Json config, corpus, preflight, honesty, tokenizer;
  base::Json base_report, sft_report, dpo_report;          // whole train reports; the summary keeps stage_summary()
  base::Json sft_fit, sft_fit_dataset, sft_fit_analysis;   // summary / dataset / analysis of eval reports
  base::Json sft_fit_heldout, sft_fit_heldout_dataset, sft_fit_heldout_analysis;
  base::Json eval, eval_analysis, eval_generations;
  base::Json external_evals = base::Json::array();         // {name, input_path, summary, analysis, artifacts}
  base::Json long_run_gate;                                // the gate's verdict object
  base::Json artifacts = base::Json::object();             // name -> artifact()
  struct Stage { std::string stage; double seconds; bool reused = false; };
  std::vector<Stage> stages;
  double total_seconds = 0;
  base::Json build;                                        // base::build_info_json()
  std::string command;                                     // how to run it again
};

base::Json build_summary(const RunFacts& facts);
std::string summary_markdown(const base::Json& summary);

// What `run tiny` prints at its end: verdict, figures, scores, generations, where to look next. The two
// tables come from the eval room: eval::category_table(summary), eval::generations_text(generations).
std::string end_of_run_text(const base::Json& summary, const std::string& run_dir, const std::string& category_table,
                            const std::string& generations);

// <run_dir>/summary.md and report.html, then summary.json (last: a summary.json means that the run is complete).
void write_summary(base::FileSystem& files, const base::Path& run_dir, const base::Json& summary);

}  // namespace picochat::evidence
