#include "picochat/base/byte_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::base {
namespace {

int open_for_reading(const Path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    throw bad_input({.what = cat("cannot read the file: ", std::strerror(errno)),
                     .where = path.string(),
                     .remedy = "check that it exists and may be read"});
  return descriptor;
}

Error reading_failed(const std::string& name, int code) {
  return bad_input({.what = cat("reading failed: ", std::strerror(code)), .where = name});
}

class SourceStream : public ByteStream {
 public:
  SourceStream(const ByteSource& source, uint64_t offset)
      : source_(source), offset_(std::min(offset, source.size())) {}
  size_t read(std::span<char> out) override {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(out.size(), source_.size() - offset_));
    if (count > 0) source_.read_at(offset_, out.first(count));
    offset_ += count;
    return count;
  }
  const std::string& name() const override { return source_.name(); }

 private:
  const ByteSource& source_;
  uint64_t offset_;
};

class FileStream : public ByteStream {
 public:
  explicit FileStream(const Path& path) : name_(path.string()), descriptor_(open_for_reading(path)) {
#ifdef POSIX_FADV_SEQUENTIAL
    ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
  }
  ~FileStream() override { ::close(descriptor_); }
  size_t read(std::span<char> out) override {
    for (;;) {
      const ssize_t count = ::read(descriptor_, out.data(), out.size());
      if (count >= 0) return static_cast<size_t>(count);
      if (errno != EINTR) throw reading_failed(name_, errno);
    }
  }
  const std::string& name() const override { return name_; }

 private:
  std::string name_;
  int descriptor_;
};

}  // namespace

std::unique_ptr<ByteStream> ByteSource::stream(uint64_t offset) const {
  return std::make_unique<SourceStream>(*this, offset);
}

FileSource::FileSource(const Path& path) : name_(path.string()), descriptor_(open_for_reading(path)) {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw bad_input({.what = "not a regular file", .where = name_});
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

FileSource::~FileSource() { ::close(descriptor_); }

void FileSource::read_at(uint64_t offset, std::span<char> out) const {
  while (!out.empty()) {
    const ssize_t count = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw reading_failed(name_, errno);
    if (count == 0)
      throw bad_input({.what = "the file ends early",
                       .where = cat(name_, ", offset ", offset),
                       .expected = cat(size_, " bytes, as when it was opened"),
                       .remedy = "another program may have cut it short while it was read: run the command again"});
    offset += static_cast<uint64_t>(count);
    out = out.subspan(static_cast<size_t>(count));
  }
}

void MemorySource::read_at(uint64_t offset, std::span<char> out) const {
  require(offset <= bytes_.size() && out.size() <= bytes_.size() - offset, "a read lies within its source");
  std::memcpy(out.data(), bytes_.data() + offset, out.size());
}

std::unique_ptr<ByteStream> open_file_stream(const Path& path) { return std::make_unique<FileStream>(path); }

}  // namespace picochat::base
