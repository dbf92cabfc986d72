// JSON of the API: parameters with their bounds, errors in OpenAI's form.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "picochat/base/json.hpp"
#include "serve/http/server.hpp"

namespace picochat::serve {

struct ApiError {
  int status = 400;
  std::string message;
  std::string param;  // may be empty
  std::string code;   // may be empty
};
base::Json error_json(const ApiError& error);

void respond_json(http::Exchange& exchange, int status, const base::Json& value);
void respond_error(http::Exchange& exchange, const ApiError& error);

// The fields of a request. Every one must be asked for: what nobody knows is refused, not ignored. null means absent.
class Params {
 public:
  explicit Params(const std::string& body);  // throws ApiError unless it is a JSON object

  const base::Json* find(const std::string& name);
  std::string text(const std::string& name, const std::string& fallback);
  bool boolean(const std::string& name, bool fallback);
  int64_t integer(const std::string& name, int64_t fallback, int64_t low, int64_t high);
  double number(const std::string& name, double fallback, double low, double high);
  std::vector<std::string> strings(const std::string& name, size_t most);  // a string or a list of them
  // A field of the API that is not built: fine when it asks for nothing.
  void only(const std::string& name, const std::vector<base::Json>& harmless, const std::string& remedy);
  void ignore(const std::string& name) { find(name); }
  void refuse_rest() const;

 private:
  base::Json object_;
  std::set<std::string> known_;
};

}  // namespace picochat::serve
