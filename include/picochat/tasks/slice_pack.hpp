// `data slice-pack` and `data stage-pack`: packs with the rows of some categories of another pack.
#pragma once

#include <optional>
#include <string>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::tasks {

struct SlicePackOptions {
  std::string dataset_pack, out_dir;
  std::string include_categories, exclude_categories;  // comma lists of patterns; exclude wins
  std::optional<std::string> name, description;
  bool force = false;
  bool json = false;
};
const base::OptionTable<SlicePackOptions>& slice_pack_options();
// Writes chat_slice.jsonl, eval_slice.jsonl, tuning_slice.json and .md, dataset_pack.json last. No chat
// row or no eval row left is BadInput that names the categories there are.
base::CommandOutput run_slice_pack(base::FileSystem& files, const SlicePackOptions& options);

struct StagePackOptions {
  std::string dataset_pack, out_dir;
  std::string stages = "behavior,choice,math,spelling,skills";
  bool force = false;
  bool json = false;
};
const base::OptionTable<StagePackOptions>& stage_pack_options();
// One slice for each stage in <out-dir>/<stage>, and staged_tuning_pack.json and .md.
base::CommandOutput run_stage_pack(base::FileSystem& files, const StagePackOptions& options);

}  // namespace picochat::tasks
