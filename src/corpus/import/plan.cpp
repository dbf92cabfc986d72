#include "corpus/import/plan.hpp"

#include <filesystem>

#include "picochat/base/text.hpp"
#include "picochat/hub/dataset.hpp"

namespace picochat::corpus::import {
namespace {

namespace fs = std::filesystem;
using base::cat;
using base::Json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
std::optional<std::string> text_or_none(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
}
std::optional<int64_t> int_or_none(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? std::optional(found->get<int64_t>()) : std::nullopt;
}
std::vector<std::string> texts(const Json& object, const char* key) {
  std::vector<std::string> out;
  if (const auto found = object.find(key); found != object.end() && found->is_array())
    for (const auto& item : *found)
      if (item.is_string()) out.push_back(item.get<std::string>());
  return out;
}

std::string shown(const Json& value) { return value.is_null() ? "none" : value.is_string() ? value.get<std::string>() : base::dump(value, -1); }

}  // namespace

Path documents_folder(const ImportOptions& options) { return options.documents_dir ? Path(*options.documents_dir) : Path(options.out).parent_path() / "documents"; }
Path report_path(const ImportOptions& options) { return options.report ? Path(*options.report) : Path(options.out).parent_path() / "hf_import_report.json"; }

Limits limits_of(const ImportOptions& options) { return {options.max_rows, options.max_accepted, options.max_bytes}; }
Json limits_json(const Limits& limits) {
  return {{"max_rows", limits.max_rows}, {"max_accepted", or_null(limits.max_accepted)}, {"max_bytes", or_null(limits.max_bytes)}};
}
Limits limits_from(const Json& json, const std::string& where) {
  return {base::get_int(json, "max_rows", where), int_or_none(json, "max_accepted"), int_or_none(json, "max_bytes")};
}

Json plan_json(const Plan& plan) {
  const Filters& f = plan.filters;
  Json files = Json::array();
  for (const auto& [file, modified] : plan.files) {
    Json entry = {{"path", file.path}, {"bytes", file.size}};
    if (!file.sha256.empty()) entry["sha256"] = file.sha256;
    if (modified != 0) entry["modified_ns"] = modified;
    files.push_back(std::move(entry));
  }
  return {{"kind", plan.kind}, {"dataset", plan.dataset}, {"config", plan.config}, {"split", plan.split}, {"endpoint", plan.endpoint},
          {"revision", plan.revision}, {"commit", plan.commit}, {"license", plan.license}, {"text_column", plan.text_column},
          {"corpus_file", plan.corpus_file}, {"data_files", plan.data_files}, {"unreadable", plan.unreadable}, {"document_shard_rows", plan.shard_rows},
          {"filters", {{"min_chars", f.min_chars}, {"min_score", f.min_score}, {"language_regex", or_null(f.language_regex)},
                       {"language_column", or_null(f.language_column)}, {"dedup", f.dedup}, {"offset", f.offset}, {"shuffle_seed", or_null(f.shuffle_seed)}}},
          {"files", std::move(files)}};
}

Plan plan_from(const Json& json, const std::string& where) {
  auto text = [&](const char* key) { return base::get_string(json, key, where); };
  Plan plan{.kind = text("kind"), .dataset = text("dataset"), .config = text("config"), .split = text("split"), .endpoint = text("endpoint"),
            .revision = text("revision"), .commit = text("commit"), .license = text("license"), .text_column = text("text_column"), .corpus_file = text("corpus_file"),
            .data_files = texts(json, "data_files"), .unreadable = texts(json, "unreadable"), .shard_rows = base::get_int(json, "document_shard_rows", where)};
  const Json filters = json.value("filters", Json::object());
  plan.filters = {.min_chars = base::get_int(filters, "min_chars", where), .min_score = base::get_int(filters, "min_score", where), .offset = base::get_int(filters, "offset", where),
                  .language_regex = text_or_none(filters, "language_regex"), .language_column = text_or_none(filters, "language_column"),
                  .dedup = base::get_string(filters, "dedup", where), .shuffle_seed = int_or_none(filters, "shuffle_seed")};
  for (const auto& entry : json.value("files", Json::array()))
    plan.files.push_back({{.path = base::get_string(entry, "path", where), .size = static_cast<uint64_t>(base::get_int(entry, "bytes", where)),
                           .sha256 = text_or_none(entry, "sha256").value_or("")},
                          int_or_none(entry, "modified_ns").value_or(0)});
  return plan;
}

std::vector<std::string> changes(const Plan& plan, const ImportOptions& options) {
  std::vector<std::string> out;
  auto compare = [&](const char* name, const Json& was, const Json& is) {
    if (was != is) out.push_back(cat(name, ": ", shown(was), " -> ", shown(is)));
  };
  const Filters& f = plan.filters;
  compare("dataset", plan.dataset, hub::is_local_dataset(options.dataset) ? fs::absolute(options.dataset).lexically_normal().string() : options.dataset);
  if (options.config) compare("config", plan.config, *options.config);
  compare("split", plan.split, options.split);
  compare("text_column", plan.text_column, options.text_column);
  if (options.revision != plan.commit) compare("revision", plan.revision, options.revision);
  compare("data_files", plan.data_files, options.data_files);
  compare("document_shard_rows", plan.shard_rows, options.document_shard_rows);
  compare("min_chars", f.min_chars, options.min_chars);
  compare("min_score", f.min_score, options.min_score);
  compare("language_regex", or_null(f.language_regex), or_null(options.language_regex));
  if (options.language_column) compare("language_column", or_null(f.language_column), *options.language_column);
  compare("dedup", f.dedup, options.dedup);
  compare("offset", f.offset, options.offset);
  compare("shuffle_seed", or_null(f.shuffle_seed), or_null(options.shuffle_seed));
  compare("out", plan.corpus_file, fs::absolute(options.out).lexically_normal().lexically_relative(fs::absolute(documents_folder(options)).lexically_normal()).generic_string());
  return out;
}

}  // namespace picochat::corpus::import
