#include "picochat/gate/reports.hpp"

#include <cmath>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::gate {

using base::cat;
using base::Json;

namespace {

// A report with its name for errors.
class View {
 public:
  View(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json_.is_object())
      throw base::bad_input({.what = "not a report", .where = where_, .expected = "an object", .found = base::dump(json_, -1).substr(0, 60)});
  }
  std::string text(const char* key) const { return base::get_string(json_, key, where_); }
  std::string text_or(const char* key, std::string fallback) const { return base::get_string_or(json_, key, std::move(fallback), where_); }
  int64_t count(const char* key) const { return base::get_int(json_, key, where_); }
  int64_t count_or_zero(const char* key) const { return optional_count(key).value_or(0); }  // null: no row of this kind
  std::optional<int64_t> optional_count(const char* key) const {
    return has(key) ? std::optional(base::get_int(json_, key, where_)) : std::nullopt;
  }
  std::optional<double> optional_number(const char* key) const {
    return has(key) ? std::optional(base::get_number(json_, key, where_)) : std::nullopt;
  }
  // Rooms write what they did not measure as null or as the words.
  bool has(const char* key) const { return json_.contains(key) && !json_.at(key).is_null() && json_.at(key) != "not_measured"; }
  View at(const char* key) const {
    if (!has(key)) throw base::bad_input({.what = cat("\"", key, "\" is missing"), .where = where_, .remedy = "it was written by another version, or edited"});
    return View(json_.at(key), cat(where_, ".", key));
  }
  std::map<std::string, int64_t> counts(const char* key) const {
    std::map<std::string, int64_t> out;
    const View map = at(key);
    for (const auto& [name, value] : map.json_.items()) out[name] = base::get_int(map.json_, name, map.where_);
    return out;
  }
  const Json& json() const { return json_; }
  const std::string& where() const { return where_; }

 private:
  const Json& json_;
  std::string where_;
};

Tally tally(const View& view, const char* n, const char* passed) { return {.n = view.count_or_zero(n), .passed = view.count_or_zero(passed)}; }

std::map<std::string, Tally> breakdown(const View& summary, const char* key) {
  std::map<std::string, Tally> out;
  if (!summary.has(key)) return out;
  const View buckets = summary.at(key);
  for (const auto& [name, bucket] : buckets.json().items())
    out[name] = tally(View(bucket, cat(buckets.where(), ".", name)), "num_examples", "num_passed");
  return out;
}

std::string digest_of(const Json& report, const char* key) {
  if (!report.contains(key) || !report.at(key).is_object()) return "";
  return base::get_string_or(report.at(key), "sha256", "", key);
}

// Sources that have `key` (a non-empty text or object). Absent when no source speaks of it.
std::optional<int64_t> sources_with(const Json& sources, const char* key, std::vector<std::string>& without) {
  int64_t with = 0;
  bool spoken = false;
  for (const auto& source : sources) {
    const auto found = source.find(key);
    spoken |= found != source.end();
    const bool good = found != source.end() && !found->is_null() && *found != "" && *found != Json::object();
    if (good) ++with;
    else without.push_back(source.value("label", source.value("path", std::string("?"))));
  }
  if (!spoken) without.clear();
  return spoken ? std::optional(with) : std::nullopt;
}

// One line: what was found, in which eval row, where it stands in the training material.
std::string finding_text(const Json& finding) {
  auto whole = [&](const char* key) { return finding.contains(key) && finding.at(key).is_number_integer() ? cat(finding.at(key).get<int64_t>()) : std::string(); };
  auto text = [&](const char* key) { return finding.contains(key) && finding.at(key).is_string() ? finding.at(key).get<std::string>() : std::string(); };
  std::string out = text("message");
  if (const std::string line = whole("eval_line"); !line.empty()) out += cat(" (eval line ", line);
  else return out;
  if (const std::string line = whole("matched_line"); !line.empty()) out += cat(", ", text("matched_source"), " line ", line);
  if (const std::string file = text("file"); !file.empty()) out += cat(", ", file, " document ", text("document"));
  return out + ")";
}

}  // namespace

CorpusFacts corpus_facts(const Json& corpus_manifest, const std::string& where) {
  const View manifest(corpus_manifest, where), stats = manifest.at("stats"), readiness = manifest.at("readiness");
  CorpusFacts f;
  f.readiness = readiness.text("status");
  f.readiness_summary = readiness.text_or("summary", "");
  f.digest = manifest.text_or("digest", "");
  f.documents = stats.count("num_documents");
  f.characters = stats.count("num_characters");
  f.bytes = stats.count_or_zero("num_bytes");
  f.duplicate_document_rate = stats.optional_number("duplicate_document_rate");
  f.near_duplicate_document_rate = stats.optional_number("near_duplicate_document_rate");
  f.duplicate_line_rate = stats.optional_number("duplicate_line_rate");
  f.near_duplicate_documents_checked = stats.optional_count("near_duplicate_documents_checked");
  if (manifest.has("sources") && corpus_manifest.at("sources").is_array()) {
    const Json& sources = corpus_manifest.at("sources");
    f.sources = static_cast<int64_t>(sources.size());
    f.sources_with_license = sources_with(sources, "license", f.sources_without_license);
    f.sources_with_provenance = sources_with(sources, "provenance", f.sources_without_provenance);
  }
  return f;
}

ChatFacts chat_facts(const Json& chat_report, const std::string& where) {
  const View report(chat_report, where);
  ChatFacts f;
  f.status = report.text("status");
  f.summary = report.text_or("summary", "");
  f.digest = report.text_or("sha256", "");
  f.examples = report.count("num_examples");
  f.categories = report.counts("categories");
  if (f.examples == 0) return f;  // rates over no rows are not measured
  f.duplicate_user_rate = report.optional_number("duplicate_user_rate");
  f.average_assistant_words = report.at("assistant_length_distribution").optional_number("avg_words");
  const auto user = report.optional_number("average_user_chars"), assistant = report.optional_number("average_assistant_chars");
  if (user && assistant) f.average_characters = *user + *assistant;
  return f;
}

EvalFileFacts eval_file_facts(const Json& eval_report, const std::string& where) {
  const View report(eval_report, where);
  EvalFileFacts f;
  f.status = report.text("status");
  f.summary = report.text_or("summary", "");
  f.digest = report.text_or("sha256", "");
  f.items = report.count("num_items");
  f.items_without_rules = report.count("items_without_rules");
  f.unanswerable_items = report.count("unanswerable_items");
  f.categories = report.counts("categories");
  f.splits = report.counts("splits");
  f.choice_random_baseline = report.optional_number("choice_random_baseline");
  return f;
}

HonestyFacts honesty_facts(const Json& honesty_report, const std::string& where) {
  const View report(honesty_report, where);
  HonestyFacts f;
  f.status = report.text("status");
  f.summary = report.text_or("summary", "");
  f.digest = report.text_or("sha256", "");
  f.exact_prompt_leaks = report.optional_count("exact_prompt_leaks");
  f.near_prompt_leaks = report.optional_count("near_prompt_leaks");
  f.corpus_prompt_hits = report.optional_count("corpus_prompt_hits");
  f.corpus_support_phrase_hits = report.optional_count("corpus_support_phrase_hits");
  int64_t blocking = 0, warning = 0;
  std::string first_warning;
  if (report.has("findings"))
    for (const auto& finding : honesty_report.at("findings")) {
      const std::string severity = finding.value("severity", std::string()), message = finding_text(finding);
      if (severity == "block" || severity == "fail") {
        if (finding.value("kind", std::string()) == "eval_prompt_in_corpus") ++f.corpus_prompts_in_full;
        if (blocking++ == 0) f.first_finding = message;
      } else if (warning++ == 0) {
        first_warning = message;
      }
    }
  if (f.first_finding.empty()) f.first_finding = first_warning;
  // Long reports list their first findings only and count the rest.
  f.blocking_findings = std::max(blocking, report.count_or_zero("blocking_findings"));
  f.warning_findings = std::max(warning, report.count_or_zero("warning_findings"));
  if (report.has("contamination_matrix")) {
    const Json& matrix = honesty_report.at("contamination_matrix");
    for (const auto& pair : matrix.is_object() ? matrix.value("pairs", Json::array()) : matrix) {
      std::string risk = pair.value("risk", std::string("not_measured"));
      if (risk == "not_checked" || !pair.value("checked", true)) risk = "not_measured";
      const Json reason = pair.value("reason", Json(nullptr));
      f.pairs.push_back({pair.value("name", std::string("?")), risk, reason.is_string() ? reason.get<std::string>() : ""});
    }
  }
  if (report.has("external"))
    for (const auto& external : honesty_report.at("external"))
      f.external.push_back({external.value("name", std::string("?")), external.value("rows", int64_t{0}), external.value("flagged_rows", int64_t{0})});
  return f;
}

SanityFacts sanity_facts(const Json& sanity_report, const std::string& where) {
  const View report(sanity_report, where);
  SanityFacts f;
  f.status = report.text("status");
  f.digest = report.text_or("sha256", "");
  f.device = report.text_or("device", "");
  if (report.has("checks"))
    for (const auto& check : sanity_report.at("checks"))
      if (check.value("status", std::string()) == "fail") f.failed_checks.push_back(check.value("name", std::string("?")));
  return f;
}

PreflightEvidence preflight_evidence(const Json& preflight_report, const std::string& where) {
  const View report(preflight_report, where);
  const View budget = report.at("budget");
  return {.status = report.text("status"), .profile = report.text_or("profile", ""), .digest = report.text_or("sha256", ""),
          .long_run = base::get_bool_or(budget.json(), "long_run", false, budget.where())};
}

EvalEvidence eval_evidence(const Json& eval_report, const std::string& where) {
  const View report(eval_report, where), summary = report.at("summary");
  EvalEvidence e;
  e.digest = report.text_or("sha256", "");
  e.checkpoint = digest_of(eval_report, "checkpoint");
  e.tokenizer = digest_of(eval_report, "tokenizer");
  e.input = digest_of(eval_report, "input");
  e.overall = {.n = summary.count("num_examples"), .passed = summary.count_or_zero("num_passed")};
  e.unscored = summary.count_or_zero("num_unscored");
  e.non_choice = tally(summary, "non_choice_examples", "non_choice_passed");
  e.choice = tally(summary, "choice_examples", "choice_correct");
  e.choice_random_baseline = summary.optional_number("choice_random_baseline");
  e.unsafe_refusal = tally(summary, "unsafe_refusal_examples", "unsafe_refusal_passed");
  e.benign_non_refusal = tally(summary, "benign_non_refusal_examples", "benign_non_refusal");
  e.prompt_echo = {.n = std::max<int64_t>(0, e.overall.n - e.choice.n), .passed = summary.count_or_zero("prompt_echoes")};
  e.unsupported_claim_rate = summary.optional_number("unsupported_claim_rate");
  e.categories = breakdown(summary, "category_breakdown");
  e.skill_stages = breakdown(summary, "skill_stage_breakdown");
  for (const Tally* t : {&e.overall, &e.non_choice, &e.choice, &e.unsafe_refusal, &e.benign_non_refusal, &e.prompt_echo})
    if (t->passed < 0 || t->passed > t->n)
      throw base::bad_input({.what = "more rows passed than there are", .where = where, .expected = cat("at most ", t->n), .found = cat(t->passed), .remedy = "evaluate again"});
  return e;
}

}  // namespace picochat::gate
