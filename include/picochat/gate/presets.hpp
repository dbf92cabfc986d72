// Scales as data. The built-in ones are the files of presets/, embedded in the binary; a folder may
// override them by name or add new ones.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::gate {

struct Preset {
  std::string name, label, description;
  base::Json values;   // field of RunOptions -> value
  std::string origin;  // "built in" or the path of the file
};

// All presets in their order: smallest first, those of `folder` that are new last. BadInput naming
// file and key when a file is not a preset.
std::vector<Preset> load_presets(const std::optional<base::Path>& folder = {});

// Usage error with the nearest name when there is none of that name.
Preset find_preset(const std::string& name, const std::optional<base::Path>& folder = {});

// Parses one preset; `where` names it in errors. Keys: name, label, description, values.
Preset parse_preset(const std::string& text, const std::string& where);

}  // namespace picochat::gate
