#include "corpus/chunk_reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::corpus {
namespace {

constexpr size_t kHeadBytes = 64 << 10;

}  // namespace

std::string unreadable_reason(std::string_view head) {
  head = head.substr(0, kHeadBytes);
  size_t control = 0, invalid = 0;
  for (size_t i = 0; i < head.size();) {
    const base::CodePoint point = base::decode_utf8(head, i);
    const bool cut_off = !point.valid && i + 4 > head.size();  // a code point that goes on past the head
    if (!point.valid && !cut_off) invalid += point.length;
    if (point.valid && point.value < 32 && !(point.value >= 7 && point.value <= 13) && point.value != 27) ++control;
    i += point.length;
  }
  if ((control + invalid) * 10 <= head.size()) return "";
  return control * 50 > head.size() ? "binary" : "not_utf8";
}

ChunkReader::ChunkReader(const SourceFile& file, const ReadLimits& limits) : file_(file), limits_(limits) {
  descriptor_ = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0)
    throw base::bad_input({.what = base::cat("cannot read the file: ", std::strerror(errno)), .where = file.path.string(),
                           .remedy = "check that it exists and may be read, or exclude it in the recipe"});
#ifdef POSIX_FADV_SEQUENTIAL
  ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
  fill(kHeadBytes);
  reason_ = pending_.empty() ? "empty_text" : unreadable_reason(pending_);
}

ChunkReader::~ChunkReader() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool ChunkReader::fill(size_t wanted) {
  while (!at_end_ && pending_.size() < wanted) {
    // In growing steps: most files are far smaller than what may be wanted.
    const size_t had = pending_.size();
    const size_t step = std::min(wanted - had, std::clamp<size_t>(had, kHeadBytes, 8 << 20));
    pending_.resize(had + step);
    const ssize_t n = ::read(descriptor_, pending_.data() + had, step);
    const int code = errno;
    pending_.resize(had + static_cast<size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && code == EINTR) continue;
    if (n < 0) throw base::bad_input({.what = base::cat("reading failed: ", std::strerror(code)), .where = file_.path.string()});
    if (n == 0) at_end_ = true;
  }
  return pending_.size() >= wanted;
}

// Moves the first `size` pending bytes into the chunk, with padding behind them.
void ChunkReader::take(Chunk& chunk, size_t size) {
  std::string rest = pending_.substr(size);
  chunk.buffer.swap(pending_);
  chunk.buffer.resize(size + kPadding);
  std::memset(chunk.buffer.data() + size, 0, kPadding);
  pending_.swap(rest);
  chunk.size = size;
  chunk.file = &file_;
  chunk.first = !started_;
  started_ = true;
}

bool ChunkReader::next(Chunk& chunk) {
  if (!reason_.empty()) return false;
  chunk.part = 0;
  chunk.first_line = line_;
  chunk.too_long = chunk.too_long_starts = false;
  const bool got = file_.format == Format::kJsonl ? next_lines(chunk) : next_text(chunk);
  if (got) chunk.last = at_end_ && pending_.empty();
  return got;
}

bool ChunkReader::next_lines(Chunk& chunk) {
  size_t wanted = limits_.chunk_bytes;
  for (;;) {
    const bool full = fill(wanted);
    if (pending_.empty()) return false;
    if (in_long_row_) {
      // Pieces of a row that is given up: up to and with its newline, or all there is.
      const size_t newline = pending_.find('\n');
      in_long_row_ = newline == std::string::npos;
      take(chunk, in_long_row_ ? pending_.size() : newline + 1);
      chunk.too_long = true;
      line_ += !in_long_row_;
      return true;
    }
    if (!full) {
      if (pending_.size() > limits_.max_row_bytes && pending_.find('\n') == std::string::npos) {
        take(chunk, pending_.size());
        chunk.too_long = chunk.too_long_starts = true;
        return true;
      }
      break;
    }
    const size_t newline = std::string_view(pending_).substr(0, wanted).rfind('\n');
    if (newline != std::string_view::npos) {
      const size_t size = newline + 1;
      line_ += std::count(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(size), '\n');
      take(chunk, size);
      return true;
    }
    if (wanted > limits_.max_row_bytes) {
      take(chunk, wanted);
      in_long_row_ = chunk.too_long = chunk.too_long_starts = true;
      return true;
    }
    wanted = std::min(wanted * 2, limits_.max_row_bytes + 1 + limits_.chunk_bytes);
  }
  // The end of the file, with or without a last newline.
  line_ += std::count(pending_.begin(), pending_.end(), '\n');
  take(chunk, pending_.size());
  return true;
}

bool ChunkReader::next_text(Chunk& chunk) {
  // One more byte than a document may have shows whether the file goes on.
  const bool longer = fill(limits_.max_document_bytes + 1);
  if (pending_.empty()) return false;
  size_t size = pending_.size();
  if (longer) {
    const std::string_view window = std::string_view(pending_).substr(0, limits_.max_document_bytes);
    const size_t half = window.size() / 2;
    if (size_t blank = window.rfind("\n\n"); blank != std::string_view::npos && blank >= half) size = blank + 2;
    else if (size_t newline = window.rfind('\n'); newline != std::string_view::npos && newline >= half) size = newline + 1;
    else {
      size = window.size();
      while (size > window.size() - 3 && (static_cast<unsigned char>(pending_[size]) & 0xC0) == 0x80) --size;
    }
  }
  if (longer || part_ > 0) chunk.part = ++part_;
  take(chunk, size);
  line_ += std::count(chunk.buffer.begin(), chunk.buffer.begin() + static_cast<ptrdiff_t>(size), '\n');
  return true;
}

}  // namespace picochat::corpus
