#include "picochat/hub/settings.hpp"

#include <cstdlib>
#include <filesystem>

#include "hub/url.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::hub {
namespace {

namespace fs = std::filesystem;
using base::cat;

bool is_true(const std::optional<std::string>& value) {
  const std::string word = base::lower_ascii(value.value_or(""));
  return word == "1" || word == "on" || word == "yes" || word == "true";
}

double seconds(const Environment& environment, const char* name, double fallback) {
  const auto text = environment(name);
  if (!text || text->empty()) return fallback;
  char* end = nullptr;
  const double value = std::strtod(text->c_str(), &end);
  if (*end != '\0' || !(value >= 0) || value > 86400)
    throw base::usage_error({.what = "not a number of seconds", .where = name, .expected = "0 to 86400", .found = *text});
  return value;
}

std::string checked_endpoint(std::string address, const std::string& where) {
  while (address.ends_with('/')) address.pop_back();
  if (origin_of(address).empty())
    throw base::usage_error({.what = "not the address of a hub", .where = where, .expected = "https://host or http://host:port", .found = address});
  return address;
}

// "https://host" -> "https://datasets-server.host", as the `datasets` package derives it.
std::string default_datasets_server(const std::string& endpoint) {
  return base::replace_all(endpoint, "://", "://datasets-server.");
}

std::string token_in(const Path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return "";
  return std::string(base::trim(base::read_file(path)));
}

// A token goes into a header line: a line break in it would end the line.
void check_token(const Settings& settings) {
  for (unsigned char c : settings.token)
    if (c <= 32 || c >= 127)
      throw base::usage_error({.what = "the token holds white space or other characters that no token has", .where = settings.token_origin, .remedy = "set it again"});
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
}

Settings settings_from(const Environment& environment, const SettingOverrides& overrides) {
  auto given = [&](const char* name) {
    auto value = environment(name);
    return value && !value->empty() ? value : std::nullopt;
  };
  Settings settings;
  if (overrides.endpoint) settings.endpoint = checked_endpoint(*overrides.endpoint, "--endpoint");
  else if (auto address = given("HF_ENDPOINT")) settings.endpoint = checked_endpoint(*address, "HF_ENDPOINT");
  settings.datasets_server = default_datasets_server(settings.endpoint);
  if (auto address = given("PICOCHAT_DATASETS_SERVER")) settings.datasets_server = checked_endpoint(*address, "PICOCHAT_DATASETS_SERVER");

  const Path user_cache = given("XDG_CACHE_HOME") ? Path(*given("XDG_CACHE_HOME")) : Path(given("HOME").value_or(".")) / ".cache";
  const Path home = given("HF_HOME") ? Path(*given("HF_HOME")) : user_cache / "huggingface";
  settings.cache = given("HF_HUB_CACHE") ? Path(*given("HF_HUB_CACHE")) : home / "hub";

  if (overrides.token_variable) {
    settings.token = given(overrides.token_variable->c_str()).value_or("");
    settings.token_origin = *overrides.token_variable;
    if (settings.token.empty())
      throw base::usage_error({.what = cat("the environment variable ", *overrides.token_variable, " holds no token"), .where = "--token-env", .remedy = "export it, or leave --token-env out"});
  } else if (auto token = given("HF_TOKEN")) {
    settings.token = std::string(base::trim(*token));
    settings.token_origin = "HF_TOKEN";
  } else if (!is_true(environment("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) {
    const Path path = given("HF_TOKEN_PATH") ? Path(*given("HF_TOKEN_PATH")) : home / "token";
    settings.token = token_in(path);
    settings.token_origin = path.string();
  }
  check_token(settings);

  settings.offline = is_true(environment("HF_HUB_OFFLINE")) || is_true(environment("TRANSFORMERS_OFFLINE"));
  settings.connect_seconds = seconds(environment, "HF_HUB_ETAG_TIMEOUT", settings.connect_seconds);
  settings.stall_seconds = seconds(environment, "HF_HUB_DOWNLOAD_TIMEOUT", settings.stall_seconds);
  settings.retry_seconds = seconds(environment, "PICOCHAT_HUB_RETRY_SECONDS", settings.retry_seconds);
  return settings;
}

}  // namespace picochat::hub
