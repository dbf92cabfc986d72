// The scan with its bounds as parameters, for tests.
#pragma once

#include "corpus/chunk_reader.hpp"
#include "picochat/corpus/corpus.hpp"

namespace picochat::corpus {

struct ScanLimits {
  ReadLimits read;
  size_t round_bytes = 32 << 20;   // read ahead, measured and merged together
  size_t round_chunks = 4096;
  // Past these the duplicate counts are "not measured". 64 million lines take about 0.5 GiB.
  size_t max_distinct_documents = size_t{32} << 20;
  size_t max_distinct_lines = size_t{64} << 20;
  size_t sketches_in_memory = size_t{256} << 10;  // see NearIndex
  size_t max_sketched_documents = size_t{8} << 20;
};

Manifest scan_corpus(const Corpus& corpus, const ScanLimits& limits, const ScanOptions& options);

}  // namespace picochat::corpus
