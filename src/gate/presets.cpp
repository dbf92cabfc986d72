#include "picochat/gate/presets.hpp"

#include <algorithm>
#include <tuple>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/budget.hpp"
#include "picochat/gate/run_options.hpp"

namespace picochat::embedded {
const std::vector<std::pair<std::string, std::string>>& preset_files();
}

namespace picochat::gate {

using base::bad_input;
using base::cat;
using base::Json;

namespace {

// Small to large: by parameters, then ranks, then planned tokens.
std::tuple<int64_t, int64_t, int64_t, std::string> size_of(const Preset& preset) {
  RunOptions options;
  run_options().merge(options, preset.values, preset.origin);
  const Budget budget = compute_budget(options, {});
  return {budget.estimated_parameters, budget.ddp_world_size, budget.base_planned_tokens, preset.name};
}

std::vector<Preset> built_in() {
  std::vector<Preset> presets;
  for (const auto& [file, text] : embedded::preset_files()) {
    presets.push_back(parse_preset(text, cat("presets/", file)));
    presets.back().origin = "built in";
  }
  std::sort(presets.begin(), presets.end(), [](const Preset& a, const Preset& b) { return size_of(a) < size_of(b); });
  return presets;
}

}  // namespace

Preset parse_preset(const std::string& text, const std::string& where) {
  const Json json = base::parse_json(text, where);
  static const std::vector<std::string> known{"name", "label", "description", "values"};
  if (!json.is_object())
    throw bad_input({.what = "a preset is an object", .where = where, .expected = "{\"name\", \"label\", \"description\", \"values\"}"});
  base::refuse_unknown_keys(json, known, where);
  Preset preset{.name = base::get_string(json, "name", where), .label = base::get_string_or(json, "label", "", where),
                .description = base::get_string_or(json, "description", "", where), .origin = where};
  if (preset.name.empty() || preset.name == "custom")
    throw bad_input({.what = "not a name for a preset", .where = where, .expected = "anything but \"\" and \"custom\"", .found = preset.name});
  if (preset.label.empty()) preset.label = preset.name;
  if (!json.contains("values") || !json.at("values").is_object())
    throw bad_input({.what = "a preset needs values", .where = where, .expected = "\"values\": {\"n_layer\": 4, ...}"});
  preset.values = json.at("values");
  for (const auto& [key, value] : preset.values.items())
    if (run_options().find(key) && !preset_may_set(key))
      throw bad_input({.what = cat("a preset must not set ", key), .where = where,
                       .remedy = "paths, the device, the seed and permissions are given on the command line"});
  RunOptions options;
  try {
    run_options().merge(options, preset.values, where);  // names unknown keys and bad values
  } catch (const base::Error& error) {
    throw bad_input(error.details());
  }
  try {
    model_config(options, estimated_vocab_size(options));
  } catch (const base::Error& error) {  // the file is at fault, not the command line
    auto details = error.details();
    details.where = where;
    details.remedy = "change these values of the preset";
    throw bad_input(details);
  }
  return preset;
}

std::vector<Preset> load_presets(const std::optional<base::Path>& folder) {
  static const std::vector<Preset> own = built_in();
  std::vector<Preset> presets = own;
  if (!folder) return presets;
  std::error_code error;
  if (!std::filesystem::is_directory(*folder, error))
    throw bad_input({.what = "no such folder of presets", .where = folder->string(), .remedy = "name a folder of NAME.json files with --presets-dir"});
  std::vector<base::Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(*folder))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    Preset preset = parse_preset(base::read_file(file), file.string());
    auto same = std::find_if(presets.begin(), presets.end(), [&](const Preset& p) { return p.name == preset.name; });
    if (same == presets.end()) presets.push_back(std::move(preset));
    else *same = std::move(preset);
  }
  return presets;
}

Preset find_preset(const std::string& name, const std::optional<base::Path>& folder) {
  std::vector<std::string> names;
  for (auto& preset : load_presets(folder)) {
    if (preset.name == name) return preset;
    names.push_back(preset.name);
  }
  const std::string near = base::closest(name, names);
  throw base::usage_error({.what = "unknown preset", .where = "--scale", .expected = cat("custom, ", base::join(names, ", ")), .found = name,
                           .remedy = near.empty() ? "" : cat("did you mean ", near, "?")});
}

}  // namespace picochat::gate
