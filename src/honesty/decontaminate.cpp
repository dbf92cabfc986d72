#include "picochat/honesty/decontaminate.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "honesty/corpus_pass.hpp"
#include "honesty/material.hpp"
#include "honesty/severity.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/corpus/shard_writer.hpp"

namespace picochat::honesty {
namespace {

using base::cat;
using base::Json;

constexpr size_t kListedRemovals = 1000;
constexpr size_t kMargin = 200;            // bytes around a passage that go with it, to the next sentence end
constexpr size_t kMaxPassages = 10;        // a document with more is about the benchmark: it goes whole
constexpr double kMaxCut = 0.5;            // and so does one that would lose more than this

// A hit that calls for removal, and whose it is.
struct Removal {
  PhraseHit hit;
  Owner owner;
};

struct Span {
  size_t begin, end;
};

bool ends_sentence(char c) { return c == '.' || c == '!' || c == '?' || c == '\n'; }

// The passage, widened to the ends of its sentences, at most kMargin bytes either way.
Span widened(std::string_view text, size_t begin, size_t end) {
  size_t from = begin, to = end;
  while (from > 0 && begin - from < kMargin && !ends_sentence(text[from - 1])) --from;
  while (to < text.size() && to - end < kMargin && !ends_sentence(text[to])) ++to;
  if (to < text.size() && ends_sentence(text[to])) ++to;
  // No character is cut.
  while (from < begin && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) ++from;
  while (to < text.size() && (static_cast<unsigned char>(text[to]) & 0xC0) == 0x80) ++to;
  return {from, to};
}

std::vector<Span> spans_of(std::string_view text, const std::vector<Removal>& removals) {
  std::vector<Span> spans;
  for (const Removal& r : removals) spans.push_back(widened(text, r.hit.begin, r.hit.end));
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  std::vector<Span> merged;
  for (const Span& span : spans) {
    if (!merged.empty() && span.begin <= merged.back().end) merged.back().end = std::max(merged.back().end, span.end);
    else merged.push_back(span);
  }
  return merged;
}

class Cleaner {
 public:
  Cleaner(base::FileSystem& files, const DecontaminateOptions& options, const Material& material, Catalogue catalogue)
      : options_(options), material_(material), owners_(std::move(catalogue.owners)),
        index_(std::move(catalogue.phrases), static_cast<size_t>(options.ngram_size), options.near_threshold),
        writer_(files, {.folder = base::Path(options.out) / "documents", .rows_per_shard = options.rows_per_shard, .max_shard_bytes = 256u << 20}) {}

  void run(const CorpusStream& stream, const std::function<void(uint64_t)>& progress) {
    PassLimits limits;
    for (const Phrase& phrase : index_.phrases()) limits.overlap = std::max(limits.overlap, 2 * phrase.text.size());
    limits.piece_bytes = std::max(limits.piece_bytes, 4 * limits.overlap);
    OrderedPass pass(stream, limits, static_cast<int>(options_.threads));
    std::vector<PhraseIndex::Scratch> scratch(pass.workers());
    using Removals = std::vector<Removal>;
    Removals of_document;
    uint64_t bytes = 0;
    pass_over<Removals>(
        pass,
        [&](const Piece& piece, size_t worker) {
          Removals found;
          for (const PhraseHit& hit : index_.find(piece.text, piece.begin, piece.end, scratch[worker], true)) {
            if (const Owner* owner = reason_to_remove(hit)) found.push_back({hit, *owner});
          }
          return found;
        },
        [&](const Piece& piece, Removals&& found) {
          of_document.insert(of_document.end(), found.begin(), found.end());
          if (!piece.last) return;
          finish_document(piece, of_document);
          of_document.clear();
          progress(bytes += piece.text.size());
        });
    shards_ = writer_.finish();
  }

  Json report() const {
    Json out = Json::object();
    out["status"] = documents_written_ > 0 ? "cleaned" : "empty";
    out["remove"] = options_.remove;
    out["level"] = options_.level;
    out["near_threshold"] = options_.near_threshold;
    out["ngram_size"] = options_.ngram_size;
    out["documents_read"] = documents_read_;
    out["documents_written"] = documents_written_;
    out["documents_removed"] = documents_removed_;
    out["documents_cut"] = documents_cut_;
    out["bytes_read"] = bytes_read_;
    out["bytes_removed"] = bytes_removed_;
    Json rows = Json::object();
    for (const auto& [name, found] : rows_) rows[name] = found.size();
    out["rows_found"] = rows;
    out["removals"] = removals_;
    out["removals_not_listed"] = num_removals_ - static_cast<int64_t>(removals_.size());
    Json shards = Json::array();
    for (const corpus::ShardRecord& shard : shards_) shards.push_back(corpus::shard_record_json(shard));
    out["shards"] = std::move(shards);
    return out;
  }

 private:
  const Owner* reason_to_remove(const PhraseHit& hit) const {
    if (index_.phrases()[hit.phrase].sentence) return nullptr;
    if (options_.level == "block" && !is_blocking(hit, static_cast<double>(options_.ngram_size))) return nullptr;
    for (const Owner& owner : owners_[hit.phrase])
      if (owner.role == Role::kEval || owner.role == Role::kExternal) return &owner;
    return nullptr;
  }

  void finish_document(const Piece& piece, const std::vector<Removal>& removals) {
    ++documents_read_;
    bytes_read_ += static_cast<int64_t>(piece.text.size());
    const Json extra = {{"file", piece.file}};
    auto write = [&](std::string_view text) {
      writer_.add({.id = piece.id, .text = text, .extra = &extra});
      ++documents_written_;
    };
    if (removals.empty()) return write(piece.text);
    const std::vector<Span> spans = spans_of(piece.text, removals);
    size_t cut = 0;
    for (const Span& span : spans) cut += span.end - span.begin;
    const bool whole = options_.remove == "document" || spans.size() > kMaxPassages || static_cast<double>(cut) > kMaxCut * static_cast<double>(piece.text.size());
    list(piece, removals, whole);
    if (whole) {
      ++documents_removed_;
      bytes_removed_ += static_cast<int64_t>(piece.text.size());
      return;
    }
    ++documents_cut_;
    bytes_removed_ += static_cast<int64_t>(cut);
    std::string kept;
    size_t from = 0;
    for (const Span& span : spans) {
      kept.append(piece.text, from, span.begin - from);
      kept += '\n';
      from = span.end;
    }
    kept.append(piece.text, from);
    write(kept);
  }

  void list(const Piece& piece, const std::vector<Removal>& removals, bool whole) {
    std::set<std::pair<std::string, int64_t>> rows;
    for (const Removal& r : removals) {
      const bool external = r.owner.role == Role::kExternal;
      const std::string name = external ? material_.external[r.owner.file].name : "eval";
      const int64_t line = external ? material_.external[r.owner.file].file->rows[r.owner.row].line : (*material_.eval)[r.owner.row].line;
      rows_[name].insert(line);
      if (!rows.insert({name, line}).second) continue;
      ++num_removals_;
      if (removals_.size() >= kListedRemovals) continue;
      removals_.push_back({{"removed", whole ? "document" : "passage"}, {"file", piece.file}, {"document", piece.id}, {"offset", r.hit.begin}, {"row_of", name}, {"line", line},
                           {"whole_prompt", r.hit.whole}, {"shared_words", r.hit.run_words},
                           {"similarity", std::round(std::max(r.hit.similarity, r.hit.coverage) * 1e4) / 1e4}, {"snippet", snippet(piece.text, r.hit.begin, r.hit.end)}});
    }
  }

  const DecontaminateOptions& options_;
  const Material& material_;
  std::vector<std::vector<Owner>> owners_;
  PhraseIndex index_;
  corpus::DocumentShardWriter writer_;
  std::vector<corpus::ShardRecord> shards_;
  int64_t documents_read_ = 0, documents_written_ = 0, documents_removed_ = 0, documents_cut_ = 0, bytes_read_ = 0, bytes_removed_ = 0, num_removals_ = 0;
  std::map<std::string, std::set<int64_t>> rows_;
  Json removals_ = Json::array();
};

std::string markdown(const Json& report) {
  std::string out = "# Decontamination\n\n| measure | value |\n| --- | ---: |\n";
  for (const char* key : {"documents_read", "documents_written", "documents_removed", "documents_cut", "bytes_read", "bytes_removed"})
    out += cat("| ", key, " | ", report[key].get<int64_t>(), " |\n");
  for (const auto& [name, rows] : report["rows_found"].items()) out += cat("| rows of ", name, " that were found | ", rows.get<int64_t>(), " |\n");
  out += "\n## What went\n\n";
  if (report["removals"].empty()) out += "Nothing.\n";
  for (const Json& r : report["removals"]) {
    out += cat("- ", r["removed"].get<std::string>(), " in file ", r["file"].get<std::string>(), ", document ", r["document"].get<std::string>(), ", byte ", r["offset"].get<int64_t>(), ": ",
               r["row_of"].get<std::string>(), " line ", r["line"].get<int64_t>(), "\n  > ", r["snippet"].get<std::string>(), "\n");
  }
  if (report["removals_not_listed"].get<int64_t>() > 0) out += cat("\nNot listed: ", report["removals_not_listed"].get<int64_t>(), " more.\n");
  return out;
}

// What cannot be read stops the command: a corpus that was cleaned of half the rows is not clean.
Material load_strictly(const DecontaminateOptions& options) {
  HonestyInputs inputs;
  if (options.dataset_pack) inputs.eval = corpus::load_pack(*options.dataset_pack).eval;
  if (options.eval_input) inputs.eval = *options.eval_input;
  for (const std::string& named : options.external_eval) inputs.external.push_back(tasks::parse_named_benchmark(named, "--external-eval"));
  if (inputs.eval.empty() && inputs.external.empty())
    throw base::usage_error({.what = "what to look for is missing", .where = "data decontaminate", .expected = "--eval-input, --external-eval, or a pack with eval rows"});
  Ledger ledger;
  Material material = load_material(inputs, ledger);
  if (ledger.blocks() > 0) {
    const Json finding = ledger.take_list()[0];
    throw base::bad_input({.what = finding["message"].get<std::string>(), .where = finding["matched_source"].get<std::string>(), .remedy = finding["remedy"].get<std::string>()});
  }
  return material;
}

}  // namespace

const base::OptionTable<DecontaminateOptions>& decontaminate_options() {
  static const auto table = [] {
    using O = DecontaminateOptions;
    base::OptionTable<O> out;
    out.add("dataset_pack", &O::dataset_pack, "clean this pack's corpus of its eval rows").alias("--pack").metavar = "PACK";
    out.add("corpus", &O::corpus, "corpus file or folder").alias("--input").metavar = "PATH";
    out.add("recipe", &O::recipe, "corpus recipe").metavar = "FILE";
    out.add("eval_input", &O::eval_input, "eval rows").metavar = "PATH";
    out.add("external_eval", &O::external_eval, "outside benchmark to look for (repeatable)").metavar = "[NAME=]PATH";
    out.add("out", &O::out, "folder to write: documents/ and the report").must().metavar = "DIR";
    out.add("remove", &O::remove, "what goes: the whole document, or the passage up to the ends of its sentences").choose({"document", "passage"});
    out.add("level", &O::level, "warn: every finding goes; block: whole prompts and runs of 80% of one").choose({"warn", "block"});
    out.add("near_threshold", &O::near_threshold, "similarity from which two prompts are nearly the same").more_than(0).at_most(1);
    out.add("ngram_size", &O::ngram_size, "words of the shortest run of shared text that counts").at_least(4).at_most(64);
    out.add("rows_per_shard", &O::rows_per_shard, "documents of a shard").at_least(1);
    out.add("threads", &O::threads, "cores to use (0: all)").at_least(0);
    out.add("json", &O::json, "print the report as JSON");
    return out;
  }();
  return table;
}

base::CommandOutput run_decontaminate(base::FileSystem& files, const DecontaminateOptions& options) {
  const base::Path out = options.out;
  if (std::filesystem::exists(out) && !std::filesystem::is_empty(out))
    throw base::bad_input({.what = "the output folder is not empty", .where = options.out, .remedy = "name a new folder"});
  const Material material = load_strictly(options);
  Catalogue catalogue = catalogue_of(material);
  const corpus::Corpus corpus = corpus::Corpus::open(corpus::corpus_options(options.dataset_pack, options.corpus, options.recipe, 0));
  uint64_t total = 0;
  for (const corpus::SourceFile& file : corpus.files()) total += file.included ? file.bytes : 0;
  base::Progress progress("decontaminate", total, "B");
  Cleaner cleaner(files, options, material, std::move(catalogue));
  cleaner.run(stream_of(corpus), [&](uint64_t bytes) { progress.update(bytes); });
  Json report = cleaner.report();
  base::write_file(files, out / "decontamination_report.md", markdown(report));
  base::write_file(files, out / "decontamination_report.json", base::dump(report) + "\n");
  std::string text = cat("decontaminate: ", report["documents_removed"].get<int64_t>(), " of ", report["documents_read"].get<int64_t>(), " documents removed, ",
                         report["documents_cut"].get<int64_t>(), " cut, ", base::human_bytes(report["bytes_removed"].get<uint64_t>()), " gone\n");
  for (const auto& [name, rows] : report["rows_found"].items()) text += cat("rows of ", name, " that were found: ", rows.get<int64_t>(), "\n");
  text += cat("documents: ", (out / "documents").string(), "\nreport: ", (out / "decontamination_report.md").string(), "\n");
  return {std::move(report), text};
}

}  // namespace picochat::honesty
