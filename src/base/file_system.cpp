#include "picochat/base/file_system.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::base {
namespace {

[[noreturn]] void fail(const std::string& what, const Path& path, int code) {
  std::string remedy;
  if (code == ENOSPC || code == EDQUOT) remedy = "free some space on that disk (or choose another folder) and run the same command again";
  if (code == EIO) remedy = "the disk reports an error: look at the system's log, choose a folder on another disk, and run the same command again";
  if (code == EACCES || code == EPERM || code == EROFS) remedy = "check the permissions of the folder, or choose another one";
  throw environment_error({.what = cat(what, ": ", std::strerror(code)), .where = path.string(), .remedy = remedy});
}

class PosixFile final : public WritableFile {
 public:
  PosixFile(const Path& path, int flags) : path_(path) {
    descriptor_ = ::open(path.c_str(), flags | O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0) fail("cannot open the file for writing", path, errno);
  }
  ~PosixFile() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  void append(std::string_view bytes) override {
    while (!bytes.empty()) {
      ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("writing failed", path_, errno);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  void sync() override {
    if (::fsync(descriptor_) != 0) fail("syncing to disk failed", path_, errno);
  }
  void close() override {
    int descriptor = std::exchange(descriptor_, -1);
    if (descriptor >= 0 && ::close(descriptor) != 0) fail("closing failed", path_, errno);
  }

 private:
  Path path_;
  int descriptor_ = -1;
};

class PosixFileSystem final : public FileSystem {
 public:
  std::unique_ptr<WritableFile> create(const Path& path) override { return std::make_unique<PosixFile>(path, O_TRUNC); }
  std::unique_ptr<WritableFile> open_append(const Path& path) override { return std::make_unique<PosixFile>(path, O_APPEND); }
  void make_directories(const Path& path) override {
    if (path.empty()) return;
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) fail("cannot create the folder", path, error.value());
  }
  void rename_replacing(const Path& from, const Path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) fail("renaming failed", to, errno);
  }
  void rename_new(const Path& from, const Path& to) override {
    // A plain rename silently replaces an empty folder and fails on a full one; NOREPLACE never replaces.
    constexpr unsigned kNoReplace = 1;
    if (::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), kNoReplace) == 0) return;
    if (errno != EINVAL && errno != ENOSYS) fail("publishing failed", to, errno);
    // File systems without the flag (some network and overlay ones): check, then rename.
    if (std::filesystem::exists(to)) fail("publishing failed", to, EEXIST);
    if (::rename(from.c_str(), to.c_str()) != 0) fail("publishing failed", to, errno);
  }
  void remove_all(const Path& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) fail("deleting failed", path, error.value());
  }
  void truncate(const Path& path, uint64_t size) override {
    if (::truncate(path.c_str(), static_cast<off_t>(size)) != 0) fail("truncating failed", path, errno);
  }
  void sync_directory(const Path& path) override {
    int descriptor = ::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) fail("cannot open the folder", path, errno);
    int code = ::fsync(descriptor) == 0 ? 0 : errno;
    ::close(descriptor);
    if (code != 0 && code != EINVAL) fail("syncing the folder failed", path, code);
  }
};

constexpr std::string_view kTemporary = ".tmp-", kTrash = ".trash-";

// A neighbour of `path` that no reader mistakes for a result: ".tmp-<name>-<pid>-<n>".
Path neighbour(const Path& path, std::string_view prefix) {
  static std::atomic<int> serial{0};
  return path.parent_path() / cat(prefix, path.filename().string(), "-", static_cast<int>(::getpid()), "-", serial++);
}

}  // namespace

FileSystem& real_file_system() {
  static PosixFileSystem files;
  return files;
}

void write_file(FileSystem& files, const Path& path, std::string_view bytes) {
  files.make_directories(path.parent_path());
  Path temporary = neighbour(path, kTemporary);
  try {
    auto file = files.create(temporary);
    file->append(bytes);
    file->sync();
    file->close();
    files.rename_replacing(temporary, path);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  files.sync_directory(path.parent_path());
}

std::string read_file(const Path& path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    int code = errno;
    throw bad_input({.what = cat("cannot read the file: ", std::strerror(code)), .where = path.string(),
                     .remedy = code == ENOENT ? "check the path" : "check the permissions"});
  }
  std::string bytes;
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && status.st_size > 0) bytes.reserve(static_cast<size_t>(status.st_size));
  char buffer[1 << 16];
  for (;;) {
    ssize_t n = ::read(descriptor, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      int code = errno;
      ::close(descriptor);
      throw bad_input({.what = cat("cannot read the file: ", std::strerror(code)), .where = path.string(),
                       .expected = code == EISDIR ? "a file" : "", .found = code == EISDIR ? "a folder" : ""});
    }
    if (n == 0) break;
    bytes.append(buffer, static_cast<size_t>(n));
  }
  ::close(descriptor);
  return bytes;
}

void publish_directory(FileSystem& files, const Path& path, const std::function<void(const Path&)>& fill) {
  files.make_directories(path.parent_path());
  Path temporary = neighbour(path, kTemporary);
  try {
    files.make_directories(temporary);
    fill(temporary);
    files.sync_directory(temporary);
    files.rename_new(temporary, path);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove_all(temporary, ignored);
    throw;
  }
  files.sync_directory(path.parent_path());
}

void remove_published(FileSystem& files, const Path& path) {
  Path trash = neighbour(path, kTrash);
  files.rename_new(path, trash);
  files.remove_all(trash);
}

void sweep_leftovers(FileSystem& files, const Path& folder) {
  if (!std::filesystem::is_directory(folder)) return;
  std::vector<Path> leftovers;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with(kTemporary) || name.starts_with(kTrash)) leftovers.push_back(entry.path());
  }
  for (const auto& path : leftovers) files.remove_all(path);
}

DirectoryLock::DirectoryLock(const Path& folder) {
  real_file_system().make_directories(folder);
  Path path = folder / ".lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("cannot open the lock file", path, errno);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    ssize_t n = ::read(descriptor_, holder, sizeof holder - 1);
    ::close(std::exchange(descriptor_, -1));
    throw environment_error({.what = "another process is working in this folder", .where = folder.string(),
                             .found = n > 0 ? cat("process ", trim(holder)) : "", .remedy = "wait for it, end it, or choose another folder"});
  }
  std::string pid = cat(static_cast<int>(::getpid()), "\n");
  if (::ftruncate(descriptor_, 0) != 0 || ::write(descriptor_, pid.data(), pid.size()) < 0) {
    // The lock holds either way; the pid only makes the message of a second process better.
  }
}

DirectoryLock::~DirectoryLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::vector<Path> list_files(const Path& folder) {
  std::vector<Path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) paths.push_back(entry.path().lexically_relative(folder));
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace picochat::base
