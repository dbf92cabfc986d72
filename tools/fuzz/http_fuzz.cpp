// The HTTP server over a real connection: whatever is sent, each request is answered whole or refused, and the next client is served.
// A body that arrives is read as a request of the API.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "fuzz.hpp"
#include "serve/api_json.hpp"

namespace {

using namespace picochat;
using namespace picochat::serve;

void answer(http::Exchange& exchange) {
  try {
    Params params(exchange.request.body);
    params.text("prompt", "");
    params.strings("stop", 4);
    params.integer("max_tokens", 16, 1, 1000);
    params.number("temperature", 1, 0, 2);
    params.boolean("stream", false);
    params.only("n", {1}, "ask again");
    params.refuse_rest();
    respond_json(exchange, 200, {{"path", exchange.request.path}});
  } catch (const ApiError& error) {
    respond_error(exchange, error);
  }
}

// Runs for the life of the process, which leaves without asking it.
int port() {
  static auto* const server = new http::Server("127.0.0.1", 0, {.head_bytes = 2048, .body_bytes = 2048, .request_seconds = 20, .idle_seconds = 20, .write_seconds = 20},
                                               answer, [](const http::Refusal& refusal) { return std::pair<std::string, std::string>("text/plain", refusal.why); });
  static auto* const thread = new std::thread([] { server->run([] { return false; }); });
  (void)thread;
  return server->port();
}

std::string asked(std::string_view request) {
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET, address.sin_port = htons(static_cast<uint16_t>(port())), address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fuzz::check(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "the server takes a connection");
  ::send(client, request.data(), request.size(), MSG_NOSIGNAL);
  ::shutdown(client, SHUT_WR);
  std::string answer;
  char bytes[4096];
  for (ssize_t got; (got = ::recv(client, bytes, sizeof bytes, 0)) > 0 || (got < 0 && errno == EINTR);)  // the fuzzer's own alarm
    if (got > 0) answer.append(bytes, static_cast<size_t>(got));
  ::close(client);
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string got = asked(fuzz::text_of(data, size));
  fuzz::check(got.empty() || got.starts_with("HTTP/1.1 "), "an answer is HTTP");
  fuzz::check(size == 0 || !got.empty() || data[0] == '\r', "what was begun is answered");
  static size_t count = 0;
  if (++count % 64 == 0) fuzz::check(asked("GET /next HTTP/1.1\r\nHost: x\r\n\r\n").find("\r\n\r\n") != std::string::npos, "the next client is served");
  return 0;
}
