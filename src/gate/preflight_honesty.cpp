// Whether the eval is clean, and whether an outside benchmark stands ready.
#include "gate/preflight_sheet.hpp"

namespace picochat::gate {

using base::cat;
using base::grouped;

namespace {

constexpr const char* kHonesty = "Honesty";
constexpr const char* kRelease = "Release";
constexpr int64_t kExternalMinimum = 50;
constexpr double kExternalFlagged = 0.10;

void check_contamination(Sheet& s, const HonestyFacts& h) {
  const char* rule = "block: an eval prompt (whole, or 80% of it) in SFT or corpus; warn: near copies of one";
  std::vector<std::string> open, close;
  for (const auto& pair : h.pairs) {
    const bool of_eval = pair.name.find("eval") != std::string::npos;  // drills may well be in both corpus and SFT
    if (of_eval && (pair.risk == "medium" || pair.risk == "high")) close.push_back(cat(pair.name, ": ", pair.risk));
    if (pair.risk == "not_measured") open.push_back(pair.reason.empty() ? pair.name : cat(pair.name, " (", pair.reason, ")"));
  }
  const std::string metric = cat(h.blocking_findings, " blocking, ", h.warning_findings, " warnings");
  if (h.blocking_findings > 0)
    return s.add(kHonesty, "contamination", CheckStatus::kBlock, metric, rule, h.first_finding.empty() ? "the training material holds eval rows" : h.first_finding,
                 "remove what the honesty report names from the SFT rows or the corpus");
  if (h.pairs.empty() || !open.empty())
    return s.add(kHonesty, "contamination", CheckStatus::kNotMeasured, metric, rule,
                 h.pairs.empty() ? "nothing was compared" : cat("not compared: ", base::join(open, ", ")), "give the honesty check every file");
  s.add(kHonesty, "contamination", s.warn_if(!close.empty()), metric, rule,
        close.empty() ? cat(h.pairs.size(), " pairs of files compared in full")
                      : cat(base::join(close, ", "), h.first_finding.empty() ? "" : cat("; first: ", h.first_finding)),
        "read the findings of the honesty report");
}

void check_external(Sheet& s) {
  const char* rule = "a benchmark of 50 rows or more; a release warns without, and blocks on one that is too small or unreadable";
  const char* remedy = "get one with `picochat eval fetch arc-easy` and add --external-eval arc-easy=FILE";
  if (s.facts.external.empty())
    return s.add(kRelease, "external_benchmark_ready", s.warn_if(s.release()), "none", rule,
                 s.release() ? "no outside benchmark stands ready: the release gate will ask for one" : "not asked for by the research profile", remedy);
  for (const auto& file : s.facts.external) {
    if (!file.rows)
      return s.add(kRelease, "external_benchmark_ready", CheckStatus::kBlock, file.name, rule, cat(file.path, ": ", file.problem), "correct the path or the file");
    if (*file.rows < kExternalMinimum)
      return s.add(kRelease, "external_benchmark_ready", s.quality(true, true), cat(file.name, ": ", *file.rows, " rows"), rule,
                   "too few rows to say anything", remedy);
  }
  std::vector<std::string> names;
  for (const auto& file : s.facts.external) names.push_back(cat(file.name, " (", grouped(*file.rows), ")"));
  s.add(kRelease, "external_benchmark_ready", CheckStatus::kPass, base::join(names, ", "), rule, "scored after the run");
}

}  // namespace

void check_honesty(Sheet& s) {
  if (!s.facts.honesty) {
    for (const char* name : {"data_honesty", "contamination"})
      s.not_measured(kHonesty, name, "", "the honesty check did not run", "run `picochat data honesty`, or let `run tiny` do it");
  } else {
    const HonestyFacts& h = *s.facts.honesty;
    s.add(kHonesty, "data_honesty", h.status == "blocked" ? CheckStatus::kBlock : h.status == "ready" ? CheckStatus::kPass : CheckStatus::kWarn, h.status,
          "warn: caution, block: blocked", h.summary, "read honesty/report.md");
    check_contamination(s, h);
    if (s.release()) {
      const int64_t prompts = h.corpus_prompt_hits.value_or(0), phrases = h.corpus_support_phrase_hits.value_or(0);
      const char* rule = "block: whole eval prompts in the corpus; warn: parts of them";
      if (!h.corpus_prompt_hits) s.not_measured(kHonesty, "release_data_honesty", rule, "the corpus was not searched", "give the honesty check the corpus");
      else
        s.add(kHonesty, "release_data_honesty", h.corpus_prompts_in_full > 0 ? CheckStatus::kBlock : s.warn_if(prompts > 0),
              cat(prompts, " prompts (", h.corpus_prompts_in_full, " whole), ", phrases, " expected phrases"), rule, "eval text that the corpus holds", "remove those documents, or replace those eval rows");
    }
    for (const auto& external : h.external) {
      const double share = external.rows > 0 ? static_cast<double>(external.flagged_rows) / static_cast<double>(external.rows) : 0;
      s.checks.push_back({.name = cat("external_contamination_", external.name), .group = kHonesty,
                          .status = share > kExternalFlagged ? CheckStatus::kBlock : s.warn_if(external.flagged_rows > 0),
                          .metric = cat(external.flagged_rows, " of ", external.rows, " rows"), .threshold = "warn > 0, block > 10% of the rows",
                          .message = "benchmark rows found in the training material",
                          .remedy = external.flagged_rows > 0 ? "remove them from the corpus; results are given with and without them" : ""});
    }
  }
  check_external(s);
}

}  // namespace picochat::gate
