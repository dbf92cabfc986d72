// `data eval-starter`, `data sft-starter` and `data preference-starter`: first rows about a corpus of one's
// own, made from its sentences by templates. They are a draft to be read and corrected, not a benchmark.
#pragma once

#include <optional>
#include <string>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::tasks {

struct StarterOptions {
  std::optional<std::string> input, dataset_pack;
  std::string out;
  int64_t max_items = 24;
  int64_t seed = 42;
  bool force = false;
  bool json = false;
};
const base::OptionTable<StarterOptions>& eval_starter_options();  // --max-items 24
const base::OptionTable<StarterOptions>& sft_starter_options();   // --max-items 32

// Which text is for questions and which for lessons is decided by a hash of the document (of the sentence
// when there are few documents), whatever the seed: the two files never share a sentence, and their
// boundary rows have no prompt in common. `out` is JSONL; <out>.md says what was made.
base::CommandOutput run_eval_starter(base::FileSystem& files, const StarterOptions& options);
base::CommandOutput run_sft_starter(base::FileSystem& files, const StarterOptions& options);

struct PreferenceStarterOptions {
  std::string input, out;
  int64_t max_rows = 0;  // 0: all
  bool force = false;
  bool json = false;
};
const base::OptionTable<PreferenceStarterOptions>& preference_starter_options();
// {"user", "chosen", "rejected", ...} from chat rows. A refusal is only rejected where there is an answer,
// an invented answer only where there is none.
base::CommandOutput run_preference_starter(base::FileSystem& files, const PreferenceStarterOptions& options);

}  // namespace picochat::tasks
