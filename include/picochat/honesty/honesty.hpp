// Does the training material hold the eval? Corpus x SFT x eval x outside benchmarks x support phrases, at any
// size: one streaming pass of the corpus against an index of all rows. `data honesty` and the stage inside
// `run tiny` are this code. What is checked and how severe it is: docs/honesty.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/options.hpp"
#include "picochat/corpus/commands.hpp"
#include "picochat/tasks/benchmark_file.hpp"

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
  std::vector<std::string> external_eval;  // [NAME=]PATH
  double near_threshold = 0.86;
  int64_t ngram_size = 13;
  int64_t threads = 0;
  bool json = false;
};
const base::OptionTable<HonestyOptions>& honesty_options();

struct HonestyInputs {
  base::Path chat, eval;        // empty: not given, its pairs are not_measured
  base::Path preferences;       // of DPO, searched as SFT rows are; needs `chat`
  std::vector<tasks::NamedBenchmark> external;
  CorpusStream corpus;          // null: not given
  std::string corpus_label;     // how reports name the corpus
  double near_threshold = 0.86;
  int64_t ngram_size = 13;
  int threads = 0;              // 0: all cores; the report does not depend on it
  std::function<void(uint64_t)> progress;  // bytes of the corpus searched so far; may be null
};

// The report (keys: docs/honesty.md), status ready | caution | blocked. A file that is named but
// cannot be read is a finding of severity block, never a clean result.
base::Json check_honesty(const HonestyInputs& inputs);

// honesty_report.json and report.md in `folder`.
void write_honesty_report(base::FileSystem& files, const base::Json& report, const base::Path& folder);
std::string honesty_markdown(const base::Json& report);

// `data honesty`: resolves a pack or paths, checks, writes when out_dir is given.
// The caller exits with 3 when json["status"] is "blocked".
corpus::CommandOutput run_honesty(base::FileSystem& files, const HonestyOptions& options);

}  // namespace picochat::honesty
