// The scan is a pipeline of rounds. While the chunks of one round are measured and digested, the next
// round is read and the results of the one before are added up, in file order, so that the manifest
// does not depend on threads.
#include "corpus/scan.hpp"

#include <algorithm>
#include <mutex>
#include <optional>

#include "corpus/manifest_rules.hpp"
#include "corpus/hash_set.hpp"
#include "corpus/scan_chunk.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/threads.hpp"

namespace picochat::corpus {
namespace {

struct Round {
  std::vector<Chunk> chunks;  // slots keep their buffers from round to round
  size_t used = 0;
  std::vector<ChunkResult> results;
  struct Unreadable {
    size_t file;
    std::string reason, detail;
  };
  std::vector<Unreadable> unreadable;
  uint64_t bytes = 0;
};

class Scanner {
 public:
  Scanner(const Corpus& corpus, const ScanLimits& limits, const ScanOptions& options)
      : corpus_(corpus), limits_(limits), options_(options), documents_(limits.max_distinct_documents), lines_(limits.max_distinct_lines),
        digesting_(corpus.files().size()), digests_(corpus.files().size()), flags_(corpus.files().size(), 0),
        score_sums_(corpus.files().size(), 0) {
    for (const auto& source : corpus.sources()) {
      quotas_.emplace_back(source);
      manifest_.sources.push_back({.path = source.given, .label = source.label, .weight = source.weight,
                                   .max_documents = source.max_documents, .max_bytes = source.max_bytes});
    }
    ended_.assign(corpus.sources().size(), 0);
    for (const auto& file : corpus.files()) {
      ManifestFile record;
      record.path = file.name;
      record.label = file.label;
      record.format = kind_name(file.kind);
      record.bytes = file.bytes;
      record.reason = file.reason;
      if (file.included) total_bytes_ += file.bytes;
      manifest_.files.push_back(std::move(record));
    }
    if (options.near_duplicates)
      near_.emplace(NearIndex::Options{.threshold = options.near_threshold, .sketches_in_memory = limits.sketches_in_memory,
                                       .max_documents = limits.max_sketched_documents});
    merger_.sketches = options.near_duplicates;
    manifest_.min_quality_score = corpus.options().min_score;
    manifest_.stats.num_files = static_cast<int64_t>(corpus.files().size());
  }

  Manifest run() {
    Round rounds[3];
    read(rounds[0], ended_);
    uint64_t done = 0;
    for (size_t i = 0;; ++i) {
      base::throw_if_interrupted();
      Round &now = rounds[i % 3], &next = rounds[(i + 1) % 3], &before = rounds[(i + 2) % 3];
      if (now.used == 0 && now.unreadable.empty() && before.used == 0 && before.unreadable.empty()) break;
      step(now, next, before, options_.threads);
      done += now.bytes;
      if (options_.progress) options_.progress(std::min(done, total_bytes_), total_bytes_);
      clear(before);
    }
    finish();
    return std::move(manifest_);
  }

 private:
  void step(Round& now, Round& next, Round& before, int threads) {
    std::vector<std::pair<size_t, size_t>> runs;  // chunks of one file: [begin, end)
    for (size_t i = 0; i < now.used; ++i) {
      if (i == 0 || now.chunks[i].file != now.chunks[i - 1].file) runs.emplace_back(i, i);
      runs.back().second = i + 1;
    }
    now.results.assign(now.used, {});
    const std::vector<char> ended = ended_;  // merge() below may change it while read() looks
    base::parallel_for(2 + runs.size() + now.used, [&](size_t task) {
      if (task == 0) return read(next, ended);
      if (task == 1) return merge(before);
      if (task < 2 + runs.size()) return digest(now, runs[task - 2].first, runs[task - 2].second);
      const size_t i = task - 2 - runs.size();
      auto scanner = borrow();
      now.results[i] = scanner->scan(now.chunks[i], source_of(now.chunks[i]), corpus_.options().min_score, nullptr);
      give_back(std::move(scanner));
    }, threads);
  }

  size_t index_of(const Chunk& chunk) const { return static_cast<size_t>(chunk.file - corpus_.files().data()); }
  const RecipeSource& source_of(const Chunk& chunk) const { return corpus_.sources()[chunk.file->source]; }

  void read(Round& round, const std::vector<char>& ended) {
    while (round.bytes < limits_.round_bytes && round.used < limits_.round_chunks && round.unreadable.size() < limits_.round_chunks) {
      if (!reader_) {
        if (file_ == corpus_.files().size()) return;
        const SourceFile& file = corpus_.files()[file_++];
        if (!file.included) continue;
        if (ended[file.source]) {
          round.unreadable.push_back({file_ - 1, "source_limit", ""});
          continue;
        }
        reader_.emplace(file, limits_.read);
        if (!reader_->reason().empty()) {
          round.unreadable.push_back({file_ - 1, reader_->reason(), reader_->detail()});
          reader_.reset();
          continue;
        }
      }
      if (round.used == round.chunks.size()) round.chunks.emplace_back();
      Chunk& chunk = round.chunks[round.used];
      if (reader_->next(chunk)) {
        ++round.used;
        round.bytes += chunk.size;
      } else {
        reader_.reset();
      }
    }
  }

  void clear(Round& round) {
    constexpr size_t kKeptBuffer = 4 << 20;
    for (size_t i = 0; i < round.used; ++i)
      if (round.chunks[i].buffer.capacity() > kKeptBuffer) std::string().swap(round.chunks[i].buffer);
    round.used = 0;
    round.bytes = 0;
    round.results.clear();
    round.unreadable.clear();
  }

  void digest(const Round& round, size_t begin, size_t end) {
    const size_t file = index_of(round.chunks[begin]);
    if (!round.chunks[begin].is_file_bytes) {  // unpacked or decoded: the file itself is digested, once
      if (round.chunks[begin].first) digests_[file] = base::sha256_file(corpus_.files()[file].path);
      return;
    }
    if (!digesting_[file]) digesting_[file].emplace();
    for (size_t i = begin; i < end; ++i) digesting_[file]->update(round.chunks[i].bytes());
    if (!round.chunks[end - 1].last) return;
    digests_[file] = digesting_[file]->finish();
    digesting_[file].reset();
  }

  void merge(Round& round) {
    for (auto& [file, reason, detail] : round.unreadable) {
      manifest_.files[file].reason = reason;
      manifest_.files[file].columns_found = detail;
    }
    for (size_t i = 0; i < round.used; ++i) merge_chunk(round.chunks[i], round.results[i]);
  }

  void merge_chunk(const Chunk& chunk, ChunkResult& result) {
    const size_t source = chunk.file->source;
    ManifestFile& file = manifest_.files[index_of(chunk)];
    if (chunk.first) file.text_start = file.text_end = manifest_.stats.num_bytes;
    if (ended_[source]) {
      if (file.documents == 0) file.reason = "source_limit";
      return;
    }
    Quota& quota = quotas_[source];
    if (quota.fits(result.stats.num_documents, result.stats.num_bytes)) {
      quota.take(result.stats.num_documents, result.stats.num_bytes);
    } else {
      result = merger_.scan(chunk, source_of(chunk), corpus_.options().min_score, &quota);
      ended_[source] = 1;
      if (file.documents + result.stats.num_documents == 0) file.reason = "source_limit";
    }
    add_statistics(manifest_.stats, result.stats);
    look_for_duplicates(result);
    lines_.add_all(result.line_hashes);

    file.documents += result.stats.num_documents;
    file.characters += result.stats.num_characters;
    file.lines += result.stats.num_lines;
    file.text_end = manifest_.stats.num_bytes;
    flags_[index_of(chunk)] |= result.flags;
    score_sums_[index_of(chunk)] += result.stats.quality_sum;
    for (const auto& [reason, count] : result.skipped) file.skipped_rows[reason] += count;
    for (const auto& [reason, line] : result.first_line) file.first_skipped_line.try_emplace(reason, line);
    if (file.columns_found.empty()) file.columns_found = result.detail;

    ManifestSource& record = manifest_.sources[source];
    record.documents += result.stats.num_documents;
    record.characters += result.stats.num_characters;
    record.bytes += result.stats.num_bytes;
    record.repeated_documents += result.stats.repeated_documents;
  }

  // Exact copies first: a near duplicate is one that is not equal.
  void look_for_duplicates(const ChunkResult& result) {
    if (!near_ && !options_.on_duplicate) return documents_.add_all(result.document_hashes);
    for (size_t i = 0; i < result.document_hashes.size(); ++i) {
      const int64_t document = next_document_++;
      const bool is_new = documents_.add(result.document_hashes[i]);
      std::optional<Duplicate> found;
      if (options_.on_duplicate) found = exact_.add(document, result.document_hashes[i]);
      if (near_ && !found && is_new) {
        found = near_->add(document, result.sketches[i]);
        near_duplicates_ += found.has_value();
      }
      if (found && options_.on_duplicate) options_.on_duplicate(document, *found);
    }
  }

  void finish() {
    int64_t skipped = 0;
    for (size_t i = 0; i < manifest_.files.size(); ++i) {
      ManifestFile& file = manifest_.files[i];
      file.included = file.documents > 0;
      if (file.included) {
        file.quality_score = score_sums_[i] / static_cast<double>(file.documents);
        file.quality_flags = quality_flag_names(flags_[i]);
        manifest_.sources[corpus_.files()[i].source].files += 1;
      } else if (file.reason == "included") {
        file.reason = file.skipped_rows.size() == 1 ? file.skipped_rows.begin()->first : "no_documents";
      }
      if (file.reason != "source_limit") file.sha256 = digests_[i];
      skipped += is_unexpected_skip(file.reason);
    }
    Statistics& stats = manifest_.stats;
    if (!documents_.full()) stats.duplicate_documents = stats.num_documents - static_cast<int64_t>(documents_.size());
    if (near_) {
      stats.near_duplicate_documents_checked = near_->checked();
      if (!near_->full()) stats.near_duplicate_documents = stats.near_duplicate_pairs = near_duplicates_;
    }
    if (!lines_.full()) stats.duplicate_lines = stats.nonempty_lines - static_cast<int64_t>(lines_.size());
    manifest_.readiness = assess_readiness(stats, skipped);
    manifest_.warnings = warnings_of(manifest_);
    manifest_.digest = digest_of_corpus(corpus_, manifest_);
  }

  std::unique_ptr<ChunkScanner> borrow() {
    std::lock_guard lock(mutex_);
    if (idle_.empty()) {
      auto scanner = std::make_unique<ChunkScanner>();
      scanner->sketches = near_.has_value();
      return scanner;
    }
    auto scanner = std::move(idle_.back());
    idle_.pop_back();
    return scanner;
  }
  void give_back(std::unique_ptr<ChunkScanner> scanner) {
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(scanner));
  }

  const Corpus& corpus_;
  const ScanLimits limits_;
  const ScanOptions& options_;
  Manifest manifest_;
  HashSet<uint64_t> documents_;
  HashSet<uint32_t> lines_;
  std::optional<NearIndex> near_;
  ExactIndex exact_;  // used when somebody wants to know of which document one is a copy
  int64_t next_document_ = 0, near_duplicates_ = 0;
  std::vector<Quota> quotas_;
  std::vector<char> ended_;  // by source: a cap was reached
  ChunkScanner merger_;
  std::vector<std::optional<base::Sha256>> digesting_;
  std::vector<base::Digest> digests_;
  std::vector<uint32_t> flags_;
  std::vector<double> score_sums_;
  uint64_t total_bytes_ = 0;

  size_t file_ = 0;  // read() is here
  std::optional<ChunkReader> reader_;

  std::mutex mutex_;
  std::vector<std::unique_ptr<ChunkScanner>> idle_;
};

}  // namespace

Manifest scan_corpus(const Corpus& corpus, const ScanLimits& limits, const ScanOptions& options) { return Scanner(corpus, limits, options).run(); }

Manifest Corpus::scan(const ScanOptions& options) const {
  ScanLimits limits;
  if (options.near_duplicates) limits.round_bytes /= 2;  // sketches of short documents are as large as they are
  return scan_corpus(*this, limits, options);
}

Manifest Corpus::scan(int threads, const std::function<void(uint64_t, uint64_t)>& progress) const {
  return scan({.threads = threads, .progress = progress});
}

}  // namespace picochat::corpus
