// A corpus: the files that a pack, a recipe or a path names, in a stated order, read as a stream of
// documents. Order: sources as the recipe lists them, files of a source by path, rows by line.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/corpus/dedup.hpp"
#include "picochat/corpus/document.hpp"
#include "picochat/corpus/file_format.hpp"
#include "picochat/corpus/manifest.hpp"
#include "picochat/corpus/pack.hpp"

namespace picochat::corpus {

struct CorpusOptions {
  std::optional<Path> input, recipe, pack;  // exactly one
  int64_t min_score = 0;                    // documents of a lower quality score are left out (0-100)
};

struct SourceFile {
  Path path;         // to open it
  std::string name;  // relative to the recipe's folder, or to the input: what manifests show
  std::string label;
  FileKind kind;
  std::string text_column = "text";
  uint64_t bytes = 0;  // of the file, packed as it is
  size_t source = 0;    // index into sources()
  bool included = true;
  std::string reason;   // "included", or why not: "unsupported_extension", "excluded", "recipe_excluded", ...
};

// What a pass over the documents met. `skipped` counts rows and files left out, by reason.
struct ReadTally {
  int64_t documents = 0;
  uint64_t bytes = 0;  // of document text
  std::map<std::string, int64_t> skipped;
};

struct ScanOptions {
  int threads = 0;  // 0: all cores
  bool near_duplicates = false;  // else they are "not measured"
  double near_threshold = kNearDuplicateThreshold;
  std::function<void(uint64_t, uint64_t)> progress;  // (bytes done, bytes in all) from time to time
  // Called in document order for each exact copy (similarity 1) of an earlier document and, with
  // near_duplicates, for each near copy. Documents are numbered from 0 as they are counted in the statistics.
  std::function<void(int64_t document, const Duplicate& of)> on_duplicate;
};

class Corpus {
 public:
  // Resolves the sources; reads no documents. BadInput for a missing source, an empty folder, a folder
  // without any readable file, or a broken recipe or pack.
  static Corpus open(const CorpusOptions& options);

  const std::vector<SourceFile>& files() const { return files_; }
  const std::vector<RecipeSource>& sources() const { return sources_; }
  const CorpusOptions& options() const { return options_; }
  const std::optional<Pack>& pack() const { return pack_; }

  // Calls visit(document) for every document; it returns false to stop. Memory is bounded by the
  // longest row (text files: 64 MiB). A source of weight w is passed over ceil(w) times.
  ReadTally for_each_document(const std::function<bool(Document&&)>& visit) const;

  // The same sources with one file alone: what files()[index] gives, without weights and caps.
  Corpus only(size_t index) const;

  // The same stream, pulled: next(text) fills `text` and returns false at the end. Each call to
  // texts() starts from the beginning. The result keeps what it needs alive.
  std::function<bool(std::string&)> texts() const;

  // Documents for measuring on: up to about `bytes` of text, the same amount from the start of each of up
  // to 64 files spread over the corpus.
  std::vector<std::string> sample(uint64_t bytes) const;

  // The same corpus with every document once, whatever the weights of its sources.
  Corpus without_weights() const;

  // One streaming pass over the files: digests, statistics, duplicates, readiness. The result does not
  // depend on the number of threads.
  Manifest scan(const ScanOptions& options) const;
  Manifest scan(int threads = 0, const std::function<void(uint64_t, uint64_t)>& progress = {}) const;

 private:
  CorpusOptions options_;
  std::optional<Pack> pack_;
  std::vector<RecipeSource> sources_;
  std::vector<SourceFile> files_;
};

}  // namespace picochat::corpus
