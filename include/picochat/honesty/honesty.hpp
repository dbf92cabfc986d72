// Does the training material hold the eval? Corpus x SFT x eval x support phrases, at any size: one
// streaming pass of the corpus against an index of all rows. `data honesty` and the stage inside
// `run tiny` are this code. Rules and severities: docs/formats/rows.md, section "Contamination".
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/options.hpp"
#include "picochat/corpus/commands.hpp"

namespace picochat::corpus {
class Corpus;
}

namespace picochat::honesty {

// One document of the corpus on its way past. `file` and `id` name it in findings.
struct CorpusDocument {
  std::string_view text, id, file;
};
// Calls `visit` for each document in the corpus's order, stops when it returns false.
using CorpusStream = std::function<void(const std::function<bool(const CorpusDocument&)>& visit)>;

// The documents of a corpus; it must outlive the stream.
CorpusStream stream_of(const corpus::Corpus& corpus);

struct HonestyOptions {
  std::optional<std::string> dataset_pack, corpus, chat_input, eval_input, out_dir;
  double near_threshold = 0.86;
  int64_t ngram_size = 13;
};
const base::OptionTable<HonestyOptions>& honesty_options();

struct HonestyInputs {
  base::Path chat, eval;        // empty: not given, its pairs are not_measured
  CorpusStream corpus;          // null: not given
  std::string corpus_label;     // how reports name the corpus
  double near_threshold = 0.86;
  int64_t ngram_size = 13;
};

// The report (keys: docs/formats/rows.md), status ready | caution | blocked. A file that is named but
// cannot be read is a finding of severity block, never a clean result.
base::Json check_honesty(const HonestyInputs& inputs);

// honesty_report.json and report.md in `folder`.
void write_honesty_report(base::FileSystem& files, const base::Json& report, const base::Path& folder);
std::string honesty_markdown(const base::Json& report);

// `data honesty`: resolves a pack or paths, checks, writes when out_dir is given.
// The caller exits with 3 when json["status"] is "blocked".
corpus::CommandOutput run_honesty(base::FileSystem& files, const HonestyOptions& options);

}  // namespace picochat::honesty
