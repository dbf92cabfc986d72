// The engines of `data inspect`, `data preview`, `data dedup`, `data build` and `data init-pack`: options in, a JSON
// value and a text for people out. The command line binds the tables and prints.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/options.hpp"
#include "picochat/corpus/corpus.hpp"

namespace picochat::corpus {

using base::CommandOutput;

struct InspectOptions {
  std::string input;
  std::optional<std::string> out;  // also write the JSON to this file
  bool json = false;
};
const base::OptionTable<InspectOptions>& inspect_options();
CommandOutput inspect(base::FileSystem& files, const InspectOptions& options);

struct PreviewOptions {
  std::optional<std::string> dataset_pack, input, recipe, chat_input, eval_input, out;
  int64_t min_score = 0;
  int64_t preview_chars = 800;
  bool near_duplicates = false;
  bool json = false;
};
const base::OptionTable<PreviewOptions>& preview_options();
// What a room above knows about chat and eval rows: a value with "path", "status" ("ready", "caution"
// or "blocked") and "summary". Without it preview counts rows and placeholders.
struct TokenEstimate {
  double bytes_per_token = 0;
  std::string basis;  // how it was measured
};
struct RowInspectors {
  std::function<base::Json(const Path&)> chat, eval;
  // Measured on a sample of the corpus; without it a rule of thumb is used.
  std::function<std::optional<TokenEstimate>(const Corpus&)> estimate_tokens;
};
// Writes <out>/preview.json and preview.md when `out` is set. Success means that the corpus could be
// read; what is still to do (empty chat or eval files) is said, not refused. A file that the pack
// names and that does not exist is BadInput.
CommandOutput preview(base::FileSystem& files, const PreviewOptions& options, const RowInspectors& inspectors = {});

struct DedupOptions {
  std::optional<std::string> dataset_pack, input, recipe;
  std::string out;
  std::string dedup = "near";
  double threshold = kNearDuplicateThreshold;
  int64_t min_score = 0, document_shard_rows = 1000, threads = 0;
  bool json = false;
};
const base::OptionTable<DedupOptions>& dedup_options();
// Creates `out`, whole or not at all. The first document of a group of copies stays; each removed one is
// listed with the document that stands for it.
CommandOutput dedup(base::FileSystem& files, const DedupOptions& options);

struct BuildOptions {
  std::optional<std::string> dataset_pack, input, recipe, manifest, report;
  std::string out;  // corpus.txt: documents joined by a blank line
  int64_t min_score = 0;
  bool json = false;
};
const base::OptionTable<BuildOptions>& build_options();
CommandOutput build(base::FileSystem& files, const BuildOptions& options);

const base::OptionTable<InitPackOptions>& init_pack_options();
CommandOutput init_pack_command(base::FileSystem& files, const InitPackOptions& options);

// At least one of the three, and not a pack together with another: usage errors.
CorpusOptions corpus_options(const std::optional<std::string>& dataset_pack, const std::optional<std::string>& input,
                             const std::optional<std::string>& recipe, int64_t min_score);

std::string statistics_text(const Statistics& stats);    // "key: value" lines
std::string shell_quoted(const std::string& word);       // as it must be typed in a POSIX shell

}  // namespace picochat::corpus
