// A ByteSource as Arrow reads it, and Arrow's failures as ours.
#pragma once

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/result.h>
#include <arrow/status.h>
#include <parquet/exception.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>

#include "picochat/base/byte_source.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::corpus {

using base::cat;

// Bounds that a file's own numbers cannot push: a footer describes row groups and is small; one part
// holds a compressed chunk, a page and a batch of rows at a time.
inline constexpr uint64_t kMaxFooter = 256 << 20;
inline constexpr int64_t kMaxPartMemory = int64_t{1} << 30;
inline constexpr size_t kTail = 64 << 10;  // Arrow looks for the footer in so many last bytes

// Arrow's view of a ByteSource. What the source throws (a lost connection) must not pass through
// Arrow: it is kept and thrown again on our side.
class SourceAdapter : public arrow::io::RandomAccessFile {
 public:
  SourceAdapter(const base::ByteSource& source, std::shared_ptr<const std::string> tail) : source_(source), tail_(std::move(tail)) {}
  ~SourceAdapter() override = default;

  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Seek(int64_t position) override {
    position_ = position;
    return arrow::Status::OK();
  }
  arrow::Result<int64_t> GetSize() override { return static_cast<int64_t>(source_.size()); }

  arrow::Result<int64_t> ReadAt(int64_t position, int64_t count, void* out) override {
    if (position < 0 || count < 0 || static_cast<uint64_t>(position) > source_.size())
      return arrow::Status::IOError("a read at offset ", position, " of a file of ", source_.size(), " bytes");
    const uint64_t from = static_cast<uint64_t>(position);
    const uint64_t bytes = std::min<uint64_t>(static_cast<uint64_t>(count), source_.size() - from);
    const uint64_t tail_begin = source_.size() - tail_->size();
    try {
      if (from >= tail_begin) std::memcpy(out, tail_->data() + (from - tail_begin), bytes);
      else source_.read_at(from, {static_cast<char*>(out), bytes});
    } catch (...) {
      failure_ = std::current_exception();
      return arrow::Status::IOError("the source failed");
    }
    return static_cast<int64_t>(bytes);
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t count) override {
    // Never more memory than there are bytes, whatever the file says about its chunks.
    const int64_t size = static_cast<int64_t>(source_.size());
    const int64_t there = position < 0 || position > size ? 0 : std::clamp<int64_t>(count, 0, size - position);
    ARROW_ASSIGN_OR_RAISE(std::unique_ptr<arrow::ResizableBuffer> buffer, arrow::AllocateResizableBuffer(there));
    ARROW_ASSIGN_OR_RAISE(const int64_t got, ReadAt(position, there, buffer->mutable_data()));
    ARROW_RETURN_NOT_OK(buffer->Resize(got));
    return std::shared_ptr<arrow::Buffer>(std::move(buffer));
  }
  arrow::Result<int64_t> Read(int64_t count, void* out) override {
    ARROW_ASSIGN_OR_RAISE(const int64_t got, ReadAt(position_, count, out));
    position_ += got;
    return got;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t count) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, count));
    position_ += buffer->size();
    return buffer;
  }
  using arrow::io::RandomAccessFile::ReadAt;

  void rethrow_failure() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  const base::ByteSource& source_;
  std::shared_ptr<const std::string> tail_;
  std::exception_ptr failure_;
  int64_t position_ = 0;
  bool closed_ = false;
};

inline std::string printable(std::string_view text, size_t limit = 300) {
  std::string line = base::replace_invalid_utf8(text.substr(0, limit));
  std::replace_if(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 32; }, ' ');
  return line;
}

inline base::Error damaged(const std::string& where, const std::string& found) {
  return base::bad_input({.what = "the Parquet file is damaged, or has something that Arrow does not read", .where = where,
                          .found = printable(found), .remedy = "fetch the file again and compare its digest"});
}

[[noreturn]] inline void refuse(const arrow::Status& status, const std::string& where) {
  if (status.IsOutOfMemory())
    throw base::bad_input({.what = "reading a part of the Parquet file would take too much memory", .where = where,
                           .expected = cat("pages and batches within ", base::human_bytes(static_cast<uint64_t>(kMaxPartMemory))),
                           .found = printable(status.message()),
                           .remedy = "a damaged file asks for absurd sizes: fetch it again; else write it anew with smaller pages"});
  throw damaged(where, status.message());
}

// Runs what calls Arrow: its exceptions and statuses become ours, and those of the source come first.
template <typename Body>
auto guarded(const SourceAdapter& file, const std::string& where, Body body) {
  auto failed = [&](const arrow::Status& status) {
    file.rethrow_failure();
    refuse(status, where);
  };
  try {
    auto result = body();
    if (!result.ok()) failed(result.status());
    return std::move(result).ValueUnsafe();
  } catch (const parquet::ParquetStatusException& error) {
    failed(error.status());
  } catch (const parquet::ParquetException& error) {
    failed(arrow::Status::Invalid(error.what()));
  } catch (const std::bad_alloc&) {
    failed(arrow::Status::OutOfMemory("allocation failed"));
  } catch (const std::length_error& error) {
    failed(arrow::Status::Invalid(error.what()));
  } catch (const std::out_of_range& error) {
    failed(arrow::Status::Invalid(error.what()));
  }
  throw base::internal_error("unreachable");
}

// The last bytes of the file, once it is clear that they are those of a Parquet file.
inline std::shared_ptr<const std::string> read_tail(const base::ByteSource& source) {
  auto bad = [&](const char* what, std::string found) {
    return base::bad_input({.what = what, .where = source.name(), .expected = "a Parquet file: \"PAR1\" at both ends", .found = std::move(found),
                            .remedy = "fetch the file again and compare its size and digest"});
  };
  const uint64_t size = source.size();
  if (size < 12) throw bad("the file is too short to be Parquet", cat(size, " bytes"));
  auto tail = std::make_shared<std::string>(std::min<uint64_t>(size, kTail), '\0');
  source.read_at(size - tail->size(), {tail->data(), tail->size()});
  const std::string_view magic = std::string_view(*tail).substr(tail->size() - 4);
  if (magic == "PARE") throw bad("the Parquet file is encrypted", "an encrypted footer");
  if (magic != "PAR1") throw bad("the file is cut off, or is no Parquet file", cat("it ends with \"", printable(magic), "\""));
  uint32_t footer = 0;
  for (size_t i = 0; i < 4; ++i) footer |= uint32_t{static_cast<unsigned char>((*tail)[tail->size() - 8 + i])} << (8 * i);
  if (footer > size - 12 || footer > kMaxFooter) throw bad("the Parquet footer has an impossible length", cat(footer, " bytes in a file of ", size));
  return tail;
}

}  // namespace picochat::corpus
