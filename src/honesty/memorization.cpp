#include "picochat/honesty/memorization.hpp"

#include <algorithm>
#include <cmath>

#include "honesty/corpus_pass.hpp"
#include "honesty/ledger.hpp"
#include "honesty/phrase_index.hpp"
#include "picochat/base/text.hpp"

namespace picochat::honesty {
namespace {

using base::cat;
using base::Json;

constexpr size_t kHighTokens = 80, kMediumTokens = 32;
constexpr double kHighRate = 0.35, kMediumRate = 0.15;

// A run of generated words that stands in a document.
struct Run {
  uint32_t text = 0, offset = 0;  // generated text, first word
  uint32_t words = 0;
  size_t begin = 0, end = 0;      // bytes of the document
};

// The n-grams of all generated texts, and the search of a document for them.
class RunFinder {
 public:
  RunFinder(const std::vector<GeneratedText>& generated, size_t n) : n_(n) {
    std::vector<SeedTable::Entry> entries;
    WordHashes words;
    for (uint32_t t = 0; t < generated.size(); ++t) {
      words.assign(generated[t].text);
      texts_.push_back(words.hashes());
      for (uint32_t i = 0; i + n <= texts_[t].size(); ++i) entries.push_back({seed_key(hash_of_words(&texts_[t][i], n), n), {t, i, i > 0}});
    }
    grams_.build(std::move(entries));
  }
  const std::vector<std::vector<uint64_t>>& texts() const { return texts_; }

  std::vector<Run> find(const Piece& piece, WordHashes& scratch) const {
    std::vector<Run> runs;
    scratch.scan(piece.text, piece.begin, piece.end);
    const std::vector<uint64_t>& words = scratch.hashes();
    if (grams_.empty() || words.size() < n_) return runs;
    uint64_t top = 1;
    for (size_t i = 1; i < n_; ++i) top *= kWordBase;
    uint64_t hash = hash_of_words(words.data(), n_);
    for (size_t at = 0;; ++at) {
      if (const uint64_t key = seed_key(hash, n_); grams_.may_have(key)) {
        for (const SeedPlace& place : grams_.find(key)) add_run(place, at, scratch, runs);
      }
      if (at + n_ >= words.size()) return runs;
      hash = (hash - words[at] * top) * kWordBase + words[at + n_];
    }
  }

 private:
  void add_run(const SeedPlace& place, size_t at, const WordHashes& scratch, std::vector<Run>& runs) const {
    const std::vector<uint64_t>&text = texts_[place.phrase], &words = scratch.hashes();
    if (at > 0 && place.offset > 0 && text[place.offset - 1] == words[at - 1]) return;  // the run was met one word earlier
    size_t length = 0;
    while (place.offset + length < text.size() && at + length < words.size() && text[place.offset + length] == words[at + length]) ++length;
    if (length < n_) return;
    runs.push_back({place.phrase, place.offset, static_cast<uint32_t>(length), scratch.begin_of(at), scratch.end_of(at + length - 1)});
  }

  size_t n_;
  std::vector<std::vector<uint64_t>> texts_;
  SeedTable grams_;
};

// What one side of the split (training or held-out text) has of the generated texts.
struct Side {
  std::vector<std::vector<bool>> seen;  // by text: n-grams that were met
  uint32_t longest = 0;
  Json longest_place;

  void add(const Run& run, size_t n, const Piece& piece, const std::vector<GeneratedText>& generated) {
    for (uint32_t i = 0; i + n <= run.words; ++i) seen[run.text][run.offset + i] = true;
    if (run.words <= longest) return;
    longest = run.words;
    longest_place = {{"name", generated[run.text].name}, {"file", piece.file}, {"document", piece.id}, {"offset", run.begin}, {"snippet", snippet(piece.text, run.begin, run.end)}};
  }
  int64_t count() const {
    int64_t all = 0;
    for (const auto& text : seen) all += std::count(text.begin(), text.end(), true);
    return all;
  }
};

}  // namespace

Json measure_memorization(const MemorizationInputs& inputs) {
  const auto n = static_cast<size_t>(std::max<int64_t>(2, inputs.ngram_size));
  const RunFinder finder(inputs.generated, n);
  Side train, validation;
  int64_t tokens = 0, grams = 0;
  for (const auto& text : finder.texts()) {
    tokens += static_cast<int64_t>(text.size());
    const size_t own = text.size() >= n ? text.size() - n + 1 : 0;
    grams += static_cast<int64_t>(own);
    train.seen.emplace_back(own, false);
    validation.seen.emplace_back(own, false);
  }
  const bool measured = inputs.corpus != nullptr && grams > 0;
  if (measured) {
    OrderedPass pass(inputs.corpus, {}, inputs.threads);
    std::vector<WordHashes> scratch(pass.workers());
    size_t document = 0;
    pass_over<std::vector<Run>>(
        pass, [&](const Piece& piece, size_t worker) { return finder.find(piece, scratch[worker]); },
        [&](const Piece& piece, std::vector<Run>&& runs) {
          Side& side = inputs.held_out && inputs.held_out(document) ? validation : train;
          for (const Run& run : runs) side.add(run, n, piece, inputs.generated);
          document += piece.last;
        });
  }
  Json hits = Json::array();
  for (const std::string& canary : inputs.canaries) {
    const bool said = std::any_of(inputs.probes.begin(), inputs.probes.end(), [&](const auto& text) { return text.find(canary) != std::string::npos; }) ||
                      std::any_of(inputs.generated.begin(), inputs.generated.end(), [&](const auto& g) { return g.text.find(canary) != std::string::npos; });
    if (said) hits.push_back(canary);
  }
  const double rate = grams > 0 ? static_cast<double>(train.count()) / static_cast<double>(grams) : 0;
  const bool high = !hits.empty() || train.longest >= kHighTokens || (measured && rate >= kHighRate);
  const bool medium = train.longest >= kMediumTokens || (measured && rate >= kMediumRate);
  // A canary that came back is seen without the corpus; that none did says little alone.
  const char* status = high ? "high" : !measured ? "not_measured" : medium ? "medium" : "low";
  auto rounded = [](double value) { return std::round(value * 1e4) / 1e4; };
  auto figure = [&](const Json& value) { return measured ? value : Json("not_measured"); };
  Json out = Json::object();
  out["status"] = status;
  out["summary"] = !measured ? (grams == 0 ? cat("nothing of ", n, " words or more was generated") : std::string("the training text was not given"))
                             : cat("the longest run of generated words that stands in the training text has ", train.longest, " words; ", base::fixed(100 * rate, 1), "% of the ", n,
                                   "-word runs stand there");
  if (!hits.empty()) out["summary"] = cat(hits.size(), " of ", inputs.canaries.size(), " canaries came back; ", out["summary"].get<std::string>());
  out["ngram_size"] = n;
  out["generated_texts"] = inputs.generated.size();
  out["generated_tokens"] = tokens;
  out["generated_ngrams"] = grams;
  out["train_overlap_ngrams"] = figure(train.count());
  out["train_overlap_rate"] = figure(rounded(rate));
  const bool split = measured && inputs.held_out;
  out["validation_overlap_ngrams"] = split ? Json(validation.count()) : Json("not_measured");
  out["validation_overlap_rate"] = split ? Json(rounded(static_cast<double>(validation.count()) / static_cast<double>(grams))) : Json("not_measured");
  out["longest_train_overlap_tokens"] = figure(train.longest);
  out["longest_validation_overlap_tokens"] = split ? Json(validation.longest) : Json("not_measured");
  out["longest_train_overlap"] = train.longest_place;
  out["canaries_planted"] = inputs.canaries.size();
  out["canary_values_in_train"] = inputs.canaries;
  out["canary_hits"] = hits;
  return out;
}

}  // namespace picochat::honesty
