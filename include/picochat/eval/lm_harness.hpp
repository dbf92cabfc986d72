// `eval lm-harness`: the real lm-evaluation-harness on a model, through its export or through a running `picochat serve`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::eval {

struct LmHarnessOptions {
  std::string model_path;             // what `export hf` wrote
  std::string tasks;                  // comma-separated, as the harness names them
  std::string out_dir;
  std::optional<std::string> server;  // address of a `picochat serve` of the same model; absent: transformers loads the export
  std::optional<std::string> include_path;  // folder of task files
  std::string device = "cpu", batch_size = "auto", python = "python3";
  std::optional<int64_t> limit, num_fewshot;
  std::vector<std::string> model_arg;  // "name=value" for the harness's --model_args; replaces ours of the same name
  bool trust_remote_code = true, dry_run = false, json = false;
};
const base::OptionTable<LmHarnessOptions>& lm_harness_options();

// Writes <out-dir>/lm_eval_command.json, then runs the harness, whose output passes through. add_bos_token=True is always among its
// arguments: without it the harness leaves <bos> out and scores another model. With `server` the tokenizer is written to
// <out-dir>/tokenizer with a <bos> in front, which the harness's API models leave to it. Environment error when Python or lm_eval is
// missing or the harness fails.
base::CommandOutput lm_harness(base::FileSystem& files, const LmHarnessOptions& options);

}  // namespace picochat::eval
