// What summary.md, report.html and the end of a run say alike: sentences and figures read out of a summary.
#pragma once

#include <string>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/evidence/markdown.hpp"

namespace picochat::evidence {

std::string text_at(const base::Json& value, std::initializer_list<const char*> keys, const std::string& absent = "not measured");

std::string bits_per_byte(const base::Json& stage);             // "1.2345 +- 0.0067"
std::string verdict_sentence(const base::Json& summary);        // without a full stop
std::string weakest_sentence(const base::Json& summary);

struct Figure {
  std::string name, value;
};
std::vector<Figure> headline_figures(const base::Json& summary);

}  // namespace picochat::evidence
