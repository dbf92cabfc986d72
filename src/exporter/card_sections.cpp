#include "exporter/card_sections.hpp"

#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/evidence/markdown.hpp"

namespace picochat::exporter {
namespace {

using base::cat;
using base::Json;
using evidence::at;
using Rows = std::vector<std::vector<std::string>>;

std::string text_of(const Json& value, const char* key, const std::string& absent = "not stated") {
  const Json found = at(value, {key});
  return found.is_string() && !found.get_ref<const std::string&>().empty() ? found.get<std::string>() : absent;
}

// Labels may end with the path that they were read from, which is nobody else's business.
std::string without_path(const std::string& label) { return label.substr(0, label.find(" (")); }

bool is_hub_name(const std::string& origin) {
  constexpr std::string_view kName = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  const size_t slash = origin.find('/');
  if (slash == 0 || slash == std::string::npos || slash + 1 == origin.size()) return false;
  return origin.substr(0, slash).find_first_not_of(kName) == std::string::npos && origin.substr(slash + 1).find_first_not_of(kName) == std::string::npos;
}

}  // namespace

std::string training_data_section(const Json& summary) {
  const Json corpus = at(summary, {"corpus"});
  if (!corpus.is_object()) return "";
  std::string out = cat(evidence::count(at(corpus, {"num_documents"})), at(corpus, {"num_documents"}) == 1 ? " document, " : " documents, ", evidence::count(at(corpus, {"num_characters"})), " characters, ",
                        evidence::percent(at(corpus, {"duplicate_document_rate"})), " exact and ", evidence::percent(at(corpus, {"near_duplicate_document_rate"})), " near duplicates; ",
                        evidence::count(at(summary, {"base", "coverage", "actual_training_tokens"})), " tokens trained on.\n\n");
  Rows rows;
  for (const Json& source : at(corpus, {"sources"})) {
    const std::string origin = text_of(source, "origin");
    rows.push_back({without_path(text_of(source, "label", "")), text_of(source, "license"), origin.starts_with("/") ? "a local folder" : origin, text_of(source, "revision")});
  }
  return rows.empty() ? out : out + evidence::markdown_table({"source", "licence", "origin", "revision"}, rows) + "\n";
}

std::string contamination_section(const Json& summary) {
  const Json honesty = at(summary, {"honesty"});
  std::string out = "## Contamination\n\n";
  if (!honesty.is_object()) return out + "Not measured.\n\n";
  out += cat("Status: ", text_of(honesty, "status"), "; ", text_of(honesty, "summary"), ".\n\n");
  Rows rows;
  for (const Json& pair : at(honesty, {"contamination_matrix"}))
    rows.push_back({base::replace_all(text_of(pair, "name", ""), "_", " "), at(pair, {"checked"}) == true ? text_of(pair, "risk") : "not measured", evidence::figure(at(pair, {"exact_text_hits"})),
                    evidence::figure(at(pair, {"near_text_hits"})), evidence::figure(at(pair, {"max_longest_overlap_tokens"}))});
  return rows.empty() ? out : out + evidence::markdown_table({"compared", "risk", "exact", "near", "longest shared run of words"}, rows, "  :::") + "\n";
}

std::string benchmarks_section(const Json& summary) {
  Rows rows;
  for (const Json& item : at(summary, {"external_evals"})) {
    const Json s = at(item, {"summary"});
    rows.push_back({text_of(item, "name", ""), evidence::figure(at(s, {"num_examples"})), evidence::percent(at(s, {"acc"}), at(s, {"acc_ci"})),
                    evidence::percent(at(s, {"acc_norm"}), at(s, {"acc_norm_ci"})), evidence::percent(at(s, {"choice_random_baseline"}))});
  }
  if (rows.empty()) return "No published benchmark was scored.\n\n";
  return cat("Published benchmarks, scored as lm-evaluation-harness scores them:\n\n", evidence::markdown_table({"benchmark", "rows", "acc [95%]", "acc_norm [95%]", "guessing"}, rows, " ::::"), "\n");
}

std::string generations_section(const Json& summary) {
  constexpr size_t kShown = 3;
  const Json generations = at(summary, {"eval_generations"});
  if (!generations.is_object()) return "";
  std::string out = cat("## What it writes\n\nTaken by rule, not by hand: ", text_of(generations, "rule"), ".\n");
  for (const auto& [key, title] : {std::pair("good", "Passed"), {"bad", "Failed"}}) {
    out += cat("\n### ", title, "\n");
    const Json list = at(generations, {key});
    if (!list.is_array() || list.empty()) out += "\nNone.\n";
    size_t shown = 0;
    for (const Json& item : list) {
      if (shown++ == kShown) break;
      out += cat("\n", text_of(item, "category", ""), ": ", evidence::markdown_inline(text_of(item, "user", ""), 200), "\n\n", evidence::markdown_block(text_of(item, "reply", ""), 400));
    }
  }
  return out + "\n";
}

std::vector<std::string> hub_datasets(const Json& summary) {
  std::vector<std::string> names;
  for (const Json& source : at(summary, {"corpus", "sources"}))
    if (const std::string origin = text_of(source, "origin", ""); is_hub_name(origin) && std::find(names.begin(), names.end(), origin) == names.end()) names.push_back(origin);
  return names;
}

std::map<std::string, std::string> eval_results(const Json& summary) {
  std::map<std::string, std::string> files;
  for (const Json& item : at(summary, {"external_evals"})) {
    const Json source = at(item, {"source"}), s = at(item, {"summary"}), rate = at(s, {"pass_rate"});
    if (!source.is_object() || !rate.is_number()) continue;
    auto quoted = [](const std::string& text) { return base::dump(Json(text), -1); };  // a JSON string is a YAML string
    files[cat(text_of(item, "name", "benchmark"), ".yaml")] =
        cat("- dataset:\n    id: ", quoted(text_of(source, "dataset")), "\n    task_id: ", quoted(text_of(source, "config", "default")), "\n    revision: ", quoted(text_of(source, "commit")),
            "\n  value: ", base::fixed(100 * rate.get<double>(), 2), "\n  notes: ",
            quoted(cat("percent, ", text_of(s, "primary_metric", "acc"), ", ", evidence::figure(at(s, {"num_examples"})), " rows of split ", text_of(source, "split"),
                       ", as lm-evaluation-harness scores, 95% interval ", base::fixed(100 * at(s, {"pass_rate_ci", "low"}).get<double>(), 2), " to ",
                       base::fixed(100 * at(s, {"pass_rate_ci", "high"}).get<double>(), 2), ", guessing ", evidence::percent(at(s, {"choice_random_baseline"})))),
            "\n");
  }
  return files;
}

}  // namespace picochat::exporter
