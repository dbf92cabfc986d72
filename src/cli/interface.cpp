#include "about.hpp"
#include "picochat/base/text.hpp"

namespace picochat::cli {
namespace {

using base::cat;
using base::Json;

const char* kind_name(base::OptionKind kind) {
  switch (kind) {
    case base::OptionKind::kBool: return "boolean";
    case base::OptionKind::kInt: return "integer";
    case base::OptionKind::kNumber: return "number";
    case base::OptionKind::kText: return "text";
    case base::OptionKind::kList: return "list";
  }
  return "";
}

Json describe(const base::OptionField& field, const Command& command) {
  Json out{{"flags", flag_names(field)}, {"kind", kind_name(field.kind)}, {"help", field.help}};
  if (!field.choices.empty()) out["choices"] = field.choices;
  if (field.minimum) out[field.minimum_exclusive ? "above" : "minimum"] = *field.minimum;
  if (field.maximum) out["maximum"] = *field.maximum;
  if (field.required) out["required"] = true;
  if (field.positional) out["positional"] = true;
  if (field.hidden) out["hidden"] = true;
  const Json fallback = command.defaults.value(field.name, Json());
  if (!fallback.is_null() && fallback != "" && !(fallback.is_array() && fallback.empty())) out["default"] = fallback;
  return out;
}

std::string line_of(const Json& field) {
  std::string text = field.at("kind").get<std::string>();
  const auto bound = [&](const char* key, const char* words) {
    if (field.contains(key)) text += cat(", ", words, " ", field.at(key).get<double>());
  };
  if (field.contains("choices")) text += cat(" {", base::join(field.at("choices").get<std::vector<std::string>>(), ", "), "}");
  bound("minimum", "at least"), bound("above", "above"), bound("maximum", "at most");
  for (const char* property : {"required", "positional", "hidden"})
    if (field.contains(property)) text += cat(", ", property);
  if (field.contains("default")) text += cat(", by default ", base::dump(field.at("default"), -1));
  return cat("  ", base::join(field.at("flags").get<std::vector<std::string>>(), " "), ": ", text, "\n");
}

}  // namespace

base::CommandOutput describe_interface(const std::vector<Command>& commands) {
  Json list = Json::array();
  std::string text;
  for (const auto& command : commands) {
    Json fields = Json::array();
    text += cat("picochat ", command.name(), "\n");
    for (const auto& field : *command.fields) {
      fields.push_back(describe(field, command));
      text += line_of(fields.back());
    }
    list.push_back({{"command", command.name()}, {"summary", command.summary}, {"options", fields}});
  }
  return {{{"commands", list}}, text};
}

}  // namespace picochat::cli
