// `data dedup`: the documents of a corpus without copies. Two passes: the first decides, the second writes.
#include <algorithm>
#include <map>
#include <unordered_set>

#include "corpus/cursor.hpp"
#include "corpus/json_text.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/commands.hpp"
#include "picochat/corpus/shard_writer.hpp"

namespace picochat::corpus {
namespace {

namespace fs = std::filesystem;
using base::cat;
using base::grouped;
using base::Json;

constexpr const char* kRemovedFile = "removed.jsonl";

struct Removal {
  int64_t document;
  Duplicate of;
};

struct Written {
  int64_t documents = 0, exact = 0, near = 0;
  uint64_t bytes = 0, removed_bytes = 0;
  std::vector<Json> sources, shards;
};

// Where the documents of a source go: one folder when there is one source, else one for each.
std::string folder_of(const Corpus& corpus, size_t source) {
  if (corpus.sources().size() == 1) return "documents";
  std::string name;
  for (const char c : corpus.sources()[source].label) name += std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ? c : '-';
  return cat("documents/", base::zero_padded(source, 2), "-", name);
}

// The lines of removed.jsonl.
class RemovedLog {
 public:
  RemovedLog(base::FileSystem& files, const Path& path) : file_(files.create(path)) {}
  void add(const Document& document, const std::string& of, const Removal& removal) {
    const bool exact = removal.of.similarity == 1;
    buffer_ += "{\"id\":";
    append_json_string(buffer_, document.id);
    buffer_ += ",\"source\":";
    append_json_string(buffer_, document.source_label);
    buffer_ += cat(",\"document\":", removal.document, ",\"reason\":\"", exact ? "exact_duplicate" : "near_duplicate", "\",\"duplicate_of\":");
    append_json_string(buffer_, of);
    buffer_ += cat(",\"duplicate_of_document\":", removal.of.document, ",\"similarity\":", base::fixed(removal.of.similarity, 3),
                   ",\"text_bytes\":", document.text.size(), "}\n");
    if (buffer_.size() > 1 << 20) flush();
  }
  void finish() {
    flush();
    file_->sync();
    file_->close();
  }

 private:
  void flush() {
    file_->append(buffer_);
    buffer_.clear();
  }
  std::unique_ptr<base::WritableFile> file_;
  std::string buffer_;
};

class Writer {
 public:
  // `weights`: of the sources, for the recipe that is written.
  Writer(base::FileSystem& files, const Corpus& corpus, const Corpus& weights, const DedupOptions& options, const std::vector<Removal>& removals)
      : files_(files), corpus_(corpus), weights_(weights), options_(options), removals_(removals) {
    for (const auto& removal : removals) witnesses_.insert(removal.of.document);
  }

  Written write(const Path& folder) {
    files_.make_directories(folder);
    RemovedLog removed(files_, folder / kRemovedFile);
    DocumentCursor cursor(corpus_, {});
    Document document;
    for (int64_t number = 0; cursor.next(document); ++number) {
      enter(cursor.source(), folder);
      const bool is_removed = next_ < removals_.size() && removals_[next_].document == number;
      if (is_removed) remove(removed, document);
      else keep(number, document);
      seen_ = number + 1;
    }
    leave();
    if (next_ != removals_.size())
      throw base::bad_input({.what = "the corpus changed while it was read", .where = options_.out, .remedy = "run the command again when nothing writes to it"});
    removed.finish();
    return std::move(written_);
  }
  int64_t seen() const { return seen_; }

 private:
  void enter(size_t source, const Path& folder) {
    if (writer_ && source == source_) return;
    leave();
    source_ = source;
    count_ = 0;
    writer_ = std::make_unique<DocumentShardWriter>(files_, DocumentShardWriter::Options{.folder = folder / folder_of(corpus_, source), .rows_per_shard = options_.document_shard_rows});
  }

  void leave() {
    if (!writer_) return;
    const std::string folder = folder_of(corpus_, source_);
    for (const auto& record : writer_->finish()) {
      Json shard = shard_record_json(record);
      shard["file"] = cat(folder, "/", record.file);
      written_.shards.push_back(std::move(shard));
    }
    if (count_ > 0) {
      const RecipeSource& given = corpus_.sources()[source_];
      Json source = {{"path", folder}, {"label", given.label}};
      if (const double weight = weights_.sources()[source_].weight; weight != 1) source["weight"] = weight;
      written_.sources.push_back(std::move(source));
    }
    writer_.reset();
  }

  void keep(int64_t number, const Document& document) {
    if (witnesses_.contains(number)) ids_[number] = document.id;
    writer_->add({.id = document.id, .text = document.text});
    ++count_;
    ++written_.documents;
    written_.bytes += document.text.size();
  }

  void remove(RemovedLog& log, const Document& document) {
    const Removal& removal = removals_[next_++];
    const auto of = ids_.find(removal.of.document);
    log.add(document, of == ids_.end() ? "" : of->second, removal);
    ++(removal.of.similarity == 1 ? written_.exact : written_.near);
    written_.removed_bytes += document.text.size();
  }

  base::FileSystem& files_;
  const Corpus& corpus_;
  const Corpus& weights_;
  const DedupOptions& options_;
  const std::vector<Removal>& removals_;
  std::unordered_set<int64_t> witnesses_;
  std::map<int64_t, std::string> ids_;  // of documents that others are copies of
  std::unique_ptr<DocumentShardWriter> writer_;
  size_t source_ = 0, next_ = 0;
  int64_t count_ = 0, seen_ = 0;
  Written written_;
};

Json report_of(const DedupOptions& options, const Manifest& manifest, const Written& written) {
  Json report = {{"format", "picochat.dedup_report"},
                 {"version", 1},
                 {"mode", options.dedup},
                 {"input_digest", manifest.digest.hex()},
                 {"min_score", options.min_score},
                 {"documents_read", manifest.stats.num_documents},
                 {"documents_kept", written.documents},
                 {"exact_duplicates_removed", written.exact}};
  report["near_duplicates_removed"] = options.dedup == "near" ? Json(written.near) : Json(nullptr);
  if (options.dedup == "near") {
    report["near_threshold"] = options.threshold;
    report["shingle_words"] = kShingleWords;
  }
  report["bytes_kept"] = written.bytes;
  report["bytes_removed"] = written.removed_bytes;
  report["removed_file"] = kRemovedFile;
  report["shards"] = written.shards;
  return report;
}

std::string report_text(const Json& report) {
  const Json& near = report["near_duplicates_removed"];
  return cat("documents_read: ", grouped(report["documents_read"].get<int64_t>()), "\ndocuments_kept: ", grouped(report["documents_kept"].get<int64_t>()),
             "\nexact_duplicates_removed: ", grouped(report["exact_duplicates_removed"].get<int64_t>()),
             "\nnear_duplicates_removed: ", near.is_null() ? std::string("not_measured") : grouped(near.get<int64_t>()),
             "\nbytes_kept: ", base::human_bytes(report["bytes_kept"].get<uint64_t>()), "\nbytes_removed: ", base::human_bytes(report["bytes_removed"].get<uint64_t>()), "\n");
}

}  // namespace

const base::OptionTable<DedupOptions>& dedup_options() {
  static const base::OptionTable<DedupOptions> table = [] {
    base::OptionTable<DedupOptions> t;
    t.add("dataset_pack", &DedupOptions::dataset_pack, "dataset pack").alias("--pack").metavar = "FILE";
    t.add("input", &DedupOptions::input, "file or folder of documents").metavar = "PATH";
    t.add("recipe", &DedupOptions::recipe, "corpus recipe").metavar = "FILE";
    t.add("out", &DedupOptions::out, "folder to create: documents/, removed.jsonl, corpus_recipe.json, reports").must().metavar = "DIR";
    t.add("dedup", &DedupOptions::dedup, "near: also remove documents that are nearly an earlier one").choose({"near", "exact"});
    t.add("threshold", &DedupOptions::threshold, "share of common 5-word sequences from which two documents count as near duplicates").at_least(0.6).at_most(1);
    t.add("min_score", &DedupOptions::min_score, "leave out documents of a lower quality score").at_least(0).at_most(100);
    t.add("document_shard_rows", &DedupOptions::document_shard_rows, "documents per shard").at_least(1);
    t.add("threads", &DedupOptions::threads, "threads (0: all cores); the result is the same").at_least(0);
    t.add("json", &DedupOptions::json, "print the report as JSON");
    return t;
  }();
  return table;
}

CommandOutput dedup(base::FileSystem& files, const DedupOptions& options) {
  const Path out = fs::path(options.out).lexically_normal().has_filename() ? fs::path(options.out).lexically_normal() : fs::path(options.out).lexically_normal().parent_path();
  if (fs::exists(out))
    throw base::bad_input({.what = "--out exists already", .where = options.out, .remedy = "name a folder that does not exist; nothing was overwritten"});
  const Corpus weighted = Corpus::open(corpus_options(options.dataset_pack, options.input, options.recipe, options.min_score));
  const Corpus corpus = weighted.without_weights();

  std::vector<Removal> removals;
  const Manifest manifest = corpus.scan({.threads = static_cast<int>(options.threads),
                                         .near_duplicates = options.dedup == "near",
                                         .near_threshold = options.threshold,
                                         .on_duplicate = [&](int64_t document, const Duplicate& of) { removals.push_back({document, of}); }});
  require_documents(manifest);
  if (options.dedup == "near" && !manifest.stats.near_duplicate_documents)
    throw base::bad_input({.what = "the corpus has too many documents for one pass of near-duplicate detection", .where = manifest.sources.front().path,
                           .found = cat(grouped(manifest.stats.num_documents), " documents"), .remedy = "dedup parts of it, or use --dedup exact"});

  Json report;
  base::publish_directory(files, out, [&](const Path& folder) {
    Writer writer(files, corpus, weighted, options, removals);
    const Written written = writer.write(folder);
    if (writer.seen() != manifest.stats.num_documents)
      throw base::bad_input({.what = "the corpus changed while it was read", .where = options.out, .remedy = "run the command again when nothing writes to it"});
    report = report_of(options, manifest, written);
    base::write_file(files, folder / "corpus_recipe.json", base::dump(Json{{"name", "deduplicated"}, {"sources", written.sources}}) + "\n");
    base::write_file(files, folder / "dedup_report.md", "# Duplicates removed\n\n```\n" + report_text(report) + "```\n\nEach removed document and the one it copies: `removed.jsonl`.\n");
    base::write_file(files, folder / "dedup_report.json", base::dump(report) + "\n");
  });
  CommandOutput output{.json = report};
  const std::string recipe = (out / "corpus_recipe.json").string();
  output.json["next_command"] = cat("picochat data preview --recipe ", shell_quoted(recipe));
  output.text = cat(report_text(report), "removed: ", (out / kRemovedFile).string(), "\nnext: ", output.json["next_command"].get<std::string>(), "\n");
  return output;
}

}  // namespace picochat::corpus
