// `data task-pack` and `data benchmark-pack`: SFT and eval rows of our own making, written into a
// dataset pack. One engine, two commands with the names and defaults that users know.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/options.hpp"
#include "picochat/corpus/commands.hpp"
#include "picochat/tasks/rows.hpp"

namespace picochat::tasks {

struct TaskPackOptions {
  std::string dataset_pack;
  std::optional<std::string> out_dir, chat_out, eval_out;
  int64_t sft_rows = 1600, eval_rows = 320;
  std::string source = "offline";
  std::string profile = "capability";
  std::string skill_answer_style = "scratchpad";
  int64_t seed = 42;
  bool force = false;
  bool promote = true;
  bool json = false;
};
const base::OptionTable<TaskPackOptions>& task_pack_options();

struct BenchmarkPackOptions {
  std::string dataset_pack;
  std::optional<std::string> chat_out, eval_out;
  int64_t sft_rows = 300, eval_rows = 80;
  std::string source = "offline";
  std::string profile = "full";
  std::string skill_answer_style = "direct";
  int64_t seed = 42;
  bool force = false;
  bool promote = true;
  bool json = false;
};
const base::OptionTable<BenchmarkPackOptions>& benchmark_pack_options();

// Writes chat rows, eval rows, a JSON and a Markdown report, and repoints the pack unless told not to.
// Everything is generated and checked before the first byte is written.
corpus::CommandOutput run_task_pack(base::FileSystem& files, const TaskPackOptions& options);
corpus::CommandOutput run_benchmark_pack(base::FileSystem& files, const BenchmarkPackOptions& options);

// The rows alone, for callers without a pack (quickstart, tests). Profiles and quotas as in docs/task_packs.md.
struct GeneratedPack {
  std::vector<ChatRow> chat;
  std::vector<EvalRow> eval;
  base::Json statistics;  // categories, stages, operands, letters, overlap of the two files
};
GeneratedPack generate_pack(const std::string& profile, int64_t sft_rows, int64_t eval_rows,
                            const std::string& answer_style, uint64_t seed);

}  // namespace picochat::tasks
