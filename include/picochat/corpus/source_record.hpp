// Where the text of a source comes from, and under which licence: what its recipe states, or what the
// import that made it reported. Nothing is guessed: a source that says neither has neither.
#pragma once

#include <string>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/corpus/corpus.hpp"

namespace picochat::corpus {

struct SourceRecord {
  std::string label;       // as reports show it; with the path when labels repeat
  std::string license;     // "": nobody says
  std::string origin;      // a dataset id, an address, a citation; "": nobody says
  std::string revision;    // of the origin: a commit, a version, a date; "": nobody says
  std::string report;      // the import report that was read, relative to the recipe; "": none
  std::string problem;     // why its report does not cover these files; "": it does, or there is none

  bool license_known() const { return !license.empty(); }
  // An origin with a revision, and files that are those of the report.
  bool provenance_complete() const { return problem.empty() && !origin.empty() && !revision.empty(); }
};

// One record for each included source that gave documents, in order. `manifest`: the corpus_manifest.json
// of these files, whose digests are compared with those of the import report.
std::vector<SourceRecord> source_records(const Corpus& corpus, const base::Json& manifest);

base::Json source_records_json(const std::vector<SourceRecord>& records);

}  // namespace picochat::corpus
