// Where bytes come from. A ByteSource has a known size and can be read anywhere, by several threads at
// once: a local file, or a remote one by ranges. A ByteStream is read once from front to back: a file,
// what a decompressor gives, a transfer of unknown length.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "picochat/base/file_system.hpp"

namespace picochat::base {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Fills up to out.size() bytes and says how many; 0 only at the end (or for an empty `out`).
  virtual size_t read(std::span<char> out) = 0;
  virtual const std::string& name() const = 0;  // for errors: a path or an address
};

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual uint64_t size() const = 0;
  // Fills all of `out` or throws; [offset, offset + out.size()) lies within size(). Any number of
  // threads may call it.
  virtual void read_at(uint64_t offset, std::span<char> out) const = 0;
  virtual const std::string& name() const = 0;
  // The bytes from `offset` to the end, in order. The source must outlive the stream. What a transfer
  // can do better than one range after the other, it overrides.
  virtual std::unique_ptr<ByteStream> stream(uint64_t offset = 0) const;
  // Says that a range is about to be read, in pieces and perhaps not to its end: what is far away can be
  // fetched by one request.
  virtual void will_read(uint64_t /*offset*/, uint64_t /*length*/) const {}
};

// A local file, read by pread. Not a memory map: a file that is cut short while it is read, or a disk
// that fails, is then an error with a name and not the end of the process, and pages of a file of many
// gigabytes do not count as this process's memory.
class FileSource : public ByteSource {
 public:
  explicit FileSource(const Path& path);  // BadInput when it cannot be opened or is no regular file
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  uint64_t size() const override { return size_; }
  void read_at(uint64_t offset, std::span<char> out) const override;
  const std::string& name() const override { return name_; }

 private:
  std::string name_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

// Bytes in memory: tests and small downloads.
class MemorySource : public ByteSource {
 public:
  MemorySource(std::string name, std::string bytes) : name_(std::move(name)), bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  void read_at(uint64_t offset, std::span<char> out) const override;
  const std::string& name() const override { return name_; }

 private:
  std::string name_, bytes_;
};

// A file of any kind (a pipe has no size), from front to back.
std::unique_ptr<ByteStream> open_file_stream(const Path& path);

}  // namespace picochat::base
