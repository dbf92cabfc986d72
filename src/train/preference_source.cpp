#include "picochat/train/preference_source.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>

#include "picochat/base/error.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "picochat/train/held_out.hpp"

namespace picochat::train {
namespace {

using base::cat;
using base::Json;

SftExample example_of(const tokenizer::Tokenizer& tokenizer, const tasks::PreferenceRow& row, const std::string& reply, int64_t index) {
  const auto turns = row.with(reply);
  auto encoded = tasks::encode_chat(tokenizer, turns);
  return {{encoded.tokens.begin(), encoded.tokens.end()}, std::move(encoded.supervised), row.category, index};
}

// Rows of a batch with one reply each, supervised tokens of weight 1.
void fill_replies(const std::vector<SftExample>& replies, const std::vector<int64_t>& which, int64_t context_size, MicroBatch& out) {
  std::vector<PackedRow> rows;
  for (int64_t reply : which) rows.push_back({reply});
  fill_packed(replies, rows.data(), static_cast<int64_t>(rows.size()), context_size, 1, out);
}

struct ReplyScore {
  double log_probability = 0;  // or its mean, when lengths are normalised
  double per_token = 1;        // its slope in each token's log-probability
};

ReplyScore score_of(const MicroBatch& batch, int64_t row, const float* nll, bool length_normalize) {
  double sum = 0;
  int64_t tokens = 0;
  for (int64_t cell = row * batch.length; cell < (row + 1) * batch.length; ++cell) {
    if (batch.weights[static_cast<size_t>(cell)] == 0) continue;
    sum -= static_cast<double>(nll[cell]);
    ++tokens;
  }
  const double per_token = length_normalize ? 1 / static_cast<double>(std::max<int64_t>(1, tokens)) : 1;
  return {sum * per_token, per_token};
}

// -log sigmoid(z) and sigmoid(-z), without overflow.
double logistic_loss(double z) { return std::max(0.0, -z) + std::log1p(std::exp(-std::abs(z))); }
double logistic_slope(double z) { return z >= 0 ? std::exp(-z) / (1 + std::exp(-z)) : 1 / (1 + std::exp(z)); }

double margin_of(const PreferencePairs& pairs, int64_t pair, double chosen, double rejected) {
  const auto at = static_cast<size_t>(2 * pair);
  return (chosen - pairs.reference[at]) - (rejected - pairs.reference[at + 1]);
}

Json side_report(const PreferencePairs& pairs) {
  std::map<std::string, int64_t> categories;
  std::vector<int64_t> indices;
  for (size_t i = 0; i < pairs.replies.size(); i += 2) ++categories[pairs.replies[i].category], indices.push_back(pairs.replies[i].row);
  return {{"examples", pairs.size()}, {"category_counts", categories}, {"row_indices", indices}};
}

class PreferenceValidator final : public Validator {
 public:
  PreferenceValidator(const PreferencePairs& pairs, const DpoOptions& options) : pairs_(pairs), options_(options) {}

  int64_t batches() const override { return (pairs_.size() + options_.batch_size - 1) / options_.batch_size; }

  void score(int64_t number, model::Transformer& transformer, const model::Parameters& parameters, std::vector<SequenceScore>& scores) override {
    const int64_t first = number * options_.batch_size, last = std::min(first + options_.batch_size, pairs_.size());
    std::vector<int64_t> replies(static_cast<size_t>(2 * (last - first)));
    std::iota(replies.begin(), replies.end(), 2 * first);
    MicroBatch batch;
    fill_replies(pairs_.replies, replies, options_.context_size, batch);
    std::vector<float> nll(batch.tokens.size());
    transformer.score(batch.view(), parameters, nll.data());
    for (int64_t pair = first; pair < last; ++pair) {
      const int64_t row = 2 * (pair - first);
      const double margin = margin_of(pairs_, pair, score_of(batch, row, nll.data(), options_.length_normalize).log_probability,
                                      score_of(batch, row + 1, nll.data(), options_.length_normalize).log_probability);
      scores.push_back({.nats = logistic_loss(options_.beta * margin), .tokens = 1, .pairs = 1, .margin = margin});
    }
  }

 private:
  const PreferencePairs& pairs_;
  DpoOptions options_;
};

}  // namespace

PreferenceData prepare_preferences(const tokenizer::Tokenizer& tokenizer, const std::vector<tasks::PreferenceRow>& rows, int64_t context_size, uint64_t seed, double val_fraction) {
  PreferencePairs all;
  std::vector<std::string> groups;
  std::map<std::string, int64_t> skipped;
  int64_t skipped_pairs = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    SftExample chosen = example_of(tokenizer, rows[i], rows[i].chosen, static_cast<int64_t>(i)), rejected = example_of(tokenizer, rows[i], rows[i].rejected, static_cast<int64_t>(i));
    if (static_cast<int64_t>(std::max(chosen.tokens.size(), rejected.tokens.size())) > context_size + 1) {
      ++skipped[rows[i].category];
      ++skipped_pairs;
      continue;
    }
    all.replies.push_back(std::move(chosen));
    all.replies.push_back(std::move(rejected));
    groups.push_back(rows[i].group);
  }
  if (all.replies.empty())
    throw base::bad_input({.what = "no preference row fits the context", .expected = cat("a prompt with either reply in at most ", context_size + 1, " tokens"),
                           .found = cat(rows.size(), " rows, all longer"), .remedy = "shorten the rows, or use a model with a larger context"});
  PreferenceData data;
  const auto [held_out, method] = choose_held_out(groups, base::Random(seed, "preference-validation-split"), val_fraction);
  for (size_t pair = 0; pair < groups.size(); ++pair) {
    auto& side = held_out[pair] ? data.validation : data.train;
    for (size_t reply : {2 * pair, 2 * pair + 1}) side.replies.push_back(std::move(all.replies[reply]));
  }
  if (method == "single_example") data.validation = data.train;
  data.report = {{"source_rows", rows.size()}, {"num_examples", groups.size()}, {"skipped_long_examples", skipped_pairs}, {"skipped_long_category_counts", skipped},
                 {"split_method", method}, {"val_fraction", val_fraction}, {"train", side_report(data.train)}, {"validation", side_report(data.validation)}};
  return data;
}

std::vector<double> reply_log_probabilities(const model::Config& config, const model::TransformerOptions& compute, const at::Tensor& parameters,
                                            const std::vector<SftExample>& replies, const DpoOptions& options, const std::shared_ptr<ProcessGroup>& group) {
  const auto count = static_cast<int64_t>(replies.size()), rows = 2 * options.batch_size, batches = (count + rows - 1) / rows;
  const int64_t rank = group ? group->rank() : 0, world = group ? group->world_size() : 1;
  model::Transformer transformer(config, rows, options.context_size, false, compute);
  std::vector<double> scores(replies.size());
  std::string mine;
  MicroBatch batch;
  std::vector<float> nll;
  for (int64_t number = rank; number < batches; number += world) {
    const int64_t first = number * rows, last = std::min(first + rows, count);
    std::vector<int64_t> which(static_cast<size_t>(last - first));
    std::iota(which.begin(), which.end(), first);
    fill_replies(replies, which, options.context_size, batch);
    nll.resize(batch.tokens.size());
    transformer.score(batch.view(), parameters, nll.data());
    for (int64_t i = first; i < last; ++i) scores[static_cast<size_t>(i)] = score_of(batch, i - first, nll.data(), options.length_normalize).log_probability;
    mine.append(reinterpret_cast<const char*>(scores.data() + first), static_cast<size_t>(last - first) * sizeof(double));
    if (group) group->report(0, "reference log-probabilities");
  }
  if (world == 1) return scores;
  const auto parts = group->all_gather(mine);
  std::vector<size_t> at(parts.size(), 0);
  for (int64_t number = 0; number < batches; ++number) {
    const auto from = static_cast<size_t>(number % world);
    const int64_t first = number * rows, bytes = (std::min(first + rows, count) - first) * static_cast<int64_t>(sizeof(double));
    std::memcpy(scores.data() + first, parts[from].data() + at[from], static_cast<size_t>(bytes));
    at[from] += static_cast<size_t>(bytes);
  }
  return scores;
}

PreferenceSource::PreferenceSource(const PreferencePairs& pairs, const DpoOptions& options) : pairs_(pairs), options_(options) {
  base::require(pairs.size() > 0 && pairs.reference.size() == pairs.replies.size(), "DPO has pairs with reference log-probabilities");
}

void PreferenceSource::prepare(int64_t step) {
  const int64_t pairs_per_step = options_.batch_size * options_.grad_accum_steps, first = (step - 1) * pairs_per_step;
  epoch_ = first / pairs_.size();
  chosen_.clear();
  supervised_ = 0;
  std::vector<int64_t> order;
  for (int64_t place = first, made = -1; place < first + pairs_per_step; ++place) {
    const int64_t epoch = place / pairs_.size();
    if (epoch != made) {
      order.resize(static_cast<size_t>(pairs_.size()));
      std::iota(order.begin(), order.end(), 0);
      base::Random(options_.seed, cat("dpo-epoch ", epoch)).shuffle(std::span(order));
      made = epoch;
    }
    const int64_t pair = order[static_cast<size_t>(place % pairs_.size())];
    chosen_.push_back(pair);
    for (int64_t reply : {2 * pair, 2 * pair + 1}) {
      const auto& supervised = pairs_.replies[static_cast<size_t>(reply)].supervised;
      supervised_ += std::count(supervised.begin() + 1, supervised.end(), 1);
    }
  }
}

void PreferenceSource::fill(int64_t micro_step, MicroBatch& out) const {
  std::vector<int64_t> replies;
  for (int64_t i = micro_step * options_.batch_size; i < (micro_step + 1) * options_.batch_size; ++i)
    for (int64_t side : {0, 1}) replies.push_back(2 * chosen_[static_cast<size_t>(i)] + side);
  fill_replies(pairs_.replies, replies, options_.context_size, out);
}

StepSums PreferenceSource::weigh(int64_t micro_step, const float* nll, MicroBatch& batch) const {
  StepSums sums;
  const auto pairs_per_step = static_cast<double>(options_.batch_size * options_.grad_accum_steps);
  for (int64_t i = 0; i < options_.batch_size; ++i) {
    const int64_t pair = chosen_[static_cast<size_t>(micro_step * options_.batch_size + i)];
    const ReplyScore sides[2] = {score_of(batch, 2 * i, nll, options_.length_normalize), score_of(batch, 2 * i + 1, nll, options_.length_normalize)};
    const double margin = margin_of(pairs_, pair, sides[0].log_probability, sides[1].log_probability);
    sums.loss += logistic_loss(options_.beta * margin) / pairs_per_step;
    sums.accuracy += (margin > 0 ? 1 : 0) / pairs_per_step;
    sums.reward_margin += margin / pairs_per_step;
    const double slope = options_.beta * logistic_slope(options_.beta * margin) / pairs_per_step;
    for (int64_t side : {0, 1}) {
      const auto weight = static_cast<float>((side == 0 ? slope : -slope) * sides[side].per_token);
      for (int64_t cell = (2 * i + side) * batch.length; cell < (2 * i + side + 1) * batch.length; ++cell)
        if (auto& w = batch.weights[static_cast<size_t>(cell)]; w != 0) w = weight;
    }
  }
  return sums;
}

Json PreferenceSource::description() const {
  return {{"mode", "permutation"}, {"pairs", pairs_.size()}, {"context_size", options_.context_size}, {"pairs_per_step", options_.batch_size * options_.grad_accum_steps},
          {"beta", options_.beta}, {"length_normalize", options_.length_normalize}, {"seed", options_.seed}};
}

std::unique_ptr<Validator> preference_validator(const PreferencePairs& pairs, const DpoOptions& options) { return std::make_unique<PreferenceValidator>(pairs, options); }

}  // namespace picochat::train
