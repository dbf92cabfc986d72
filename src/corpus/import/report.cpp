#include "corpus/import/report.hpp"

#include <algorithm>

#include "picochat/base/build_info.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/text.hpp"

namespace picochat::corpus::import {
namespace {

using base::cat;
using base::grouped;
using base::Json;

Json files_json(const ReportFacts& facts) {
  Json out = Json::array();
  for (size_t i = 0; i < facts.plan->files.size(); ++i) {
    const auto& file = facts.plan->files[i].file;
    const int64_t rows = i < facts.state->rows_of_file.size() ? facts.state->rows_of_file[i] : 0;
    if (rows == 0) continue;
    std::string digest = file.sha256, source = "hub";
    if (digest.empty() && i < facts.local_digests.size()) digest = facts.local_digests[i], source = "computed";
    out.push_back({{"path", file.path}, {"bytes", file.size}, {"sha256", digest.empty() ? Json(nullptr) : Json(digest)}, {"sha256_from", digest.empty() ? Json(nullptr) : Json(source)},
                   {"rows_read", rows}});
  }
  return out;
}

Json histogram_json(const State& state) {
  Json out = Json::array();
  for (size_t i = 0; i < state.lengths.size(); ++i)
    if (state.lengths[i] > 0) out.push_back({{"characters_from", int64_t{1} << i}, {"characters_below", int64_t{1} << (i + 1)}, {"documents", state.lengths[i]}});
  return out;
}

// null: nobody looked.
Json duplicate_json(const ReportFacts& facts, const char* reason, bool measured) {
  if (!measured) return nullptr;
  const auto found = facts.state->skipped.find(reason);
  const int64_t count = found == facts.state->skipped.end() ? 0 : found->second;
  const int64_t looked_at = facts.state->rows_written + count;
  return {{"left_out", count}, {"rate", looked_at == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(looked_at)}};
}

Json languages_json(const ReportFacts& facts) {
  if (!facts.plan->filters.language_column) return nullptr;
  Json counts = Json::object();
  std::vector<std::pair<std::string, int64_t>> sorted(facts.state->languages.begin(), facts.state->languages.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [name, count] : sorted) counts[name] = count;
  return {{"column", *facts.plan->filters.language_column}, {"documents", std::move(counts)}};
}

std::string value_text(const Json& value) { return value.is_null() ? "not_measured" : value.is_string() ? value.get<std::string>() : base::dump(value, -1); }

std::string rate_text(const Json& duplicates) {
  if (duplicates.is_null()) return "not_measured";
  return cat(grouped(duplicates.at("left_out").get<int64_t>()), " left out (", base::fixed(100 * duplicates.at("rate").get<double>(), 2), "%)");
}

std::string source_line(const Json& report) {
  const Json& source = report.at("source");
  const std::string commit = source.at("commit").is_null() ? "" : cat(" at commit ", source.at("commit").get<std::string>().substr(0, 12));
  return cat(report.at("dataset").get<std::string>(), ", config ", report.at("config_name").get<std::string>(), ", split ", report.at("split").get<std::string>(), commit);
}

}  // namespace

Json report_json(const ReportFacts& facts) {
  const Plan& plan = *facts.plan;
  const State& state = *facts.state;
  const Filters& filters = plan.filters;
  Json shards = Json::array(), data_files = Json::array(), sample = Json::array();
  std::string digests;
  for (const auto& shard : facts.shards) {
    Json entry = {{"path", shard.file}};
    const Json record = shard_record_json(shard);
    for (const auto& [key, value] : record.items())
      if (key != "file") entry[key] = value;
    shards.push_back(std::move(entry));
    digests += shard.sha256.hex() + "\n";
  }
  for (const auto& file : plan.files) data_files.push_back(file.file.path);
  for (const auto& row : state.sample) sample.push_back(sample_json(row));
  auto or_null = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
  auto text_or_null = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };

  Json report = {{"format", "picochat.hf_import_report"}, {"version", 1}};
  report["dataset"] = plan.dataset;
  report["config_name"] = plan.config;
  report["split"] = plan.split;
  report["text_column"] = plan.text_column;
  report["source"] = {{"kind", plan.kind}, {"endpoint", text_or_null(plan.endpoint)}, {"revision", plan.kind == "local" ? Json(nullptr) : Json(plan.revision)},
                      {"commit", text_or_null(plan.commit)}, {"license", text_or_null(plan.license)}};
  report["streaming"] = facts.options->streaming;
  report["out_path"] = facts.options->out;
  report["report_path"] = report_path(*facts.options).string();
  report["documents_dir"] = documents_folder(*facts.options).string();
  report["document_shard_rows"] = plan.shard_rows;
  report["document_files_written"] = facts.shards.size();
  report["documents_digest"] = base::sha256(digests).hex();
  report["max_rows"] = facts.limits.max_rows;
  report["max_accepted"] = or_null(facts.limits.max_accepted);
  report["max_bytes"] = or_null(facts.limits.max_bytes);
  report["min_chars"] = filters.min_chars;
  report["filters"] = {{"min_chars", filters.min_chars}, {"min_score", filters.min_score}, {"language_regex", or_null(filters.language_regex)},
                       {"dedup", filters.dedup}, {"offset", filters.offset}, {"shuffle_seed", or_null(filters.shuffle_seed)}};
  report["rows_seen"] = state.rows_seen;
  report["rows_written"] = state.rows_written;
  report["rows_skipped"] = state.rows_seen - state.rows_written;
  report["skipped"] = state.skipped;
  report["split_exhausted"] = facts.exhausted;
  report["characters_written"] = state.characters_written;
  report["text_bytes"] = state.text_bytes;
  report["corpus_bytes"] = state.corpus_bytes + (state.rows_written > 0 ? 1 : 0);
  report["repaired_utf8_documents"] = state.repaired;
  report["documents_with_nul"] = state.with_nul;
  report["exact_duplicates"] = duplicate_json(facts, "exact_duplicate", filters.dedup != "none");
  report["near_duplicates"] = duplicate_json(facts, "near_duplicate", filters.dedup == "near");
  report["languages"] = languages_json(facts);
  report["length_histogram"] = histogram_json(state);
  report["files"] = files_json(facts);
  report["data_files"] = std::move(data_files);
  report["unreadable_files"] = plan.unreadable;
  report["document_files"] = std::move(shards);
  report["rows"] = std::move(sample);
  report["rows_reported"] = state.sample.size();
  report["rows_omitted"] = state.rows_seen - static_cast<int64_t>(state.sample.size());
  report["tool"] = base::build_info_json();
  report["next_command"] = facts.next_command;
  report["timing"] = {{"finished", base::utc_timestamp()}, {"seconds", facts.seconds}, {"resumed", facts.resumed}};
  return report;
}

std::string report_text(const Json& report) {
  std::string out = cat("dataset: ", source_line(report), "\n");
  out += cat("license: ", report.at("source").at("license").is_null() ? "unknown: the card names none" : report.at("source").at("license").get<std::string>(), "\n");
  for (const char* key : {"rows_seen", "rows_written", "rows_skipped", "characters_written", "document_files_written"}) out += cat(key, ": ", grouped(report.at(key).get<int64_t>()), "\n");
  for (const auto& [reason, count] : report.at("skipped").items()) out += cat("  ", reason, ": ", grouped(count.get<int64_t>()), "\n");
  out += cat("exact_duplicates: ", rate_text(report.at("exact_duplicates")), "\nnear_duplicates: ", rate_text(report.at("near_duplicates")), "\n");
  if (report.at("split_exhausted").get<bool>()) out += "The split has no more rows.\n";
  for (const char* key : {"out_path", "documents_dir", "report_path"}) out += cat(key, ": ", report.at(key).get<std::string>(), "\n");
  return out + cat("next: ", report.at("next_command").get<std::string>(), "\n");
}

std::string report_markdown(const Json& report) {
  std::string out = cat("# Import of ", source_line(report), "\n\n| | |\n|---|---|\n");
  auto line = [&](const std::string& name, const std::string& value) { out += cat("| ", name, " | ", value, " |\n"); };
  auto cell = [](std::string text) { return base::replace_all(base::replace_all(std::move(text), "|", "\\|"), "\n", " "); };
  const Json& source = report.at("source");
  for (const char* key : {"kind", "endpoint", "revision", "commit"})
    if (!source.at(key).is_null()) line(key, cell(source.at(key).get<std::string>()));
  line("licence", source.at("license").is_null() ? "unknown" : cell(source.at("license").get<std::string>()));
  for (const char* key : {"rows_seen", "rows_written", "rows_skipped", "characters_written", "text_bytes", "document_files_written", "repaired_utf8_documents", "documents_with_nul"})
    line(key, grouped(report.at(key).get<int64_t>()));
  line("exact duplicates", rate_text(report.at("exact_duplicates")));
  line("near duplicates", rate_text(report.at("near_duplicates")));
  line("documents digest", report.at("documents_digest").get<std::string>());
  out += "\n## Filters\n\n| filter | value |\n|---|---|\n";
  for (const auto& [name, value] : report.at("filters").items()) line(name, value.is_null() ? "none" : cell(value_text(value)));
  out += "\n## Rows left out\n\n";
  if (report.at("skipped").empty()) out += "None.\n";
  else out += "| reason | rows |\n|---|---|\n";
  for (const auto& [reason, count] : report.at("skipped").items()) line(reason, grouped(count.get<int64_t>()));
  out += "\n## Files\n\n| file | bytes | rows read | SHA-256 |\n|---|---|---|---|\n";
  for (const auto& file : report.at("files"))
    out += cat("| ", cell(file.at("path").get<std::string>()), " | ", grouped(file.at("bytes").get<int64_t>()), " | ", grouped(file.at("rows_read").get<int64_t>()), " | ", value_text(file.at("sha256")), " |\n");
  out += "\n## Lengths\n\n| characters | documents |\n|---|---|\n";
  for (const auto& bar : report.at("length_histogram"))
    line(cat(grouped(bar.at("characters_from").get<int64_t>()), " to ", grouped(bar.at("characters_below").get<int64_t>() - 1)), grouped(bar.at("documents").get<int64_t>()));
  out += "\n## Languages\n\n";
  if (report.at("languages").is_null()) out += "Not measured: the data set has no column that names them.\n";
  else {
    out += cat("Column `", report.at("languages").at("column").get<std::string>(), "`.\n\n| language | documents |\n|---|---|\n");
    for (const auto& [name, count] : report.at("languages").at("documents").items()) line(cell(name), grouped(count.get<int64_t>()));
  }
  out += "\n## First rows\n\n| row | | characters | text |\n|---|---|---|---|\n";
  size_t shown = 0;
  for (const auto& row : report.at("rows")) {
    if (++shown > 20) break;
    out += cat("| ", row.at("index").get<int64_t>(), " | ", row.at("reason").get<std::string>(), " | ", grouped(row.at("num_characters").get<int64_t>()), " | ", cell(row.at("preview").get<std::string>()), " |\n");
  }
  return out + cat("\nNext: `", report.at("next_command").get<std::string>(), "`\n\nMade by picochat ", report.at("tool").value("version", ""), ", ", report.at("timing").at("finished").get<std::string>(), ".\n");
}

}  // namespace picochat::corpus::import
