#include "serve/guesses.hpp"

namespace picochat::serve {

Guesses::Guesses(const Sequence& sequence, int64_t row, size_t wanted)
    : sequence_(&sequence), row_(row), wanted_(wanted), known_(sequence.tokens().size()), context_(sequence.tokens().begin(), sequence.tokens().end()) {}

void guess_and_run(model::Decoder& decoder, std::span<Guesses> texts, std::span<float> logits) {
  const size_t vocab = static_cast<size_t>(decoder.vocab_size());
  std::vector<int64_t> lengths;
  for (const Guesses& one : texts) lengths.push_back(decoder.length(one.row_));
  for (;;) {
    std::vector<model::Decoder::Append> items;
    std::vector<model::Draw> draws;
    std::vector<Guesses*> guessing;
    for (Guesses& one : texts) {
      if (!one.goes_on()) continue;
      items.push_back({one.row_, one.tokens().last(1)});
      draws.push_back(one.sequence_->draw(logits.subspan(draws.size() * vocab, vocab), one.context_));
      guessing.push_back(&one);
    }
    if (items.empty()) break;
    decoder.draft(items, logits.data());
    model::sample_each(draws);
    for (size_t i = 0; i < draws.size(); ++i) {
      if (draws[i].error) guessing[i]->wanted_ = guessing[i]->tokens().size() - 1;  // the model itself will say so, or not
      else guessing[i]->context_.push_back(draws[i].token);
    }
  }

  std::vector<model::Decoder::Append> items;
  for (size_t i = 0; i < texts.size(); ++i) {
    decoder.truncate(texts[i].row_, lengths[i]);
    items.push_back({texts[i].row_, texts[i].tokens()});
  }
  decoder.append_each(items, logits.data());
  std::vector<model::Draw> draws;
  for (const Guesses& one : texts)
    for (size_t length = one.known_; length <= one.context_.size(); ++length)
      draws.push_back(one.sequence_->draw(logits.subspan(draws.size() * vocab, vocab), std::span(one.context_).first(length)));
  model::sample_each(draws);
  auto next = draws.begin();
  for (Guesses& one : texts) {
    const auto count = static_cast<ptrdiff_t>(one.tokens().size());
    one.draws_.assign(next, next + count);
    next += count;
  }
}

}  // namespace picochat::serve
