// Clients that come, stream, hang up and are cut off while the server drains, all at once.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "picochat/base/text.hpp"
#include "serve/http/server.hpp"

namespace picochat::serve::http {
namespace {

class Client {
 public:
  explicit Client(int port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET, address.sin_port = htons(static_cast<uint16_t>(port)), address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { ::close(descriptor_); }
  void send(std::string_view text) { ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL); }
  std::string all() {
    std::string answer;
    char bytes[4096];
    for (ssize_t got; (got = ::recv(descriptor_, bytes, sizeof bytes, 0)) > 0;) answer.append(bytes, static_cast<size_t>(got));
    return answer;
  }
  bool connected() const { return connected_; }

 private:
  const int descriptor_;
  bool connected_ = false;
};

TEST(HttpRace, ClientsOfEveryKindAtOnceAndADrain) {
  std::atomic<int> handled{0}, sent{0};
  auto answer = [&](Exchange& exchange) {
    ++handled;
    if (exchange.request.path == "/short") return exchange.respond(200, "text/plain", "short");
    exchange.begin(200, "text/plain");
    for (int i = 0; i < 50 && !exchange.client_gone() && exchange.send("a piece of text\n"); ++i) ++sent;
  };
  Server server("127.0.0.1", 0, {.request_seconds = 2, .idle_seconds = 2, .write_seconds = 2}, answer,
                [](const Refusal& refusal) { return std::pair<std::string, std::string>("text/plain", refusal.why); });
  std::atomic<bool> stop{false};
  std::thread serving([&] { server.run([&] { return stop.load(); }); });

  std::atomic<int> whole{0};
  std::vector<std::thread> clients;
  for (int kind = 0; kind < 8; ++kind)
    clients.emplace_back([&, kind] {
      for (int i = 0; i < 20; ++i) {
        Client client(server.port());
        switch (kind % 4) {
          case 0: client.send("GET /short HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); break;
          case 1: client.send("GET /long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); break;
          case 2: client.send("GET /short HTTP/1.1\r\nHost: x\r\n\r\nGET /long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); break;
          default: client.send("POST /long HTTP/1.1\r\nHost: x\r\nContent-Len"); continue;  // and goes
        }
        whole += client.all().starts_with("HTTP/1.1 200 OK");
        server.connections();
      }
    });
  for (auto& client : clients) client.join();
  EXPECT_EQ(whole, 6 * 20);
  EXPECT_EQ(handled, 8 * 20);
  EXPECT_EQ(sent, 4 * 20 * 50);

  // Some are being served while the server ends.
  std::vector<std::thread> late;
  for (int i = 0; i < 4; ++i)
    late.emplace_back([&] {
      Client client(server.port());
      client.send("GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
      client.all();
    });
  stop = true;
  serving.join();
  server.drain(2);
  for (auto& client : late) client.join();
  EXPECT_EQ(server.connections(), 0);
}

}  // namespace
}  // namespace picochat::serve::http
