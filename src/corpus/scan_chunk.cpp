#include "corpus/scan_chunk.hpp"

#include <algorithm>
#include <bit>

#include "picochat/base/text.hpp"

namespace picochat::corpus {
namespace {

constexpr int kLowQuality = 70;

void add_document(ChunkResult& result, const DocumentProfile& profile, size_t bytes, int64_t copies) {
  Statistics& stats = result.stats;
  stats.num_documents += 1;
  stats.num_characters += profile.characters;
  stats.num_bytes += bytes;
  stats.num_lines += profile.lines;
  stats.repeated_documents += copies - 1;
  stats.repeated_bytes += static_cast<uint64_t>(copies - 1) * bytes;
  stats.nonempty_lines += profile.nonempty_lines;
  stats.empty_lines += profile.lines - profile.nonempty_lines;
  stats.non_ascii_characters += profile.non_ascii;
  stats.noisy_documents += profile.noise;
  stats.low_quality_documents += profile.score < kLowQuality;
  stats.quality_sum += profile.score;
  const auto bucket = static_cast<size_t>(std::bit_width(static_cast<uint64_t>(profile.characters)));
  stats.length_histogram[std::min(bucket, stats.length_histogram.size() - 1)] += 1;
  result.flags |= profile.flags;
  result.document_hashes.push_back(profile.hash);
}

}  // namespace

ChunkResult ChunkScanner::scan(const Chunk& chunk, const RecipeSource& source, int64_t min_score, Quota* quota) {
  ChunkResult result;
  auto skip = [&](const std::string& reason, int64_t line) {
    ++result.skipped[reason];
    result.first_line.try_emplace(reason, line);
  };
  Row row;
  rows.start(chunk);
  while (rows.next(row)) {
    if (row.skipped) {
      if (result.detail.empty()) result.detail = row.detail;
      skip(row.skipped, row.line);
      continue;
    }
    const size_t lines_before = result.line_hashes.size();
    const DocumentProfile profile = profiler.profile(row.text, &result.line_hashes);
    const int64_t copies = copies_under(source.weight, profile.hash);
    const char* reason = profile.blank ? "empty_text" : profile.score < min_score ? "below_min_score" : copies == 0 ? "weight" : nullptr;
    if (reason) {
      skip(reason, row.line);
      result.line_hashes.resize(lines_before);
      continue;
    }
    if (quota && !quota->admit(row.text.size())) {
      result.line_hashes.resize(lines_before);
      result.source_ended = true;
      break;
    }
    add_document(result, profile, row.text.size(), copies);
    if (sketches) result.sketches.push_back(sketcher.sketch_normalized(profiler.normalized()));
    result.stats.invalid_utf8_documents += profile.invalid_utf8 || row.repaired;
  }
  return result;
}

void add_statistics(Statistics& total, const Statistics& part) {
  total.num_documents += part.num_documents;
  total.num_characters += part.num_characters;
  total.num_bytes += part.num_bytes;
  total.num_lines += part.num_lines;
  total.repeated_documents += part.repeated_documents;
  total.repeated_bytes += part.repeated_bytes;
  total.nonempty_lines += part.nonempty_lines;
  total.empty_lines += part.empty_lines;
  total.non_ascii_characters += part.non_ascii_characters;
  total.invalid_utf8_documents += part.invalid_utf8_documents;
  total.noisy_documents += part.noisy_documents;
  total.low_quality_documents += part.low_quality_documents;
  total.quality_sum += part.quality_sum;
  for (size_t i = 0; i < total.length_histogram.size(); ++i) total.length_histogram[i] += part.length_histogram[i];
}

}  // namespace picochat::corpus
