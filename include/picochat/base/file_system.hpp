// The one way to durable bytes. Everything that must survive a crash is written through FileSystem,
// so that tests can fail, tear or kill at the n-th operation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace picochat::base {

using Path = std::filesystem::path;

// An open file being written. Destroying it without close() leaves whatever was written; callers
// publish by rename, never by writing under the final name.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual void append(std::string_view bytes) = 0;  // EnvironmentError on a full disk, naming path and size
  virtual void sync() = 0;                          // fsync; after a failure the file must not be reused
  virtual void close() = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual std::unique_ptr<WritableFile> create(const Path& path) = 0;          // truncates
  virtual std::unique_ptr<WritableFile> open_append(const Path& path) = 0;
  virtual void make_directories(const Path& path) = 0;
  virtual void rename_replacing(const Path& from, const Path& to) = 0;         // files only
  virtual void rename_new(const Path& from, const Path& to) = 0;               // fails when `to` exists (renameat2 NOREPLACE)
  virtual void remove_all(const Path& path) = 0;
  virtual void truncate(const Path& path, uint64_t size) = 0;
  virtual void sync_directory(const Path& path) = 0;
};

FileSystem& real_file_system();

// Writes `bytes` to a temporary neighbour, syncs, renames over `path`, syncs the folder: afterwards
// `path` holds either the old bytes or the new ones.
void write_file(FileSystem& files, const Path& path, std::string_view bytes);

// Whole file as bytes; BadInput when it cannot be read.
std::string read_file(const Path& path);

// Writes a folder under a temporary name (`fill` gets its path), then publishes it as `path`, a name
// that must not exist. Order: files synced by `fill`, then the folder, the rename, the parent.
void publish_directory(FileSystem& files, const Path& path, const std::function<void(const Path&)>& fill);

// Moves `path` to a trash name beside it, then deletes: a crash never leaves half a folder under its name.
void remove_published(FileSystem& files, const Path& path);

// Deletes temporary and trash leftovers that crashed writers left in `folder`.
void sweep_leftovers(FileSystem& files, const Path& folder);

// Read-only memory map of a whole file; empty files map to an empty view.
class MappedFile {
 public:
  explicit MappedFile(const Path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view bytes() const { return {data_, size_}; }
  const Path& path() const { return path_; }

 private:
  void release();
  Path path_;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

// Exclusive advisory lock on `<folder>/.lock` for the life of the object, so that two processes do
// not work in one run directory; the holder's pid is in the error.
class DirectoryLock {
 public:
  explicit DirectoryLock(const Path& folder);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_ = -1;
};

// Every regular file under `folder`, relative, sorted by path.
std::vector<Path> list_files(const Path& folder);

}  // namespace picochat::base
