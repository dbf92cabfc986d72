#include "picochat/eval/likelihood.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/decoder.hpp"
#include "picochat/tasks/chat_format.hpp"

namespace picochat::eval {
namespace {

using tokenizer::TokenId;
using Tokens = std::vector<TokenId>;

// Continuations that are scored after one and the same (possibly shortened) context.
struct Group {
  size_t request;
  Tokens context;
  std::vector<size_t> continuations;  // indices in the request
  bool truncated = false;
};

// The last token of a continuation is only predicted, so context + continuation - 1 tokens are run.
int64_t room_for_context(const gate::ModelConfig& config, const Tokens& continuation) {
  return config.context_size + 1 - static_cast<int64_t>(continuation.size());
}

// Requests cut into groups: one for the continuations that leave the context whole, one for each
// length that shortens it.
std::vector<Group> make_groups(const gate::ModelConfig& config, std::span<const LikelihoodRequest> requests) {
  std::vector<Group> groups;
  for (size_t r = 0; r < requests.size(); ++r) {
    const auto& request = requests[r];
    std::map<int64_t, std::vector<size_t>> by_kept;  // tokens of context kept
    for (size_t c = 0; c < request.continuations.size(); ++c) {
      const Tokens& continuation = request.continuations[c];
      base::require(!request.context.empty() && !continuation.empty(), "likelihood: context and continuation have tokens");
      const int64_t room = room_for_context(config, continuation);
      if (room < 1)
        throw base::bad_input({.what = "a continuation is longer than the model's context", .expected = base::cat("at most ", config.context_size, " tokens"),
                               .found = base::cat(continuation.size(), " tokens")});
      by_kept[std::min<int64_t>(room, static_cast<int64_t>(request.context.size()))].push_back(c);
    }
    for (auto& [kept, list] : by_kept)
      groups.push_back({.request = r, .context = Tokens(request.context.end() - kept, request.context.end()), .continuations = std::move(list),
                        .truncated = kept < static_cast<int64_t>(request.context.size())});
  }
  return groups;
}

// One batch of groups, each in a row of the decoder.
class Scorer {
 public:
  Scorer(const LanguageModel& model, std::span<const LikelihoodRequest> requests, std::vector<std::vector<Likelihood>>& results, int64_t rows,
         int64_t max_length, size_t longest_continuation)
      : requests_(requests), results_(results), vocab_(static_cast<size_t>(model.config.vocab_size)),
        decoder_(model.config, model.parameters, rows, max_length, model.compute),
        first_(static_cast<size_t>(rows) * vocab_), rest_(static_cast<size_t>(rows) * std::max<size_t>(1, longest_continuation) * vocab_) {}

  void run(std::span<const Group> groups) {
    std::vector<model::Decoder::Append> items;
    size_t rounds = 0;
    for (size_t g = 0; g < groups.size(); ++g) {
      decoder_.reset(static_cast<int64_t>(g));
      items.push_back({static_cast<int64_t>(g), groups[g].context});
      rounds = std::max(rounds, groups[g].continuations.size());
    }
    decoder_.append(items, first_.data());
    for (size_t round = 0; round < rounds; ++round) run_round(groups, round);
  }

 private:
  // The round-th continuation of each group: its first token from the context's logits, the others
  // after running all but the last.
  void run_round(std::span<const Group> groups, size_t round) {
    std::vector<model::Decoder::Append> items;
    for (size_t g = 0; g < groups.size(); ++g) {
      if (round >= groups[g].continuations.size()) continue;
      const Tokens& tokens = continuation(groups[g], round);
      if (tokens.size() > 1) items.push_back({static_cast<int64_t>(g), std::span(tokens).first(tokens.size() - 1)});
    }
    if (!items.empty()) decoder_.append(items, rest_.data(), model::Decoder::Logits::kAllTokens);
    size_t offset = 0;
    for (size_t g = 0; g < groups.size(); ++g) {
      if (round >= groups[g].continuations.size()) continue;
      const Tokens& tokens = continuation(groups[g], round);
      const LogSoftmax first(std::span<const float>(first_).subspan(g * vocab_, vocab_));
      Likelihood& out = results_[groups[g].request][groups[g].continuations[round]];
      out = {.logprob = first[tokens[0]], .greedy = first.is_best(tokens[0]), .truncated = groups[g].truncated};
      for (size_t i = 1; i < tokens.size(); ++i) {
        const LogSoftmax next(std::span<const float>(rest_).subspan(offset++ * vocab_, vocab_));
        out.logprob += next[tokens[i]];
        out.greedy = out.greedy && next.is_best(tokens[i]);
      }
      if (tokens.size() > 1) decoder_.truncate(static_cast<int64_t>(g), static_cast<int64_t>(groups[g].context.size()));
    }
  }

  const Tokens& continuation(const Group& group, size_t round) const { return requests_[group.request].continuations[group.continuations[round]]; }

  std::span<const LikelihoodRequest> requests_;
  std::vector<std::vector<Likelihood>>& results_;
  size_t vocab_;
  model::Decoder decoder_;
  std::vector<float> first_, rest_;
};

bool one_begins_another(const std::vector<Tokens>& labels) {
  for (const auto& a : labels)
    for (const auto& b : labels)
      if (&a != &b && a.size() <= b.size() && std::equal(a.begin(), a.end(), b.begin())) return true;
  return false;
}

}  // namespace

LogSoftmax::LogSoftmax(std::span<const float> logits) : logits_(logits), best_(static_cast<double>(*std::max_element(logits.begin(), logits.end()))) {
  double sum = 0;
  for (const float value : logits) sum += std::exp(static_cast<double>(value) - best_);
  log_sum_ = std::log(sum);
}

bool fits(const gate::ModelConfig& config, const LikelihoodRequest& request) {
  return std::all_of(request.continuations.begin(), request.continuations.end(), [&](const Tokens& continuation) {
    return static_cast<int64_t>(request.context.size()) <= room_for_context(config, continuation);
  });
}

std::vector<std::vector<Likelihood>> score_continuations(const LanguageModel& model, std::span<const LikelihoodRequest> requests,
                                                         const LikelihoodOptions& options) {
  std::vector<std::vector<Likelihood>> results(requests.size());
  size_t longest_context = 1, longest_continuation = 1;
  for (size_t r = 0; r < requests.size(); ++r) {
    results[r].resize(requests[r].continuations.size());
    longest_context = std::max(longest_context, requests[r].context.size());
    for (const auto& tokens : requests[r].continuations) longest_continuation = std::max(longest_continuation, tokens.size());
  }
  auto groups = make_groups(model.config, requests);
  if (groups.empty()) return results;
  const int64_t rows = std::min<int64_t>(std::max<int64_t>(1, options.batch_rows), static_cast<int64_t>(groups.size()));
  const int64_t length = std::min<int64_t>(static_cast<int64_t>(longest_context + longest_continuation), model.config.context_size);
  Scorer scorer(model, requests, results, rows, length, longest_continuation - 1);
  for (size_t begin = 0; begin < groups.size(); begin += static_cast<size_t>(rows)) {
    base::throw_if_interrupted();
    const size_t count = std::min(static_cast<size_t>(rows), groups.size() - begin);
    scorer.run(std::span(groups).subspan(begin, count));
    if (options.progress) options.progress(groups[begin + count - 1].request + 1);
  }
  return results;
}

std::vector<ChoiceResult> score_choices(const LanguageModel& model, std::span<const tasks::EvalRow> rows, const LikelihoodOptions& options) {
  std::vector<ChoiceResult> results(rows.size());
  std::vector<LikelihoodRequest> requests;
  std::vector<size_t> asked;
  for (size_t i = 0; i < rows.size(); ++i) {
    LikelihoodRequest request{.context = tasks::encode_prompt(*model.tokenizer, std::string_view(rows[i].user)), .continuations = {}};
    for (const auto& label : rows[i].choice_labels) request.continuations.push_back(model.tokenizer->encode(label));
    if (one_begins_another(request.continuations))
      for (auto& tokens : request.continuations) tokens.push_back(tokenizer::kEnd);
    for (const auto& tokens : request.continuations) results[i].token_counts.push_back(static_cast<int64_t>(tokens.size()));
    if (!fits(model.config, request)) continue;
    requests.push_back(std::move(request));
    asked.push_back(i);
  }
  auto scores = score_continuations(model, requests, options);
  for (size_t k = 0; k < asked.size(); ++k) {
    ChoiceResult& result = results[asked[k]];
    for (const auto& score : scores[k]) result.logprobs.push_back(score.logprob);
    auto best = std::max_element(result.logprobs.begin(), result.logprobs.end());
    result.predicted = best - result.logprobs.begin();
    result.tie = std::count(result.logprobs.begin(), result.logprobs.end(), *best) > 1;
  }
  return results;
}

}  // namespace picochat::eval
