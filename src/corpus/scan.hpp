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
};

Manifest scan_corpus(const Corpus& corpus, const ScanLimits& limits, int threads, const std::function<void(uint64_t, uint64_t)>& progress);

}  // namespace picochat::corpus
