#include "serve/sequence.hpp"

#include <algorithm>

#include "picochat/base/clock.hpp"
#include "picochat/base/error.hpp"
#include "picochat/eval/likelihood.hpp"

namespace picochat::serve {
namespace {

ScoredToken score(std::span<const float> logits, TokenId token, int64_t likeliest) {
  const eval::LogSoftmax logprobs(logits);
  ScoredToken out{token, logprobs[token], {}};
  if (likeliest == 0) return out;
  std::vector<TokenId> ids(logits.size());
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<TokenId>(i);
  const auto count = std::min<ptrdiff_t>(likeliest, static_cast<ptrdiff_t>(ids.size()));
  std::partial_sort(ids.begin(), ids.begin() + count, ids.end(), [&](TokenId a, TokenId b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  for (ptrdiff_t i = 0; i < count; ++i) out.likeliest.emplace_back(ids[static_cast<size_t>(i)], logprobs[ids[static_cast<size_t>(i)]]);
  return out;
}

}  // namespace

Sequence::Sequence(GenerationRequest request, std::shared_ptr<Generation> generation, Generation::State& state, const tokenizer::Tokenizer& tokenizer,
                   int64_t context_size)
    : request_(std::move(request)), generation_(std::move(generation)), state_(state), tokenizer_(tokenizer), context_size_(context_size),
      stream_(request_.stop), tokens_(request_.prompt), window_(request_.prompt) {
  if (request_.prompt_logprobs) state_.scored_prompt.push_back({tokens_.front(), std::nullopt, {}});
}

void Sequence::reuse(size_t tokens) {
  cached_ = tokens;
  state_.reused_tokens = static_cast<int64_t>(tokens);
}

void Sequence::score_prompt(std::span<const float> logits, size_t vocab) {
  const size_t rows = logits.size() / vocab;
  for (size_t i = 0; i < rows && cached_ + i + 1 < tokens_.size(); ++i)
    state_.scored_prompt.push_back(score(logits.subspan(i * vocab, vocab), tokens_[cached_ + i + 1], request_.logprobs.value_or(0)));
}

model::Draw Sequence::draw(std::span<const float> logits, std::span<const TokenId> context) const {
  return {.logits = logits, .context = context, .options = request_.sampling, .sequence = request_.stream, .position = state_.tokens.size() + (context.size() - tokens_.size())};
}

bool Sequence::advance(const model::Draw& drawn) {
  const auto made = static_cast<int64_t>(state_.tokens.size());
  if (made >= request_.max_new_tokens) return finish(FinishReason::kLength);  // only the prompt was asked for
  if (drawn.error) std::rethrow_exception(drawn.error);
  const TokenId token = drawn.token;
  if (made == 0) state_.first_token = base::monotonic_seconds();
  if (request_.logprobs) state_.scored.push_back(score(drawn.logits, token, *request_.logprobs));
  if (token < tokenizer::kSpecialTokens && request_.stop_at_end_token) return finish(FinishReason::kEnd);
  state_.tokens.push_back(token);
  tokens_.push_back(token);
  state_.add_text(stream_.push(tokenizer_.token_bytes(token)));
  if (stream_.stopped()) return finish(FinishReason::kStopString);
  if (made + 1 >= request_.max_new_tokens) return finish(FinishReason::kLength);
  window_.push_back(token);
  if (static_cast<int64_t>(window_.size()) <= context_size_) return true;
  if (request_.at_context_end == AtContextEnd::kStop) return finish(FinishReason::kContext);
  slide();
  return true;
}

void Sequence::slide() {
  const auto kept = static_cast<ptrdiff_t>(std::max<int64_t>(1, context_size_ / 2));
  window_.erase(window_.begin() + 1, window_.end() - kept);
  cached_ = 0;
  slid_ = true;
}

bool Sequence::expired() const { return request_.max_seconds > 0 && base::monotonic_seconds() - state_.submitted >= request_.max_seconds; }

bool Sequence::finish(FinishReason reason, const std::string& error) {
  state_.add_text(stream_.finish());
  state_.finish(reason, error);
  return false;
}

}  // namespace picochat::serve
