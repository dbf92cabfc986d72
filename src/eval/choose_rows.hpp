// Which rows a cap keeps: those with the smallest keyed hash of their prompt, in file order, so that
// neither the front of a file nor the order of its rows is favoured.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "picochat/base/digest.hpp"

namespace picochat::eval {

// Indices below `count`, ascending; all of them when max_rows is 0.
inline std::vector<size_t> choose_rows(size_t count, int64_t max_rows, uint64_t seed, const std::function<const std::string&(size_t)>& prompt) {
  std::vector<std::pair<uint64_t, size_t>> keys;
  for (size_t i = 0; i < count; ++i) keys.emplace_back(base::hash64(prompt(i), seed), i);
  if (max_rows > 0 && static_cast<size_t>(max_rows) < count) {
    std::sort(keys.begin(), keys.end());
    keys.resize(static_cast<size_t>(max_rows));
  }
  std::vector<size_t> chosen;
  for (auto [key, i] : keys) chosen.push_back(i);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace picochat::eval
