#include "picochat/hub/client.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <mutex>
#include <thread>

#include "hub/answers.hpp"
#include "hub/transfer.hpp"
#include "hub/url.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::hub {
namespace {

using base::cat;

constexpr int kMostRedirects = 10;
constexpr double kLongestOwnWait = 30;
constexpr size_t kRefusalBytes = 4096;
constexpr size_t kLargestReply = 64 << 20;
constexpr double kAnswerSeconds = 180;  // for commits and the joining of parts

bool is_redirect(long status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

bool keeps_method(long status) { return status == 307 || status == 308; }

// Where a redirect leads; throws when it leads nowhere or out of https.
std::string redirect_target(const std::string& from, const Head& head) {
  const std::string next = resolve_url(from, head.header("location"));
  if (next.empty() || (from.starts_with("https:") && !next.starts_with("https:")))
    throw base::environment_error({.what = next.empty() ? "a redirect leads nowhere" : "a redirect leaves https for http", .where = printable(from),
                                   .expected = "an https address", .found = printable(head.header("location"))});
  return next;
}

base::Error too_many_redirects(const std::string& start, const std::string& last) {
  return base::environment_error({.what = cat("more than ", kMostRedirects, " redirects, one after the other"), .where = printable(start), .found = cat("at last ", printable(last)),
                                  .remedy = "the server redirects in a circle: check the endpoint (HF_ENDPOINT, --endpoint)"});
}

// One printable line of what an error answer says: its header, its JSON "error", or the start of its body.
std::string refusal_text(const Head& head, const std::string& body) {
  std::string text = head.header("x-error-message");
  if (text.empty()) {
    const auto json = base::Json::parse(body, nullptr, false);
    if (json.is_object() && json.contains("error") && json["error"].is_string()) text = json["error"].get<std::string>();
    else text = std::string(base::trim(body));
  }
  std::string line;
  for (char c : base::replace_invalid_utf8(text).substr(0, 300)) line += static_cast<unsigned char>(c) < 32 ? ' ' : c;
  const std::string code = head.header("x-error-code");
  return code.empty() ? line : cat(code.substr(0, 60), line.empty() ? "" : ": ", line);
}

}  // namespace

struct Client::Shared {
  std::mutex mutex;
  double not_before = 0;  // monotonic; asked for by a server
};

Client::Client(Settings settings)
    : settings_(std::move(settings)), origin_(origin_of(settings_.endpoint)), transport_(std::make_unique<Transport>()), shared_(std::make_unique<Shared>()) {}
Client::~Client() = default;

Client::Try Client::attempt(const std::string& start, uint64_t first, uint64_t length, const Receiver& receiver) const {
  if (settings_.offline)
    throw base::environment_error({.what = "a file is needed from the hub, but HF_HUB_OFFLINE forbids requests", .where = printable(start), .remedy = "unset HF_HUB_OFFLINE, or import a local copy"});
  std::string url = start;
  for (int hop = 0; hop <= kMostRedirects; ++hop) {
    const std::string origin = origin_of(url);
    Exchange exchange{.url = url, .headers = {"Accept-Encoding: identity"}, .connect_seconds = settings_.connect_seconds, .stall_seconds = settings_.stall_seconds};
    if (length > 0) exchange.headers.push_back(cat("Range: bytes=", first, "-", first + length - 1));
    else if (first > 0) exchange.headers.push_back(cat("Range: bytes=", first, "-"));
    // The token is for the hub alone: redirects lead to storage hosts, which must not see it.
    if (!settings_.token.empty() && origin == origin_) exchange.headers.push_back(cat("Authorization: Bearer ", settings_.token));

    bool promised = hop > 0 || !receiver.promises;
    auto hear_promises = [&](const Head& head) {
      if (promised || head.status < 200 || head.status >= 400) return;
      promised = true;
      receiver.promises(head);
    };
    std::string refused;
    const Outcome outcome = transport_->exchange(exchange, [&](const Head& head, std::string_view bytes) {
      if (head.status >= 200 && head.status < 300) {
        hear_promises(head);
        return receiver.body(head, bytes);
      }
      refused.append(bytes.substr(0, kRefusalBytes - std::min(kRefusalBytes, refused.size())));
      return refused.size() < kRefusalBytes;
    });
    Try result{.status = outcome.head.status, .final_url = url, .failure = outcome.failure};
    if (!outcome.failure.empty()) return result;
    if (is_redirect(outcome.head.status)) {
      hear_promises(outcome.head);
      url = redirect_target(url, outcome.head);
      continue;
    }
    if (outcome.head.status < 200 || outcome.head.status >= 300) {
      result.refusal = refusal_text(outcome.head, refused);
      result.wait = asked_wait(outcome.head.header("retry-after"), outcome.head.header("ratelimit"), std::time(nullptr));
    } else {
      hear_promises(outcome.head);
    }
    return result;
  }
  throw too_many_redirects(start, url);
}

RequestBody text_body(std::string text) {
  const auto shared = std::make_shared<const std::string>(std::move(text));
  return {.size = shared->size(), .read = [shared](uint64_t offset, char* into, size_t room) { std::copy_n(shared->data() + offset, room, into); }};
}

Client::Reply Client::send_once(const Request& request) const {
  if (settings_.offline)
    throw base::environment_error({.what = "HF_HUB_OFFLINE forbids requests", .where = printable(request.url), .remedy = "unset HF_HUB_OFFLINE"});
  const std::string first_origin = origin_of(request.url);
  std::string url = request.url;
  for (int hop = 0; hop <= kMostRedirects; ++hop) {
    const std::string origin = origin_of(url);
    Exchange exchange{.url = url, .headers = {}, .connect_seconds = settings_.connect_seconds, .stall_seconds = settings_.stall_seconds, .method = request.method,
                      .body = request.body, .answer_seconds = kAnswerSeconds};
    if (origin == first_origin) exchange.headers = request.headers;
    if (!settings_.token.empty() && origin == origin_) exchange.headers.push_back(cat("Authorization: Bearer ", settings_.token));
    Reply reply;
    const Outcome outcome = transport_->exchange(exchange, [&](const Head&, std::string_view bytes) {
      reply.body.append(bytes.substr(0, kLargestReply - std::min(kLargestReply, reply.body.size())));
      return reply.body.size() < kLargestReply;
    });
    reply.outcome = {.status = outcome.head.status, .final_url = url, .failure = outcome.failure, .refusal = {}, .wait = {}};
    if (!outcome.failure.empty()) return reply;
    reply.headers = outcome.head.headers;
    if (keeps_method(outcome.head.status)) {
      url = redirect_target(url, outcome.head);
      continue;
    }
    if (!reply.done()) {
      reply.outcome.refusal = refusal_text(outcome.head, reply.body);
      reply.outcome.wait = asked_wait(outcome.head.header("retry-after"), outcome.head.header("ratelimit"), std::time(nullptr));
    }
    return reply;
  }
  throw too_many_redirects(request.url, url);
}

Client::Reply Client::send(const Request& request) const {
  Retry retry(*this);
  for (;;) {
    Reply reply = send_once(request);
    if (!is_transient(reply.outcome)) return reply;
    retry.wait(reply.outcome, request.url);
  }
}

bool is_transient(const Client::Try& outcome) {
  return !outcome.failure.empty() || outcome.status == 408 || outcome.status == 425 || outcome.status == 429 || outcome.status >= 500;
}

base::Error refusal_error(const Client::Try& outcome, const std::string& url, const Settings& settings) {
  base::Error::Details details{.where = printable(url), .found = outcome.failure.empty() ? cat("HTTP ", outcome.status, outcome.refusal.empty() ? "" : ": ", outcome.refusal) : outcome.failure};
  const std::string token = settings.token.empty() ? "no token was sent: set HF_TOKEN" : cat("the token of ", settings.token_origin, " was sent");
  if (is_transient(outcome)) {
    details.what = "the hub could not be reached, or failed, at every try";
    details.remedy = "run the same command again: it goes on where it stopped";
    return base::environment_error(details);
  }
  if (outcome.status == 404) {
    details.what = "the hub does not have it";
    details.remedy = "check the data set's name, the revision and the file; a private one looks the same without a token";
  } else if (outcome.status == 401) {
    details.what = "the hub wants a valid token, or does not have it (it answers alike)";
    details.remedy = cat("check the data set's name; ", token);
  } else if (outcome.status == 403) {
    details.what = "the hub refuses access";
    details.remedy = cat("a gated data set needs its conditions accepted on its page, and a token that may read it; ", token);
  } else {
    details.what = "the hub refuses the request";
    details.remedy = "check the endpoint (HF_ENDPOINT, --endpoint)";
  }
  return base::bad_input(details);
}

void Client::Retry::wait(const Try& last, const std::string& url) {
  const Settings& settings = client_.settings_;
  if (++failures_ > settings.retries) throw refusal_error(last, url, settings);
  const double own = std::min(settings.retry_seconds * static_cast<double>(1 << std::min(failures_ - 1, 16)), std::max(kLongestOwnWait, settings.retry_seconds));
  double until = base::monotonic_seconds() + own;
  if (last.wait) {
    std::lock_guard lock(client_.shared_->mutex);
    double& not_before = client_.shared_->not_before;
    const double asked = base::monotonic_seconds() + *last.wait;
    if (asked > not_before + 1 && *last.wait >= 5) base::say(cat("the hub asks to wait ", base::human_seconds(*last.wait), " (HTTP ", last.status, ")"));
    not_before = std::max(not_before, asked);
    // What the server says replaces our own guess, but two tries never follow each other at once.
    until = std::max(not_before, base::monotonic_seconds() + std::min(own, settings.retry_seconds));
  }
  while (base::monotonic_seconds() < until) {
    base::throw_if_interrupted();
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(0.1, std::max(0.001, until - base::monotonic_seconds()))));
  }
}

Client::Answer Client::get(const std::string& url, size_t limit) const {
  Retry retry(*this);
  for (;;) {
    Answer answer;
    bool too_large = false;
    const Try outcome = attempt(url, 0, 0, {.promises = {}, .body = [&](const Head& head, std::string_view bytes) {
                                              too_large = answer.body.size() + bytes.size() > limit;
                                              if (!too_large) answer.body += bytes;
                                              answer.link = head.header("link");
                                              answer.revision = head.header("x-revision");
                                              return !too_large;
                                            }});
    if (too_large)
      throw base::environment_error({.what = "the hub's answer is too long", .where = printable(url), .expected = cat("at most ", base::human_bytes(limit)),
                                     .remedy = "check the endpoint (HF_ENDPOINT, --endpoint)"});
    if (outcome.failure.empty() && outcome.status >= 200 && outcome.status < 300) return answer;
    if (!is_transient(outcome)) throw refusal_error(outcome, url, settings_);
    retry.wait(outcome, url);
  }
}

}  // namespace picochat::hub
