#include "picochat/evidence/report_html.hpp"

#include <algorithm>

#include "evidence/html.hpp"
#include "evidence/summary_parts.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/markdown.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;
using html::badge;
using html::element;
using html::escaped;
using html::raw;
using html::table;
using Rows = std::vector<std::vector<std::string>>;

std::string rate_cell(const Json& rate, const Json& interval) { return raw(cat(html::rate_bar(rate, interval), escaped(percent(rate, interval)))); }

std::string verdict(const Json& summary) {
  const std::string status = text_at(summary, {"long_run_gate", "status"}, "");
  const char* kind = status == "approved" ? "good" : status == "blocked" ? "bad" : "careful";
  return cat("<div class=\"verdict ", kind, "\"><p><strong>", escaped(verdict_sentence(summary)), ".</strong></p><p>", escaped(weakest_sentence(summary)), "</p></div>\n");
}

std::string cards(const Json& summary) {
  std::string out = "<div class=\"cards\">\n";
  for (const auto& f : headline_figures(summary)) out += cat("<div class=\"card\"><b>", escaped(f.value), "</b><span>", escaped(f.name), "</span></div>\n");
  return out + "</div>\n";
}

std::string gate(const Json& gate) {
  std::string out = "<h2 id=\"gate\">Release gate</h2>\n";
  if (!gate.is_object()) return out + element("p", "Not reached.");
  out += cat("<p>Profile: ", escaped(text_at(gate, {"profile"}, "unknown")), ". The point estimate decides; its 95% interval stands beside it.</p>\n");
  Rows rows;
  for (const auto& issue : at(gate, {"issues"}))
    rows.push_back({text_at(issue, {"name"}, ""), raw(badge(text_at(issue, {"severity"}, ""))), text_at(issue, {"message"}, ""), text_at(issue, {"remedy"}, "")});
  out += rows.empty() ? element("p", "No issues.") : table({"issue", "severity", "what", "remedy"}, rows);
  rows.clear();
  for (const auto& m : at(gate, {"measures"}))
    rows.push_back({text_at(m, {"name"}, ""), rate_cell(at(m, {"value"}), at(m, {"ci"})),
                    cat(at(m, {"rule"}) == "at_most" ? "at most " : "at least ", percent(at(m, {"threshold"}))), figure(at(m, {"n"})),
                    raw(cat(badge(text_at(m, {"result"}, "")), at(m, {"threshold_inside_ci"}) == true ? " (threshold inside the interval)" : ""))});
  return out + (rows.empty() ? "" : table({"measure", "measured [interval]", "threshold", "rows", "result"}, rows));
}

std::string categories(const Json& eval) {
  std::string out = "<h2 id=\"scores\">Scores by category, weakest first</h2>\n";
  const Json buckets = at(eval, {"category_breakdown"});
  if (!buckets.is_object() || buckets.empty()) return out + element("p", "Not measured.");
  Rows rows;
  for (const auto& [name, bucket] : buckets.items())
    rows.push_back({name, rate_cell(at(bucket, {"pass_rate"}), at(bucket, {"pass_rate_ci"})), cat(count(at(bucket, {"num_passed"})), " of ", count(at(bucket, {"num_scored"})))});
  return out + table({"category", "rate [interval]", "passed"}, rows);
}

std::string external(const Json& list) {
  std::string out = "<h2 id=\"external\">External benchmarks</h2>\n";
  if (!list.is_array() || list.empty()) return out + element("p", "None was scored.");
  Rows rows;
  for (const auto& item : list) {
    const Json summary = at(item, {"summary"});
    rows.push_back({text_at(item, {"name"}, ""), figure(at(summary, {"num_examples"})), rate_cell(at(summary, {"acc"}), at(summary, {"acc_ci"})),
                    percent(at(summary, {"acc_norm"}), at(summary, {"acc_norm_ci"})), percent(at(summary, {"choice_random_baseline"}))});
  }
  return out + table({"benchmark", "rows", "acc [interval]", "acc_norm [interval]", "chance"}, rows);
}

std::string training(const Json& summary, const std::vector<StageCurves>& curves) {
  std::string out = "<h2 id=\"training\">Training</h2>\n";
  Rows rows;
  for (const char* name : {"base", "sft", "dpo"}) {
    const Json& stage = summary.at(name);
    if (!stage.is_object()) continue;
    rows.push_back({name, cat(figure(at(stage, {"coverage", "actual_steps"})), " of ", figure(at(stage, {"coverage", "planned_steps"}))), figure(at(stage, {"stop_reason"})),
                    figure(at(stage, {"best_step"})), figure(at(stage, {"best_val_loss"}), 4), bits_per_byte(stage), figure(at(stage, {"final_train_loss"}), 4),
                    text_at(stage, {"loss_diagnostics", "status"})});
  }
  if (rows.empty()) return out + element("p", "Nothing was trained.");
  out += table({"stage", "steps", "stopped by", "best step", "best val loss", "best val_bpb", "final train loss", "diagnosis"}, rows);
  for (const auto& stage : curves)
    if (!stage.svg.empty()) out += cat("<h3>", escaped(stage.stage), "</h3>\n<div class=\"curves\" role=\"img\" aria-label=\"curves of the ", escaped(stage.stage), " stage\">", stage.svg, "</div>\n");
  return out;
}

std::string data(const Json& summary) {
  std::string out = "<h2 id=\"data\">Data</h2>\n";
  Rows rows;
  for (auto [key, name] : {std::pair{"num_documents", "documents"}, {"num_bytes", "bytes of text"}, {"num_characters", "characters"}})
    rows.push_back({name, count(at(summary, {"corpus", key}))});
  for (auto [key, name] : {std::pair{"duplicate_document_rate", "exact duplicates"}, {"near_duplicate_document_rate", "near duplicates"}, {"duplicate_line_rate", "repeated lines"}})
    rows.push_back({name, percent(at(summary, {"corpus", key}))});
  out += table({"corpus", ""}, rows);
  const Json honesty = at(summary, {"honesty"});
  out += cat("<h3 id=\"honesty\">Honesty: ", badge(text_at(honesty, {"status"})), "</h3>\n", element("p", text_at(honesty, {"summary"}, "")));
  rows.clear();
  const Json matrix = at(honesty, {"contamination_matrix"});
  for (const auto& pair : matrix.is_object() ? at(matrix, {"pairs"}) : matrix)
    rows.push_back({text_at(pair, {"name"}, ""), raw(badge(text_at(pair, {"risk"}))), text_at(pair, {"reason"}, "")});
  if (!rows.empty()) out += table({"compared", "risk", "note"}, rows);
  rows.clear();
  constexpr size_t kShown = 20;
  for (const auto& finding : at(honesty, {"findings"})) {
    if (rows.size() == kShown) break;
    rows.push_back({text_at(finding, {"kind"}, ""), raw(badge(text_at(finding, {"severity"}, ""))), text_at(finding, {"message"}, ""), text_at(finding, {"snippet"}, "")});
  }
  return out + (rows.empty() ? "" : table({"finding", "severity", "what", "text"}, rows, cat("the first ", rows.size())));
}

std::string preflight(const Json& preflight) {
  std::string out = cat("<h2 id=\"preflight\">Preflight: ", badge(text_at(preflight, {"status"})), "</h2>\n");
  Rows rows;
  for (const auto& check : at(preflight, {"checks"}))
    rows.push_back({text_at(check, {"name"}, ""), raw(badge(text_at(check, {"status"}, ""))), figure(at(check, {"metric"})), figure(at(check, {"threshold"})), text_at(check, {"message"}, "")});
  return rows.empty() ? out : out + cat("<details open><summary>", rows.size(), " checks</summary>\n", table({"check", "status", "measured", "rule", "meaning"}, rows), "</details>\n");
}

std::string generations(const Json& generations) {
  if (!generations.is_object()) return "";
  std::string out = cat("<h2 id=\"generations\">Generations</h2>\n<p>Sampled by rule, not by hand: ", escaped(text_at(generations, {"rule"}, "")), ".</p>\n");
  for (auto [key, title] : {std::pair{"good", "Passed"}, {"bad", "Failed"}}) {
    const Json list = at(generations, {key});
    out += element("h3", title);
    if (list.empty()) out += element("p", "None.");
    for (const auto& item : list)
      out += cat("<p><span class=\"soft\">", escaped(text_at(item, {"category"}, "")), ":</span> ", escaped(text_at(item, {"user"}, "")), "</p>\n", element("pre", text_at(item, {"reply"}, "")));
  }
  return out;
}

std::string making(const Json& summary) {
  std::string out = "<h2 id=\"making\">How it was made</h2>\n";
  out += element("pre", text_at(summary, {"command"}, "not recorded"));
  Rows rows;
  const Json build = at(summary, {"build"}), artifacts = at(summary, {"artifacts"});
  for (const auto& [name, value] : build.items()) rows.push_back({name, figure(value)});
  for (const char* name : {"scale", "seed", "device", "resolved_device", "precision", "long_run_gate_profile"})
    if (const Json value = at(summary, {"config", name}); !value.is_null()) rows.push_back({name, figure(value)});
  out += table({"environment", ""}, rows);
  rows.clear();
  for (const auto& stage : at(summary, {"timing", "stages"}))
    rows.push_back({text_at(stage, {"stage"}, ""), at(stage, {"reused"}) == true ? "kept from before" : base::human_seconds(at(stage, {"seconds"}).get<double>())});
  if (!rows.empty()) out += table({"stage", "time"}, rows);
  rows.clear();
  for (const auto& [name, value] : artifacts.items())
    if (value.is_object() && value.contains("path"))
      rows.push_back({name, text_at(value, {"path"}, ""), raw(cat("<code>", escaped(text_at(value, {"sha256"}, "")), "</code>"))});
  return out + (rows.empty() ? "" : cat("<details><summary>files and their SHA-256</summary>\n", table({"what", "path", "SHA-256"}, rows), "</details>\n"));
}

}  // namespace

std::string report_html(const Json& summary, const std::vector<StageCurves>& curves) {
  const std::string title = cat("picochat run: ", text_at(summary, {"long_run_gate", "status"}, "not judged"));
  std::string out = "<h1>Run report</h1>\n";
  out += verdict(summary) + cards(summary);
  out += "<p class=\"soft\">Rates stand with their Wilson interval. &quot;Not measured&quot; is neither 0 nor a pass.</p>\n";
  out += gate(summary.at("long_run_gate")) + categories(summary.at("eval")) + external(summary.at("external_evals")) + training(summary, curves);
  out += data(summary) + preflight(summary.at("preflight")) + generations(summary.at("eval_generations")) + making(summary);
  return html::page(title, out);
}

void write_report_html(base::FileSystem& files, const base::Path& run_dir, const Json& summary) {
  std::vector<StageCurves> curves;
  for (const char* stage : {"base", "sft", "dpo"})
    if (const base::Path path = run_dir / stage / "curves.svg"; std::filesystem::exists(path)) curves.push_back({stage, base::read_file(path)});
  base::write_file(files, run_dir / "report.html", report_html(summary, curves));
}

}  // namespace picochat::evidence
