#include "serve/http/server.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "picochat/base/clock.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "serve/http/socket.hpp"

namespace picochat::serve::http {
namespace {

[[noreturn]] void cannot_listen(const std::string& host, int port, const std::string& why) {
  throw base::environment_error({.what = base::cat("cannot listen: ", why), .where = base::cat(host, ":", port), .remedy = "choose another --port or --host"});
}

int listen_on(const std::string& host, int port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found)) cannot_listen(host, port, ::gai_strerror(error));
  std::string why = "no address";
  int listener = -1;
  for (const addrinfo* address = found; address && listener < 0; address = address->ai_next) {
    const int candidate = ::socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    const int on = 1;
    if (candidate >= 0) ::setsockopt(candidate, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (candidate >= 0 && ::bind(candidate, address->ai_addr, address->ai_addrlen) == 0 && ::listen(candidate, 128) == 0) {
      listener = candidate;
    } else {
      why = std::strerror(errno);
      if (candidate >= 0) ::close(candidate);
    }
  }
  ::freeaddrinfo(found);
  if (listener < 0) cannot_listen(host, port, why);
  return listener;
}

int port_of(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

// Reads a request that begins in the buffer or is still to come. Throws Refusal; nothing when the client has gone.
class RequestReader {
 public:
  RequestReader(Socket& socket, const Limits& limits) : socket_(socket), limits_(limits) {}

  std::optional<Request> read(const std::function<bool()>& still_wanted) {
    if (!wait_for_first_byte(still_wanted)) return {};
    deadline_ = base::monotonic_seconds() + limits_.request_seconds;
    while (socket_.buffer().starts_with("\r\n")) socket_.buffer().erase(0, 2);  // some clients end a body with one more line
    const size_t end = find("\r\n\r\n", limits_.head_bytes, {431, "the headers are too long"});
    Head head = parse_head(std::string_view(socket_.buffer()).substr(0, end));
    socket_.buffer().erase(0, end + 4);
    if (head.body == BodyKind::kLength && head.length > limits_.body_bytes) refuse_body();
    if (head.expects_continue) socket_.write("HTTP/1.1 100 Continue\r\n\r\n");
    if (head.body == BodyKind::kLength) head.request.body = take(static_cast<size_t>(head.length));
    if (head.body == BodyKind::kChunked) head.request.body = read_chunks();
    return std::move(head.request);
  }

 private:
  bool wait_for_first_byte(const std::function<bool()>& still_wanted) {
    const double deadline = base::monotonic_seconds() + limits_.idle_seconds;
    while (socket_.buffer().empty()) {
      if (!still_wanted() || base::monotonic_seconds() > deadline) return false;
      if (socket_.read_more(std::min(deadline, base::monotonic_seconds() + 0.2)) == Socket::Read::kEnd) return false;
    }
    return true;
  }

  void more() {
    const auto result = socket_.read_more(deadline_);
    if (result == Socket::Read::kTimeout) throw Refusal{408, "the request took too long to arrive"};
    if (result == Socket::Read::kEnd) throw Refusal{400, "the request was cut off"};
  }

  size_t find(std::string_view what, size_t within, const Refusal& refusal) {
    for (size_t searched = 0;;) {
      const size_t at = socket_.buffer().find(what, searched);
      if (at != std::string::npos && at <= within) return at;
      if (socket_.buffer().size() > within + what.size()) throw refusal;
      searched = socket_.buffer().size() - std::min(socket_.buffer().size(), what.size() - 1);
      more();
    }
  }

  std::string take(size_t count) {
    while (socket_.buffer().size() < count) more();
    std::string bytes = socket_.buffer().substr(0, count);
    socket_.buffer().erase(0, count);
    return bytes;
  }

  std::string read_chunks() {
    std::string body;
    for (;;) {
      const size_t end = find("\r\n", 64, {400, "a chunk does not begin with its size"});
      const std::string line = take(end + 2);
      const size_t digits = std::min(line.find_first_not_of("0123456789abcdefABCDEF"), line.size());
      if (digits == 0 || digits > 8 || (line[digits] != '\r' && line[digits] != ';')) throw Refusal{400, "a chunk does not begin with its size"};
      const size_t size = std::stoul(line.substr(0, digits), nullptr, 16);
      if (size > limits_.body_bytes || body.size() + size > limits_.body_bytes) refuse_body();
      if (size == 0) break;
      body += take(size);
      if (take(2) != "\r\n") throw Refusal{400, "a chunk is longer than its size"};
    }
    while (take(find("\r\n", limits_.head_bytes, {431, "the trailers are too long"}) + 2) != "\r\n") {}
    return body;
  }

  [[noreturn]] void refuse_body() const { throw Refusal{413, base::cat("the body is longer than ", limits_.body_bytes, " bytes")}; }

  Socket& socket_;
  const Limits& limits_;
  double deadline_ = 0;
};

}  // namespace

struct Server::Connection {
  Connection(int descriptor, double write_seconds) : socket(descriptor, write_seconds) {}
  Socket socket;
  std::thread thread;
  std::atomic<bool> done{false};
};

Server::Server(const std::string& host, int port, Limits limits, Handler handler, RefusalBody refusal_body)
    : limits_(limits), handler_(std::move(handler)), refusal_body_(std::move(refusal_body)), listener_(listen_on(host, port)), port_(port_of(listener_)) {}

Server::~Server() { drain(0); }

void Server::run(const std::function<bool()>& stop) {
  while (!stop()) {
    pollfd entry{listener_, POLLIN, 0};
    if (::poll(&entry, 1, 100) > 0) accept_one();
    reap(false);
  }
}

void Server::accept_one() {
  const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (descriptor < 0) return;
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (open_ >= limits_.connections) {
    Socket socket(descriptor, 1);
    const auto [type, body] = refusal_body_({503, "too many connections"});
    socket.write(base::cat("HTTP/1.1 503 Service Unavailable\r\nContent-Type: ", type, "\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
    return;
  }
  ++open_;
  std::lock_guard lock(mutex_);
  Connection& connection = list_.emplace_back(descriptor, limits_.write_seconds);
  connection.thread = std::thread([this, &connection] { serve(connection); });
}

void Server::serve(Connection& connection) {
  try {
    while (serve_one(connection.socket)) {}
  } catch (const std::exception&) {
    // Nothing of one connection may end the others: its thread ends, the socket is closed.
  }
  connection.socket.shutdown();
  --open_;
  connection.done = true;
}

bool Server::serve_one(Socket& socket) {
  std::optional<Request> request;
  try {
    request = RequestReader(socket, limits_).read([this] { return !draining_; });
  } catch (const Refusal& refusal) {
    Request unread;
    unread.keep_alive = false;
    Exchange exchange(socket, unread);
    const auto [type, body] = refusal_body_(refusal);
    exchange.respond(refusal.status, type, body);
    socket.linger();
    return false;
  }
  if (!request) return false;
  if (draining_) request->keep_alive = false;
  Exchange exchange(socket, *request);
  handler_(exchange);
  exchange.end();
  return exchange.keep_alive() && !draining_;
}

void Server::reap(bool all) {
  std::list<Connection> ended;
  {
    std::lock_guard lock(mutex_);
    for (auto it = list_.begin(); it != list_.end();) {
      const auto current = it++;
      if (all || current->done) ended.splice(ended.end(), list_, current);
    }
  }
  for (auto& connection : ended) connection.thread.join();
}

void Server::drain(double seconds) {
  draining_ = true;
  if (listener_ >= 0) ::close(std::exchange(listener_, -1));
  const double deadline = base::monotonic_seconds() + seconds;
  while (open_ > 0 && base::monotonic_seconds() < deadline) ::poll(nullptr, 0, 10);
  {
    std::lock_guard lock(mutex_);
    for (auto& connection : list_) connection.socket.shutdown();
  }
  reap(true);
}

}  // namespace picochat::serve::http
