// JSON with the two things the library leaves to its users: errors that name the file and line,
// and output that never throws on text that is not UTF-8. Objects keep their insertion order.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace picochat::base {

using Json = nlohmann::ordered_json;

// Parses `text`; a syntax error is BadInput with `where` and the line. Duplicate keys are errors.
Json parse_json(std::string_view text, const std::string& where);
Json read_json(const std::filesystem::path& path);

// indent < 0: one line. Invalid UTF-8 is written as U+FFFD.
std::string dump(const Json& value, int indent = 2);

// One line, keys sorted at every level: what digests of JSON values are taken of.
std::string canonical(const Json& value);

// object.at(key); null when it is not there, or `object` is no object.
Json member(const Json& object, const std::string& key);

// False for an unsigned integer above the largest int64_t, which get<int64_t>() would wrap.
bool fits_int64(const Json& value);

// Typed access with errors that name the file and key ("expected a string, found a number").
std::string get_string(const Json& object, const std::string& key, const std::string& where);
std::string get_string_or(const Json& object, const std::string& key, std::string fallback, const std::string& where);
int64_t get_int(const Json& object, const std::string& key, const std::string& where);
double get_number(const Json& object, const std::string& key, const std::string& where);
bool get_bool_or(const Json& object, const std::string& key, bool fallback, const std::string& where);

// BadInput naming the first key of `object` that is not in `known`, with the nearest known one.
void refuse_unknown_keys(const Json& object, std::span<const std::string> known, const std::string& where);

}  // namespace picochat::base
