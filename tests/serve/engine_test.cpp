// A text depends on its request alone: it is what the whole model gives, computed anew for every token.
#include "picochat/serve/engine.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "eval/tiny_model.hpp"
#include "picochat/base/random.hpp"
#include "picochat/model/transformer.hpp"

namespace picochat::serve {
namespace {

using eval::LanguageModel;
using Tokens = std::vector<TokenId>;

const LanguageModel& model() {
  static const LanguageModel instance = eval::random_model();
  return instance;
}

Tokens prompt_of(size_t length, uint64_t seed) {
  base::Random random(seed, "prompt");
  Tokens tokens{tokenizer::kBos};
  while (tokens.size() < length) tokens.push_back(static_cast<TokenId>(tokenizer::kSpecialTokens + random.below(model().tokenizer->vocab_size() - tokenizer::kSpecialTokens)));
  return tokens;
}

GenerationRequest greedy(Tokens prompt, int64_t tokens, AtContextEnd at_end = AtContextEnd::kSlide) {
  return {.prompt = std::move(prompt), .max_new_tokens = tokens, .sampling = {.temperature = 0}, .at_context_end = at_end, .stop_at_end_token = false};
}

std::vector<float> whole_model(const Tokens& window) {
  model::Transformer transformer(model().config, 1, static_cast<int64_t>(window.size()), false);
  const std::vector<int32_t> ids(window.begin(), window.end());
  std::vector<float> all(window.size() * static_cast<size_t>(model().config.vocab_size));
  transformer.logits({.rows = 1, .length = static_cast<int64_t>(ids.size()), .tokens = ids.data()}, model().parameters, all.data());
  return all;
}

// The rule in its plainest form: no cache, no batch. The last position decides; a full context keeps its first token and
// its newer half.
Tokens recomputed(const Tokens& prompt, int64_t count) {
  const auto vocab = static_cast<size_t>(model().config.vocab_size);
  const auto context = static_cast<size_t>(model().config.context_size);
  Tokens window = prompt, made;
  while (static_cast<int64_t>(made.size()) < count) {
    const auto all = whole_model(window);
    const auto last = all.end() - static_cast<ptrdiff_t>(vocab);
    made.push_back(static_cast<TokenId>(std::max_element(last, all.end()) - last));
    window.push_back(made.back());
    if (window.size() > context) {
      Tokens kept{window.front()};
      kept.insert(kept.end(), window.end() - static_cast<ptrdiff_t>(context / 2), window.end());
      window = kept;
    }
  }
  return made;
}

void join(const std::shared_ptr<Generation>& generation) {
  while (!generation->finished()) generation->wait(0.1);
}

Tokens text_of(Engine& engine, GenerationRequest request) {
  const auto generation = engine.submit(std::move(request));
  join(generation);
  EXPECT_NE(generation->reason(), FinishReason::kFailed) << generation->error();
  return generation->tokens();
}

TEST(Engine, GreedyTextEqualsFullRecomputationBeyondTheContext) {
  Engine cached(model(), {.rows = 2}), plain(model(), {.rows = 2, .kv_cache = false});
  for (const size_t length : {1, 2, 40, 95, 96}) {
    const Tokens prompt = prompt_of(length, length);
    const Tokens expected = recomputed(prompt, 150);  // a context of 96
    EXPECT_EQ(text_of(cached, greedy(prompt, 150)), expected) << length;
    EXPECT_EQ(text_of(plain, greedy(prompt, 150)), expected) << length;
  }
}

TEST(Engine, ABatchOfMixedLengthsChangesNoText) {
  std::vector<Tokens> prompts, alone;
  Engine single(model(), {.rows = 1});
  for (uint64_t i = 0; i < 23; ++i) {
    prompts.push_back(prompt_of(1 + (i * 17) % 90, i));
    alone.push_back(text_of(single, greedy(prompts.back(), 20 + static_cast<int64_t>(i * 7 % 100))));
  }
  for (const int64_t rows : {2, 7, 32}) {
    Engine engine(model(), {.rows = rows, .prefill_tokens = rows == 7 ? 5 : 256});  // prompts cut into pieces too
    std::vector<std::shared_ptr<Generation>> all;
    for (uint64_t i = 0; i < 23; ++i) all.push_back(engine.submit(greedy(prompts[i], 20 + static_cast<int64_t>(i * 7 % 100))));
    for (size_t i = 0; i < all.size(); ++i) {
      join(all[i]);
      EXPECT_EQ(all[i]->tokens(), alone[i]) << "rows " << rows << ", text " << i;
    }
  }
}

TEST(Engine, SampledTextDependsOnSeedAndStreamOnly) {
  auto request = [](uint64_t seed, uint64_t stream) {
    GenerationRequest r = greedy(prompt_of(10, 1), 30);
    r.sampling = {.temperature = 1, .top_k = 50, .top_p = 0.95, .seed = seed};
    r.stream = stream;
    return r;
  };
  Engine one(model(), {.rows = 1}), many(model(), {.rows = 8});
  std::vector<std::shared_ptr<Generation>> batch;
  for (uint64_t i = 0; i < 8; ++i) batch.push_back(many.submit(request(5, i)));
  for (uint64_t i = 0; i < 8; ++i) {
    join(batch[i]);
    EXPECT_EQ(batch[i]->tokens(), text_of(one, request(5, i)));
  }
  EXPECT_NE(text_of(one, request(5, 0)), text_of(one, request(5, 1)));
  EXPECT_NE(text_of(one, request(5, 0)), text_of(one, request(6, 0)));
}

// Guesses of the rounded copy, for a model that is too small to need them.
EngineOptions guessing(int64_t rows) { return {.rows = rows, .draft_tokens = 7, .draft_matrix_bytes = 0}; }

TEST(Engine, GuessesChangeNoText) {
  std::vector<GenerationRequest> requests;
  for (const size_t length : {1, 40, 90}) requests.push_back(greedy(prompt_of(length, length), 150));  // past the context of 96
  for (const size_t length : {3, 30}) {
    GenerationRequest sampled = greedy(prompt_of(length, length), 100);
    sampled.sampling = {.temperature = 1, .seed = 7};
    sampled.stream = length;
    requests.push_back(sampled);
    sampled.sampling = {.temperature = 0.8, .top_k = 20, .top_p = 0.9, .repetition_penalty = 1.3, .seed = 7};
    sampled.stop_at_end_token = true;
    requests.push_back(sampled);
    sampled.logprobs = 3;
    sampled.at_context_end = AtContextEnd::kStop;
    requests.push_back(sampled);
  }
  requests.push_back(greedy(prompt_of(5, 1), 1));
  Engine plain(model(), {.rows = 1, .draft_tokens = 0});
  std::vector<std::shared_ptr<Generation>> expected;
  for (const auto& request : requests) {
    expected.push_back(plain.submit(request));
    join(expected.back());
  }
  EXPECT_EQ(plain.counters().drafted_tokens, 0);
  int64_t drafted = 0, accepted = 0;
  for (const int64_t rows : {1, 2, 3, 8}) {
    Engine engine(model(), guessing(rows));
    std::vector<std::shared_ptr<Generation>> all;
    for (const auto& request : requests) all.push_back(engine.submit(request));
    for (size_t i = 0; i < all.size(); ++i) {
      SCOPED_TRACE(testing::Message() << rows << " rows, request " << i);
      join(all[i]);
      EXPECT_EQ(all[i]->tokens(), expected[i]->tokens());
      EXPECT_EQ(all[i]->text(), expected[i]->text());
      EXPECT_EQ(all[i]->reason(), expected[i]->reason());
      ASSERT_EQ(all[i]->scored().size(), expected[i]->scored().size());
      for (size_t t = 0; t < all[i]->scored().size(); ++t) {
        EXPECT_EQ(all[i]->scored()[t].logprob, expected[i]->scored()[t].logprob);
        EXPECT_EQ(all[i]->scored()[t].likeliest, expected[i]->scored()[t].likeliest);
      }
    }
    drafted += engine.counters().drafted_tokens;
    accepted += engine.counters().accepted_tokens;
  }
  EXPECT_GT(accepted, drafted / 2);
  EXPECT_LT(accepted, drafted);  // wrong guesses were among them
}

TEST(Engine, AfterGuessesTheNextTurnFindsItsBeginning) {
  Engine engine(model(), guessing(1));
  Tokens conversation = prompt_of(30, 1);
  const Tokens answer = text_of(engine, greedy(conversation, 20));
  ASSERT_GT(engine.counters().drafted_tokens, 0);
  conversation.insert(conversation.end(), answer.begin(), answer.end());
  conversation.push_back(100);
  const auto next = engine.submit(greedy(conversation, 12));
  join(next);
  EXPECT_EQ(next->reused_tokens(), 49);  // the answer's last token was never run
  EXPECT_EQ(next->tokens(), recomputed(conversation, 12));
}

TEST(Engine, TheNextTurnRunsOnlyWhatIsNew) {
  Engine engine(model(), {.rows = 3});
  Tokens conversation = prompt_of(30, 1);
  const Tokens answer = text_of(engine, greedy(conversation, 10));
  conversation.insert(conversation.end(), answer.begin(), answer.end());
  const Tokens more = prompt_of(8, 2);
  conversation.insert(conversation.end(), more.begin() + 1, more.end());
  const auto next = engine.submit(greedy(conversation, 12));
  join(next);
  EXPECT_EQ(next->reused_tokens(), 39);  // the answer's last token was never run
  EXPECT_EQ(next->tokens(), recomputed(conversation, 12));
  // Another conversation with the same beginning copies it and leaves the first one alone.
  Tokens other(conversation.begin(), conversation.begin() + 20);
  other.push_back(conversation[20] == 100 ? 101 : 100);
  const auto forked = engine.submit(greedy(other, 12));
  join(forked);
  EXPECT_EQ(forked->reused_tokens(), 20);
  EXPECT_EQ(forked->tokens(), recomputed(other, 12));
  conversation.insert(conversation.end(), next->tokens().begin(), next->tokens().end());
  const auto third = engine.submit(greedy(conversation, 5));
  join(third);
  EXPECT_EQ(third->reused_tokens(), static_cast<int64_t>(conversation.size()) - 1);
}

TEST(Engine, LogProbabilitiesAreThoseOfTheModel) {
  const Tokens prompt = prompt_of(50, 3);
  const auto vocab = static_cast<size_t>(model().config.vocab_size);
  const auto all = whole_model(prompt);
  Engine engine(model(), {.rows = 4, .prefill_tokens = 16});
  text_of(engine, greedy(prompt, 1));  // what is cached must not hide the prompt's probabilities
  GenerationRequest request = greedy(prompt, 1);
  request.logprobs = 3;
  request.prompt_logprobs = true;
  const auto generation = engine.submit(std::move(request));
  join(generation);
  ASSERT_EQ(generation->scored_prompt().size(), prompt.size());
  EXPECT_FALSE(generation->scored_prompt()[0].logprob);
  for (size_t i = 1; i < prompt.size(); ++i) {
    const float* row = all.data() + (i - 1) * vocab;
    double sum = 0;
    for (size_t t = 0; t < vocab; ++t) sum += std::exp(static_cast<double>(row[t]));
    const ScoredToken& token = generation->scored_prompt()[i];
    EXPECT_EQ(token.id, prompt[i]);
    EXPECT_NEAR(*token.logprob, static_cast<double>(row[prompt[i]]) - std::log(sum), 1e-4);
    ASSERT_EQ(token.likeliest.size(), 3u);
    EXPECT_EQ(token.likeliest[0].first, static_cast<TokenId>(std::max_element(row, row + vocab) - row));
  }
  ASSERT_EQ(generation->scored().size(), 1u);
  EXPECT_EQ(generation->scored()[0].likeliest[0].first, generation->tokens()[0]);
}

TEST(Engine, TheTokenThatEndsATextIsScoredToo) {
  Engine engine(model(), {.rows = 1});
  for (uint64_t seed = 0;; ++seed) {
    GenerationRequest request = greedy(prompt_of(5, 1), 90, AtContextEnd::kStop);
    request.sampling = {.temperature = 1, .seed = seed};
    request.stop_at_end_token = true;
    request.logprobs = 1;
    const auto generation = engine.submit(std::move(request));
    join(generation);
    if (generation->reason() != FinishReason::kEnd) {
      EXPECT_EQ(generation->scored().size(), generation->tokens().size());
      continue;
    }
    ASSERT_EQ(generation->scored().size(), generation->tokens().size() + 1);
    EXPECT_LT(generation->scored().back().id, static_cast<TokenId>(tokenizer::kSpecialTokens));
    break;
  }
}

TEST(Engine, EndsForEveryReason) {
  Engine engine(model(), {.rows = 2});
  const Tokens prompt = prompt_of(60, 4);
  auto reason = [&](GenerationRequest request) {
    const auto generation = engine.submit(std::move(request));
    join(generation);
    return generation->reason();
  };
  EXPECT_EQ(reason(greedy(prompt, 5)), FinishReason::kLength);
  EXPECT_EQ(reason(greedy(prompt, 500, AtContextEnd::kStop)), FinishReason::kContext);
  GenerationRequest timed = greedy(prompt, 100'000'000);
  timed.max_seconds = 0.05;
  EXPECT_EQ(reason(std::move(timed)), FinishReason::kTime);
  GenerationRequest with_stop = greedy(prompt, 40);
  const Tokens tokens = text_of(engine, with_stop);
  with_stop.stop = {model().tokenizer->decode(Tokens(tokens.begin() + 10, tokens.begin() + 12))};
  EXPECT_EQ(reason(with_stop), FinishReason::kStopString);
  const auto endless = engine.submit(greedy(prompt, 100'000'000));
  endless->cancel();
  join(endless);
  EXPECT_EQ(endless->reason(), FinishReason::kCancelled);
  while (engine.counters().active > 0) std::this_thread::yield();  // the row is free a moment after the owner knows
}

TEST(Engine, ShortRequestsPassLongOnes) {
  Engine engine(model(), {.rows = 4});
  const auto endless = engine.submit(greedy(prompt_of(5, 1), 100'000'000));
  for (uint64_t i = 0; i < 10; ++i) text_of(engine, greedy(prompt_of(90, i), 5));
  EXPECT_FALSE(endless->finished());
  endless->cancel();
  join(endless);
  EXPECT_GT(endless->tokens().size(), 40u);  // and did not wait for them either
}

TEST(Engine, AFullQueueRefusesAndDestructionCancels) {
  auto engine = std::make_unique<Engine>(model(), EngineOptions{.rows = 1, .queue_limit = 2});
  std::vector<std::shared_ptr<Generation>> taken;
  for (int i = 0; i < 20; ++i)
    if (auto generation = engine->submit(greedy(prompt_of(5, 1), 100'000'000))) taken.push_back(generation);
  EXPECT_LE(taken.size(), 4u);
  EXPECT_GE(taken.size(), 2u);
  EXPECT_EQ(engine->counters().refused, 20 - static_cast<int64_t>(taken.size()));
  engine.reset();
  for (const auto& generation : taken) {
    ASSERT_TRUE(generation->finished());
    EXPECT_EQ(generation->reason(), FinishReason::kCancelled);
  }
}

}  // namespace
}  // namespace picochat::serve
