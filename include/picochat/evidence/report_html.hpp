// report.html: the run as one page that needs no network, no script and no other file.
#pragma once

#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::evidence {

struct StageCurves {
  std::string stage;  // "base", "sft", "dpo"
  std::string svg;    // as svg_charts() made it
};

// summary: build_summary()'s value. Text from outside is escaped; what was not measured says so.
std::string report_html(const base::Json& summary, const std::vector<StageCurves>& curves);

// Reads the curves of the stages from the run directory and writes report.html beside summary.json.
void write_report_html(base::FileSystem& files, const base::Path& run_dir, const base::Json& summary);

}  // namespace picochat::evidence
