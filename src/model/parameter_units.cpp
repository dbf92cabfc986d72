#include "picochat/model/parameter_units.hpp"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"

namespace picochat::model {
namespace {

constexpr std::string_view kBlocks = "blocks.";

size_t unit_of(const std::string& name) { return name.starts_with(kBlocks) ? 1 + std::stoul(name.substr(kBlocks.size())) : 0; }

}  // namespace

int64_t ParameterUnit::place(int64_t whole) const {
  for (const auto& range : ranges)
    if (whole >= range.whole && whole < range.whole + range.count) return range.unit + whole - range.whole;
  throw base::internal_error("a unit does not hold the parameter that was asked of it");
}

void ParameterUnit::copy_from(const at::Tensor& whole, const at::Tensor& unit) const {
  for (const auto& range : ranges) unit.narrow(0, range.unit, range.count).copy_(whole.narrow(0, range.whole, range.count));
}

void ParameterUnit::copy_to(const at::Tensor& unit, const at::Tensor& whole) const {
  for (const auto& range : ranges) whole.narrow(0, range.whole, range.count).copy_(unit.narrow(0, range.unit, range.count));
}

// Entries come with the decayed region first, and each ends where the next begins: neighbours of one unit make one range.
std::vector<ParameterUnit> parameter_units(const ParameterLayout& layout) {
  std::vector<ParameterUnit> units;
  const auto& entries = layout.entries();
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    const size_t number = unit_of(entry.name);
    if (number >= units.size()) units.resize(number + 1);
    ParameterUnit& unit = units[number];
    const int64_t count = (i + 1 < entries.size() ? entries[i + 1].offset : layout.size()) - entry.offset;
    if (!unit.ranges.empty() && unit.ranges.back().whole + unit.ranges.back().count == entry.offset) unit.ranges.back().count += count;
    else unit.ranges.push_back({entry.offset, unit.size, count});
    unit.size += count;
    if (entry.decay) unit.decay_size += count;
  }
  return units;
}

}  // namespace picochat::model
