// eval_report.json and report.md. Everything that depends on the clock is in "timing".
#pragma once

#include <string>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::eval {

struct EvalReport {
  base::Json config;       // the options as resolved
  base::Json checkpoint;   // {path, sha256, step, train_loss}
  base::Json tokenizer;    // {path, sha256, type, vocab_size}
  base::Json input;        // {path, sha256, rows}
  base::Json summary, analysis, generations;
  base::Json examples = base::Json::array();
  base::Json timing;       // {seconds, examples_per_sec, tokens_per_sec}

  int64_t num_examples() const { return summary.at("num_examples").get<int64_t>(); }
  int64_t num_passed() const { return summary.at("num_passed").get<int64_t>(); }
  base::Json to_json() const;
  std::string to_markdown(const std::string& title) const;
};

// <folder>/eval_report.json and <folder>/report.md, each published atomically.
void write_eval_report(base::FileSystem& files, const base::Path& folder, const EvalReport& report, const std::string& title);

}  // namespace picochat::eval
