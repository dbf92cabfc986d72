// A small HTTP/1.1 server: a thread a connection, limits on everything a client can stretch, and a way to notice that a
// client has gone while its answer is being made.
//
// Ours and not cpp-httplib's, which serves the project's tests: in the versions of the supported systems a body in chunks
// has no limit, a client that sends a byte now and then holds a thread without end, the queue of connections grows without
// bound, and a handler cannot ask whether its client is still there.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "serve/http/message.hpp"

namespace picochat::serve::http {

struct Limits {
  size_t head_bytes = 16 << 10;
  size_t body_bytes = 4 << 20;
  double request_seconds = 15;  // to send a whole request, from its first byte
  double idle_seconds = 60;     // between requests of a connection
  double write_seconds = 30;    // for a client to take a piece of an answer
  int connections = 256;        // at once; more are answered 503
};

using Headers = std::vector<std::pair<std::string, std::string>>;

class Socket;

// One request and the answer to it.
class Exchange {
 public:
  Exchange(Socket& socket, const Request& request) : request(request), socket_(socket) {}
  const Request& request;
  Headers headers;  // added to the answer

  void respond(int status, const std::string& content_type, std::string_view body);
  // A body whose end is not known yet. send() is false when the client has gone or does not read.
  void begin(int status, const std::string& content_type);
  bool send(std::string_view piece);
  void end();
  bool client_gone() const;

  int status() const { return status_; }  // 0: not answered
  bool keep_alive() const { return keep_alive_; }

 private:
  std::string head(int status, const std::string& content_type) const;
  Socket& socket_;
  int status_ = 0;
  bool streaming_ = false, keep_alive_ = true;
};

class Server {
 public:
  using Handler = std::function<void(Exchange&)>;
  // How a refused request is answered: {content type, body}.
  using RefusalBody = std::function<std::pair<std::string, std::string>(const Refusal&)>;

  // Binds and listens at once; Environment error when that fails. Port 0: any free one.
  Server(const std::string& host, int port, Limits limits, Handler handler, RefusalBody refusal_body);
  ~Server();  // drains

  int port() const { return port_; }
  // Serves until `stop` says so, asked several times a second.
  void run(const std::function<bool()>& stop);
  // Takes no new connection, lets requests at work end for `seconds`, then cuts them.
  void drain(double seconds);
  bool draining() const { return draining_; }
  int connections() const { return open_; }

 private:
  struct Connection;
  void accept_one();
  void serve(Connection& connection);
  bool serve_one(Socket& socket);  // false: the connection ends
  void reap(bool all);

  const Limits limits_;
  const Handler handler_;
  const RefusalBody refusal_body_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> draining_{false};
  std::atomic<int> open_{0};
  std::mutex mutex_;
  std::list<Connection> list_;
};

}  // namespace picochat::serve::http
