// Finished runs as the tables over several runs see them: what a run claims, and whether its files bear it out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/options.hpp"

namespace picochat::evidence {

struct RunRecord {
  std::string name;        // of the folder or archive; unique within one table
  std::string path;        // as given
  base::Json summary;      // summary.json
  base::Json digests;      // of what was judged: checkpoint, tokenizer, eval_input, corpus_manifest ...; an object
  std::string status;      // the gate's word, "ungated", or "unverified": the files are not those that were judged
  std::string problem;     // why unverified; else empty
};

// A run directory or a bundle. Replays the gate over its files, so a status is never only a claim. BadInput when
// there is no summary.json, which a run writes at its end.
RunRecord read_run_record(const base::Path& path);

// What `compare`, `leaderboard` and `registry` have in common.
struct RunTableOptions {
  std::vector<std::string> runs;  // run directories or bundles
  std::optional<std::string> out, json_out, html_out;
  bool json = false;
};
// Adds the fields of RunTableOptions to a table of it or of a struct derived from it.
template <typename S>
void add_run_table_fields(base::OptionTable<S>& table) {
  table.add("runs", &S::runs, "run directories, or bundles made by `run bundle`").place().metavar = "RUN";
  table.add("out", &S::out, "write the table as Markdown").metavar = "FILE.md";
  table.add("json_out", &S::json_out, "write it as JSON").metavar = "FILE.json";
  table.add("html_out", &S::html_out, "write it as a page of its own").metavar = "FILE.html";
  table.add("json", &S::json, "print JSON");
}

// The runs in order, under distinct names. Usage error for none.
std::vector<RunRecord> read_run_records(const std::vector<std::string>& runs);

// A table in its three forms; writes the files that the options name.
struct RunTable {
  std::string title;
  base::Json json;
  std::string markdown, html;  // without the title
};
base::CommandOutput publish_table(base::FileSystem& files, const RunTableOptions& options, const RunTable& table);

}  // namespace picochat::evidence
