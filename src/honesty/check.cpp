// The rules: which overlaps are findings, and how severe.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "honesty/phrase_index.hpp"
#include "honesty/support_phrases.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/threads.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/honesty/honesty.hpp"
#include "picochat/tasks/rows.hpp"
#include "picochat/tasks/similarity.hpp"

namespace picochat::honesty {
namespace {

using base::cat;
using base::Json;
using tasks::ChatRow;
using tasks::EvalRow;

constexpr double kBlockingCoverage = 0.80;
// Shorter prompts ("Who are you?") are sentences that any text holds: they only count where they stand alone, and only warn.
constexpr size_t kTellingBytes = 24;
constexpr size_t kListedFindings = 1000;  // of each severity
constexpr size_t kBatchBytes = size_t{16} << 20;

std::string snippet(std::string_view text, size_t begin, size_t end) {
  std::string out(text.substr(begin, std::min<size_t>(end - begin, 240)));
  out = base::replace_invalid_utf8(out);
  return base::replace_all(base::replace_all(std::move(out), "\n", " "), "\r", " ");
}

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

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

  Json run() {
    chat_ = load<ChatRow>(inputs_.chat, "SFT rows", [](const base::Path& p) { return tasks::load_chat_rows(p); });
    eval_ = load<EvalRow>(inputs_.eval, "eval rows", [](const base::Path& p) { return tasks::load_eval_rows(p); });
    duplicate_eval_prompts();
    build_phrases();
    if (chat_ && eval_) sft_against_eval();
    if (inputs_.corpus && (chat_ || eval_)) scan_corpus();
    return report();
  }

 private:
  template <typename Row, typename Read>
  std::optional<std::vector<Row>> load(const base::Path& path, const char* what, Read read) {
    if (path.empty()) return std::nullopt;
    try {
      tasks::RowFile<Row> file = read(path);
      if (!file.issues.empty()) {
        finding({{"kind", "unreadable_rows"}, {"severity", "block"},
                 {"message", cat(file.issues.size(), " of the ", what, " cannot be read, so they were not checked; first: line ",
                                 file.issues[0].line, ": ", file.issues[0].message)},
                 {"matched_source", path.string()}});
      }
      if (file.rows.empty()) {
        finding({{"kind", "no_rows"}, {"severity", "block"}, {"message", cat("there are no ", what, " to check")}, {"matched_source", path.string()}});
      }
      return std::move(file.rows);
    } catch (const base::Error& error) {
      finding({{"kind", "missing_input"}, {"severity", "block"},
               {"message", cat("the ", what, " could not be read: ", error.details().what)}, {"matched_source", path.string()}});
      return std::nullopt;
    }
  }

  void finding(Json entry) {
    ++counts_[entry["kind"].get<std::string>()];
    bool block = entry["severity"] == "block";
    ++(block ? blocks_ : warnings_);
    std::vector<Json>& list = block ? blocking_ : warning_;
    if (list.size() < kListedFindings) list.push_back(std::move(entry));
  }

  void duplicate_eval_prompts() {
    if (!eval_) return;
    std::map<std::string, int64_t> seen;
    for (const EvalRow& row : *eval_) {
      auto [it, fresh] = seen.emplace(tasks::comparison_text(row.user), row.line);
      if (fresh) continue;
      finding({{"kind", "duplicate_eval_prompt"}, {"severity", "warn"}, {"message", "the same prompt is asked earlier in the eval file"},
               {"eval_line", row.line}, {"eval_category", row.category}, {"matched_line", it->second}, {"matched_source", "eval"},
               {"similarity", 1.0}, {"snippet", snippet(row.user, 0, row.user.size())}});
    }
  }

  // Phrases in order: eval prompts, support phrases, SFT prompts.
  void build_phrases() {
    std::vector<Phrase> phrases;
    auto prompt = [](const std::string& text, bool near) {
      bool telling = tasks::comparison_text(text).size() >= kTellingBytes;
      return Phrase{text, near && telling, !telling};
    };
    if (eval_) {
      for (const EvalRow& row : *eval_) phrases.push_back(prompt(row.user, true));
      num_eval_ = phrases.size();
      for (size_t i = 0; i < eval_->size(); ++i) {
        for (std::string& phrase : support_phrases((*eval_)[i])) {
          support_rows_.push_back(i);
          phrases.push_back({std::move(phrase), false, false});
        }
      }
    }
    num_support_ = support_rows_.size();
    if (chat_) for (const ChatRow& row : *chat_) phrases.push_back(prompt(row.user(), false));
    index_ = std::make_unique<PhraseIndex>(std::move(phrases), static_cast<size_t>(inputs_.ngram_size), inputs_.near_threshold);
  }

  bool is_eval(size_t phrase) const { return phrase < num_eval_; }
  bool is_support(size_t phrase) const { return phrase >= num_eval_ && phrase < num_eval_ + num_support_; }

  const char* severity(const PhraseHit& hit) const {
    bool telling = !index_->phrases()[hit.phrase].sentence;
    bool blocks = hit.whole || (hit.run_words >= static_cast<size_t>(inputs_.ngram_size) && hit.coverage >= kBlockingCoverage);
    return telling && blocks ? "block" : "warn";
  }

  static std::string describe(const PhraseHit& hit) {
    if (hit.whole) return "the whole prompt";
    if (hit.coverage >= hit.similarity) return cat("a run of ", hit.run_words, " words, ", base::fixed(100 * hit.coverage, 0), "% of the prompt,");
    return cat("nearly the prompt (", base::fixed(100 * hit.similarity, 0), "% of its words)");
  }

  void sft_against_eval() {
    // Prompt against prompt: exact and near, by the similarity that data reports use too.
    std::vector<std::string> questions, prompts;
    std::map<std::string, size_t> first_row;
    for (const EvalRow& row : *eval_) questions.push_back(tasks::comparison_text(row.user));
    for (size_t i = 0; i < chat_->size(); ++i) {
      prompts.push_back(tasks::comparison_text((*chat_)[i].user()));
      first_row.emplace(prompts.back(), i);
    }
    std::set<std::pair<size_t, std::string>> reported;
    std::vector<tasks::Nearest> nearest = tasks::nearest(questions, prompts, std::min(0.5, inputs_.near_threshold));
    for (size_t i = 0; i < questions.size(); ++i) {
      const EvalRow& row = (*eval_)[i];
      auto exact = first_row.find(questions[i]);
      bool same = exact != first_row.end();
      double similarity = same ? 1.0 : nearest[i].index == static_cast<size_t>(-1) ? 0.0 : nearest[i].similarity;
      max_similarity_ = std::max(max_similarity_, similarity);
      if (!same && similarity < inputs_.near_threshold) continue;
      const ChatRow& match = (*chat_)[same ? exact->second : nearest[i].index];
      reported.insert({i, same ? "block" : "warn"});
      same ? ++sft_eval_.exact : ++sft_eval_.near;
      finding({{"kind", same ? "exact_sft_prompt_leak" : "near_sft_prompt_leak"}, {"severity", same ? "block" : "warn"},
               {"message", same ? "the eval prompt is an SFT prompt" : "the eval prompt is nearly an SFT prompt"},
               {"eval_line", row.line}, {"eval_category", row.category}, {"matched_line", match.line}, {"matched_source", "sft"},
               {"similarity", rounded(similarity)}, {"snippet", snippet(match.user(), 0, match.user().size())}});
    }
    sft_eval_.similarity = max_similarity_;
    // Prompt inside a conversation, and phrases inside its answers.
    PhraseIndex::Scratch scratch;
    for (const ChatRow& chat : *chat_) {
      std::string text, answers;
      for (const tasks::ChatTurn& turn : chat.turns) {
        text += turn.text + "\n";
        if (turn.role == "assistant") answers += turn.text + "\n";
      }
      for (const PhraseHit& hit : index_->find(text, scratch)) {
        if (!is_eval(hit.phrase)) continue;
        sft_eval_.longest = std::max(sft_eval_.longest, hit.run_words);
        sft_eval_.coverage = std::max(sft_eval_.coverage, hit.coverage);
        const EvalRow& row = (*eval_)[hit.phrase];
        const char* level = severity(hit);
        if (reported.contains({hit.phrase, "block"}) || !reported.insert({hit.phrase, level}).second) continue;
        hit.whole ? ++sft_eval_.exact : ++sft_eval_.near;
        finding({{"kind", "eval_prompt_in_sft"}, {"severity", level},
                 {"message", cat(describe(hit), " is inside an SFT row")}, {"eval_line", row.line}, {"eval_category", row.category},
                 {"matched_line", chat.line}, {"matched_source", "sft"}, {"offset", hit.begin}, {"shared_words", hit.run_words},
                 {"similarity", rounded(std::max(hit.similarity, hit.coverage))}, {"snippet", snippet(text, hit.begin, hit.end)}});
      }
      for (const PhraseHit& hit : index_->find(answers, scratch)) {
        if (!is_support(hit.phrase)) continue;
        size_t row_index = support_rows_[hit.phrase - num_eval_];
        if (!sft_support_.insert(hit.phrase).second) continue;
        const EvalRow& row = (*eval_)[row_index];
        finding({{"kind", "eval_support_phrase_in_sft"}, {"severity", "warn"},
                 {"message", cat("the expected phrase '", index_->phrases()[hit.phrase].text, "' is in an SFT answer")},
                 {"eval_line", row.line}, {"eval_category", row.category}, {"matched_line", chat.line}, {"matched_source", "sft"},
                 {"similarity", 1.0}, {"snippet", snippet(answers, hit.begin, hit.end)}});
      }
    }
  }

  struct Held {
    std::string text, id, file;
  };

  // One pass: documents are gathered into batches and searched by all cores; findings keep the corpus's order.
  void scan_corpus() {
    std::vector<Held> batch;
    size_t bytes = 0;
    try {
      inputs_.corpus([&](const CorpusDocument& document) {
        batch.push_back({std::string(document.text), std::string(document.id), std::string(document.file)});
        bytes += document.text.size();
        ++documents_;
        corpus_bytes_ += static_cast<int64_t>(document.text.size());
        if (bytes < kBatchBytes) return true;
        search(batch);
        batch.clear();
        bytes = 0;
        base::throw_if_interrupted();
        return true;
      });
      search(batch);
      corpus_checked_ = documents_ > 0;
      if (!corpus_checked_) {
        finding({{"kind", "no_documents"}, {"severity", "block"}, {"message", "the corpus has no documents"}, {"matched_source", inputs_.corpus_label}});
      }
    } catch (const base::Error& error) {
      finding({{"kind", "missing_input"}, {"severity", "block"}, {"message", cat("the corpus could not be read to its end: ", error.details().what)},
               {"matched_source", error.details().where.empty() ? inputs_.corpus_label : error.details().where}});
    }
  }

  void search(const std::vector<Held>& batch) {
    // Neighbouring documents share a scratch; small documents would otherwise pay for it each.
    constexpr size_t kGrain = 64;
    std::vector<std::vector<PhraseHit>> hits(batch.size());
    base::parallel_for((batch.size() + kGrain - 1) / kGrain, [&](size_t block) {
      PhraseIndex::Scratch scratch;
      for (size_t i = block * kGrain; i < std::min(batch.size(), (block + 1) * kGrain); ++i) hits[i] = index_->find(batch[i].text, scratch);
    });
    for (size_t i = 0; i < batch.size(); ++i) {
      for (const PhraseHit& hit : hits[i]) corpus_hit(batch[i], hit);
    }
  }

  void corpus_hit(const Held& document, const PhraseHit& hit) {
    if (!is_eval(hit.phrase) && !is_support(hit.phrase)) {
      corpus_sft_.add(hit);
      return;
    }
    bool support = is_support(hit.phrase);
    const EvalRow& row = (*eval_)[support ? support_rows_[hit.phrase - num_eval_] : hit.phrase];
    if (support) corpus_support_.insert(hit.phrase);
    else corpus_eval_.add(hit), corpus_prompts_.insert(hit.phrase);
    const char* level = support ? "warn" : severity(hit);
    // A prompt that stands in many documents is named by the first few of each severity; all are counted.
    if (++times_found_[{hit.phrase, level}] > 3) return;
    finding({{"kind", support ? "eval_support_phrase_in_corpus" : "eval_prompt_in_corpus"}, {"severity", level},
             {"message", support ? cat("the expected phrase '", index_->phrases()[hit.phrase].text, "' is in the corpus")
                                 : cat(describe(hit), " is in the corpus")},
             {"eval_line", row.line}, {"eval_category", row.category}, {"matched_source", "corpus"}, {"file", document.file},
             {"document", document.id}, {"offset", hit.begin}, {"shared_words", hit.run_words},
             {"similarity", rounded(std::max(hit.similarity, hit.coverage))}, {"snippet", snippet(document.text, hit.begin, hit.end)}});
  }

  Json pair(const char* name, bool measured, const char* reason, size_t references, size_t targets, const PairTally& tally) const {
    Json out = {{"name", name}, {"checked", measured}, {"reason", measured ? "" : reason}, {"reference_items", references}, {"target_items", targets}};
    if (!measured) {
      out["risk"] = "not_checked";
      return out;
    }
    const auto n = static_cast<size_t>(inputs_.ngram_size);
    bool high = tally.exact > 0 || (tally.longest >= n && tally.coverage >= kBlockingCoverage);
    bool medium = tally.near > 0 || tally.longest >= 2 * n;
    out["risk"] = high ? "high" : medium ? "medium" : tally.longest >= n ? "low" : "clean";
    out["exact_text_hits"] = tally.exact;
    out["near_text_hits"] = tally.near;
    out["max_text_similarity"] = rounded(tally.similarity);
    out["max_run_coverage"] = rounded(tally.coverage);
    out["max_longest_overlap_tokens"] = tally.longest;
    return out;
  }

  Json report() {
    const char* status = blocks_ > 0 ? "blocked" : warnings_ > 0 || !chat_ || !eval_ || !corpus_checked_ ? "caution" : "ready";
    auto measured = [](bool yes, int64_t count) { return yes ? Json(count) : Json("not_measured"); };
    bool both = chat_ && eval_;
    bool corpus = eval_ && corpus_checked_;
    std::vector<std::string> parts;
    if (blocks_ > 0) parts.push_back(cat(blocks_, " blocking findings"));
    if (warnings_ > 0) parts.push_back(cat(warnings_, " warnings"));
    if (!chat_) parts.push_back("SFT rows not measured");
    if (!eval_) parts.push_back("eval rows not measured");
    if (!corpus_checked_) parts.push_back("corpus not measured");
    Json out = Json::object();
    out["status"] = status;
    out["summary"] = parts.empty() ? "no overlap of eval with SFT rows or corpus" : base::join(parts, ", ");
    out["corpus_path"] = inputs_.corpus_label;
    out["chat_input"] = inputs_.chat.string();
    out["eval_input"] = inputs_.eval.string();
    out["near_threshold"] = inputs_.near_threshold;
    out["ngram_size"] = inputs_.ngram_size;
    out["num_sft_examples"] = measured(chat_.has_value(), chat_ ? static_cast<int64_t>(chat_->size()) : 0);
    out["num_eval_items"] = measured(eval_.has_value(), eval_ ? static_cast<int64_t>(eval_->size()) : 0);
    out["num_corpus_documents"] = measured(corpus_checked_, documents_);
    out["corpus_bytes"] = measured(corpus_checked_, corpus_bytes_);
    out["exact_prompt_leaks"] = measured(both, counts_["exact_sft_prompt_leak"]);
    out["near_prompt_leaks"] = measured(both, counts_["near_sft_prompt_leak"]);
    out["eval_prompts_in_sft"] = measured(both, counts_["eval_prompt_in_sft"]);
    out["corpus_prompt_hits"] = measured(corpus, static_cast<int64_t>(corpus_prompts_.size()));
    out["sft_support_phrase_hits"] = measured(both, static_cast<int64_t>(sft_support_.size()));
    out["corpus_support_phrase_hits"] = measured(corpus, static_cast<int64_t>(corpus_support_.size()));
    out["duplicate_eval_prompts"] = measured(eval_.has_value(), counts_["duplicate_eval_prompt"]);
    out["max_sft_prompt_similarity"] = both ? Json(rounded(max_similarity_)) : Json("not_measured");
    out["blocking_findings"] = blocks_;
    out["warning_findings"] = warnings_;
    size_t sft_items = chat_ ? chat_->size() : 0, eval_items = eval_ ? eval_->size() : 0, documents = static_cast<size_t>(documents_);
    out["contamination_matrix"] = Json::array({
        pair("base_corpus_vs_sft", chat_ && corpus_checked_, "no corpus or no SFT rows", documents, sft_items, corpus_sft_),
        pair("base_corpus_vs_eval", corpus, "no corpus or no eval rows", documents, eval_items, corpus_eval_),
        pair("sft_vs_eval", both, "no SFT rows or no eval rows", sft_items, eval_items, sft_eval_),
    });
    out["findings_not_listed"] = blocks_ + warnings_ - static_cast<int64_t>(blocking_.size() + warning_.size());
    std::move(warning_.begin(), warning_.end(), std::back_inserter(blocking_));
    out["findings"] = std::move(blocking_);
    return out;
  }

  const HonestyInputs& inputs_;
  std::optional<std::vector<ChatRow>> chat_;
  std::optional<std::vector<EvalRow>> eval_;
  std::unique_ptr<PhraseIndex> index_;
  size_t num_eval_ = 0, num_support_ = 0;
  std::vector<size_t> support_rows_;  // eval row of each support phrase
  std::vector<Json> blocking_, warning_;  // the first of each severity
  std::map<std::string, int64_t> counts_;
  std::map<std::pair<size_t, std::string>, int64_t> times_found_;
  std::set<size_t> corpus_prompts_, corpus_support_, sft_support_;
  PairTally corpus_sft_, corpus_eval_, sft_eval_;
  int64_t blocks_ = 0, warnings_ = 0, documents_ = 0, corpus_bytes_ = 0;
  double max_similarity_ = 0;
  bool corpus_checked_ = false;
};

}  // namespace

Json check_honesty(const HonestyInputs& inputs) { return Check(inputs).run(); }

}  // namespace picochat::honesty
