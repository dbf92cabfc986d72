// The corpus and how it is cut into tokens.
#include "gate/preflight_sheet.hpp"

namespace picochat::gate {

using base::cat;
using base::fixed;
using base::grouped;

namespace {

constexpr const char* kData = "Data source";
constexpr const char* kTokenizer = "Tokenizer";
constexpr const char* kScan = "run `picochat data preview`, or let `run tiny` scan the corpus";
constexpr int64_t kFewestHoldoutDocuments = 20;  // below: contiguous blocks with a gap are held out

void rate_check(Sheet& s, const char* name, const std::optional<double>& rate, double warn, double block, const std::string& extra,
                const char* what, const char* remedy) {
  const std::string threshold = cat("warn > ", percent(warn), ", block a release > ", percent(block));
  if (!rate) return s.not_measured(kData, name, threshold, cat(what, " were not measured"), kScan);
  s.add(kData, name, s.quality(*rate > block, *rate > warn), cat(percent(*rate), extra), threshold,
        cat(percent(*rate), " ", what), remedy);
}

void named_sources(Sheet& s, const char* name, std::optional<int64_t> known, const std::vector<std::string>& missing, const char* what,
                   const char* remedy) {
  const std::string threshold = cat("every source has ", what, "; a release blocks without");
  if (!known) return s.not_measured(kData, name, threshold, cat("no record says whether the sources have ", what), remedy);
  const int64_t sources = s.facts.corpus->sources;
  s.add(kData, name, s.quality(*known < sources, false), cat(*known, " of ", sources, " sources"), threshold,
        *known < sources ? cat("without ", what, ": ", missing.empty() ? cat(sources - *known, " sources") : base::join(missing, ", "))
                         : cat("every source has ", what),
        remedy);
}

}  // namespace

void check_data(Sheet& s) {
  if (!s.facts.corpus) {
    for (const char* name : {"corpus_readiness", "documents", "duplicate_documents", "near_duplicate_documents", "duplicate_lines",
                             "corpus_size", "license_known", "provenance_complete"})
      s.not_measured(kData, name, "", "the corpus was not scanned", kScan);
    return;
  }
  const CorpusFacts& c = *s.facts.corpus;
  s.add(kData, "corpus_readiness",
        c.readiness == "blocked" ? CheckStatus::kBlock : c.readiness == "ready" ? CheckStatus::kPass : CheckStatus::kWarn, c.readiness,
        "warn: caution, block: blocked", c.readiness_summary, "read the readiness table of corpus_report.md");
  s.add(kData, "documents", c.documents == 0 ? CheckStatus::kBlock : s.warn_if(s.scrutinised() && c.documents < 100), grouped(c.documents),
        "block 0, warn < 100 on a long or release run", cat(grouped(c.documents), " documents"), "add documents, or keep rows apart when importing");
  rate_check(s, "duplicate_documents", c.duplicate_document_rate, 0.03, 0.10, "", "duplicate documents", "remove repeated documents from the sources");
  auto near = c.near_duplicate_document_rate;
  if (c.near_duplicate_documents_checked.value_or(0) == 0 && c.documents > 1) near.reset();
  rate_check(s, "near_duplicate_documents", near, 0.05, 0.15,
             cat(" of ", grouped(c.near_duplicate_documents_checked.value_or(0)), " checked"), "near-duplicate documents",
             "deduplicate the sources: near copies are seen again and again and leak into validation");
  rate_check(s, "duplicate_lines", c.duplicate_line_rate, 0.15, 0.30, "", "duplicate lines", "strip headers, menus and licence texts that repeat");
  s.add(kData, "corpus_size", c.characters == 0 ? CheckStatus::kBlock : s.warn_if(s.scrutinised() && c.characters < 1'000'000),
        cat(grouped(c.characters), " characters"), "block 0, warn < 1,000,000 on a long or release run",
        cat(grouped(c.characters), " characters of text"), "add text");
  named_sources(s, "license_known", c.sources_with_license, c.sources_without_license, "a licence", "state the licence of each source in its recipe or import");
  named_sources(s, "provenance_complete", c.sources_with_provenance, c.sources_without_provenance, "an origin with a revision or digest",
                "import each source with `picochat data hf-import`, which records both, or state them in the recipe");
}

void check_tokenizer(Sheet& s) {
  const RunOptions& o = s.options;
  const int64_t documents = s.facts.corpus ? s.facts.corpus->documents : 0;
  const std::string split_rule = "window split: warn, block a release; fewer than 20 documents: warn";
  if (o.split_mode == "window") {
    s.add(kTokenizer, "document_split", s.quality(true, true), "window", split_rule,
          "windows of one document can lie on both sides of the split", "use --split-mode document");
  } else if (!s.facts.corpus) {
    s.not_measured(kTokenizer, "document_split", split_rule, "the number of documents is not known", kScan);
  } else {
    const bool few = documents < kFewestHoldoutDocuments;
    s.add(kTokenizer, "document_split", s.warn_if(few), cat("document, ", grouped(documents), " documents"), split_rule,
          few ? "too few documents to hold some out whole: contiguous blocks with a gap of one context are held out instead"
              : "whole documents are held out by hash",
          "split the text into documents (one per row or file)");
  }

  const bool bpe = o.tokenizer_type == "bpe" || o.tokenizer_type == "hf_bpe";
  if (!bpe) {
    s.add(kTokenizer, "tokenizer_type", s.warn_if(s.scrutinised()), o.tokenizer_type, "warn: char or byte on a long or release run",
          cat("the ", o.tokenizer_type, " tokenizer spends a token on every ", o.tokenizer_type == "char" ? "character" : "byte"),
          "use --tokenizer-type bpe");
    return;
  }
  const int64_t vocab = s.budget.vocab_size;
  s.add(kTokenizer, "bpe_vocab_size", s.quality(vocab < 512, vocab < 1024), grouped(vocab), "warn < 1024, block a release < 512",
        cat("vocabulary of ", grouped(vocab)), "use --tokenizer-vocab-size 1024 or more");
  if (!o.tokenizer_vocab_size)
    s.add(kTokenizer, "explicit_vocab", s.warn_if(s.scrutinised()), "default", "warn: unset on a long or release run",
          "the vocabulary size was not chosen", "set --tokenizer-vocab-size");
  const std::string fit_rule = "warn < 2.00 characters per token";
  if (!s.facts.corpus || !s.budget.estimated_corpus_tokens || *s.budget.estimated_corpus_tokens == 0) {
    s.not_measured(kTokenizer, "tokenizer_corpus_fit", fit_rule, "the corpus was not counted", kScan);
  } else {
    const double fit = static_cast<double>(s.facts.corpus->characters) / static_cast<double>(*s.budget.estimated_corpus_tokens);
    s.add(kTokenizer, "tokenizer_corpus_fit", s.warn_if(fit < 2), cat(fixed(fit, 2), " characters per token (", s.budget.corpus_tokens_source, ")"),
          fit_rule, "how much text a token holds", "use a larger vocabulary, or a tokenizer trained on this language");
  }
  const std::string size_rule = "warn when fewer tokens could be learned than were asked for";
  if (!s.facts.vocab_size) {
    s.not_measured(kTokenizer, "tokenizer_fit", size_rule, "no tokenizer was trained on a sample of this corpus",
                   "run `picochat run tiny --preflight-only`, which trains one");
  } else {
    const int64_t wanted = o.tokenizer_vocab_size.value_or(*s.facts.vocab_size);
    s.add(kTokenizer, "tokenizer_fit", s.warn_if(*s.facts.vocab_size < wanted), cat(grouped(*s.facts.vocab_size), " of ", grouped(wanted), " tokens"),
          size_rule, "vocabulary that the corpus supports", "add text, or ask for a smaller --tokenizer-vocab-size");
  }
}

}  // namespace picochat::gate
