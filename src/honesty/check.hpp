// The rules: which overlaps are findings, and how severe. The state of one check, from files to report.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "honesty/corpus_pass.hpp"
#include "honesty/ledger.hpp"
#include "honesty/material.hpp"
#include "honesty/phrase_index.hpp"
#include "honesty/severity.hpp"

namespace picochat::honesty {

// What the pairs of the contamination matrix need.
struct PairTally {
  int64_t exact = 0, near = 0;
  size_t longest = 0;
  double coverage = 0, similarity = 0;
  void add(const PhraseHit& hit) {
    exact += hit.whole;
    near += !hit.whole && hit.similarity >= 0.5;
    longest = std::max(longest, hit.run_words);
    coverage = std::max(coverage, hit.coverage);
    similarity = std::max(similarity, hit.whole ? 1.0 : hit.similarity);
  }
};

class Check {
 public:
  explicit Check(const HonestyInputs& inputs) : inputs_(inputs) {}
  base::Json run();

 private:
  void find_repeated_prompts();
  void compare_prompts();             // eval against SFT, prompt against prompt
  void search_conversations();        // prompts and phrases inside SFT rows
  void search_corpus();
  void corpus_hit(const Piece& document, const PhraseHit& hit);
  void judge_external();
  base::Json report();
  base::Json pair(const std::string& name, bool measured, const char* reason, size_t references, size_t targets, const PairTally& tally) const;

  bool is_telling(const PhraseHit& hit) const { return !index_->phrases()[hit.phrase].sentence; }
  const char* severity(const PhraseHit& hit) const;
  // Which file a row of Material::chat is of.
  const char* source_of(const tasks::ChatRow& row) const { return static_cast<size_t>(&row - material_.chat->data()) < material_.sft_rows ? "sft" : "preferences"; }
  base::Json finding_of(const PhraseHit& hit, const Owner& owner, bool in_sft, std::string_view text) const;

  struct ExternalState {
    std::set<uint32_t> in_corpus, in_sft;  // rows
    PairTally corpus, sft;
  };

  const HonestyInputs& inputs_;
  Ledger ledger_;
  Material material_;
  std::vector<std::vector<Owner>> owners_;  // by phrase
  std::optional<PhraseIndex> index_;
  std::vector<ExternalState> external_;
  std::set<std::pair<uint32_t, std::string>> reported_;        // eval row and severity: found in SFT
  std::map<std::tuple<size_t, Role, std::string>, int64_t> times_found_;
  std::set<uint32_t> corpus_prompts_;                          // eval rows
  std::set<size_t> corpus_support_, sft_support_;              // phrases
  PairTally corpus_sft_, corpus_eval_, sft_eval_;
  int64_t documents_ = 0, corpus_bytes_ = 0;
  double max_similarity_ = 0;
  bool corpus_checked_ = false;
};

}  // namespace picochat::honesty
