#include "picochat/corpus/sample.hpp"

#include <algorithm>
#include <fstream>

#include "corpus/cursor.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"

namespace picochat::corpus {
namespace {

constexpr uint64_t kLargeFile = 256 << 10;   // smaller ones are read from their start
constexpr uint64_t kDeepestStart = 1 << 20;  // of a file that can only be read from its start

struct Piece {
  size_t file = 0;
  double begin = 0, end = 0;  // its span on the line of all weighted bytes
};

// The included files laid end to end, as long as their source's weight and cap make them.
std::vector<Piece> lay_out(const Corpus& corpus) {
  std::vector<Piece> out;
  std::vector<uint64_t> taken(corpus.sources().size(), 0);
  double at = 0;
  for (size_t i = 0; i < corpus.files().size(); ++i) {
    const SourceFile& file = corpus.files()[i];
    if (!file.included || file.bytes == 0) continue;
    const RecipeSource& source = corpus.sources()[file.source];
    uint64_t bytes = file.bytes;
    if (source.max_bytes) bytes = std::min<uint64_t>(bytes, static_cast<uint64_t>(*source.max_bytes) - std::min<uint64_t>(taken[file.source], static_cast<uint64_t>(*source.max_bytes)));
    if (bytes == 0) continue;
    taken[file.source] += bytes;
    const double length = static_cast<double>(bytes) * source.weight;
    out.push_back({i, at, at + length});
    at += length;
  }
  return out;
}

// Documents around `offset` of a file whose rows are lines, or a piece of a long text.
SampleSpot read_at(const SourceFile& file, uint64_t offset, uint64_t wanted, int64_t min_score) {
  constexpr uint64_t kLongestLine = 8 << 20;
  std::ifstream in(file.path, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(offset));
  std::string bytes(wanted + 1, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(0, in.gcount())));
  // To the end of the last line.
  std::string more(64 << 10, '\0');
  while (in && bytes.size() < wanted + kLongestLine) {
    in.read(more.data(), static_cast<std::streamsize>(more.size()));
    const auto got = static_cast<size_t>(in.gcount());
    const size_t newline = std::string_view(more.data(), got).find('\n');
    bytes.append(more, 0, newline == std::string::npos ? got : newline + 1);
    if (newline != std::string::npos) break;
  }
  if (offset > 0) {  // from the start of a line
    const size_t newline = bytes.find('\n');
    bytes.erase(0, newline == std::string::npos ? bytes.size() : newline + 1);
  }
  SampleSpot spot;
  if (file.kind.format == Format::kText) {
    if (!bytes.empty()) spot.documents.push_back(std::move(bytes));
    return spot;
  }
  Chunk chunk;
  chunk.file = &file;
  chunk.size = bytes.size();
  chunk.buffer = std::move(bytes);
  chunk.buffer.resize(chunk.size + kPadding);
  RowReader rows;
  rows.start(chunk);
  DocumentProfiler profiler;
  Row row;
  while (rows.next(row)) {
    if (row.skipped || base::trim(row.text).empty()) continue;
    if (min_score > 0 && profiler.profile(row.text).score < min_score) continue;
    spot.documents.emplace_back(row.text);
  }
  return spot;
}

// Documents of a file that is read from its start, from about `start` bytes of text on.
SampleSpot read_through(const Corpus& corpus, size_t file, uint64_t start, uint64_t wanted) {
  DocumentCursor cursor(corpus.only(file), {});
  SampleSpot spot;
  Document document;
  uint64_t passed = 0, taken = 0;
  while (taken < wanted && cursor.next(document)) {
    const uint64_t size = document.text.size();
    if (passed >= start || passed + size > start) {
      spot.documents.push_back(std::move(document.text));
      taken += size;
    }
    passed += size;
  }
  return spot;
}

bool is_plain(const FileKind& kind) { return kind.compression == Compression::kNone && (kind.format == Format::kText || kind.format == Format::kJsonl); }

TextSample read_all(const Corpus& corpus, uint64_t per_spot) {
  TextSample sample;
  sample.whole = true;
  corpus.for_each_document([&](Document&& document) {
    base::throw_if_interrupted();
    if (sample.spots.empty() || sample.spots.back().bytes() >= per_spot) sample.spots.emplace_back();
    sample.spots.back().documents.push_back(std::move(document.text));
    return true;
  });
  return sample;
}

}  // namespace

TextSample sample_text(const Corpus& corpus, uint64_t wanted, int spots, uint64_t seed) {
  const uint64_t per_spot = std::max<uint64_t>(1, wanted / static_cast<uint64_t>(spots));
  const auto pieces = lay_out(corpus);
  const double length = pieces.empty() ? 0 : pieces.back().end;
  // Compressed files hold more than their size; they are sampled from any size on.
  const bool plain = std::all_of(pieces.begin(), pieces.end(), [&](const Piece& p) { return is_plain(corpus.files()[p.file].kind); });
  if (plain && length <= static_cast<double>(wanted)) return read_all(corpus, per_spot);
  TextSample sample;
  base::Random random(seed, "corpus.sample");
  for (int i = 0; i < spots; ++i) {
    base::throw_if_interrupted();
    const double at = (i + random.uniform()) / spots * length;
    const auto piece = std::find_if(pieces.begin(), pieces.end(), [&](const Piece& p) { return at < p.end; });
    if (piece == pieces.end()) continue;
    const SourceFile& file = corpus.files()[piece->file];
    const double share = (at - piece->begin) / (piece->end - piece->begin);
    const auto offset = static_cast<uint64_t>(share * (piece->end - piece->begin) / corpus.sources()[file.source].weight);
    SampleSpot spot = file.bytes >= kLargeFile && is_plain(file.kind) ? read_at(file, offset, per_spot, corpus.options().min_score)
                                     : read_through(corpus, piece->file, std::min(offset, static_cast<uint64_t>(share * kDeepestStart)), per_spot);
    if (!spot.documents.empty()) sample.spots.push_back(std::move(spot));
  }
  return sample;
}

}  // namespace picochat::corpus
