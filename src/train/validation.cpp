#include "picochat/train/validation.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "picochat/train/window_source.hpp"

namespace picochat::train {
namespace {

// sqrt(n / (n-1) * sum (y_i - ratio * x_i)^2) / sum x_i; 0 with a single sequence, where it is unknown.
double ratio_stderr(const std::vector<SequenceScore>& scores, double ratio, double SequenceScore::* y, int64_t SequenceScore::* x, double total) {
  if (scores.size() < 2 || total == 0) return 0;
  double squares = 0;
  for (const auto& score : scores) {
    const double rest = score.*y - ratio * static_cast<double>(score.*x);
    squares += rest * rest;
  }
  const auto n = static_cast<double>(scores.size());
  return std::sqrt(n / (n - 1) * squares) / total;
}

class WindowValidator final : public Validator {
 public:
  WindowValidator(const TokenStream& stream, int64_t context_size, int64_t batch_size, bool isolate_documents, std::vector<uint32_t> bytes)
      : stream_(stream), context_(context_size), batch_(batch_size), isolate_(isolate_documents), bytes_(std::move(bytes)) {}

  int64_t batches() const override { return ((stream_.size() - 1) / context_ + batch_ - 1) / batch_; }

  void score(int64_t number, model::Transformer& transformer, const model::Parameters& parameters, std::vector<SequenceScore>& scores) override {
    const int64_t windows = (stream_.size() - 1) / context_, first = number * batch_;
    std::vector<float> nll(static_cast<size_t>(batch_ * context_));
    MicroBatch batch;
    batch.rows = std::min(batch_, windows - first);
    batch.length = context_;
    batch.tokens.resize(static_cast<size_t>(batch.rows * context_));
    batch.targets.resize(batch.tokens.size());
    batch.segment_start.resize(isolate_ ? batch.tokens.size() : 0);
    for (int64_t row = 0; row < batch.rows; ++row) fill_window(stream_, (first + row) * context_, row, isolate_, batch);
    transformer.score(batch.view(), parameters, nll.data());
    for (int64_t row = 0; row < batch.rows; ++row) {
      SequenceScore score;
      for (int64_t i = row * context_; i < (row + 1) * context_; ++i) score.add(nll[static_cast<size_t>(i)], bytes_[static_cast<size_t>(batch.targets[static_cast<size_t>(i)])]);
      scores.push_back(score);
    }
  }

 private:
  const TokenStream& stream_;
  int64_t context_, batch_;
  bool isolate_;
  std::vector<uint32_t> bytes_;
};

class SftValidator final : public Validator {
 public:
  SftValidator(const std::vector<SftExample>& examples, int64_t context_size, int64_t batch_size, std::vector<uint32_t> bytes)
      : examples_(examples), context_(context_size), batch_(batch_size), bytes_(std::move(bytes)) {
    std::vector<int64_t> order(examples.size());
    std::iota(order.begin(), order.end(), 0);
    rows_ = pack_best_fit(examples, order, context_size);
  }

  int64_t batches() const override { return (static_cast<int64_t>(rows_.size()) + batch_ - 1) / batch_; }

  void score(int64_t number, model::Transformer& transformer, const model::Parameters& parameters, std::vector<SequenceScore>& scores) override {
    const int64_t first = number * batch_;
    MicroBatch batch;
    fill_packed(examples_, rows_.data() + first, std::min(batch_, static_cast<int64_t>(rows_.size()) - first), context_, 1, batch);
    std::vector<float> nll(batch.tokens.size());
    transformer.score(batch.view(), parameters, nll.data());
    for (int64_t row = 0; row < batch.rows; ++row) {
      SequenceScore score;
      int32_t segment = -1;
      for (int64_t i = row * batch.length; i < (row + 1) * batch.length; ++i) {
        const auto cell = static_cast<size_t>(i);
        if (batch.segment_start[cell] != segment) {  // the next conversation of this row
          if (score.tokens > 0) scores.push_back(score);
          score = {};
          segment = batch.segment_start[cell];
        }
        if (batch.weights[cell] == 0) continue;
        score.add(nll[cell], bytes_[static_cast<size_t>(batch.targets[cell])]);
      }
      if (score.tokens > 0) scores.push_back(score);
    }
  }

 private:
  const std::vector<SftExample>& examples_;
  int64_t context_, batch_;
  std::vector<uint32_t> bytes_;
  std::vector<PackedRow> rows_;
};

}  // namespace

ValidationResult Validator::run(model::Transformer& transformer, const model::Parameters& parameters) {
  std::vector<SequenceScore> scores;
  for (int64_t batch = 0; batch < batches(); ++batch) score(batch, transformer, parameters, scores);
  return summarize(scores);
}

ValidationResult summarize(const std::vector<SequenceScore>& scores) {
  double nats = 0, text_nats = 0;
  ValidationResult result;
  result.sequences = static_cast<int64_t>(scores.size());
  for (const auto& score : scores) {
    nats += score.nats;
    text_nats += score.text_nats;
    result.tokens += score.tokens;
    result.bytes += score.bytes;
    result.pairs += score.pairs;
    result.accuracy += score.pairs > 0 && score.margin > 0 ? 1 : 0;
    result.reward_margin += score.margin;
  }
  if (result.pairs > 0) {
    result.accuracy /= static_cast<double>(result.pairs);
    result.reward_margin /= static_cast<double>(result.pairs);
  }
  if (result.tokens > 0) {
    const auto tokens = static_cast<double>(result.tokens);
    result.loss = nats / tokens;
    result.loss_stderr = ratio_stderr(scores, result.loss, &SequenceScore::nats, &SequenceScore::tokens, tokens);
  }
  if (result.bytes > 0) {
    const auto bytes = static_cast<double>(result.bytes);
    const double nats_per_byte = text_nats / bytes;
    result.bpb = nats_per_byte / std::numbers::ln2;
    result.bpb_stderr = ratio_stderr(scores, nats_per_byte, &SequenceScore::text_nats, &SequenceScore::bytes, bytes) / std::numbers::ln2;
  }
  return result;
}

base::Json to_json(const ValidationResult& result) {
  base::Json json{{"val_loss", result.loss}, {"val_loss_stderr", result.loss_stderr}, {"val_bpb", result.bytes ? base::Json(result.bpb) : base::Json(nullptr)},
                  {"val_bpb_stderr", result.bytes ? base::Json(result.bpb_stderr) : base::Json(nullptr)}, {"val_tokens", result.tokens},
                  {"val_bytes", result.bytes}, {"val_sequences", result.sequences}};
  if (result.pairs > 0) json.update({{"val_tokens", nullptr}, {"val_pairs", result.pairs}, {"val_accuracy", result.accuracy}, {"val_reward_margin", result.reward_margin}});
  return json;
}

std::unique_ptr<Validator> window_validator(const TokenStream& stream, int64_t context_size, int64_t batch_size, bool isolate_documents,
                                            std::vector<uint32_t> byte_lengths) {
  return std::make_unique<WindowValidator>(stream, context_size, batch_size, isolate_documents, std::move(byte_lengths));
}

std::unique_ptr<Validator> sft_validator(const std::vector<SftExample>& examples, int64_t context_size, int64_t batch_size,
                                         std::vector<uint32_t> byte_lengths) {
  return std::make_unique<SftValidator>(examples, context_size, batch_size, std::move(byte_lengths));
}

std::vector<uint32_t> byte_lengths(const tokenizer::Tokenizer& tokenizer) {
  std::vector<uint32_t> lengths(tokenizer.vocab_size());
  for (size_t id = 0; id < lengths.size(); ++id) lengths[id] = tokenizer.byte_length(static_cast<tokenizer::TokenId>(id));
  return lengths;
}

}  // namespace picochat::train
