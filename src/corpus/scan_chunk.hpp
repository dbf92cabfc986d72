// What one chunk adds to a manifest. Chunks are measured in any order and added up in the stated one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "corpus/row_reader.hpp"
#include "corpus/selection.hpp"
#include "picochat/corpus/dedup.hpp"
#include "picochat/corpus/manifest.hpp"
#include "picochat/corpus/quality.hpp"

namespace picochat::corpus {

struct ChunkResult {
  Statistics stats;  // sums only; duplicates are counted over all chunks
  std::vector<uint64_t> document_hashes, line_hashes;
  std::vector<DocumentSketch> sketches;  // one for each document, when asked for
  uint32_t flags = 0;
  std::map<std::string, int64_t> skipped, first_line;
  std::string detail;         // of the first row without a text column
  bool source_ended = false;  // a cap was reached
};

// The tools of one worker, kept between chunks.
struct ChunkScanner {
  RowReader rows;
  DocumentProfiler profiler;
  Sketcher sketcher;
  bool sketches = false;  // make them: near duplicates are looked for
  // quota: null when the source has no caps or the chunk is to be measured whole.
  ChunkResult scan(const Chunk& chunk, const RecipeSource& source, int64_t min_score, Quota* quota);
};

void add_statistics(Statistics& total, const Statistics& part);

}  // namespace picochat::corpus
