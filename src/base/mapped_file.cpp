#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/text.hpp"

namespace picochat::base {

MappedFile::MappedFile(const Path& path) : path_(path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    throw bad_input({.what = cat("cannot read the file: ", std::strerror(errno)), .where = path.string(), .remedy = "check the path"});
  struct stat status {};
  bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  if (!regular) {
    ::close(descriptor);
    throw bad_input({.what = "not a regular file", .where = path.string()});
  }
  size_ = static_cast<size_t>(status.st_size);
  if (size_ > 0) {
    void* address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
    int code = errno;
    ::close(descriptor);
    if (address == MAP_FAILED) throw environment_error({.what = cat("cannot map the file: ", std::strerror(code)), .where = path.string()});
    data_ = static_cast<const char*>(address);
  } else {
    ::close(descriptor);
  }
}

MappedFile::~MappedFile() { release(); }

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    release();
    path_ = std::move(other.path_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void MappedFile::release() {
  if (data_) ::munmap(const_cast<char*>(data_), size_);
}

}  // namespace picochat::base
