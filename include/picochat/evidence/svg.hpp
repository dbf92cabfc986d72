// Line charts as self-contained SVG: no script, no font, no network.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace picochat::evidence {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x ascending; non-finite y breaks the line
};
struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  std::optional<double> mark_x;  // a vertical line, e.g. the best checkpoint
  std::string mark_label;
  bool log_y = false;
};

// Charts below one another. "" when no chart has a point.
std::string svg_charts(const std::vector<Chart>& charts);

}  // namespace picochat::evidence
