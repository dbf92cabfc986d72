#include "honesty/check.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tasks/similarity.hpp"

namespace picochat::honesty {
namespace {

using base::cat;
using base::Json;
using tasks::ChatRow;
using tasks::EvalRow;

constexpr double kBlockingExternal = 0.10;      // of a benchmark's rows
constexpr double kRepeatedSftPrompts = 0.10;    // of the SFT rows
constexpr int64_t kListedPlaces = 3;            // of one phrase, of each severity
constexpr size_t kMaxPromptPairs = 20'000'000;  // above, SFT and eval prompts meet through the index alone

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

std::string describe(const PhraseHit& hit, const char* of) {
  if (hit.whole) return cat("the whole ", of);
  if (hit.coverage >= hit.similarity) return cat("a run of ", hit.run_words, " words, ", base::fixed(100 * hit.coverage, 0), "% of the ", of, ",");
  return cat("nearly the ", of, " (", base::fixed(100 * hit.similarity, 0), "% of its words)");
}

}  // namespace

Json Check::run() {
  material_ = load_material(inputs_, ledger_);
  external_.resize(material_.external.size());
  find_repeated_prompts();
  Catalogue catalogue = catalogue_of(material_);
  owners_ = std::move(catalogue.owners);
  index_.emplace(std::move(catalogue.phrases), static_cast<size_t>(inputs_.ngram_size), inputs_.near_threshold);
  if (material_.chat && material_.eval) compare_prompts();
  if (material_.chat) search_conversations();
  if (inputs_.corpus && !owners_.empty()) search_corpus();
  judge_external();
  return report();
}

void Check::find_repeated_prompts() {
  auto repeated = [](const auto& rows, auto prompt, auto visit) {
    std::map<std::string, const std::decay_t<decltype(rows[0])>*> first;
    for (const auto& row : rows) {
      auto [found, fresh] = first.emplace(tasks::comparison_text(prompt(row)), &row);
      if (!fresh) visit(row, *found->second);
    }
  };
  if (material_.eval) {
    repeated(*material_.eval, [](const EvalRow& row) { return row.user; }, [&](const EvalRow& row, const EvalRow& earlier) {
      ledger_.add({{"kind", "duplicate_eval_prompt"}, {"severity", "warn"}, {"message", "the same prompt is asked earlier in the eval file"},
                   {"eval_line", row.line}, {"eval_category", row.category}, {"matched_line", earlier.line}, {"matched_source", "eval"},
                   {"similarity", 1.0}, {"snippet", snippet(row.user, 0, row.user.size())}, {"remedy", "delete one of the two rows: a question asked twice counts twice"}});
    });
  }
  if (!material_.chat) return;
  std::map<int64_t, int64_t> times;  // by line of the first
  int64_t all = 0;
  const std::span sft(material_.chat->data(), material_.sft_rows);  // a preference row may well ask what an SFT row asks
  repeated(sft, [](const ChatRow& row) { return row.user(); }, [&](const ChatRow&, const ChatRow& earlier) { ++times[earlier.line], ++all; });
  const auto rows = static_cast<double>(sft.size());
  if (static_cast<double>(all) <= kRepeatedSftPrompts * rows) return;
  const auto most = std::max_element(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const auto row = std::find_if(sft.begin(), sft.end(), [&](const ChatRow& r) { return r.line == most->first; });
  ledger_.add({{"kind", "duplicate_sft_prompts"}, {"severity", "warn"},
               {"message", cat(all, " of ", sft.size(), " SFT rows repeat an earlier prompt; the prompt of line ", most->first, " stands ", most->second + 1, " times")},
               {"matched_line", most->first}, {"matched_source", "sft"}, {"snippet", snippet(row->user(), 0, row->user().size())},
               {"remedy", "delete the repetitions, or write different prompts: repeated rows train the model to recite"}});
}

const char* Check::severity(const PhraseHit& hit) const {
  return is_telling(hit) && is_blocking(hit, static_cast<double>(inputs_.ngram_size)) ? "block" : "warn";
}

// What findings in SFT rows and in the corpus have in common.
Json Check::finding_of(const PhraseHit& hit, const Owner& owner, bool in_sft, std::string_view text) const {
  const char* where = in_sft ? "sft" : "corpus";
  const char* remove = in_sft ? "delete the SFT row, or the row that it gives away" : "remove the document with `picochat data decontaminate`, or delete the row that it gives away";
  Json out;
  if (owner.role == Role::kExternal) {
    const External& external = material_.external[owner.file];
    const tasks::BenchmarkRow& row = external.file->rows[owner.row];
    out = {{"kind", cat("external_row_in_", where)}, {"severity", "warn"},
           {"message", cat(describe(hit, "question"), " of ", external.name, " line ", row.line, in_sft ? " is inside an SFT row" : " is in the corpus")},
           {"external", external.name}, {"external_line", row.line}, {"external_id", row.id}};
  } else {
    const EvalRow& row = (*material_.eval)[owner.row];
    if (owner.role == Role::kSupport) {
      out = {{"kind", cat("eval_support_phrase_in_", where)}, {"severity", "warn"},
             {"message", cat("the expected phrase '", index_->phrases()[hit.phrase].text, "' is in ", in_sft ? "an SFT answer" : "the corpus")}};
    } else {
      out = {{"kind", cat("eval_prompt_in_", where)}, {"severity", severity(hit)},
             {"message", cat(describe(hit, "prompt"), in_sft ? " is inside an SFT row" : " is in the corpus")}};
    }
    out["eval_line"] = row.line;
    out["eval_category"] = row.category;
  }
  out["matched_source"] = where;
  out["offset"] = hit.begin;
  out["shared_words"] = hit.run_words;
  out["similarity"] = rounded(std::max(hit.similarity, hit.coverage));
  out["snippet"] = snippet(text, hit.begin, hit.end);
  out["remedy"] = owner.role == Role::kSupport ? "see whether the text gives the answer away" : remove;
  return out;
}

void Check::compare_prompts() {
  const std::vector<EvalRow>& eval = *material_.eval;
  const std::vector<ChatRow>& chat = *material_.chat;
  std::vector<std::string> questions, prompts;
  std::map<std::string, size_t> first_row;
  for (const EvalRow& row : eval) questions.push_back(tasks::comparison_text(row.user));
  for (size_t i = 0; i < chat.size(); ++i) {
    prompts.push_back(tasks::comparison_text(chat[i].user()));
    first_row.emplace(prompts.back(), i);
  }
  std::vector<tasks::Nearest> nearest(questions.size());
  if (questions.size() * prompts.size() <= kMaxPromptPairs) nearest = tasks::nearest(questions, prompts, std::min(0.5, inputs_.near_threshold));
  for (uint32_t i = 0; i < questions.size(); ++i) {
    const EvalRow& row = eval[i];
    const auto exact = first_row.find(questions[i]);
    const bool same = exact != first_row.end();
    const double similarity = same ? 1.0 : nearest[i].index == static_cast<size_t>(-1) ? 0.0 : nearest[i].similarity;
    max_similarity_ = std::max(max_similarity_, similarity);
    if (!same && similarity < inputs_.near_threshold) continue;
    const ChatRow& match = chat[same ? exact->second : nearest[i].index];
    reported_.insert({i, same ? "block" : "warn"});
    same ? ++sft_eval_.exact : ++sft_eval_.near;
    ledger_.add({{"kind", same ? "exact_sft_prompt_leak" : "near_sft_prompt_leak"}, {"severity", same ? "block" : "warn"},
                 {"message", same ? "the eval prompt is an SFT prompt" : "the eval prompt is nearly an SFT prompt"},
                 {"eval_line", row.line}, {"eval_category", row.category}, {"matched_line", match.line}, {"matched_source", source_of(match)},
                 {"similarity", rounded(similarity)}, {"snippet", snippet(match.user(), 0, match.user().size())},
                 {"remedy", "delete one of the two rows"}});
  }
  sft_eval_.similarity = max_similarity_;
}

void Check::search_conversations() {
  PhraseIndex::Scratch scratch;
  for (const ChatRow& chat : *material_.chat) {
    std::string text, answers;
    for (const tasks::ChatTurn& turn : chat.turns) {
      text += turn.text + "\n";
      if (turn.role == "assistant") answers += turn.text + "\n";
    }
    auto add = [&](const PhraseHit& hit, const Owner& owner, std::string_view found_in) {
      Json finding = finding_of(hit, owner, true, found_in);
      finding["matched_line"] = chat.line;
      finding["matched_source"] = source_of(chat);
      ledger_.add(std::move(finding));
    };
    for (const PhraseHit& hit : index_->find(text, scratch)) {
      for (const Owner& owner : owners_[hit.phrase]) {
        if (owner.role == Role::kEval) {
          sft_eval_.longest = std::max(sft_eval_.longest, hit.run_words);
          sft_eval_.coverage = std::max(sft_eval_.coverage, hit.coverage);
          if (reported_.contains({owner.row, "block"}) || !reported_.insert({owner.row, severity(hit)}).second) continue;
          hit.whole ? ++sft_eval_.exact : ++sft_eval_.near;
          add(hit, owner, text);
        } else if (owner.role == Role::kExternal && is_telling(hit)) {
          external_[owner.file].sft.add(hit);
          if (external_[owner.file].in_sft.insert(owner.row).second) add(hit, owner, text);
        }
      }
    }
    if (!material_.eval) continue;
    for (const PhraseHit& hit : index_->find(answers, scratch)) {
      for (const Owner& owner : owners_[hit.phrase])
        if (owner.role == Role::kSupport && hit.whole && sft_support_.insert(hit.phrase).second) add(hit, owner, answers);
    }
  }
}

void Check::search_corpus() {
  using Hits = std::vector<PhraseHit>;
  PassLimits limits;
  for (const Phrase& phrase : index_->phrases()) limits.overlap = std::max(limits.overlap, 2 * phrase.text.size());
  limits.piece_bytes = std::max(limits.piece_bytes, 4 * limits.overlap);
  OrderedPass pass(inputs_.corpus, limits, inputs_.threads);
  std::vector<PhraseIndex::Scratch> scratch(pass.workers());
  std::map<size_t, PhraseHit> of_long_document;  // the best over its pieces
  try {
    const PassTally tally = pass_over<Hits>(
        pass,
        [&](const Piece& piece, size_t worker) {
          const auto hits = index_->find(piece.text, piece.begin, piece.end, scratch[worker]);
          return Hits(hits.begin(), hits.end());
        },
        [&](const Piece& piece, Hits&& hits) {
          corpus_bytes_ = corpus_bytes_ + static_cast<int64_t>(piece.end - piece.begin);
          if (inputs_.progress) inputs_.progress(static_cast<uint64_t>(corpus_bytes_));
          if (piece.last && of_long_document.empty()) {
            for (const PhraseHit& hit : hits) corpus_hit(piece, hit);
            return;
          }
          for (const PhraseHit& hit : hits) {
            auto [best, fresh] = of_long_document.try_emplace(hit.phrase, hit);
            if (!fresh && PhraseIndex::better(hit, best->second)) best->second = hit;
          }
          if (!piece.last) return;
          for (const auto& [phrase, hit] : of_long_document) corpus_hit(piece, hit);
          of_long_document.clear();
        });
    documents_ = tally.documents;
    corpus_bytes_ = tally.bytes;
    corpus_checked_ = documents_ > 0;
    if (!corpus_checked_) {
      ledger_.add({{"kind", "no_documents"}, {"severity", "block"}, {"message", "the corpus has no documents"}, {"matched_source", inputs_.corpus_label},
                   {"remedy", "correct the corpus path; `picochat data preview` shows what is read"}});
    }
  } catch (const base::Error& error) {
    ledger_.add({{"kind", "missing_input"}, {"severity", "block"}, {"message", cat("the corpus could not be read to its end: ", error.details().what)},
                 {"matched_source", error.details().where.empty() ? inputs_.corpus_label : error.details().where},
                 {"remedy", error.details().remedy.empty() ? "correct the path or the file: what is not read is not clean" : error.details().remedy}});
  }
}

void Check::corpus_hit(const Piece& document, const PhraseHit& hit) {
  for (const Owner& owner : owners_[hit.phrase]) {
    switch (owner.role) {
      case Role::kSft:
        if (hit.whole) corpus_sft_.add(hit);
        continue;
      case Role::kSupport:
        if (!hit.whole) continue;
        corpus_support_.insert(hit.phrase);
        break;
      case Role::kEval:
        corpus_eval_.add(hit);
        corpus_prompts_.insert(owner.row);
        break;
      case Role::kExternal:
        if (!is_telling(hit)) continue;
        external_[owner.file].corpus.add(hit);
        external_[owner.file].in_corpus.insert(owner.row);
        break;
    }
    Json finding = finding_of(hit, owner, false, document.text);
    // A prompt that stands in many documents is named by the first few of each severity; all are counted.
    if (++times_found_[{hit.phrase, owner.role, finding["severity"].get<std::string>()}] > kListedPlaces) continue;
    finding["file"] = document.file;
    finding["document"] = document.id;
    ledger_.add(std::move(finding));
  }
}

void Check::judge_external() {
  for (size_t i = 0; i < external_.size(); ++i) {
    if (!material_.external[i].file) continue;
    std::set<uint32_t> rows = external_[i].in_corpus;
    rows.insert(external_[i].in_sft.begin(), external_[i].in_sft.end());
    const size_t all = material_.external[i].file->rows.size();
    if (static_cast<double>(rows.size()) <= kBlockingExternal * static_cast<double>(all)) continue;
    ledger_.add({{"kind", "external_contamination"}, {"severity", "block"},
                 {"message", cat(rows.size(), " of ", all, " rows of ", material_.external[i].name, " are in the training material, more than 10%")},
                 {"external", material_.external[i].name}, {"matched_source", material_.external[i].path.string()},
                 {"remedy", "clean the corpus with `picochat data decontaminate`, or use another benchmark"}});
  }
}

Json check_honesty(const HonestyInputs& inputs) { return Check(inputs).run(); }

}  // namespace picochat::honesty
