// What a model card says of the run behind it, read out of the run's summary.json. A part that is not there is said to be not measured.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "picochat/base/json.hpp"

namespace picochat::exporter {

std::string training_data_section(const base::Json& summary);   // sources with licence, origin and revision; counts
std::string contamination_section(const base::Json& summary);   // each pair of material that was compared
std::string benchmarks_section(const base::Json& summary);      // published benchmarks with interval and chance
std::string generations_section(const base::Json& summary);     // good and bad ones, sampled by the stated rule

// Data sets of a hub among the sources ("namespace/name"), for the front matter.
std::vector<std::string> hub_datasets(const base::Json& summary);

// "<benchmark>.yaml" -> content, for .eval_results: the benchmarks whose file is known to come from a hub's data set.
// https://huggingface.co/docs/hub/eval-results
std::map<std::string, std::string> eval_results(const base::Json& summary);

}  // namespace picochat::exporter
