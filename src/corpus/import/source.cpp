#include "corpus/import/source.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "picochat/base/error.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "picochat/hub/download.hpp"

namespace picochat::corpus::import {
namespace {

namespace fs = std::filesystem;
using base::cat;

int64_t modified_ns(const Path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  return error ? 0 : std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

Path local_path(const Plan& plan, const hub::RepoFile& file) {
  const Path root = plan.dataset;
  return fs::is_directory(root) ? root / file.path : root;
}

std::string readable_kind(std::string_view name) {
  const FileKind kind = file_kind(name);
  return kind.format == Format::kUnsupported ? "" : kind_name(kind);
}

// The usual names of a column that says which language a row is in.
std::optional<std::string> language_column(const std::vector<Column>& columns, const ImportOptions& options) {
  auto there = [&](const std::string& name) { return std::any_of(columns.begin(), columns.end(), [&](const Column& column) { return column.name == name && column.is_text; }); };
  if (options.language_column) return options.language_column;
  for (const char* name : {"language", "lang", "metadata.language", "metadata.lang", "meta.language", "meta.lang"})
    if (there(name)) return name;
  if (!options.language_regex) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& column : columns) names.push_back(column.name);
  throw base::bad_input({.what = "--language-regex needs a column that names the language, and none is recognised", .where = options.dataset,
                         .found = cat("columns ", base::join(names, ", ")), .remedy = "name it with --language-column, or leave --language-regex out"});
}

std::shared_ptr<const RowFile> open_file(const hub::Dataset& dataset, const hub::RepoFile& file, const RowColumns& columns) {
  return RowFile::open(dataset.open(file), file_kind(file.path), columns);
}

std::string shown_examples(const std::vector<std::string>& names) {
  const size_t shown = std::min<size_t>(names.size(), 3);
  return cat(base::join(std::span(names).first(shown), ", "), names.size() > shown ? cat(" and ", names.size() - shown, " more") : "");
}

// A data set whose files we do not read may have been converted by the hub.
std::unique_ptr<hub::Dataset> converted_or_refuse(const hub::Dataset& dataset, const hub::DataFiles& resolved) {
  std::string why;
  auto converted = dataset.converted(resolved.config, resolved.split, why);
  if (converted) return converted;
  const std::string advice = resolved.unreadable.empty() ? "" : conversion_advice(resolved.unreadable.front());
  throw base::bad_input({.what = cat("no file of config \"", resolved.config, "\", split \"", resolved.split, "\" can be read"), .where = dataset.address(), .expected = kReadableFiles,
                         .found = resolved.unreadable.empty() ? "no data files" : shown_examples(resolved.unreadable), .remedy = cat(why, advice.empty() ? "" : "; ", advice)});
}

// Files as they are read: in place, by ranges, or, when whole ones are asked for, through the cache.
void set_opener(Source& source, base::FileSystem& files, const ImportOptions& options, const Plan& plan, const std::shared_ptr<const hub::Client>& client) {
  source.open = [dataset = source.dataset](const hub::RepoFile& file) { return dataset->open(file); };
  if (options.streaming || !plan.kind.starts_with("hub")) return;
  source.first.reset();
  source.open = [&files, client, name = plan.dataset, commit = plan.commit](const hub::RepoFile& file) -> std::shared_ptr<const base::ByteSource> {
    return std::make_shared<base::FileSource>(hub::fetch_into_cache(files, client, name, commit, file));
  };
}

}  // namespace

RowColumns row_columns(const Plan& plan) {
  RowColumns columns{.text = plan.text_column};
  if (plan.filters.language_column) columns.extra.push_back(*plan.filters.language_column);
  return columns;
}

Plan make_plan(base::FileSystem& files, const ImportOptions& options, const hub::Settings& settings, Source& source) {
  const bool local = hub::is_local_dataset(options.dataset);
  const auto client = std::make_shared<const hub::Client>(settings);
  std::shared_ptr<const hub::Dataset> dataset;
  if (local) dataset = hub::open_local_dataset(options.dataset);
  else dataset = hub::open_hub_dataset(client, options.dataset, options.revision);
  const std::string where = dataset->address();
  hub::DataFiles resolved;
  // A single local file is what it is, whatever its name says about splits.
  if (local && fs::is_regular_file(options.dataset)) {
    resolved = hub::resolve_data_files(dataset->files(), {}, {options.config, options.split, {"**"}, readable_kind}, where);
  } else {
    resolved = hub::resolve_data_files(dataset->files(), dataset->card(), {options.config, options.split, options.data_files, readable_kind}, where);
  }
  Plan plan;
  plan.license = dataset->license();
  plan.commit = dataset->commit();
  if (resolved.files.empty()) {
    dataset = converted_or_refuse(*dataset, resolved);
    resolved.files = dataset->files();
    plan.commit = dataset->commit();
  }
  plan.kind = dataset->kind();
  plan.dataset = local ? fs::absolute(options.dataset).lexically_normal().string() : options.dataset;
  plan.config = resolved.config;
  plan.split = resolved.split;
  plan.endpoint = local ? "" : settings.endpoint;
  plan.revision = options.revision;
  plan.text_column = options.text_column;
  plan.data_files = options.data_files;
  plan.unreadable = resolved.unreadable;
  plan.shard_rows = options.document_shard_rows;
  plan.corpus_file = fs::absolute(options.out).lexically_normal().lexically_relative(fs::absolute(documents_folder(options)).lexically_normal()).generic_string();
  plan.filters = {options.min_chars, options.min_score, options.offset, options.language_regex, std::nullopt, options.dedup, options.shuffle_seed};
  if (options.shuffle_seed) base::Random(static_cast<uint64_t>(*options.shuffle_seed), "import files").shuffle(std::span(resolved.files));
  for (const auto& file : resolved.files) plan.files.push_back({file, local ? modified_ns(local_path(plan, file)) : 0});

  const RowColumns columns = row_columns(plan);
  source = {dataset, {}, open_file(*dataset, plan.files.front().file, columns)};
  plan.filters.language_column = language_column(source.first->columns(), options);
  if (plan.filters.language_column) source.first = open_file(*dataset, plan.files.front().file, row_columns(plan));
  set_opener(source, files, options, plan, client);
  return plan;
}

Source open_planned(base::FileSystem& files, const ImportOptions& options, const Plan& plan, const hub::Settings& settings, size_t first_file) {
  Source source;
  hub::Settings pinned = settings;
  if (!plan.endpoint.empty()) pinned.endpoint = plan.endpoint;
  const auto client = std::make_shared<const hub::Client>(std::move(pinned));
  if (plan.kind == "local") {
    for (const auto& [file, modified] : plan.files) {
      const Path path = local_path(plan, file);
      std::error_code error;
      const uint64_t size = fs::file_size(path, error);
      if (error || size != file.size || modified_ns(path) != modified)
        throw base::bad_input({.what = "an input has changed since the import began", .where = path.string(), .expected = cat(file.size, " bytes, not modified"),
                               .found = error ? "no such file" : cat(size, " bytes"), .remedy = "start again with --fresh, or bring the old file back"});
    }
    source.dataset = hub::open_local_dataset(plan.dataset);
  } else {
    source.dataset = hub::open_pinned(client, plan.dataset, plan.commit);
  }
  if (first_file < plan.files.size()) source.first = open_file(*source.dataset, plan.files[first_file].file, row_columns(plan));
  set_opener(source, files, options, plan, client);
  return source;
}

}  // namespace picochat::corpus::import
