#include "corpus/chunk_reader.hpp"

#include <algorithm>
#include <cstring>

#include "corpus/csv.hpp"
#include "corpus/decompress.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/row_file.hpp"

namespace picochat::corpus {
namespace {

constexpr size_t kHeadBytes = 64 << 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

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
  if (file.kind.format == Format::kParquet) start_parquet();
  else start(base::open_file_stream(file.path));
}

ChunkReader::ChunkReader(const SourceFile& file, const ReadLimits& limits, std::unique_ptr<base::ByteStream> stream)
    : file_(file), limits_(limits) {
  start(std::move(stream));
}

ChunkReader::~ChunkReader() = default;

void ChunkReader::start(std::unique_ptr<base::ByteStream> stream) {
  stream_ = decompress(std::move(stream), file_.kind.compression);
  fill(kHeadBytes);
  reason_ = pending_.empty() ? "empty_text" : unreadable_reason(pending_);
  if (!reason_.empty() || file_.kind.format == Format::kText) return;
  if (pending_.starts_with(kByteOrderMark)) head_ = kByteOrderMark.size();
  if (file_.kind.format == Format::kCsv) start_csv();
}

// The first record names the columns.
void ChunkReader::start_csv() {
  size_t end = csv_record_end(pending_, head_, file_.kind.delimiter);
  while (end == std::string::npos && pending_.size() <= limits_.max_row_bytes && fill(pending_.size() * 2))
    end = csv_record_end(pending_, head_, file_.kind.delimiter);
  if (end == std::string::npos) end = csv_record_end(pending_, head_, file_.kind.delimiter);
  if (end == std::string::npos) end = pending_.size();
  CsvRecord record;
  split_csv(without_newline(std::string_view(pending_).substr(head_, end - head_)), file_.kind.delimiter, record);
  auto header = std::make_shared<std::vector<std::string>>();
  std::string scratch;
  for (const auto field : record.fields) header->push_back(base::replace_invalid_utf8(base::trim(csv_value(field, scratch))));
  if (std::find(header->begin(), header->end(), file_.text_column) == header->end()) {
    reason_ = "missing_text_column";
    for (size_t i = 0; i < std::min<size_t>(header->size(), 20); ++i)
      detail_ += base::cat(detail_.empty() ? "" : ", ", header->at(i).substr(0, 40));
  }
  line_ += std::count(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(end), '\n');
  head_ = end;
  csv_header_ = std::move(header);
}

void ChunkReader::start_parquet() {
  auto source = std::make_shared<base::FileSource>(file_.path);
  const std::vector<Column> columns = RowFile::list_columns(*source, file_.kind);
  const auto found = std::find_if(columns.begin(), columns.end(), [this](const Column& column) { return column.name == file_.text_column; });
  if (found == columns.end() || !found->is_text) {
    reason_ = found == columns.end() ? "missing_text_column" : "text_column_not_string";
    for (size_t i = 0; i < std::min<size_t>(columns.size(), 20); ++i)
      detail_ += base::cat(detail_.empty() ? "" : ", ", columns[i].name.substr(0, 40), " (", columns[i].type.substr(0, 40), ")");
    return;
  }
  rows_ = RowFile::open(source, file_.kind, {.text = file_.text_column});
}

bool ChunkReader::fill(size_t wanted) {
  while (!at_end_ && pending_.size() < wanted) {
    // In growing steps: most files are far smaller than what may be wanted.
    const size_t had = pending_.size();
    const size_t step = std::min(wanted - had, std::clamp<size_t>(had, kHeadBytes, 8 << 20));
    pending_.resize(had + step);
    const size_t got = stream_->read({pending_.data() + had, step});
    pending_.resize(had + got);
    if (got == 0) at_end_ = true;
  }
  return pending_.size() >= wanted;
}

// Moves the first `size` pending bytes into the chunk, with padding behind them.
void ChunkReader::take(Chunk& chunk, size_t size) {
  std::string rest = std::move(chunk.buffer);  // the memory of the chunk before
  rest.assign(pending_, size);
  chunk.buffer = std::move(pending_);
  chunk.buffer.resize(size + kPadding);
  std::memset(chunk.buffer.data() + size, 0, kPadding);
  pending_ = std::move(rest);
  chunk.size = size;
  chunk.file = &file_;
  chunk.first = !started_;
  chunk.head = started_ ? 0 : head_;
  chunk.csv_header = csv_header_;
  chunk.is_file_bytes = file_.kind.compression == Compression::kNone;
  started_ = true;
}

bool ChunkReader::next(Chunk& chunk) {
  if (!reason_.empty()) return false;
  chunk.part = 0;
  chunk.first_line = line_;
  chunk.too_long = chunk.too_long_starts = false;
  chunk.decoded.clear();
  if (rows_) return next_decoded(chunk);
  const bool got = file_.kind.format == Format::kText ? next_text(chunk) : next_rows(chunk);
  if (got) chunk.last = at_end_ && pending_.empty();
  return got;
}

// The first `size` pending bytes are about to be taken; the lines before head_ are counted already.
void ChunkReader::count_lines(size_t size) {
  const size_t begin = started_ ? 0 : std::min(head_, size);
  for (const char *at = pending_.data() + begin, *end = pending_.data() + size; (at = static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)))) != nullptr; ++at) ++line_;
}

// How many of the first `within` pending bytes are whole rows; npos: not one.
size_t ChunkReader::rows_end(size_t within) {
  const std::string_view bytes = std::string_view(pending_).substr(0, within);
  if (file_.kind.format == Format::kJsonl) {
    const size_t newline = bytes.rfind('\n');
    return newline == std::string_view::npos ? newline : newline + 1;
  }
  size_t end = std::string_view::npos;
  for (size_t at = started_ ? 0 : head_;; end = at) {
    at = csv_record_end(bytes, at, file_.kind.delimiter);
    if (at == std::string_view::npos) return end;
  }
}

bool ChunkReader::next_rows(Chunk& chunk) {
  size_t wanted = std::max(limits_.chunk_bytes, started_ ? 0 : head_ + 1);
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
      if (pending_.size() > limits_.max_row_bytes && rows_end(pending_.size()) == std::string::npos) {
        take(chunk, pending_.size());
        chunk.too_long = chunk.too_long_starts = true;
        return true;
      }
      break;
    }
    const size_t size = rows_end(wanted);
    if (size != std::string_view::npos) {
      count_lines(size);
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
  count_lines(pending_.size());
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

// Rows of Parquet, decoded here one after the other, up to a chunk's worth of text.
bool ChunkReader::next_decoded(Chunk& chunk) {
  chunk.buffer.clear();
  FileRow row;
  while (chunk.buffer.size() < limits_.chunk_bytes && chunk.decoded.size() < 65536) {
    if (!part_reader_) {
      if (next_part_ == rows_->parts().size()) break;
      part_reader_ = rows_->open_part(next_part_++);
    }
    if (!part_reader_->next(row)) {
      part_reader_.reset();
      continue;
    }
    DecodedRow record{.text_begin = chunk.buffer.size(), .index = row.index, .skipped = row.skipped, .repaired = row.repaired};
    if (row.text.size() > limits_.max_row_bytes) record.skipped = "row_too_long";
    else chunk.buffer.append(row.text);
    record.text_end = chunk.buffer.size();
    chunk.buffer.append(row.id);
    record.id_end = chunk.buffer.size();
    chunk.decoded.push_back(record);
  }
  chunk.size = chunk.buffer.size();
  chunk.buffer.append(kPadding, '\0');
  chunk.file = &file_;
  chunk.head = 0;
  chunk.first = !started_;
  chunk.is_file_bytes = false;
  chunk.last = !part_reader_ && next_part_ == rows_->parts().size();
  started_ = true;
  return !chunk.decoded.empty();
}

}  // namespace picochat::corpus
