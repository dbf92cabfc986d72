// The API as its clients meet it.
#include "picochat/base/text.hpp"
#include "serve/server_fixture.hpp"

namespace picochat::serve {
namespace {

using base::cat;
using base::Json;

class OpenAi : public ServerFixture {
 protected:
  void SetUp() override { start(options()); }
  Json ok(const std::string& path, const Json& body) {
    const Answer answer = post(path, body.dump());
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json();
  }
  // The events of a streamed answer; the last one is "[DONE]".
  std::vector<Json> events(const std::string& path, Json body) {
    body["stream"] = true;
    RawClient client(service_->port());
    client.send(post_text(path, body.dump(), "Connection: close\r\n"));
    const std::string all = client.read_until("[DONE]");
    std::vector<Json> out;
    for (const auto& line : base::split(all, '\n'))
      if (line.starts_with("data: {")) out.push_back(Json::parse(base::trim(line.substr(6))));
    EXPECT_NE(all.find("data: [DONE]"), std::string::npos) << all;
    return out;
  }
};

TEST_F(OpenAi, AStreamIsTheTextInPieces) {
  const Json chat = {{"messages", {{{"role", "user"}, {"content", "hello"}}}}, {"max_tokens", 40}, {"ignore_eos", true}};
  const Json whole = ok("/v1/chat/completions", chat);
  Json asked = chat;
  asked["stream_options"] = {{"include_usage", true}};
  const auto stream = events("/v1/chat/completions", asked);
  std::string text;
  std::string reason;
  for (const Json& event : stream)
    for (const Json& choice : event.at("choices")) {
      text += choice.at("delta").value("content", "");
      if (!choice.at("finish_reason").is_null()) reason = choice.at("finish_reason");
    }
  EXPECT_EQ(text, whole.at("choices")[0].at("message").at("content"));
  EXPECT_EQ(reason, whole.at("choices")[0].at("finish_reason"));
  EXPECT_EQ(stream.back().at("usage").at("completion_tokens"), whole.at("usage").at("completion_tokens"));
  // As it comes, not at the end. A model this small may be done before the first piece is sent, so some tries are made.
  size_t pieces = 0;
  for (int tries = 0; tries < 50 && pieces < 2; ++tries) {
    pieces = 0;
    for (const Json& event : events("/v1/chat/completions", chat))
      for (const Json& choice : event.at("choices")) pieces += !choice.at("delta").value("content", "").empty();
  }
  EXPECT_GT(pieces, 1u);
  std::string completion;
  for (const Json& event : events("/v1/completions", {{"prompt", {"a", "b"}}, {"max_tokens", 10}, {"ignore_eos", true}}))
    for (const Json& choice : event.at("choices"))
      if (choice.at("index") == 1) completion += choice.at("text");
  EXPECT_EQ(completion, ok("/v1/completions", {{"prompt", "b"}, {"max_tokens", 10}, {"ignore_eos", true}}).at("choices")[0].at("text"));
}

TEST_F(OpenAi, EchoAndLogprobsAsTheHarnessReadsThem) {
  const Json answer = ok("/v1/completions", {{"model", "tiny"}, {"prompt", {{1, 100, 101, 102}, {1, 70}}}, {"temperature", 0}, {"max_tokens", 1}, {"logprobs", 1}, {"seed", 1234}, {"echo", true}});
  ASSERT_EQ(answer.at("choices").size(), 2u);
  for (size_t c = 0; c < 2; ++c) {
    const Json& logprobs = answer.at("choices")[c].at("logprobs");
    const size_t length = c == 0 ? 5 : 3;
    EXPECT_EQ(logprobs.at("tokens").size(), length);
    EXPECT_EQ(logprobs.at("token_logprobs").size(), length);
    EXPECT_EQ(logprobs.at("top_logprobs").size(), length);
    EXPECT_TRUE(logprobs.at("token_logprobs")[0].is_null());
    for (size_t i = 1; i < length; ++i) {
      double best = -1e9;
      for (const auto& [token, logprob] : logprobs.at("top_logprobs")[i].items()) best = std::max(best, logprob.get<double>());
      EXPECT_LE(logprobs.at("token_logprobs")[i].get<double>(), best);
    }
    EXPECT_EQ(logprobs.at("token_logprobs")[length - 1].get<double>(), logprobs.at("top_logprobs")[length - 1].begin().value().get<double>());  // greedy
  }
  const Json none = ok("/v1/completions", {{"prompt", {1, 100}}, {"max_tokens", 0}, {"logprobs", 1}, {"echo", true}});
  EXPECT_EQ(none.at("choices")[0].at("logprobs").at("tokens").size(), 2u);
  EXPECT_EQ(none.at("usage").at("completion_tokens"), 0);
}

TEST_F(OpenAi, StopStringsEndATextAndAreNotShown) {
  const std::string text = ok("/v1/completions", {{"prompt", "x"}, {"max_tokens", 60}, {"ignore_eos", true}}).at("choices")[0].at("text");
  ASSERT_GT(base::replace_all(text, "\xEF\xBF\xBD", "").size(), 6u);
  size_t ascii = 0;
  while (ascii + 2 < text.size() && (static_cast<signed char>(text[ascii]) < 1 || static_cast<signed char>(text[ascii + 1]) < 1)) ++ascii;
  const std::string stop = text.substr(ascii, 2);
  const Json answer = ok("/v1/completions", {{"prompt", "x"}, {"max_tokens", 60}, {"ignore_eos", true}, {"stop", {stop, "never"}}});
  EXPECT_EQ(answer.at("choices")[0].at("text"), text.substr(0, text.find(stop)));
  EXPECT_EQ(answer.at("choices")[0].at("finish_reason"), "stop");
}

TEST_F(OpenAi, ConversationsAreTrimmedByWholeTurnsAndSaySo) {
  Json messages = Json::array();
  for (int i = 0; i < 10; ++i) {
    messages.push_back({{"role", "user"}, {"content", "a question"}});
    messages.push_back({{"role", "assistant"}, {"content", "an answer"}});
  }
  messages.push_back({{"role", "user"}, {"content", {{{"type", "text"}, {"text", "last"}}}}});
  const Json answer = ok("/v1/chat/completions", {{"messages", messages}, {"max_tokens", 5}});
  EXPECT_GT(answer.at("dropped_messages").get<int>(), 0);
  EXPECT_EQ(answer.at("dropped_messages").get<int>() % 2, 0);
  const Answer refused = post("/v1/chat/completions", Json{{"messages", messages}, {"max_tokens", 5}, {"truncation", "disabled"}}.dump());
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.json().at("error").at("code"), "context_length_exceeded");
}

TEST_F(OpenAi, EqualSeedsGiveEqualTextsAndNoSeedAnother) {
  auto text = [&](const Json& more) {
    Json body = {{"prompt", "x"}, {"max_tokens", 30}, {"temperature", 1}, {"ignore_eos", true}};
    body.update(more);
    return ok("/v1/completions", body).at("choices")[0].at("text").get<std::string>();
  };
  EXPECT_EQ(text({{"seed", 3}}), text({{"seed", 3}}));
  EXPECT_NE(text({{"seed", 3}}), text({{"seed", 4}}));
  EXPECT_NE(text(Json::object()), text(Json::object()));
  const Json two = ok("/v1/completions", {{"prompt", "x"}, {"max_tokens", 30}, {"temperature", 1}, {"seed", 3}, {"n", 2}, {"ignore_eos", true}});
  EXPECT_NE(two.at("choices")[0].at("text"), two.at("choices")[1].at("text"));
}

TEST_F(OpenAi, RefusesWhatItCannotDoByName) {
  const std::vector<std::pair<Json, std::string>> wrong = {
      {{{"prompt", 3}}, "prompt"}, {{{"prompt", Json::array()}}, "prompt"}, {{{"prompt", {1, 99999}}}, "prompt"}, {{{"prompt", {1, -1}}}, "prompt"},
      {{{"prompt", {1, 2.5}}}, "prompt"}, {{{"prompt", {"a", 1}}}, "prompt"}, {{{"prompt", std::string(5000, 'a')}}, "prompt"},
      {{{"max_tokens", -1}}, "max_tokens"}, {{{"max_tokens", 1e9}}, "max_tokens"}, {{{"max_tokens", "5"}}, "max_tokens"}, {{{"temperature", -0.1}}, "temperature"},
      {{{"temperature", "hot"}}, "temperature"}, {{{"top_p", 0}}, "top_p"}, {{{"n", 0}}, "n"}, {{{"n", 1000}}, "n"}, {{{"stop", {1}}}, "stop"}, {{{"stop", ""}}, "stop"},
      {{{"logprobs", 500}}, "logprobs"}, {{{"logprobs", true}}, "logprobs"}, {{{"best_of", 3}}, "best_of"}, {{{"suffix", "x"}}, "suffix"}, {{{"presence_penalty", 1}}, "presence_penalty"},
      {{{"logit_bias", {{"5", 1}}}}, "logit_bias"}, {{{"stream", 1}}, "stream"}, {{{"seed", 1.5}}, "seed"}, {{{"nonsense", 1}}, "nonsense"}, {{{"model", "other"}}, "model"},
      {{{"stream", true}, {"logprobs", 1}}, "stream"}};
  for (const auto& [body, param] : wrong) {
    const Answer answer = post("/v1/completions", body.dump());
    EXPECT_EQ(answer.status, param == "model" ? 404 : 400) << body;
    EXPECT_EQ(answer.json().at("error").at("param"), param) << body;
  }
  for (const char* body : {"", "{", "[]", "nul", "{\"prompt\": \"\xff\"}", "{\"a\":1,\"a\":2}"}) EXPECT_EQ(post("/v1/completions", body).status, 400) << body;
  EXPECT_EQ(post("/v1/completions", std::string(50'000, '[')).status, 400);
  for (const char* messages : {"[]", "3", "[{}]", R"([{"role":"user"}])", R"([{"role":"assistant","content":"a"}])", R"([{"role":"robot","content":"a"}])",
                               R"([{"role":"user","content":[{"type":"image_url"}]}])", R"([{"role":"user","content":"a"},{"role":"user","content":"b"}])"})
    EXPECT_EQ(post("/v1/chat/completions", cat("{\"messages\":", messages, "}")).status, 400) << messages;
  expect_alive();
}

TEST_F(OpenAi, ManyClientsAtOnceGetTheirOwnAnswers) {
  std::vector<std::string> alone;
  auto body = [](int i) { return Json{{"prompt", "client " + std::to_string(i)}, {"max_tokens", 10 + i}, {"ignore_eos", true}}; };
  for (int i = 0; i < 24; ++i) alone.push_back(ok("/v1/completions", body(i)).at("choices")[0].at("text"));
  std::vector<std::string> together(24);
  std::vector<std::thread> clients;
  for (int i = 0; i < 24; ++i) clients.emplace_back([&, i] { together[static_cast<size_t>(i)] = ok("/v1/completions", body(i)).at("choices")[0].at("text"); });
  for (auto& client : clients) client.join();
  EXPECT_EQ(together, alone);
  const std::string metrics = get("/metrics").body;
  EXPECT_NE(metrics.find("picochat_requests_total{route=\"/v1/completions\",status=\"200\"} 48"), std::string::npos) << metrics;
}

class FullQueue : public ServerFixture {};

TEST_F(FullQueue, IsAnswered429) {
  start(options(), {.rows = 1, .queue_limit = 1});
  RawClient first(service_->port()), second(service_->port());
  const std::string endless = post_text("/v1/completions", R"({"prompt": "a", "max_tokens": 8192, "ignore_eos": true})");
  first.send(endless);
  while (engine_->counters().active == 0) std::this_thread::yield();
  second.send(endless);
  while (engine_->counters().waiting == 0) std::this_thread::yield();
  const Answer answer = post("/v1/completions", R"({"prompt": "a"})");
  EXPECT_EQ(answer.status, 429);
  EXPECT_NE(answer.head.find("Retry-After"), std::string::npos);
}

TEST_F(FullQueue, WaitingTooLongIsAnswered504) {
  auto o = options();
  o.api.most_seconds = 0.3;
  start(o, {.rows = 1, .queue_limit = 5});
  RawClient first(service_->port());
  first.send(post_text("/v1/completions", R"({"prompt": "a", "max_tokens": 8192, "ignore_eos": true})"));
  while (engine_->counters().active == 0) std::this_thread::yield();
  EXPECT_EQ(parse_answer(first.read_until("}]")).status, 200);  // what came in time is given
}

}  // namespace
}  // namespace picochat::serve
