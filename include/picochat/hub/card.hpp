// The card of a data set: the YAML block at the top of its README.md, as far as imports need it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace picochat::hub {

struct SplitFiles {
  std::string split;
  std::vector<std::string> patterns;
};

struct CardConfig {
  std::string name;
  std::vector<SplitFiles> splits;  // empty: the default patterns decide
  std::string data_dir;
  bool is_default = false;
};

struct Card {
  std::string license;  // "odc-by", "cc-by-sa-3.0, gfdl"; empty when the card has none
  std::vector<CardConfig> configs;
};

// A README without a block gives an empty card. BadInput, naming `where` and the line, for a block that
// is not YAML or whose `configs` are not as hubs define them.
Card parse_card(std::string_view readme, const std::string& where);

}  // namespace picochat::hub
