// Puts blocks of rows into shards, in order: applies the limits, finds duplicates, counts.
#pragma once

#include <memory>

#include "corpus/import/ordered_reader.hpp"
#include "corpus/import/seen.hpp"
#include "corpus/import/shard_sink.hpp"

namespace picochat::corpus::import {

class Importer {
 public:
  // `state` is that after the last full shard, of which there are `shards`.
  Importer(const Plan& plan, const Limits& limits, State state, int64_t shards, ShardSink& sink, base::WritableFile& corpus);

  // A document that is in the shards already; in their order. `sketch`: when near duplicates are looked for.
  void remember(uint64_t hash, const DocumentSketch* sketch);
  // False when a limit is reached.
  bool consume(const std::shared_ptr<const Block>& block);
  void passed_over(int64_t rows) { state_.offset_left -= rows; }
  const State& state() const { return state_; }
  // The documents that do not fill a shard; nullptr when there are none.
  std::unique_ptr<PendingShard> take_rest();

 private:
  const char* duplicate(const RowNote& note, const DocumentSketch* sketch);
  bool within_limits(const RowNote& note, size_t bytes) const;
  void accept(const std::shared_ptr<const Block>& block, const RowNote& note, size_t line_start, size_t text_start);
  void note_sample(const Block& block, size_t row, const char* reason);
  void append_texts(const Block& block);
  void submit();

  const Plan& plan_;
  Limits limits_;
  State state_;
  int64_t shards_;
  ShardSink& sink_;
  base::WritableFile& corpus_;
  SeenHashes seen_;  // of documents that were accepted, not of those that were near to one
  NearIndex near_;
  int64_t remembered_ = 0;                  // documents in the indexes
  std::unique_ptr<PendingShard> shard_;
  size_t texts_first_ = 0, texts_end_ = 0;  // of the block at hand, not yet appended
  std::vector<int64_t> languages_;          // of the block at hand
};

}  // namespace picochat::corpus::import
