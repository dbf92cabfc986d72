#include "picochat/evidence/run_record.hpp"

#include <set>

#include "evidence/html.hpp"
#include "evidence/summary_parts.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/judge.hpp"
#include "picochat/evidence/run_files.hpp"

namespace picochat::evidence {

using base::cat;
using base::Json;

namespace {

std::string name_of(const base::Path& path) {
  const base::Path normal = std::filesystem::absolute(path).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).filename().string();
}

// The first difference says enough here; `gate replay` lists them all.
std::string problem_of(const ReplayAttempt& attempt) {
  if (!attempt.replay) return attempt.failure;
  for (const auto* list : {&attempt.replay->evidence_differences, &attempt.replay->verdict_differences})
    if (!list->empty()) return list->front();
  return "the files differ from those that were judged";
}

}  // namespace

RunRecord read_run_record(const base::Path& path) {
  const auto files = open_run_files(path);
  if (!files->contains("summary.json"))
    throw base::bad_input({.what = "the run has no summary.json, which is written when a run ends", .where = path.string(),
                           .remedy = "finish it by giving its `run tiny` command again, or leave it out"});
  RunRecord record{.name = name_of(path), .path = path.string(), .summary = base::parse_json(files->read("summary.json"), files->where("summary.json")),
                   .digests = Json::object(), .status = "ungated", .problem = {}};
  if (!record.summary.is_object()) throw base::bad_input({.what = "this is no summary of a run", .where = files->where("summary.json"), .expected = "an object"});
  if (!at(record.summary, {"long_run_gate", "status"}).is_string()) return record;
  const auto attempt = try_replay(*files);
  if (attempt.replay && attempt.replay->status == "same") {
    record.status = attempt.replay->verdict.status;
  } else {
    record.status = "unverified";
    record.problem = problem_of(attempt);
  }
  if (files->contains(kEvidenceFile)) {
    try {
      record.digests = at(base::parse_json(files->read(kEvidenceFile), files->where(kEvidenceFile)), {"digests"});
    } catch (const base::Error& error) {  // damaged evidence is "unverified" already
      record.digests = nullptr;
    }
    if (!record.digests.is_object()) record.digests = Json::object();
  }
  return record;
}

std::vector<RunRecord> read_run_records(const std::vector<std::string>& runs) {
  if (runs.empty())
    throw base::usage_error({.what = "no run is given", .expected = "run directories or bundles", .remedy = "for example: runs/first runs/second"});
  std::vector<RunRecord> records;
  std::set<std::string> names;
  for (const auto& run : runs) {
    records.push_back(read_run_record(run));
    std::string& name = records.back().name;
    if (!names.insert(name).second) names.insert(name = run);
  }
  return records;
}

base::CommandOutput publish_table(base::FileSystem& files, const RunTableOptions& options, const RunTable& table) {
  const std::string markdown = cat("# ", table.title, "\n\n", table.markdown);
  if (options.out) base::write_file(files, *options.out, markdown);
  if (options.json_out) base::write_file(files, *options.json_out, base::dump(table.json) + "\n");
  if (options.html_out) base::write_file(files, *options.html_out, html::page(table.title, html::element("h1", table.title) + table.html));
  return {table.json, markdown};
}

}  // namespace picochat::evidence
