#include "corpus/cursor.hpp"

#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"

namespace picochat::corpus {

DocumentCursor::DocumentCursor(Corpus corpus, const ReadLimits& limits) : corpus_(std::move(corpus)), limits_(limits) { start_pass(); }

void DocumentCursor::start_pass() {
  file_ = 0;
  reader_.reset();
  chunk_open_ = false;
  if (source_ < corpus_.sources().size()) quota_.emplace(corpus_.sources()[source_]);
}

// Rows are counted once, however often a source's weight has them read.
void DocumentCursor::skip(const std::string& reason) {
  if (pass_ == 0) ++tally_.skipped[reason];
}

bool DocumentCursor::next_file() {
  const auto& files = corpus_.files();
  while (source_ < corpus_.sources().size()) {
    while (file_ < files.size()) {
      const SourceFile& file = files[file_++];
      if (file.source != source_) continue;
      if (!file.included) {
        skip(file.reason);
        continue;
      }
      reader_.emplace(file, limits_);
      if (reader_->reason().empty()) return true;
      skip(reader_->reason());
      reader_.reset();
    }
    if (++pass_ >= passes_over(corpus_.sources()[source_])) ++source_, pass_ = 0;
    start_pass();
  }
  return false;
}

bool DocumentCursor::next_chunk() {
  for (;;) {
    if (!reader_ && !next_file()) return false;
    if (reader_->next(chunk_)) {
      rows_.start(chunk_);
      return chunk_open_ = true;
    }
    reader_.reset();
  }
}

DocumentCursor::Verdict DocumentCursor::judge(const Row& row) {
  const RecipeSource& source = corpus_.sources()[source_];
  if (row.skipped) return skip(row.skipped), Verdict::kSkip;
  if (base::trim(row.text).empty()) return skip("empty_text"), Verdict::kSkip;
  if (corpus_.options().min_score > 0 && profiler_.profile(row.text).score < corpus_.options().min_score)
    return skip("below_min_score"), Verdict::kSkip;
  const int64_t copies = copies_under(source.weight, weight_needs_hash(source) ? normalized_hash(row.text) : 0);
  if (copies == 0) return skip("weight"), Verdict::kSkip;
  if (!quota_->admit(row.text.size())) return Verdict::kSourceEnds;
  return copies > pass_ ? Verdict::kEmit : Verdict::kSkip;
}

bool DocumentCursor::next(Document& document) {
  Row row;
  for (;;) {
    if (!chunk_open_ && !next_chunk()) return false;
    if (!rows_.next(row)) {
      chunk_open_ = false;
      base::throw_if_interrupted();
      continue;
    }
    const Verdict verdict = judge(row);
    if (verdict == Verdict::kSourceEnds) {
      if (++pass_ >= passes_over(corpus_.sources()[source_])) ++source_, pass_ = 0;
      start_pass();
    }
    if (verdict != Verdict::kEmit) continue;
    document.text.assign(row.text);
    if (row.id.empty()) document.id = default_id(chunk_, row);
    else document.id.assign(row.id);
    document.source_label = chunk_.file->label;
    document.file = chunk_.file->name;
    ++tally_.documents;
    tally_.bytes += document.text.size();
    return true;
  }
}

ReadTally Corpus::for_each_document(const std::function<bool(Document&&)>& visit) const {
  DocumentCursor cursor(*this, {});
  Document document;
  while (cursor.next(document) && visit(std::move(document))) {
  }
  return cursor.tally();
}

std::vector<std::string> Corpus::sample(uint64_t bytes) const {
  constexpr size_t kFiles = 64;
  std::vector<size_t> included;
  for (size_t i = 0; i < files_.size(); ++i)
    if (files_[i].included) included.push_back(i);
  const size_t count = std::min(kFiles, included.size());
  std::vector<std::string> texts;
  for (size_t k = 0; k < count; ++k) {
    Corpus one = without_weights();
    one.files_ = {files_[included[k * included.size() / count]]};
    uint64_t left = bytes / count;
    one.for_each_document([&](Document&& document) {
      if (document.text.size() > left) document.text.resize(left);
      left -= document.text.size();
      texts.push_back(std::move(document.text));
      return left > 0;
    });
  }
  return texts;
}

Corpus Corpus::without_weights() const {
  Corpus corpus = *this;
  for (auto& source : corpus.sources_) source.weight = 1;
  return corpus;
}

std::function<bool(std::string&)> Corpus::texts() const {
  auto cursor = std::make_shared<DocumentCursor>(*this, ReadLimits{});
  return [cursor, document = Document{}](std::string& text) mutable {
    if (!cursor->next(document)) return false;
    text.swap(document.text);
    return true;
  };
}

}  // namespace picochat::corpus
