#include "picochat/eval/generation.hpp"

#include <algorithm>
#include <optional>

#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/model/decoder.hpp"
#include "picochat/model/sampling.hpp"
#include "picochat/tasks/chat_format.hpp"

namespace picochat::eval {
namespace {

using tokenizer::TokenId;

// One request while it has a row of the decoder.
struct Active {
  size_t request;
  std::vector<TokenId> tokens;  // prompt and what was generated
  size_t cached = 0;            // tokens the decoder has
  int64_t limit = 0;            // new tokens allowed
  StopReason at_limit = StopReason::kLength;
};

class Batch {
 public:
  Batch(const LanguageModel& model, std::span<const GenerationRequest> requests, const GenerationOptions& options,
        const std::function<void(size_t, const Generation&)>& done)
      : model_(model), requests_(requests), done_(done), results_(requests.size()),
        sampling_{.temperature = options.temperature, .top_k = options.top_k, .top_p = options.top_p,
                  .repetition_penalty = options.repetition_penalty, .seed = options.seed} {
    sampling_.validate("generation options");
    const auto rows = std::min<int64_t>(std::max<int64_t>(1, options.batch_rows), static_cast<int64_t>(requests.size()));
    decoder_.emplace(model.config, model.parameters, rows, longest_sequence(), model.compute);
    rows_.resize(static_cast<size_t>(rows));
    logits_.resize(static_cast<size_t>(rows * model.config.vocab_size));
  }

  std::vector<Generation> run() {
    while (fill_rows()) {
      base::throw_if_interrupted();
      step();
    }
    return std::move(results_);
  }

 private:
  // The last generated token is never fed back, so it needs no place in the cache.
  int64_t longest_sequence() const {
    int64_t longest = 1;
    for (const auto& request : requests_)
      longest = std::max(longest, static_cast<int64_t>(request.prompt.size()) + std::max<int64_t>(0, request.max_new_tokens - 1));
    return std::min(longest, model_.config.context_size);
  }

  // Gives every free row the next request; false when all is done.
  bool fill_rows() {
    bool any = false;
    for (size_t row = 0; row < rows_.size(); ++row) {
      while (!rows_[row] && next_ < requests_.size()) start(row, next_++);
      any = any || rows_[row].has_value();
    }
    return any;
  }

  void start(size_t row, size_t index) {
    const auto& request = requests_[index];
    base::require(!request.prompt.empty(), "generate: a prompt has at least one token");
    const int64_t room = model_.config.context_size - static_cast<int64_t>(request.prompt.size()) + 1;
    if (room <= 0 || request.max_new_tokens <= 0) {
      finish({.request = index, .tokens = request.prompt}, room <= 0 ? StopReason::kPromptTooLong : StopReason::kLength);
      return;
    }
    rows_[row] = Active{.request = index, .tokens = request.prompt, .limit = std::min(room, request.max_new_tokens),
                        .at_limit = room < request.max_new_tokens ? StopReason::kContext : StopReason::kLength};
    decoder_->reset(static_cast<int64_t>(row));
  }

  void step() {
    std::vector<model::Decoder::Append> items;
    for (size_t row = 0; row < rows_.size(); ++row)
      if (auto& active = rows_[row]) {
        items.push_back({static_cast<int64_t>(row), std::span(active->tokens).subspan(active->cached)});
        active->cached = active->tokens.size();
      }
    decoder_->append(items, logits_.data());
    const auto vocab = static_cast<size_t>(model_.config.vocab_size);
    std::vector<model::Draw> draws;
    for (size_t i = 0; i < items.size(); ++i) {
      const Active& active = *rows_[static_cast<size_t>(items[i].row)];
      draws.push_back({.logits = std::span<const float>(logits_).subspan(i * vocab, vocab), .context = active.tokens, .options = sampling_,
                       .sequence = requests_[active.request].stream, .position = made(active)});
    }
    model::sample_each(draws);
    for (size_t i = 0; i < items.size(); ++i) {
      if (draws[i].error) std::rethrow_exception(draws[i].error);
      advance(static_cast<size_t>(items[i].row), draws[i].token);
    }
  }

  size_t made(const Active& active) const { return active.tokens.size() - requests_[active.request].prompt.size(); }

  void advance(size_t row, TokenId token) {
    Active& active = *rows_[row];
    std::optional<StopReason> stop;
    if (token == tokenizer::kEnd || token == tokenizer::kEos) {
      stop = StopReason::kEnd;
    } else if (token < tokenizer::kSpecialTokens) {
      stop = StopReason::kSpecial;
    } else {
      active.tokens.push_back(token);
      if (static_cast<int64_t>(made(active)) >= active.limit) stop = active.at_limit;
    }
    if (!stop) return;
    finish(std::move(active), *stop);
    rows_[row].reset();
  }

  void finish(Active active, StopReason stop) {
    Generation& result = results_[active.request];
    const auto prompt = static_cast<ptrdiff_t>(requests_[active.request].prompt.size());
    result.tokens.assign(active.tokens.begin() + prompt, active.tokens.end());
    result.text = model_.tokenizer->decode(result.tokens);
    result.stop = stop;
    if (done_) done_(active.request, result);
  }

  const LanguageModel& model_;
  std::span<const GenerationRequest> requests_;
  const std::function<void(size_t, const Generation&)>& done_;
  std::vector<Generation> results_;
  model::SamplingOptions sampling_;
  std::optional<model::Decoder> decoder_;
  std::vector<std::optional<Active>> rows_;
  std::vector<float> logits_;
  size_t next_ = 0;
};

std::string generate_one(const LanguageModel& model, std::vector<TokenId> prompt, int64_t max_new_tokens, const GenerationOptions& options) {
  GenerationRequest request{.prompt = std::move(prompt), .max_new_tokens = max_new_tokens};
  return generate(model, std::span(&request, 1), options).front().text;
}

}  // namespace

std::string to_text(StopReason reason) {
  switch (reason) {
    case StopReason::kEnd: return "end";
    case StopReason::kSpecial: return "special";
    case StopReason::kLength: return "length";
    case StopReason::kContext: return "context";
    case StopReason::kPromptTooLong: return "prompt_too_long";
  }
  return "";
}

std::vector<Generation> generate(const LanguageModel& model, std::span<const GenerationRequest> requests, const GenerationOptions& options,
                                 const std::function<void(size_t, const Generation&)>& done) {
  if (requests.empty()) return {};
  return Batch(model, requests, options, done).run();
}

std::string continue_text(const LanguageModel& model, const std::string& prompt, int64_t max_new_tokens, const GenerationOptions& options) {
  std::vector<TokenId> tokens = {tokenizer::kBos};
  model.tokenizer->encode(prompt, tokens);
  return generate_one(model, std::move(tokens), max_new_tokens, options);
}

std::string reply_to(const LanguageModel& model, const std::string& user, int64_t max_new_tokens, const GenerationOptions& options) {
  return generate_one(model, tasks::encode_prompt(*model.tokenizer, std::string_view(user)), max_new_tokens, options);
}

}  // namespace picochat::eval
