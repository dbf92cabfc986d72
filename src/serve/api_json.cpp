#include "serve/api_json.hpp"

#include <algorithm>
#include <cmath>

#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::serve {
namespace {

using base::cat;
using base::Json;

constexpr int kDeepest = 32;  // nesting of a request

// Deep nesting would exhaust the stack of a recursive destructor or dump; a request has no use for it.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      else if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepest) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

const char* error_type(int status) {
  if (status == 401) return "authentication_error";
  if (status == 403 || status == 421) return "permission_error";
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

}  // namespace

Json error_json(const ApiError& error) {
  auto or_null = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  return {{"error", {{"message", error.message}, {"type", error_type(error.status)}, {"param", or_null(error.param)}, {"code", or_null(error.code)}}}};
}

void respond_json(http::Exchange& exchange, int status, const Json& value) { exchange.respond(status, "application/json", base::dump(value, -1)); }

void respond_error(http::Exchange& exchange, const ApiError& error) {
  if (error.status == 429 || error.status == 503) exchange.headers.push_back({"Retry-After", "1"});
  if (error.status == 401) exchange.headers.push_back({"WWW-Authenticate", "Bearer"});
  respond_json(exchange, error.status, error_json(error));
}

Params::Params(const std::string& body) {
  if (!base::is_valid_utf8(body)) throw ApiError{.message = "the body is not UTF-8"};
  if (too_deep(body)) throw ApiError{.message = "the body is nested too deeply"};
  try {
    object_ = base::parse_json(body, "body");
  } catch (const std::exception& error) {
    throw ApiError{.message = cat("the body is not JSON: ", base::replace_all(error.what(), "\n", "; "))};
  }
  if (!object_.is_object()) throw ApiError{.message = "the body is not a JSON object"};
}

const Json* Params::find(const std::string& name) {
  known_.insert(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::string Params::text(const std::string& name, const std::string& fallback) {
  const Json* value = find(name);
  if (!value) return fallback;
  if (!value->is_string()) throw ApiError{.message = cat(name, " is not a string"), .param = name};
  return value->get<std::string>();
}

bool Params::boolean(const std::string& name, bool fallback) {
  const Json* value = find(name);
  if (!value) return fallback;
  if (!value->is_boolean()) throw ApiError{.message = cat(name, " is not true or false"), .param = name};
  return value->get<bool>();
}

int64_t Params::integer(const std::string& name, int64_t fallback, int64_t low, int64_t high) {
  const Json* value = find(name);
  if (!value) return fallback;
  if (!value->is_number_integer() || !base::fits_int64(*value) || value->get<int64_t>() < low || value->get<int64_t>() > high)
    throw ApiError{.message = cat(name, " is not a whole number from ", low, " to ", high), .param = name};
  return value->get<int64_t>();
}

double Params::number(const std::string& name, double fallback, double low, double high) {
  const Json* value = find(name);
  if (!value) return fallback;
  if (!value->is_number() || !(value->get<double>() >= low && value->get<double>() <= high))
    throw ApiError{.message = cat(name, " is not a number from ", low, " to ", high), .param = name};
  return value->get<double>();
}

std::vector<std::string> Params::strings(const std::string& name, size_t most) {
  const Json* value = find(name);
  if (!value) return {};
  std::vector<std::string> out;
  for (const Json& entry : value->is_array() ? *value : Json::array({*value})) {
    if (!entry.is_string() || entry.get<std::string>().empty()) throw ApiError{.message = cat(name, " is not a string or a list of strings, none of them empty"), .param = name};
    out.push_back(entry.get<std::string>());
  }
  if (out.size() > most) throw ApiError{.message = cat(name, " has more than ", most, " strings"), .param = name};
  return out;
}

void Params::only(const std::string& name, const std::vector<Json>& harmless, const std::string& remedy) {
  const Json* value = find(name);
  if (value && std::find(harmless.begin(), harmless.end(), *value) == harmless.end())
    throw ApiError{.message = cat(name, " is not supported", remedy.empty() ? "" : ": ", remedy), .param = name, .code = "unsupported_parameter"};
}

void Params::refuse_rest() const {
  for (const auto& [name, value] : object_.items())
    if (!known_.contains(name)) throw ApiError{.message = cat("unknown parameter ", name.substr(0, 60)), .param = name.substr(0, 60), .code = "unknown_parameter"};
}

}  // namespace picochat::serve
