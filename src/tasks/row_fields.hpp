// One JSON object's fields, taken by name with errors that say what was expected: how rows are read.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/jsonl.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::tasks {

using base::bad_input;
using base::cat;
using base::Json;

inline const char* type_name(const Json& value) {
  if (value.is_string()) return "a string";
  if (value.is_boolean()) return "true or false";
  if (value.is_number()) return "a number";
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  return "null";
}

// Takes fields out of one JSON object by name; what nobody took is left in `rest`.
class Fields {
 public:
  Fields(const Json& object, std::string where) : where_(std::move(where)) {
    if (!object.is_object()) {
      throw bad_input({.what = "a row must be a JSON object", .where = where_, .found = type_name(object)});
    }
    rest_ = object;
  }

  const Json& rest() const { return rest_; }

  // The first of `names` that is present; two names of one field in a row must agree.
  std::optional<Json> take(std::initializer_list<const char*> names) {
    std::optional<Json> found;
    for (const char* name : names) {
      auto it = rest_.find(name);
      if (it == rest_.end()) continue;
      if (found && *found != *it) {
        throw fault(cat("fields '", taken_, "' and '", name, "' are two names of one field"), "one of them, or equal values",
                    "different values");
      }
      if (!found) taken_ = name;
      found = *it;
      rest_.erase(it);
    }
    if (found && found->is_null()) found.reset();
    return found;
  }

  std::string text(std::initializer_list<const char*> names, std::string fallback) {
    auto value = take(names);
    if (!value) return fallback;
    return as_text(*value, taken_);
  }

  std::string required_text(const char* name, const char* remedy) {
    if (!rest_.contains(name)) {
      throw fault(cat("field '", name, "' is missing"), "a non-empty string", "", remedy);
    }
    Json value = rest_[name];
    rest_.erase(name);
    return as_text(value, name);
  }

  bool flag(const char* name, bool fallback) {
    auto value = take({name});
    if (!value) return fallback;
    if (!value->is_boolean()) throw fault(cat("field '", name, "'"), "true or false", type_name(*value));
    return value->get<bool>();
  }

  std::optional<int64_t> count(const char* name) {
    auto value = take({name});
    if (!value) return std::nullopt;
    if (!value->is_number_integer() || value->get<int64_t>() < 0) {
      throw fault(cat("field '", name, "'"), "a whole number >= 0",
                  value->is_number() ? value->dump() : std::string(type_name(*value)));
    }
    return value->get<int64_t>();
  }

  std::vector<std::string> texts(std::initializer_list<const char*> names) {
    auto value = take(names);
    if (!value) return {};
    if (!value->is_array()) throw fault(cat("field '", taken_, "'"), "a list of strings", type_name(*value));
    return as_texts(*value, taken_);
  }

  std::vector<std::vector<std::string>> groups(const char* name) {
    auto value = take({name});
    std::vector<std::vector<std::string>> out;
    if (!value) return out;
    if (!value->is_array()) throw fault(cat("field '", name, "'"), "a list of lists of strings", type_name(*value));
    for (const Json& group : *value) {
      if (!group.is_array() || group.empty()) {
        throw fault(cat("field '", name, "'"), "non-empty lists of strings, one phrase of each must appear",
                    group.is_array() ? "an empty list" : type_name(group));
      }
      out.push_back(as_texts(group, name));
    }
    return out;
  }

  base::Error fault(std::string what, std::string expected, std::string found, std::string remedy = {}) const {
    return bad_input({.what = std::move(what), .where = where_, .expected = std::move(expected), .found = std::move(found),
                      .remedy = std::move(remedy)});
  }

  std::string as_text(const Json& value, const std::string& name) const {
    if (!value.is_string()) throw fault(cat("field '", name, "'"), "a non-empty string", type_name(value));
    std::string text = value.get<std::string>();
    if (base::trim(text).empty()) throw fault(cat("field '", name, "'"), "a non-empty string", "an empty one");
    return text;
  }

  // A name that nobody reads is kept as metadata, but one slip away from a name that is read it is
  // taken for a typing error: a misspelt rule would silently never be checked.
  void refuse_misspelt(std::span<const std::string> known) const {
    for (const auto& [key, value] : rest_.items()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      for (const std::string& name : known) {
        if (is_slip(key, name)) {
          throw fault(cat("unknown field '", key, "'"), "", "",
                      cat("did you mean '", name, "'? Metadata of your own needs a name less like it."));
        }
      }
    }
  }

 private:
  std::vector<std::string> as_texts(const Json& list, const std::string& name) const {
    std::vector<std::string> out;
    for (const Json& item : list) out.push_back(as_text(item, name));
    return out;
  }

  // Equal but for case, or one letter dropped, added, changed or swapped with its neighbour.
  static bool is_slip(const std::string& a, const std::string& b) {
    std::string x = base::lower_ascii(a), y = base::lower_ascii(b);
    if (x == y) return true;
    if (std::min(x.size(), y.size()) < 4) return false;
    size_t head = 0, tail = 0;
    size_t shorter = std::min(x.size(), y.size());
    while (head < shorter && x[head] == y[head]) ++head;
    while (tail < shorter - head && x[x.size() - 1 - tail] == y[y.size() - 1 - tail]) ++tail;
    size_t left_x = x.size() - head - tail, left_y = y.size() - head - tail;
    if (left_x <= 1 && left_y <= 1) return true;
    return left_x == 2 && left_y == 2 && x[head] == y[head + 1] && x[head + 1] == y[head];
  }

  std::string where_, taken_;
  Json rest_;
};

// Every row of a JSONL file; the first bad one ends the reading, and so does a file without rows.
template <typename Row, typename Parse>
std::vector<Row> read_rows(const base::Path& path, Parse parse, const char* kind, const char* remedy) {
  std::vector<Row> rows;
  std::string bytes = base::read_file(path);
  base::for_each_line(bytes, [&](std::string_view line, int64_t number) {
    if (base::trim(line).empty()) return true;
    std::string where = cat(path.string(), ":", number);
    if (!base::is_valid_utf8(line)) throw bad_input({.what = "the line is not valid UTF-8", .where = where});
    Row row = parse(base::parse_json(line, where), where);
    row.line = number;
    rows.push_back(std::move(row));
    return true;
  });
  if (rows.empty()) {
    throw bad_input({.what = cat("the ", kind, " file has no rows"), .where = path.string(), .remedy = remedy});
  }
  return rows;
}

}  // namespace picochat::tasks
