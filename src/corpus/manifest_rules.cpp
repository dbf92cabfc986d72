#include "corpus/manifest_rules.hpp"

#include <algorithm>
#include <array>

#include "corpus/selection.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::corpus {
namespace {

using base::cat;
using base::Json;

constexpr std::array<std::string_view, 12> kUnexpected = {"unsupported_extension", "binary", "not_utf8", "empty_text", "no_documents",
                                                          "missing_text_column", "text_column_not_string", "row_not_object", "row_too_long",
                                                          "invalid_json", "wrong_field_count", "unterminated_quote"};

std::string remedy_for(const std::string& reason, const ManifestFile& file) {
  if (reason == "binary") return "it holds control bytes like a binary file; exclude it in the recipe";
  if (reason == "not_utf8") return "its text is not UTF-8; convert it, for example with `iconv -f WINDOWS-1252 -t UTF-8`";
  if (reason == "missing_text_column" || reason == "text_column_not_string")
    return cat("rows need a text column; found: ", file.columns_found.empty() ? "none" : file.columns_found, "; a recipe names another with \"text_column\"");
  return "";
}

std::string joined_lines(const std::map<std::string, int64_t>& counts, const std::map<std::string, int64_t>& first) {
  std::vector<std::string> parts;
  for (const auto& [reason, count] : counts) {
    auto line = first.find(reason);
    parts.push_back(cat(reason, " ", base::grouped(count), line == first.end() ? "" : cat(" (first at line ", line->second, ")")));
  }
  return base::join(parts, ", ");
}

// What the recipe asked for is news to nobody.
bool asked_for(const std::string& reason) { return reason == "weight" || reason == "below_min_score"; }

}  // namespace

bool is_unexpected_skip(const std::string& reason) { return std::find(kUnexpected.begin(), kUnexpected.end(), reason) != kUnexpected.end(); }

base::Digest digest_of_corpus(const Corpus& corpus, const Manifest& manifest) {
  Json items = Json::array();
  for (size_t source = 0; source < corpus.sources().size(); ++source) {
    Json files = Json::array();
    for (size_t i = 0; i < manifest.files.size(); ++i)
      if (corpus.files()[i].source == source && manifest.files[i].included)
        files.push_back({{"format", manifest.files[i].format}, {"sha256", manifest.files[i].sha256.hex()}});
    const RecipeSource& rules = corpus.sources()[source];
    if (rules.weight == 1 && !has_limits(rules)) {
      for (const auto& file : files) items.push_back(file);
      continue;
    }
    Json item = {{"weight", rules.weight}, {"files", files}};
    if (rules.max_documents) item["max_documents"] = *rules.max_documents;
    if (rules.max_bytes) item["max_bytes"] = *rules.max_bytes;
    items.push_back(item);
  }
  // `reading` is raised by hand when the same bytes would be read as other documents.
  return base::sha256(base::canonical({{"reading", 1}, {"min_quality_score", manifest.min_quality_score}, {"items", items}}));
}

std::vector<std::string> warnings_of(const Manifest& manifest) {
  constexpr size_t kShown = 20;
  std::vector<std::string> warnings;
  size_t more = 0;
  auto add = [&](std::string text) { warnings.size() < kShown ? warnings.push_back(std::move(text)) : void(++more); };
  std::map<std::string, std::pair<int64_t, std::string>> unsupported;  // extension: count, first file
  for (const auto& file : manifest.files) {
    if (file.reason == "unsupported_extension") {
      auto& [count, first] = unsupported[base::lower_ascii(base::Path(file.path).extension().string())];
      if (count++ == 0) first = file.path;
    } else if (is_unexpected_skip(file.reason)) {
      const std::string remedy = remedy_for(file.reason, file);
      add(cat(file.path, ": left out, ", file.reason, remedy.empty() ? "" : ": ", remedy));
    } else {
      std::map<std::string, int64_t> rows = file.skipped_rows;
      std::erase_if(rows, [](const auto& entry) { return asked_for(entry.first); });
      if (!rows.empty()) add(cat(file.path, ": rows left out: ", joined_lines(rows, file.first_skipped_line)));
    }
  }
  for (const auto& [extension, found] : unsupported) {
    const std::string advice = conversion_advice(found.second);
    add(cat(base::grouped(found.first), found.first == 1 ? " file" : " files", " left out, unsupported_extension ",
            extension.empty() ? "(none)" : extension, " (", found.first == 1 ? "" : "first: ", found.second, ")", advice.empty() ? "" : ": ", advice));
  }
  if (more > 0) warnings.push_back(cat("... and ", base::grouped(static_cast<int64_t>(more)), " more files; the manifest lists them"));

  const Statistics& stats = manifest.stats;
  if (stats.low_quality_documents > 0)
    warnings.push_back(cat(base::grouped(stats.low_quality_documents), " of ", base::grouped(stats.num_documents), " documents have a quality score below 70"));
  if (stats.invalid_utf8_documents > 0)
    warnings.push_back(cat(base::grouped(stats.invalid_utf8_documents), " documents hold bytes that are not UTF-8"));
  if (stats.num_documents > 0 && !stats.duplicate_documents) warnings.push_back("duplicate documents were not measured: too many distinct documents for the memory bound");
  if (stats.num_documents > 0 && !stats.duplicate_lines) warnings.push_back("duplicate lines were not measured: too many distinct lines for the memory bound");
  return warnings;
}

void require_documents(const Manifest& manifest) {
  if (manifest.stats.num_documents > 0) return;
  std::vector<std::string> found;
  for (const auto& file : manifest.files) {
    if (found.size() == 5) {
      found.push_back(cat("and ", manifest.files.size() - 5, " more files"));
      break;
    }
    std::string why = file.skipped_rows.size() > 1 ? joined_lines(file.skipped_rows, file.first_skipped_line) : file.reason;
    if (!file.columns_found.empty()) why += cat(" (keys: ", file.columns_found, ")");
    found.push_back(cat(file.path, ": ", why));
  }
  throw base::bad_input({.what = "the corpus has no usable document", .where = manifest.sources.empty() ? "" : manifest.sources.front().path,
                         .expected = "text files, or rows with a \"text\" string", .found = base::join(found, "; "),
                         .remedy = manifest.min_quality_score > 0 ? "lower --min-score, or name other text" : "name a file or folder with text"});
}

}  // namespace picochat::corpus
