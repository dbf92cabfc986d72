#include "hub/url.hpp"

#include <curl/curl.h>

#include <cctype>
#include <memory>

#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::hub {
namespace {

using Handle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

Handle parsed(const std::string& url) {
  Handle handle(curl_url(), curl_url_cleanup);
  if (!handle || url.find('\0') != std::string::npos || curl_url_set(handle.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) handle.reset();
  return handle;
}

std::string part(const Handle& handle, CURLUPart what, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(handle.get(), what, &text, flags) != CURLUE_OK) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

}  // namespace

std::string origin_of(const std::string& url) {
  const Handle handle = parsed(url);
  if (!handle) return "";
  const std::string scheme = base::lower_ascii(part(handle, CURLUPART_SCHEME)), host = base::lower_ascii(part(handle, CURLUPART_HOST));
  if ((scheme != "http" && scheme != "https") || host.empty()) return "";
  if (!part(handle, CURLUPART_USER).empty() || !part(handle, CURLUPART_PASSWORD).empty()) return "";
  return base::cat(scheme, "://", host, ":", part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

std::string resolve_url(const std::string& base, const std::string& reference) {
  const Handle handle = parsed(base);
  if (!handle || reference.find('\0') != std::string::npos) return "";
  // Servers send spaces and raw UTF-8 in Location; libcurl encodes them when asked to.
  if (curl_url_set(handle.get(), CURLUPART_URL, reference.c_str(), CURLU_URLENCODE) != CURLUE_OK) return "";
  const std::string url = part(handle, CURLUPART_URL);
  return origin_of(url).empty() ? "" : url;
}

std::string percent_encoded(std::string_view text, bool slashes) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : text) {
    if (c < 128 && (std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && !slashes))) out += static_cast<char>(c);
    else out.append(1, '%').append(1, kHex[c >> 4]).append(1, kHex[c & 15]);
  }
  return out;
}

std::string printable(const std::string& url) {
  const std::string shown = url.substr(0, url.find_first_of("?#"));
  return base::replace_invalid_utf8(shown.substr(0, 300)) + (shown.size() < url.size() ? "?..." : "");
}

}  // namespace picochat::hub
