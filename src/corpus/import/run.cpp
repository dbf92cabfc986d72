// The steps of `data hf-import`.
#include <sys/statvfs.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "corpus/import/importer.hpp"
#include "corpus/import/report.hpp"
#include "corpus/import/source.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/threads.hpp"
#include "picochat/corpus/commands.hpp"
#include "picochat/corpus/document.hpp"
#include "picochat/corpus/pack.hpp"

namespace picochat::corpus {
namespace {

namespace fs = std::filesystem;
using base::cat;
using base::grouped;
using base::Json;
using namespace import;

constexpr int kHubJobs = 8;

Path partial_path(const Path& out) { return out.string() + ".partial"; }

bool is_shard(const Path& path) {
  const std::string name = path.filename().string();
  return name.starts_with("shard-") && name.ends_with(".jsonl");
}

// Everything that an import makes in these places, and nothing else.
void discard(base::FileSystem& files, const Path& documents, const ImportOptions& options) {
  std::vector<Path> ours{documents / kJournalFile};
  if (fs::is_directory(documents))
    for (const auto& entry : fs::directory_iterator(documents))
      if (is_shard(entry.path())) ours.push_back(entry.path());
  const Path report = report_path(options);
  for (const Path& path : {Path(options.out), partial_path(options.out), report, Path(report).replace_extension(".md")}) ours.push_back(path);
  for (const Path& path : ours)
    if (fs::exists(path)) files.remove_all(path);
}

// What is there without a journal was made by somebody else: it stays.
void refuse_foreign_files(const Path& documents, const ImportOptions& options) {
  std::vector<Path> there;
  if (fs::exists(documents) && !fs::is_directory(documents)) there.push_back(documents);
  else if (fs::is_directory(documents))
    for (const auto& entry : fs::directory_iterator(documents))
      if (!entry.path().filename().string().starts_with('.')) there.push_back(entry.path());
  for (const Path& path : {Path(options.out), partial_path(options.out)})
    if (fs::exists(path)) there.push_back(path);
  if (there.empty()) return;
  std::sort(there.begin(), there.end());
  throw base::bad_input({.what = "there is something already where the import would write, and no record of an import that could go on", .where = there.front().string(),
                         .remedy = "name other places with --out and --documents-dir, or replace documents, corpus and report with --fresh"});
}

[[noreturn]] void refuse_changes(const std::vector<std::string>& changed, const Path& documents) {
  std::string list;
  for (const auto& line : changed) list += cat(list.empty() ? "" : "; ", line);
  throw base::usage_error({.what = "these options differ from those of the import that is there, and would change every document", .where = documents.string(), .found = list,
                           .remedy = "repeat the options of the import to go on with it (a larger --max-rows adds to it), name other places, or start again with --fresh"});
}

// Limits may grow. What has been read is not taken back.
void check_limits(const Limits& wanted, const History& history, const Path& documents) {
  std::vector<std::string> changed;
  auto shrinks = [&](const char* name, std::optional<int64_t> was, std::optional<int64_t> is, int64_t done) {
    const int64_t least = history.finished ? was.value_or(INT64_MAX) : done;
    if (is.value_or(INT64_MAX) < least) changed.push_back(cat(name, ": ", was ? grouped(*was) : "none", " -> ", grouped(*is)));
  };
  shrinks("max_rows", history.limits.max_rows, wanted.max_rows, history.state.rows_seen);
  shrinks("max_accepted", history.limits.max_accepted, wanted.max_accepted, history.state.rows_written);
  shrinks("max_bytes", history.limits.max_bytes, wanted.max_bytes, history.state.text_bytes);
  if (changed.empty()) return;
  throw base::usage_error({.what = "the import that is there has more than these limits allow", .where = documents.string(), .found = base::join(changed, "; "),
                           .remedy = "an import only grows: give its limits or larger ones, name other places, or start again with --fresh"});
}

void check_shards(const History& history, const Path& documents) {
  for (const auto& shard : history.shards) {
    std::error_code error;
    const uint64_t size = fs::file_size(documents / shard.file, error);
    if (error || size != shard.bytes)
      throw base::bad_input({.what = "a shard of the import is missing or was changed", .where = (documents / shard.file).string(), .expected = cat(shard.bytes, " bytes"),
                             .found = error ? "no such file" : cat(size, " bytes"), .remedy = "bring it back, or start again with --fresh"});
  }
}

// A disk that is surely too small is known before hours of work.
void check_disk(const Plan& plan, const Limits& limits, const State& state, const RowFile& first, const Path& documents) {
  uint64_t bytes = 0;
  int64_t rows = 0;
  for (const auto& part : first.parts())
    if (part.rows > 0) bytes += part.bytes, rows += part.rows;
  if (rows == 0) return;
  const double wanted = static_cast<double>(std::min<int64_t>(limits.max_rows - state.rows_seen, rows * static_cast<int64_t>(plan.files.size())));
  double text = wanted * static_cast<double>(bytes) / static_cast<double>(rows);  // packed: unpacked it is never less
  if (limits.max_bytes) text = std::min(text, static_cast<double>(*limits.max_bytes));
  Path folder = fs::absolute(documents);
  while (!fs::exists(folder) && folder.has_parent_path() && folder != folder.parent_path()) folder = folder.parent_path();
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) return;
  const double free = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
  if (free >= 2 * text) return;
  throw base::environment_error({.what = "the disk is too small for this import: documents and corpus.txt hold the text twice", .where = folder.string(),
                                 .expected = cat("at least ", base::human_bytes(static_cast<uint64_t>(2 * text))), .found = cat(base::human_bytes(static_cast<uint64_t>(free)), " free"),
                                 .remedy = "lower --max-rows, set --max-bytes, or name a larger disk"});
}

// corpus.txt under its working name, holding exactly the bytes of the shards that count.
std::unique_ptr<base::WritableFile> open_corpus(base::FileSystem& files, const Path& out, const State& state) {
  const Path partial = partial_path(out);
  const uint64_t bytes = static_cast<uint64_t>(state.corpus_bytes);
  if (!fs::exists(partial) && bytes > 0 && fs::exists(out)) files.rename_replacing(out, partial);
  if (bytes == 0) return files.create(partial);
  std::error_code error;
  const uint64_t size = fs::file_size(partial, error);
  if (error || size < bytes)
    throw base::bad_input({.what = "the text of the import is missing or was cut short", .where = partial.string(), .expected = cat("at least ", bytes, " bytes"),
                           .found = error ? "no such file" : cat(size, " bytes"), .remedy = "start again with --fresh"});
  files.truncate(partial, bytes);
  return files.open_append(partial);
}

struct Remembered {
  std::vector<uint64_t> hashes;
  std::vector<DocumentSketch> sketches;
};

Remembered documents_in(const Path& shard, bool sketches) {
  Remembered out;
  Sketcher sketcher;
  const auto file = RowFile::open(std::make_shared<base::FileSource>(shard), file_kind(shard.filename().string()), {});
  file->read_part(0, [&](const FileRow& row) {
    out.hashes.push_back(normalized_hash(row.text));
    if (sketches) out.sketches.push_back(sketcher.sketch(row.text));
    return true;
  });
  return out;
}

// Tells the importer what the shards hold, in their order, some shards at a time.
void remember_shards(Importer& importer, const History& history, const Path& documents) {
  constexpr size_t kAtOnce = 64;
  const bool near = history.plan.filters.dedup == "near";
  for (size_t first = 0; first < history.shards.size(); first += kAtOnce) {
    std::vector<Remembered> some(std::min(kAtOnce, history.shards.size() - first));
    base::parallel_for(some.size(), [&](size_t i) { some[i] = documents_in(documents / history.shards[first + i].file, near); });
    for (const auto& shard : some)
      for (size_t i = 0; i < shard.hashes.size(); ++i) importer.remember(shard.hashes[i], near ? &shard.sketches[i] : nullptr);
  }
}

struct Run {
  base::FileSystem& files;
  const ImportOptions& options;
  const hub::Settings& settings;
  Path documents;
  History history;
  Source source;
  bool resumed = false, exhausted = false;
  double started = base::monotonic_seconds();

  std::string next_command() const {
    const std::string pack = options.pack_out ? (Path(*options.pack_out) / "dataset_pack.json").string() : "";
    return pack.empty() ? cat("picochat data preview --input ", shell_quoted(documents.string())) : cat("picochat data preview --dataset-pack ", shell_quoted(pack));
  }

  int jobs() const {
    if (options.jobs) return static_cast<int>(*options.jobs);
    return history.plan.kind.starts_with("hub") ? std::max(kHubJobs, base::available_cores()) : base::available_cores();
  }

  OrderedReader::Options reader_options() const {
    const State& state = history.state;
    return {.plan = &history.plan, .columns = row_columns(history.plan), .start = state.next, .offset_left = state.offset_left,
            .rows_wanted = history.limits.max_rows - state.rows_seen, .jobs = jobs(), .eager = history.plan.kind == "local",
            .open = source.open, .first = source.first};
  }

  // Reads until a limit or the end. Whatever interrupts it, full shards are committed first.
  void read(Importer& importer, ShardSink& sink) {
    base::Progress progress("import", static_cast<uint64_t>(history.limits.max_rows), "rows");
    try {
      OrderedReader reader(reader_options());
      bool first = true;
      for (;;) {
        base::throw_if_interrupted();
        const auto block = reader.next();
        if (std::exchange(first, false)) importer.passed_over(reader.rows_passed_over());
        if (!block) {
          exhausted = importer.state().rows_seen < history.limits.max_rows;
          break;
        }
        if (!importer.consume(block)) break;
        progress.update(static_cast<uint64_t>(importer.state().rows_seen));
      }
    } catch (...) {
      sink.drain();
      throw;
    }
    progress.finish();
    sink.drain();
  }

  Json execute();
  void refuse_nothing(const State& state);
  Json publish(const State& state, const std::vector<ShardRecord>& shards, base::WritableFile& corpus, Journal& journal);
  std::vector<std::string> local_digests(const State& state) const;
};

Json Run::execute() {
  const Path out = options.out;
  files.make_directories(out.parent_path());
  Journal journal = resumed ? Journal::reopen(files, documents) : Journal::start(files, documents, history.plan, history.limits);
  base::sweep_leftovers(files, documents);
  auto corpus = open_corpus(files, out, history.state);
  std::vector<ShardRecord> shards;
  State state;
  std::unique_ptr<PendingShard> rest;
  {
    ShardSink sink(files, documents, journal, *corpus);
    Importer importer(history.plan, history.limits, history.state, static_cast<int64_t>(history.shards.size()), sink, *corpus);
    if (history.plan.filters.dedup != "none") remember_shards(importer, history, documents);
    read(importer, sink);
    state = importer.state();
    rest = importer.take_rest();
    if (state.rows_written == 0) refuse_nothing(state);
    if (rest) shards.push_back(sink.write_last(std::move(*rest)));
  }
  std::vector<ShardRecord> all = read_journal(documents)->shards;
  all.insert(all.end(), shards.begin(), shards.end());
  return publish(state, all, *corpus, journal);
}

// Nothing came of it: say why, and leave no trace that would stand in the way of the next try.
void Run::refuse_nothing(const State& state) {
  std::string reasons;
  for (const auto& [reason, count] : state.skipped) reasons += cat(reasons.empty() ? "" : ", ", reason, ": ", grouped(count));
  discard(files, documents, options);
  throw base::bad_input({.what = cat("none of ", grouped(state.rows_seen), " rows became a document"), .where = history.plan.dataset, .found = reasons.empty() ? "no rows" : reasons,
                         .remedy = "loosen the filters, or name another --text-column or --offset"});
}

std::vector<std::string> Run::local_digests(const State& state) const {
  std::vector<std::string> digests(history.plan.files.size());
  if (history.plan.kind.starts_with("hub")) return digests;
  base::parallel_for(digests.size(), [&](size_t i) {
    if (state.rows_of_file[i] == 0) return;
    const auto file = source.open(history.plan.files[i].file);
    const auto bytes = file->stream();
    base::Sha256 digest;
    std::string buffer(1 << 20, '\0');
    while (const size_t n = bytes->read(buffer)) digest.update(std::string_view(buffer).substr(0, n));
    digests[i] = digest.finish().hex();
  });
  return digests;
}

Json Run::publish(const State& state, const std::vector<ShardRecord>& shards, base::WritableFile& corpus, Journal& journal) {
  const Path out = options.out;
  corpus.append("\n");
  corpus.sync();
  corpus.close();
  files.rename_replacing(partial_path(out), out);
  files.sync_directory(out.parent_path());
  ReportFacts facts{.options = &options, .plan = &history.plan, .limits = history.limits, .state = &state, .shards = shards, .local_digests = local_digests(state),
                    .seconds = base::monotonic_seconds() - started, .resumed = resumed, .exhausted = exhausted, .next_command = next_command()};
  const Json report = report_json(facts);
  const Path path = report_path(options);
  base::write_file(files, Path(path).replace_extension(".md"), report_markdown(report));
  base::write_file(files, path, base::dump(report) + "\n");
  journal.finish();
  return report;
}

void check_options(const ImportOptions& options) {
  auto need = [](const std::string& value, const char* flag) {
    if (base::trim(value).empty()) throw base::usage_error({.what = cat(flag, " is empty"), .where = "command line"});
  };
  need(options.dataset, "--dataset");
  need(options.out, "--out");
  need(options.text_column, "--text-column");
  need(options.split, "--split");
  if (options.fresh && options.resume.value_or(false)) throw base::usage_error({.what = "--fresh and --resume exclude each other", .where = "command line"});
  if (fs::is_directory(options.out)) throw base::usage_error({.what = "--out is a folder", .where = options.out, .expected = "a file, such as corpus.txt"});
  if (!options.pack_out && (options.pack_name || options.pack_description || options.pack_force))
    throw base::usage_error({.what = "--pack-name, --pack-description and --pack-force are about a pack, and none is asked for", .where = "command line", .remedy = "add --pack-out DIR"});
}

bool has_pack(const ImportOptions& options) { return fs::exists(Path(*options.pack_out) / "dataset_pack.json"); }

void make_pack(base::FileSystem& files, const ImportOptions& options, const Path& documents, const Plan& plan) {
  if (!options.pack_out || (has_pack(options) && !options.pack_force)) return;
  init_pack(files, {.name = options.pack_name.value_or(plan.dataset), .corpus = documents.string(), .out = *options.pack_out,
                    .description = options.pack_description.value_or(cat("Documents imported from ", plan.dataset, ".")), .force = options.pack_force});
}

// An import that is complete, and that nothing is asked of beyond what it has.
Json finished_report(const ImportOptions& options, const History& history, const Path& documents) {
  base::say(cat("The import in ", documents.string(), " is complete (max_rows ", grouped(history.limits.max_rows), "): nothing to do. A larger --max-rows adds to it, --fresh starts again."));
  return base::read_json(report_path(options));
}

}  // namespace

base::CommandOutput hf_import(base::FileSystem& files, const ImportOptions& options, const hub::Environment& environment) {
  check_options(options);
  const hub::Settings settings = hub::settings_from(environment, {options.endpoint, options.token_env});
  const Path documents = documents_folder(options);
  const Limits limits = limits_of(options);
  std::optional<base::DirectoryLock> lock;
  if (fs::exists(documents / kJournalFile)) lock.emplace(documents);
  std::optional<History> history = options.fresh ? std::nullopt : read_journal(documents);
  if (history) {
    if (options.resume && !*options.resume)
      throw base::usage_error({.what = "there is an import already, and --no-resume forbids going on with it", .where = documents.string(), .remedy = "name other places, or start again with --fresh"});
    if (const auto changed = changes(history->plan, options); !changed.empty()) refuse_changes(changed, documents);
    check_limits(limits, *history, documents);
  } else if (options.resume.value_or(false)) {
    throw base::usage_error({.what = "there is no import to go on with", .where = documents.string(), .remedy = "leave --resume out"});
  } else {
    if (options.pack_out && has_pack(options) && !options.pack_force)
      throw base::bad_input({.what = "the folder already holds a pack", .where = *options.pack_out, .remedy = "name another --pack-out, or overwrite it with --pack-force"});
    if (!options.fresh) refuse_foreign_files(documents, options);
  }

  Run run{.files = files, .options = options, .settings = settings, .documents = documents, .history = {}, .source = {}, .resumed = history.has_value()};
  const bool complete = history && history->finished && history->limits == limits && fs::exists(options.out) && fs::exists(report_path(options));
  Json report;
  if (complete) {
    check_shards(*history, documents);
    report = finished_report(options, *history, documents);
  } else {
    if (history) {
      check_shards(*history, documents);
      run.source = open_planned(files, options, history->plan, settings, static_cast<size_t>(history->state.next.file));
      base::say(cat("Going on after ", grouped(history->state.rows_seen), " rows, ", grouped(history->state.rows_written), " documents."));
    } else {
      history.emplace();
      history->plan = make_plan(files, options, settings, run.source);
      history->state.offset_left = options.offset;
      RowRules check_regex(history->plan);
    }
    if (!lock) lock.emplace(documents);
    if (run.source.first) check_disk(history->plan, limits, history->state, *run.source.first, documents);
    if (options.fresh) discard(files, documents, options);
    if (run.resumed && (history->finished || !(history->limits == limits))) Journal::reopen(files, documents).set_limits(limits);
    history->limits = limits;
    run.history = std::move(*history);
    report = run.execute();
    history = run.history;
  }
  make_pack(files, options, documents, history->plan);
  return {.json = report, .text = report_text(report)};
}

}  // namespace picochat::corpus
