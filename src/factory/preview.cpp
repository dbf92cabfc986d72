#include "picochat/factory/preview.hpp"

#include "picochat/base/text.hpp"
#include "picochat/tasks/inspect.hpp"
#include "picochat/tokenizer/train.hpp"

namespace picochat::factory {
namespace {

constexpr uint64_t kSampleBytes = 8 << 20;
constexpr int64_t kVocabulary = 8192;

// Trains on every other document of a sample and counts the tokens of the rest, so that the tokenizer has
// not seen what it is measured on.
std::optional<corpus::TokenEstimate> estimate_tokens(const corpus::Corpus& corpus) {
  const std::vector<std::string> sample = corpus.sample(kSampleBytes);
  std::vector<std::string> seen, unseen;
  if (sample.size() == 1) {
    const size_t half = sample[0].size() / 2;
    seen.push_back(sample[0].substr(0, half));
    unseen.push_back(sample[0].substr(half));
  } else {
    for (size_t i = 0; i < sample.size(); ++i) (i % 2 ? unseen : seen).push_back(sample[i]);
  }
  size_t bytes = 0, tokens = 0;
  for (const auto& text : unseen) bytes += text.size();
  if (seen.empty() || seen[0].empty() || bytes == 0) return {};
  size_t next = 0;
  const auto tokenizer = tokenizer::train_tokenizer({.vocab_size = kVocabulary, .min_freq = 2}, [&](std::string& text) {
    if (next == seen.size()) return false;
    text = seen[next++];
    return true;
  });
  std::vector<std::vector<tokenizer::TokenId>> ids;
  tokenizer::encode_documents(*tokenizer, unseen, ids);
  for (const auto& document : ids) tokens += document.size();
  if (tokens == 0) return {};
  return corpus::TokenEstimate{static_cast<double>(bytes) / static_cast<double>(tokens),
                               base::cat("a tokenizer of ", base::grouped(static_cast<int64_t>(tokenizer->vocab_size())), " entries, trained on a sample, measured on other documents")};
}

}  // namespace

corpus::CommandOutput preview(base::FileSystem& files, const corpus::PreviewOptions& options) {
  return corpus::preview(files, options, {.chat = [](const base::Path& path) { return tasks::inspect_chat_rows(path); },
                                          .eval = [](const base::Path& path) { return tasks::inspect_eval_rows(path); },
                                          .estimate_tokens = estimate_tokens});
}

}  // namespace picochat::factory
