// HTTP/1.1 requests as the server hands them out, and the parser of their heads. Strict: what two programs could read
// differently (two lengths, a space before a colon, a folded header) is refused.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace picochat::serve::http {

struct Request {
  std::string method, path;                    // path: decoded, without the query
  std::map<std::string, std::string> query;    // decoded
  std::map<std::string, std::string> headers;  // names in lower case; equal names joined by ", "
  std::string body;
  bool keep_alive = true;

  std::string header(const std::string& name) const;
};

// Why a request is answered with an error before anybody looks at what it wants.
struct Refusal {
  int status;
  std::string why;
};

enum class BodyKind { kNone, kLength, kChunked };
struct Head {
  Request request;
  BodyKind body = BodyKind::kNone;
  uint64_t length = 0;
  bool expects_continue = false;
};

// `text`: request line and headers, up to and without the empty line. Throws Refusal.
Head parse_head(std::string_view text);

// "%41+b" -> "A+b" ("A b" in a query). Nothing for a broken escape or a zero byte.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

const char* reason_phrase(int status);

}  // namespace picochat::serve::http
