#include "serve/http/message.hpp"

#include <algorithm>

#include "picochat/base/text.hpp"

namespace picochat::serve::http {
namespace {

constexpr size_t kMostHeaders = 100, kLongestTarget = 2048;

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kMarks.find(c) != std::string_view::npos;
  });
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void parse_target(std::string_view target, Request& request) {
  if (target.size() > kLongestTarget) throw Refusal{414, "the address is too long"};
  if (!target.starts_with('/')) throw Refusal{400, "the address does not begin with /"};
  const auto mark = target.find('?');
  const auto path = percent_decoded(target.substr(0, mark), false);
  if (!path) throw Refusal{400, "the address has a broken escape"};
  request.path = *path;
  if (mark == std::string_view::npos) return;
  for (const auto& pair : base::split(target.substr(mark + 1), '&')) {
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    const auto name = percent_decoded(std::string_view(pair).substr(0, equals), true);
    const auto value = percent_decoded(equals == std::string::npos ? std::string_view() : std::string_view(pair).substr(equals + 1), true);
    if (!name || !value) throw Refusal{400, "the query has a broken escape"};
    request.query[*name] = *value;
  }
}

void parse_request_line(std::string_view line, Request& request) {
  const auto first = line.find(' '), second = line.find(' ', first == std::string_view::npos ? 0 : first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) throw Refusal{400, "the first line is not METHOD ADDRESS HTTP/1.1"};
  request.method = line.substr(0, first);
  if (!is_token(request.method)) throw Refusal{400, "the method is not a word"};
  const auto version = line.substr(second + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") throw Refusal{version.starts_with("HTTP/") ? 505 : 400, "only HTTP/1.1 is spoken here"};
  request.keep_alive = version == "HTTP/1.1";
  parse_target(line.substr(first + 1, second - first - 1), request);
}

void parse_header(std::string_view line, Request& request) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) throw Refusal{400, "a header is not Name: value"};
  const std::string name = base::lower_ascii(line.substr(0, colon)), value(base::trim(line.substr(colon + 1)));
  if (std::any_of(value.begin(), value.end(), [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; })) throw Refusal{400, "a header has a control character"};
  const auto [at, is_new] = request.headers.emplace(name, value);
  if (is_new) return;
  if (name == "host" || name == "content-length" || name == "transfer-encoding" || name == "authorization") throw Refusal{400, base::cat("header ", name, " stands twice")};
  at->second += ", " + value;
}

void find_body(Head& head) {
  const auto& headers = head.request.headers;
  const auto coding = headers.find("transfer-encoding"), length = headers.find("content-length");
  if (coding != headers.end()) {
    if (length != headers.end()) throw Refusal{400, "two ways to tell the body's length"};
    if (base::lower_ascii(coding->second) != "chunked") throw Refusal{501, "only the chunked transfer coding is known"};
    head.body = BodyKind::kChunked;
  } else if (length != headers.end()) {
    const std::string& text = length->second;
    if (text.empty() || text.size() > 18 || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) throw Refusal{400, "Content-Length is not a number"};
    head.body = BodyKind::kLength;
    head.length = std::stoull(text);
  } else if (head.request.method == "POST" || head.request.method == "PUT") {
    throw Refusal{411, "the body's length is not told"};
  }
}

}  // namespace

std::string Request::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_space) c = ' ';
    if (c == '%') {
      if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return {};
      c = static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    }
    if (c == '\0') return {};
    out += c;
  }
  return out;
}

Head parse_head(std::string_view text) {
  Head head;
  size_t count = 0;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find("\r\n", at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) throw Refusal{400, "lines end with CR LF"};
    if (at == 0) parse_request_line(line, head.request);
    else if (++count > kMostHeaders) throw Refusal{431, "too many headers"};
    else parse_header(line, head.request);
    at = end + 2;
  }
  Request& request = head.request;
  if (request.keep_alive && !request.headers.contains("host")) throw Refusal{400, "the Host header is missing"};
  const std::string connection = base::lower_ascii(request.header("connection"));
  if (connection.find("close") != std::string::npos) request.keep_alive = false;
  find_body(head);
  const std::string expect = base::lower_ascii(request.header("expect"));
  if (!expect.empty() && expect != "100-continue") throw Refusal{417, "only 100-continue can be expected"};
  head.expects_continue = !expect.empty();
  return head;
}

const char* reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
  }
}

}  // namespace picochat::serve::http
