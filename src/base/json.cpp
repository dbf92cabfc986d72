#include "picochat/base/json.hpp"

#include <algorithm>
#include <set>

#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::base {
namespace {

const char* kind_of(const Json& value) {
  if (value.is_number_integer()) return fits_int64(value) ? "an integer" : "an integer beyond 64 bits";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "a string";
  if (value.is_boolean()) return "true or false";
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  return "null";
}

Error wrong_type(const std::string& key, const std::string& where, const char* expected, const Json& value) {
  return bad_input({.what = cat("\"", key, "\" has the wrong type"), .where = where, .expected = expected, .found = kind_of(value)});
}

const Json& member(const Json& object, const std::string& key, const std::string& where, const char* expected) {
  auto found = object.find(key);
  if (found == object.end())
    throw bad_input({.what = cat("\"", key, "\" is missing"), .where = where, .expected = expected});
  return *found;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> keys;
  std::string duplicate;
  auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second && duplicate.empty())
      duplicate = parsed.get<std::string>();
    return true;
  };
  try {
    Json value = Json::parse(text, watch);
    if (!duplicate.empty())
      throw bad_input({.what = cat("the key \"", duplicate, "\" stands twice in one object"), .where = where, .remedy = "keep one of them"});
    return value;
  } catch (const nlohmann::json::parse_error& error) {
    size_t end = std::min<size_t>(error.byte ? error.byte - 1 : 0, text.size());
    auto line = 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(end), '\n');
    std::string reason = error.what();
    if (auto colon = reason.find(": "); colon != std::string::npos) reason = reason.substr(colon + 2);
    throw bad_input({.what = "not valid JSON", .where = cat(where, ":", line), .found = replace_invalid_utf8(reason)});
  } catch (const nlohmann::json::out_of_range& error) {  // "1e999": the grammar allows it, no double holds it
    std::string reason = error.what();
    if (auto end = reason.find("] "); end != std::string::npos) reason = reason.substr(end + 2);
    throw bad_input({.what = "not valid JSON", .where = where, .found = replace_invalid_utf8(reason)});
  }
}

Json read_json(const std::filesystem::path& path) { return parse_json(read_file(path), path.string()); }

std::string dump(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string canonical(const Json& value) {
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Json member(const Json& object, const std::string& key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? Json(nullptr) : *found;
}

bool fits_int64(const Json& value) {
  return !value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t{INT64_MAX};
}

std::string get_string(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where, "a string");
  if (!value.is_string()) throw wrong_type(key, where, "a string", value);
  return value.get<std::string>();
}

std::string get_string_or(const Json& object, const std::string& key, std::string fallback, const std::string& where) {
  return object.contains(key) ? get_string(object, key, where) : fallback;
}

int64_t get_int(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where, "an integer");
  if (!value.is_number_integer() || !fits_int64(value)) throw wrong_type(key, where, "an integer", value);
  return value.get<int64_t>();
}

double get_number(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where, "a number");
  if (!value.is_number()) throw wrong_type(key, where, "a number", value);
  return value.get<double>();
}

bool get_bool_or(const Json& object, const std::string& key, bool fallback, const std::string& where) {
  if (!object.contains(key)) return fallback;
  const Json& value = object.at(key);
  if (!value.is_boolean()) throw wrong_type(key, where, "true or false", value);
  return value.get<bool>();
}

void refuse_unknown_keys(const Json& object, std::span<const std::string> known, const std::string& where) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string near = closest(key, known);
    throw bad_input({.what = cat("unknown key \"", key, "\""), .where = where, .expected = cat("one of ", join(known, ", ")),
                     .remedy = near.empty() ? "remove it" : cat("did you mean \"", near, "\"?")});
  }
}

}  // namespace picochat::base
