#include "picochat/base/options.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::base {
namespace {

std::string dashed(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string takes(const OptionField& field) {
  const bool number = field.kind == OptionKind::kInt || field.kind == OptionKind::kNumber;
  if (!field.choices.empty() && !number) return cat("one of ", join(field.choices, ", "));
  std::string kind = field.kind == OptionKind::kInt ? "an integer" : field.kind == OptionKind::kNumber ? "a number"
                     : field.kind == OptionKind::kBool ? "true or false" : "text";
  if (field.minimum) kind += cat(field.minimum_exclusive ? " above " : " of at least ", *field.minimum);
  if (field.maximum) kind += cat(field.minimum ? " and at most " : " of at most ", *field.maximum);
  if (!field.choices.empty()) kind += cat(", or ", join(field.choices, ", "));
  return kind;
}

// A number may also be one of a few words, "auto" say, which whoever merges the values replaces by a number first.
bool is_word(const OptionField& field, const Json& value) {
  return value.is_string() && std::find(field.choices.begin(), field.choices.end(), value.get<std::string>()) != field.choices.end();
}

[[noreturn]] void refuse(const OptionField& field, const std::string& found, const std::string& where) {
  std::string near = field.choices.empty() ? "" : closest(found, field.choices);
  throw usage_error({.what = cat(field.flag(), " does not accept this value"), .where = where, .expected = takes(field), .found = found,
                     .remedy = near.empty() ? "" : cat("did you mean ", near, "?")});
}

}  // namespace

std::string OptionField::flag() const { return "--" + dashed(name); }
std::string OptionField::no_flag() const { return "--no-" + dashed(name); }

void check_option(const OptionField& field, const Json& value, const std::string& where) {
  if (value.is_null()) {
    if (!field.nullable) refuse(field, "null", where);
    return;
  }
  bool fits = false;
  switch (field.kind) {
    case OptionKind::kBool: fits = value.is_boolean(); break;
    case OptionKind::kInt: fits = (value.is_number_integer() && fits_int64(value)) || is_word(field, value); break;
    case OptionKind::kNumber: fits = value.is_number(); break;
    case OptionKind::kText: fits = value.is_string(); break;
    case OptionKind::kList:
      fits = value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& item) { return item.is_string(); });
      break;
  }
  std::string found = value.is_string() ? value.get<std::string>() : dump(value, -1);
  if (!fits) refuse(field, found, where);
  for (const auto& [word, pointer] : field.refused) {
    if (word == "*" ? found != "0" && found != "false" && !found.empty() : word == found)
      throw usage_error({.what = cat(field.flag(), " ", found, " is not built into this program"), .where = where, .remedy = pointer});
  }
  if (value.is_number()) {
    double number = value.get<double>();
    bool low = field.minimum && (field.minimum_exclusive ? number <= *field.minimum : number < *field.minimum);
    if (low || (field.maximum && number > *field.maximum) || !std::isfinite(number)) refuse(field, found, where);
  }
  if (!field.choices.empty() && value.is_string() && std::find(field.choices.begin(), field.choices.end(), found) == field.choices.end())
    refuse(field, found, where);
}

Json parse_option_text(const OptionField& field, const std::string& text) {
  Json value;
  auto parse = [&](auto number) {
    auto end = std::from_chars(text.data(), text.data() + text.size(), number);
    if (end.ec != std::errc{} || end.ptr != text.data() + text.size()) refuse(field, text, "command line");
    return Json(number);
  };
  switch (field.kind) {
    case OptionKind::kBool:
      if (text != "true" && text != "false") refuse(field, text, "command line");
      value = text == "true";
      break;
    case OptionKind::kInt: value = is_word(field, text) ? Json(text) : parse(int64_t{}); break;
    case OptionKind::kNumber: value = parse(double{}); break;
    case OptionKind::kText: value = text; break;
    case OptionKind::kList: value = Json::array({text}); break;
  }
  check_option(field, value, "command line");
  return value;
}

void throw_unknown_option(const std::string& key, const std::vector<std::string>& known, const std::string& where) {
  std::string near = closest(key, known);
  throw bad_input({.what = cat("unknown option \"", key, "\""), .where = where, .remedy = near.empty() ? "remove it" : cat("did you mean \"", near, "\"?")});
}

}  // namespace picochat::base
