#include "picochat/corpus/source_record.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::corpus {
namespace {

namespace fs = std::filesystem;
using base::cat;
using base::Json;

constexpr const char* kReport = "hf_import_report.json";

// The first of these keys that holds a text.
std::string text_of(const Json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto found = object.find(key);
    if (found == object.end()) continue;
    if (found->is_string() && !found->get<std::string>().empty()) return found->get<std::string>();
    if (found->is_array() && !found->empty()) {  // several licences
      std::vector<std::string> parts;
      for (const auto& part : *found) if (part.is_string()) parts.push_back(part.get<std::string>());
      if (!parts.empty()) return base::join(parts, ", ");
    }
  }
  return {};
}

// An import leaves its report beside its documents, or beside the folder that holds them.
fs::path find_report(const fs::path& source) {
  const fs::path whole = fs::absolute(source);  // first: a file's bare name has no parent
  fs::path folder = (fs::is_directory(whole) ? whole : whole.parent_path()).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();  // a slash at the end
  for (const fs::path& place : {folder, folder.parent_path()}) {
    std::error_code ignored;
    if (fs::is_regular_file(place / kReport, ignored)) return place / kReport;
  }
  return {};
}

// Digests by file name, of the report's document files; empty when it records none.
std::map<std::string, std::string> reported_digests(const Json& report) {
  std::map<std::string, std::string> out;
  if (!report.contains("document_files") || !report.at("document_files").is_array()) return out;
  for (const auto& file : report.at("document_files"))
    if (file.is_object()) out[fs::path(text_of(file, {"path"})).filename().string()] = text_of(file, {"sha256"});
  return out;
}

std::string name_of(const Json& file) { return fs::path(file.at("path").get<std::string>()).filename().string(); }

// Whether the files that were read are those of the report; "" when they are.
std::string compare(const std::map<std::string, std::string>& digests, const std::vector<const Json*>& files) {
  for (const Json* file : files) {
    const auto found = digests.find(name_of(*file));
    if (found == digests.end()) return cat(name_of(*file), " is not in the import report");
    if (!found->second.empty() && file->contains("sha256") && file->at("sha256") != found->second) return cat(name_of(*file), " was changed after the import");
  }
  return {};
}

// A local import has no commit: the digests of the files it read stand for one.
std::string digests_of_inputs(const Json& report) {
  if (!report.contains("files") || !report.at("files").is_array() || report.at("files").empty()) return {};
  for (const auto& file : report.at("files"))
    if (!file.is_object() || text_of(file, {"sha256"}).empty()) return {};
  return cat("sha256 of ", report.at("files").size(), " files");
}

void read_report(SourceRecord& record, const fs::path& path, const fs::path& root, const std::vector<const Json*>& files) {
  const fs::path relative = fs::absolute(path).lexically_normal().lexically_relative(fs::absolute(root.empty() ? fs::path(".") : root).lexically_normal());
  record.report = (relative.empty() ? path : relative).generic_string();
  Json report;
  try {
    report = base::read_json(path);
  } catch (const base::Error& error) {
    record.problem = cat("the import report cannot be read: ", error.details().what);
    return;
  }
  if (!report.is_object()) {
    record.problem = "the import report is not a report";
    return;
  }
  const auto digests = reported_digests(report);
  // A report that knows none of the files is about something else that lies nearby.
  if (std::none_of(files.begin(), files.end(), [&](const Json* file) { return digests.contains(name_of(*file)); })) {
    record.report.clear();
    return;
  }
  record.problem = compare(digests, files);
  // An import says where it read from under "source"; older reports say it at the top.
  const Json& source = report.contains("source") && report.at("source").is_object() ? report.at("source") : report;
  if (record.license.empty()) record.license = text_of(source, {"license", "licence"});
  if (record.origin.empty()) record.origin = text_of(report, {"dataset"});
  if (record.revision.empty()) record.revision = text_of(source, {"commit", "resolved_commit", "revision"});
  if (record.revision.empty()) record.revision = digests_of_inputs(report);
}

}  // namespace

std::vector<SourceRecord> source_records(const Corpus& corpus, const Json& manifest) {
  std::map<std::string, const Json*> by_name;
  for (const auto& file : manifest.at("files")) by_name[file.at("path").get<std::string>()] = &file;
  std::vector<std::vector<const Json*>> files(corpus.sources().size());
  for (const auto& file : corpus.files()) {
    const auto found = by_name.find(file.name);
    if (found != by_name.end() && found->second->at("included").get<bool>()) files[file.source].push_back(found->second);
  }
  const fs::path recipe = corpus.pack() && corpus.pack()->recipe ? *corpus.pack()->recipe : corpus.options().recipe.value_or(Path());
  std::map<std::string, int> labels;
  for (size_t i = 0; i < files.size(); ++i) labels[corpus.sources()[i].label] += files[i].empty() ? 0 : 1;
  std::vector<SourceRecord> out;
  for (size_t i = 0; i < files.size(); ++i) {
    if (files[i].empty()) continue;
    const RecipeSource& source = corpus.sources()[i];
    SourceRecord record{.label = labels[source.label] > 1 || source.label == "corpus" ? cat(source.label, " (", source.given, ")") : source.label,
                        .license = source.license, .origin = source.origin, .revision = source.revision, .report = "", .problem = ""};
    if (const fs::path report = find_report(source.path); !report.empty()) read_report(record, report, recipe.parent_path(), files[i]);
    out.push_back(std::move(record));
  }
  return out;
}

Json source_records_json(const std::vector<SourceRecord>& records) {
  Json out = Json::array();
  for (const auto& r : records)
    out.push_back({{"label", r.label}, {"license", r.license}, {"origin", r.origin}, {"revision", r.revision}, {"report", r.report}, {"problem", r.problem},
                   {"license_known", r.license_known()}, {"provenance_complete", r.provenance_complete()}});
  return out;
}

}  // namespace picochat::corpus
