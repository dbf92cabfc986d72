#include "corpus/import/importer.hpp"

#include <algorithm>
#include <bit>

#include "picochat/base/error.hpp"

namespace picochat::corpus::import {
namespace {

constexpr size_t kSampleRows = 100;

}  // namespace

Importer::Importer(const Plan& plan, const Limits& limits, State state, int64_t shards, ShardSink& sink, base::WritableFile& corpus)
    : plan_(plan), limits_(limits), state_(std::move(state)), shards_(shards), sink_(sink), corpus_(corpus) {
  state_.rows_of_file.resize(plan.files.size());
}

void Importer::remember(uint64_t hash, const DocumentSketch* sketch) {
  seen_.insert(hash);
  if (sketch) near_.add(remembered_, *sketch);
  ++remembered_;
}

// Why a document is left out, or null; then it is remembered.
const char* Importer::duplicate(const RowNote& note, const DocumentSketch* sketch) {
  if (seen_.contains(note.hash)) return "exact_duplicate";
  if (sketch && near_.add(remembered_, *sketch)) return "near_duplicate";
  seen_.insert(note.hash);
  ++remembered_;
  return nullptr;
}

bool Importer::within_limits(const RowNote& note, size_t bytes) const {
  if (state_.rows_seen >= limits_.max_rows) return false;
  if (limits_.max_accepted && state_.rows_written >= *limits_.max_accepted) return false;
  return note.skipped || !limits_.max_bytes || state_.text_bytes + static_cast<int64_t>(bytes) <= *limits_.max_bytes;
}

bool Importer::consume(const std::shared_ptr<const Block>& block) {
  languages_.assign(block->languages.size(), 0);
  texts_first_ = texts_end_ = 0;
  size_t line_start = 0, text_start = 0, written = 0;
  bool go_on = true;
  for (size_t i = 0; i < block->rows.size(); ++i) {
    const RowNote& note = block->rows[i];
    const DocumentSketch* sketch = note.skipped || block->sketches.empty() ? nullptr : &block->sketches[written++];
    if (state_.offset_left > 0) {
      --state_.offset_left;
    } else {
      if (!within_limits(note, note.text_end - text_start - 2)) {
        go_on = false;
        break;
      }
      const char* reason = note.skipped;
      if (!reason && plan_.filters.dedup != "none") reason = duplicate(note, sketch);
      note_sample(*block, i, reason);
      ++state_.rows_seen;
      ++state_.rows_of_file[static_cast<size_t>(block->first.file)];
      state_.next = {block->first.file, block->first.part, block->first.row + static_cast<int64_t>(i) + 1};
      if (reason) ++state_.skipped[reason];
      else accept(block, note, line_start, text_start);
    }
    line_start = note.line_end;
    text_start = note.text_end;
  }
  append_texts(*block);
  for (size_t i = 0; i < languages_.size(); ++i)
    if (languages_[i] > 0) state_.languages[i == 0 ? "unknown" : block->languages[i]] += languages_[i];
  return go_on && state_.rows_seen < limits_.max_rows;
}

void Importer::accept(const std::shared_ptr<const Block>& block, const RowNote& note, size_t line_start, size_t text_start) {
  if (!shard_) {
    shard_ = std::make_unique<PendingShard>();
    shard_->number = shards_;
  }
  std::vector<Slice>& slices = shard_->slices;
  if (!slices.empty() && slices.back().block == block && slices.back().end == line_start) slices.back().end = note.line_end;
  else slices.push_back({block, line_start, note.line_end});

  // Each text has a blank line before it; the very first one has not.
  const size_t from = state_.rows_written == 0 ? text_start + 2 : text_start;
  if (texts_end_ != from) {
    append_texts(*block);
    texts_first_ = from;
  }
  texts_end_ = note.text_end;

  const int64_t bytes = static_cast<int64_t>(note.text_end - text_start) - 2;
  state_.corpus_bytes += static_cast<int64_t>(note.text_end - from);
  state_.characters_written += note.characters + (state_.rows_written == 0 ? 0 : 2);
  state_.text_bytes += bytes;
  ++state_.rows_written;
  state_.repaired += note.repaired;
  state_.with_nul += note.with_nul;
  ++state_.lengths[std::min<size_t>(31, static_cast<size_t>(std::bit_width(static_cast<uint64_t>(note.characters))) - 1)];
  if (plan_.filters.language_column) ++languages_[note.language];

  ShardRecord& record = shard_->record;
  ++record.documents;
  record.characters += note.characters;
  record.lines += note.lines;
  record.text_bytes += static_cast<uint64_t>(bytes);
  if (record.documents < plan_.shard_rows) return;
  append_texts(*block);
  for (size_t i = 0; i < languages_.size(); ++i)
    if (languages_[i] > 0) state_.languages[i == 0 ? "unknown" : block->languages[i]] += std::exchange(languages_[i], 0);
  submit();
}

void Importer::append_texts(const Block& block) {
  if (texts_end_ > texts_first_) corpus_.append(block.texts.view(texts_first_, texts_end_));
  texts_first_ = texts_end_;
}

void Importer::note_sample(const Block& block, size_t row, const char* reason) {
  if (row >= block.previews.size() || state_.sample.size() >= kSampleRows) return;
  SampleRow sample{.index = plan_.filters.offset + state_.rows_seen, .reason = reason ? reason : "included", .characters = block.rows[row].characters, .preview = block.previews[row]};
  if (!reason) sample.document = shard_file_name(shards_);
  state_.sample.push_back(std::move(sample));
}

void Importer::submit() {
  shard_->state = state_;
  sink_.submit(std::move(shard_));
  ++shards_;
}

std::unique_ptr<PendingShard> Importer::take_rest() { return std::move(shard_); }

}  // namespace picochat::corpus::import
