#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/corpus/manifest.hpp"

namespace picochat::corpus {
namespace {

using base::cat;
using base::grouped;
using base::Json;

Json counts_json(const std::map<std::string, int64_t>& counts) {
  Json out = Json::object();
  for (const auto& [key, count] : counts) out[key] = count;
  return out;
}

Json file_json(const ManifestFile& file) {
  Json out = {{"path", file.path}, {"label", file.label}, {"format", file.format}, {"bytes", file.bytes}, {"included", file.included}, {"reason", file.reason}};
  if (!file.sha256.empty()) out["sha256"] = file.sha256.hex();
  if (file.included) {
    out["num_documents"] = file.documents;
    out["num_characters"] = file.characters;
    out["num_lines"] = file.lines;
    out["text_span"] = {file.text_start, file.text_end};
    out["quality_score"] = file.quality_score;
    out["quality_flags"] = file.quality_flags;
  }
  if (!file.skipped_rows.empty()) {
    out["skipped_rows"] = counts_json(file.skipped_rows);
    out["first_skipped_line"] = counts_json(file.first_skipped_line);
  }
  if (!file.columns_found.empty()) out["columns_found"] = file.columns_found;
  return out;
}

Json source_json(const ManifestSource& source) {
  Json out = {{"path", source.path}, {"label", source.label}, {"weight", source.weight}};
  if (source.max_documents) out["max_documents"] = *source.max_documents;
  if (source.max_bytes) out["max_bytes"] = *source.max_bytes;
  out["num_files"] = source.files;
  out["num_documents"] = source.documents;
  out["num_characters"] = source.characters;
  out["num_bytes"] = source.bytes;
  out["repeated_documents"] = source.repeated_documents;
  return out;
}

// A table cell: one line, no bars.
std::string cell(std::string text) { return base::replace_all(base::replace_all(std::move(text), "\n", " "), "|", "\\|"); }

std::string shown(const Json& value) {
  if (value.is_null()) return "not measured";
  if (value.is_number_float()) return base::fixed(value.get<double>(), 4);
  if (value.is_number()) return grouped(value.get<int64_t>());
  return value.is_string() ? value.get<std::string>() : base::dump(value, -1);
}

}  // namespace

Json manifest_json(const Manifest& manifest) {
  Json sources = Json::array(), files = Json::array();
  for (const auto& source : manifest.sources) sources.push_back(source_json(source));
  for (const auto& file : manifest.files) files.push_back(file_json(file));
  return {{"format", "picochat.corpus_manifest"},
          {"version", 1},
          {"digest", manifest.digest.hex()},
          {"min_quality_score", manifest.min_quality_score},
          {"stats", statistics_json(manifest.stats)},
          {"readiness", readiness_json(manifest.readiness)},
          {"budget", budget_json(suggest_budget(manifest.stats))},
          {"sources", sources},
          {"files", files},
          {"warnings", manifest.warnings}};
}

std::string corpus_report_markdown(const Manifest& manifest) {
  constexpr size_t kFilesShown = 500;
  const Statistics& stats = manifest.stats;
  std::string out = cat("# Corpus report\n\nStatus: **", manifest.readiness.status, "** (", manifest.readiness.summary, ")\n\nDigest: `", manifest.digest.hex(), "`\n\n## Summary\n\n");
  const Json figures = statistics_json(stats);
  out += "| statistic | value |\n|---|---|\n";
  for (const auto& [key, value] : figures.items())
    if (!value.is_array()) out += cat("| ", key, " | ", shown(value), " |\n");
  out += "\n## Readiness\n\n| check | status | metric | threshold | message |\n|---|---|---|---|---|\n";
  for (const auto& check : manifest.readiness.checks)
    out += cat("| ", check.name, " | ", check.status, " | ", shown(check.metric), " | ", shown(check.threshold), " | ", cell(check.message), " |\n");
  out += "\n## Document length\n\n| characters from | documents |\n|---|---|\n";
  for (const auto& bucket : figures["length_histogram"]) out += cat("| ", shown(bucket["min_chars"]), " | ", shown(bucket["documents"]), " |\n");
  const BudgetSuggestion budget = suggest_budget(stats);
  out += cat("\n## Training budget\n\n", budget.preset, ": about ", grouped(budget.estimated_tokens), " tokens (", budget.basis, "); context ", budget.suggested_context_size, ", batch ",
             budget.suggested_batch_size, ", ", grouped(budget.suggested_base_steps), " steps. ", budget.note, "\n");
  out += "\n## Sources\n\n| path | label | weight | files | documents | characters | bytes |\n|---|---|---|---|---|---|---|\n";
  for (const auto& source : manifest.sources)
    out += cat("| ", cell(source.path), " | ", cell(source.label), " | ", source.weight, " | ", grouped(source.files), " | ", grouped(source.documents), " | ",
               grouped(source.characters), " | ", grouped(static_cast<int64_t>(source.bytes)), " |\n");
  out += "\n## Warnings\n\n";
  if (manifest.warnings.empty()) out += "None.\n";
  for (const auto& warning : manifest.warnings) out += cat("- ", cell(warning), "\n");
  out += "\n## Files\n\n| path | reason | documents | characters | quality | flags |\n|---|---|---|---|---|---|\n";
  for (size_t i = 0; i < std::min(kFilesShown, manifest.files.size()); ++i) {
    const ManifestFile& file = manifest.files[i];
    out += cat("| ", cell(file.path), " | ", file.reason, " | ", grouped(file.documents), " | ", grouped(file.characters), " | ",
               file.included ? base::fixed(file.quality_score, 1) : "", " | ", base::join(file.quality_flags, ", "), " |\n");
  }
  if (manifest.files.size() > kFilesShown) out += cat("\n", grouped(static_cast<int64_t>(manifest.files.size() - kFilesShown)), " more files are in the manifest.\n");
  return out;
}

}  // namespace picochat::corpus
