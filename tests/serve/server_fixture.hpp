// A server in this process, on a free port, with a small random model; and a raw client that can misbehave.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "eval/tiny_model.hpp"
#include "picochat/base/clock.hpp"
#include "serve/service.hpp"

namespace picochat::serve {

class RawClient {
 public:
  explicit RawClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  void end_sending() { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  // Reads until `enough` is in what has come, the server closes, or 20 seconds pass.
  std::string read_until(std::string_view enough = "\n\n\n\n never \n\n") {
    const double deadline = base::monotonic_seconds() + 20;
    while (text_.find(enough) == std::string::npos && base::monotonic_seconds() < deadline) {
      pollfd entry{socket_, POLLIN, 0};
      if (::poll(&entry, 1, 200) <= 0) continue;
      char bytes[4096];
      const ssize_t n = ::recv(socket_, bytes, sizeof bytes, 0);
      if (n <= 0) break;
      text_.append(bytes, static_cast<size_t>(n));
    }
    return text_;
  }
  bool connected() const { return connected_; }

 private:
  int socket_;
  bool connected_ = false;
  std::string text_;
};

struct Answer {
  int status = 0;  // 0: none came
  std::string head, body;
  base::Json json() const { return base::parse_json(body, "answer"); }
};

inline Answer parse_answer(const std::string& text) {
  Answer answer;
  const auto blank = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || blank == std::string::npos) return answer;
  answer.status = std::stoi(text.substr(9, 3));
  answer.head = text.substr(0, blank);
  answer.body = text.substr(blank + 4);
  return answer;
}

class ServerFixture : public testing::Test, public Models {
 protected:
  std::vector<std::string> names() const override { return {"tiny"}; }
  std::shared_ptr<Engine> engine(const std::string& name) override {
    if (!name.empty() && name != "tiny") throw ApiError{.status = 404, .message = "no model of that name", .param = "model", .code = "model_not_found"};
    return engine_;
  }
  EngineCounters counters() const override { return engine_->counters(); }

  ServiceOptions options() {
    ServiceOptions o;
    o.api.defaults.temperature = 0;
    o.api.defaults.top_k = 0;
    o.limits = {.head_bytes = 4096, .body_bytes = 100'000, .request_seconds = 0.7, .idle_seconds = 5, .write_seconds = 2, .connections = 64};
    return o;
  }
  void start(const ServiceOptions& o, const EngineOptions& engine = {.rows = 8, .queue_limit = 64}) {
    engine_ = std::make_shared<Engine>(eval::random_model(), engine);
    service_ = std::make_unique<Service>(o, *this);
    thread_ = std::thread([this] { service_->run([this] { return stop_.load(); }); });
  }
  void TearDown() override {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    service_.reset();
  }

  // One request on a connection of its own.
  Answer ask(const std::string& text) {
    RawClient client(service_->port());
    client.send(text);
    return parse_answer(client.read_until());
  }
  Answer get(const std::string& path, const std::string& headers = "") { return ask("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers + "\r\n"); }
  Answer post(const std::string& path, const std::string& body, const std::string& headers = "") { return ask(post_text(path, body, headers + "Connection: close\r\n")); }
  static std::string post_text(const std::string& path, const std::string& body, const std::string& headers = "") {
    return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  // The server answers as if nothing had been.
  void expect_alive() {
    EXPECT_EQ(post("/v1/completions", R"({"prompt": "a", "max_tokens": 2})").status, 200);
  }

  std::shared_ptr<Engine> engine_;
  std::unique_ptr<Service> service_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace picochat::serve
