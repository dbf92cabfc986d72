// What the server does with requests that are wrong, too large, too slow or cut: a proper answer, and nobody else notices.
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "serve/server_fixture.hpp"

namespace picochat::serve {
namespace {

using base::cat;

class Http : public ServerFixture {
 protected:
  void SetUp() override { start(options()); }
};

TEST_F(Http, AnswersEveryMalformedRequestWithItsStatus) {
  const std::string host = "Host: localhost\r\n", post = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {"\r\n\r\n\r\n\r\n", 400},
      {"hello\r\n\r\n", 400},
      {"GET /v1/models\r\n\r\n", 400},
      {"GET /v1/models HTTP/2.0\r\n" + host + "\r\n", 505},
      {"GET /v1/models FTP/1.1\r\n" + host + "\r\n", 400},
      {"G@T /v1/models HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET v1/models HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET http://other/v1/models HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /v1/%zz HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /v1/%00 HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /v1/models?a=%1 HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /" + std::string(3000, 'a') + " HTTP/1.1\r\n" + host + "\r\n", 414},
      {"GET /v1/models HTTP/1.1\r\n\r\n", 400},                                      // no Host
      {"GET /v1/models HTTP/1.1\r\n" + host + host + "\r\n", 400},
      {"GET /v1/models HTTP/1.1\r\nHost : localhost\r\n\r\n", 400},                  // smuggling: a space before the colon
      {"GET /v1/models HTTP/1.1\r\n" + host + "A: b\r\n folded\r\n\r\n", 400},
      {"GET /v1/models HTTP/1.1\r\n" + host + "A: b\nC: d\r\n\r\n", 400},
      {"GET /v1/models HTTP/1.1\r\n" + host + "A: \x01\r\n\r\n", 400},
      {"GET /v1/models HTTP/1.1\r\n" + host + "A: " + std::string(5000, 'x') + "\r\n\r\n", 431},
      {post + "\r\n", 411},
      {post + "Content-Length: -1\r\n\r\n", 400},
      {post + "Content-Length: 2 2\r\n\r\n{}", 400},
      {post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400},
      {post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400},
      {post + "Transfer-Encoding: gzip\r\n\r\n{}", 501},
      {post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}}\r\n0\r\n\r\n", 400},
      {post + "Transfer-Encoding: chunked\r\n\r\nffffff\r\n", 413},
      {post + "Content-Length: 99999999\r\n\r\n", 413},
      {post + "Content-Length: 2\r\nExpect: miracles\r\n\r\n{}", 417},
      {"DELETE /v1/completions HTTP/1.1\r\n" + host + "\r\n", 405},
      {"GET /v1/completions HTTP/1.1\r\n" + host + "\r\n", 405},
      {"GET /../../etc/passwd HTTP/1.1\r\n" + host + "\r\n", 404},
      {"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + host + "\r\n", 404},
  };
  for (const auto& [text, status] : cases) {
    RawClient client(service_->port());
    client.send(text);
    client.end_sending();
    const Answer answer = parse_answer(client.read_until());
    EXPECT_EQ(answer.status, status) << text.substr(0, 120) << "\n" << answer.body;
    EXPECT_TRUE(answer.json().at("error").at("message").is_string());
  }
  expect_alive();
}

TEST_F(Http, TakesChunksAndPipelinedRequests) {
  const std::string body = R"({"prompt": "a", "max_tokens": 2})";
  RawClient client(service_->port());
  client.send(cat("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n", body.substr(0, 5), "\r\n1b\r\n",
                  body.substr(5), "\r\n0\r\nTrailer: x\r\n\r\n", post_text("/v1/completions", body), "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
  const std::string all = client.read_until();
  size_t answers = 0;
  for (size_t at = 0; (at = all.find("HTTP/1.1 200", at)) != std::string::npos; ++at) ++answers;
  EXPECT_EQ(answers, 3u) << all;
}

TEST_F(Http, ContinueIsSaidToThoseWhoWait) {
  RawClient client(service_->port());
  client.send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 14\r\n\r\n");
  EXPECT_NE(client.read_until("100 Continue\r\n\r\n").find("100 Continue"), std::string::npos);
  client.send(R"({"prompt":"a"})");
  EXPECT_NE(client.read_until().find("HTTP/1.1 200 OK"), std::string::npos);
}

TEST_F(Http, SlowAndCutRequestsEnd) {
  RawClient slow(service_->port()), dripping(service_->port()), cut(service_->port());
  slow.send("POST /v1/completions HTTP/1.1\r\nHost: lo");
  cut.send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"prompt\":");
  cut.end_sending();
  EXPECT_EQ(parse_answer(cut.read_until()).status, 400);
  std::thread drip([&] {  // a byte now and then does not buy time
    const std::string text = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(1000, 'x');
    for (const char c : text) {
      if (!dripping.send({&c, 1})) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  EXPECT_EQ(parse_answer(slow.read_until()).status, 408);
  EXPECT_EQ(parse_answer(dripping.read_until()).status, 408);
  drip.join();
  expect_alive();
}

TEST_F(Http, RandomBytesAndCutRequestsNeverHarmIt) {
  base::Random random(3, "http");
  const std::string good = post_text("/v1/chat/completions", R"({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 3})");
  for (int round = 0; round < 400; ++round) {
    std::string text = good;
    const auto kind = random.below(4);
    if (kind == 0) text.resize(random.below(text.size()));
    if (kind >= 1)
      for (uint64_t i = 0; i <= random.below(6); ++i) text[random.below(text.size())] = static_cast<char>(random.below(256));
    if (kind == 3) text.insert(random.below(text.size()), std::string(random.below(6000), static_cast<char>(random.below(256))));
    RawClient client(service_->port());
    client.send(text);
    client.end_sending();
    const std::string answer = client.read_until();
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 ")) << answer;
    EXPECT_NE(parse_answer(answer).status, 500) << text;
  }
  expect_alive();
}

TEST_F(Http, TooManyConnectionsAreToldSo) {
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 64; ++i) idle.push_back(std::make_unique<RawClient>(service_->port()));
  Answer answer;
  for (int i = 0; i < 100 && answer.status != 503; ++i) answer = get("/healthz");  // the 64 may still be on their way in
  EXPECT_EQ(answer.status, 503);
  idle.clear();
  for (int i = 0; i < 200 && get("/healthz").status != 200; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  expect_alive();
}

TEST_F(Http, AClientThatGoesCancelsItsText) {
  for (const bool stream : {false, true}) {
    RawClient client(service_->port());
    client.send(post_text("/v1/completions", cat(R"({"prompt": "a", "max_tokens": 8192, "ignore_eos": true, "stream": )", stream ? "true" : "false", "}")));
    if (stream) client.read_until("data: ");
    while (engine_->counters().active == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto before = engine_->counters().cancelled;
    client.close();
    const double deadline = base::monotonic_seconds() + 20;
    while (engine_->counters().cancelled == before && base::monotonic_seconds() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(engine_->counters().cancelled, before + 1);
  }
}

TEST_F(Http, DrainingLetsRequestsAtWorkEnd) {
  RawClient client(service_->port());
  client.send(post_text("/v1/completions", R"({"prompt": "a", "max_tokens": 400, "ignore_eos": true, "stream": true})"));
  client.read_until("data: ");
  stop_ = true;
  thread_.join();
  std::thread draining([this] { service_->drain(30); });
  const std::string all = client.read_until();
  EXPECT_NE(all.find("data: [DONE]"), std::string::npos);
  draining.join();
  EXPECT_FALSE(RawClient(service_->port()).connected());
}

}  // namespace
}  // namespace picochat::serve
