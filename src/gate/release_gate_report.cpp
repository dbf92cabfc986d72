// The verdict for programs and readers.
#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/gate/release_gate.hpp"

namespace picochat::gate {

using base::cat;
using base::fixed;
using base::Json;

namespace {

std::string percent(double value) { return cat(fixed(100 * value, 1), "%"); }

std::string value_text(const Measure& m) { return m.value ? percent(*m.value) : "not measured"; }
std::string rule_text(const Measure& m) { return cat(m.at_least ? ">= " : "<= ", percent(m.threshold)); }
std::string interval_text(const Measure& m) {
  if (!m.interval) return "";
  return cat(percent(m.interval->low), " to ", percent(m.interval->high), m.threshold_inside_interval ? " (holds the threshold)" : "");
}
std::string result_text(const Measure& m) {
  return m.result == "too_few" ? cat("too few rows (", m.minimum_n, " needed)") : m.result == "not_measured" ? "not measured" : m.result;
}

std::string cell(const std::string& text) { return base::replace_all(base::replace_all(text, "|", "\\|"), "\n", " "); }

}  // namespace

Json to_json(const GateVerdict& v) {
  Json out = {{"status", v.status}, {"summary", v.summary}, {"long_run", v.long_run}, {"profile", to_text(v.profile)}};
  for (const auto& [key, value] : v.reference.items()) out[key] = value;
  Json issues = Json::array(), measures = Json::array();
  for (const auto& issue : v.issues)
    issues.push_back({{"name", issue.name}, {"severity", issue.severity}, {"message", issue.message}, {"remedy", issue.remedy}});
  for (const auto& m : v.measures)
    measures.push_back({{"name", m.name}, {"value", m.value ? Json(*m.value) : Json(nullptr)}, {"threshold", m.threshold}, {"rule", m.at_least ? "at_least" : "at_most"},
                        {"n", m.n}, {"minimum_n", m.minimum_n}, {"ci", m.interval ? Json{{"low", m.interval->low}, {"high", m.interval->high}} : Json(nullptr)},
                        {"threshold_inside_ci", m.threshold_inside_interval}, {"result", m.result}});
  out["measures"] = std::move(measures);
  out["weakest_category"] = v.weakest_category.empty() ? Json(nullptr) : Json(v.weakest_category);
  out["issues"] = std::move(issues);
  return out;
}

std::string gate_markdown(const GateVerdict& v) {
  std::string out = cat("# Release gate\n\n**", v.status, "** (", to_text(v.profile), "): ", v.summary, "\n\n");
  if (!v.weakest_category.empty()) out += cat("Weakest category: ", v.weakest_category, "\n\n");
  out += "| threshold | measured | rows | 95% interval | rule | result |\n| --- | ---: | ---: | --- | --- | --- |\n";
  for (const auto& m : v.measures)
    out += cat("| ", m.name, " | ", value_text(m), " | ", m.n, " | ", interval_text(m), " | ", rule_text(m), " | ", result_text(m), " |\n");
  if (!v.issues.empty()) out += "\n| issue | severity | what | what to do |\n| --- | --- | --- | --- |\n";
  for (const auto& issue : v.issues)
    out += cat("| ", issue.name, " | ", issue.severity, " | ", cell(issue.message), " | ", cell(issue.remedy), " |\n");
  return out;
}

std::string gate_table(const GateVerdict& v) {
  size_t width = 12;
  for (const auto& m : v.measures) width = std::max(width, m.name.size() + 2);
  for (const auto& issue : v.issues) width = std::max(width, issue.name.size() + 2);
  std::string out = "release gate\n";
  for (const auto& m : v.measures)
    out += cat("  ", base::padded(m.name, width), base::padded(value_text(m), 14), base::padded(rule_text(m), 10), base::padded(result_text(m), 26),
               m.n, " rows", m.interval ? cat(", 95% ", interval_text(m)) : "", "\n");
  for (const auto& issue : v.issues) {
    out += cat("  ", base::padded(issue.name, width), issue.severity, ": ", issue.message, "\n");
    if (!issue.remedy.empty()) out += cat(std::string(width + 2, ' '), "-> ", issue.remedy, "\n");
  }
  if (!v.weakest_category.empty()) out += cat("weakest category: ", v.weakest_category, "\n");
  return out + cat("gate: ", v.status, " (", to_text(v.profile), "): ", v.summary, "\n");
}

std::vector<std::string> replay_differences(const Json& recorded, const GateEvidence& evidence) {
  const std::string where = "recorded verdict";
  const GateProfile profile = parse_gate_profile(base::get_string(recorded, "profile", where), where);
  const Json again = to_json(judge(evidence, profile));
  std::vector<std::string> differences;
  for (const auto& [key, value] : again.items()) {
    if (!recorded.contains(key)) differences.push_back(cat(key, ": missing from the record"));
    else if (base::canonical(recorded.at(key)) != base::canonical(value))
      differences.push_back(cat(key, ": recorded ", base::dump(recorded.at(key), -1).substr(0, 120), ", judged again ", base::dump(value, -1).substr(0, 120)));
  }
  for (const auto& [key, value] : recorded.items())
    if (!again.contains(key)) differences.push_back(cat(key, ": not part of a verdict"));
  return differences;
}

}  // namespace picochat::gate
