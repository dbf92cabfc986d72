// Records as JSON. A record lists its members once, in `fields(v, record)`: v("documents", r.documents);
// writing and reading visit the same list. Reading is strict: a missing member (optional ones aside), an
// unknown key or a wrong type is BadInput naming it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"

namespace picochat::gate::record {

template <typename T> struct IsOptional : std::false_type {};
template <typename T> struct IsOptional<std::optional<T>> : std::true_type {};
template <typename T> struct IsVector : std::false_type {};
template <typename T> struct IsVector<std::vector<T>> : std::true_type {};
template <typename T> struct IsMap : std::false_type {};
template <typename T> struct IsMap<std::map<std::string, T>> : std::true_type {};

struct Writer;
template <typename T>
base::Json write(const T& value);

struct Writer {
  base::Json out = base::Json::object();
  template <typename T>
  void operator()(const char* key, T& value) { out[key] = write(value); }
};

template <typename T>
base::Json write(const T& value) {
  if constexpr (IsOptional<T>::value) {
    return value ? write(*value) : base::Json(nullptr);
  } else if constexpr (IsVector<T>::value) {
    base::Json out = base::Json::array();
    for (const auto& item : value) out.push_back(write(item));
    return out;
  } else if constexpr (IsMap<T>::value) {
    base::Json out = base::Json::object();
    for (const auto& [key, item] : value) out[key] = write(item);
    return out;
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else {
    Writer writer;
    fields(writer, const_cast<T&>(value));  // visited for reading only
    return writer.out;
  }
}

[[noreturn]] inline void wrong_type(const base::Json& json, const std::string& where, const char* expected) {
  throw base::bad_input({.what = "wrong type", .where = where, .expected = expected, .found = base::dump(json, -1).substr(0, 80)});
}

template <typename T>
void read(const base::Json& json, T& value, const std::string& where);

struct Reader {
  const base::Json& in;
  const std::string& where;
  std::vector<std::string> known;
  template <typename T>
  void operator()(const char* key, T& value) {
    known.push_back(key);
    const auto found = in.find(key);
    if (found == in.end()) {
      if constexpr (IsOptional<T>::value) value.reset();
      else throw base::bad_input({.what = base::cat("\"", key, "\" is missing"), .where = where, .remedy = "it was written by another version, or edited"});
    } else {
      read(*found, value, base::cat(where, ".", key));
    }
  }
};

template <typename T>
void read(const base::Json& json, T& value, const std::string& where) {
  if constexpr (IsOptional<T>::value) {
    if (json.is_null()) value.reset();
    else read(json, value.emplace(), where);
  } else if constexpr (IsVector<T>::value) {
    if (!json.is_array()) wrong_type(json, where, "an array");
    value.clear();
    for (size_t i = 0; i < json.size(); ++i) read(json[i], value.emplace_back(), base::cat(where, "[", i, "]"));
  } else if constexpr (IsMap<T>::value) {
    if (!json.is_object()) wrong_type(json, where, "an object");
    value.clear();
    for (const auto& [key, item] : json.items()) read(item, value[key], base::cat(where, ".", key));
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) wrong_type(json, where, "a string");
    value = json.get<std::string>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) wrong_type(json, where, "true or false");
    value = json.get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    if (!json.is_number_integer()) wrong_type(json, where, "an integer");
    value = json.get<T>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!json.is_number()) wrong_type(json, where, "a number");
    value = json.get<T>();
  } else {
    if (!json.is_object()) wrong_type(json, where, "an object");
    Reader reader{json, where, {}};
    fields(reader, value);
    base::refuse_unknown_keys(json, reader.known, where);
  }
}

}  // namespace picochat::gate::record
