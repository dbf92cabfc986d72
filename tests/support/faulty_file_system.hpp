// The real file system until the n-th operation, which fails: as a full disk or a broken one does, or because the
// process is killed there.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"

namespace picochat::test {

enum class DiskFault {
  kFull,    // ENOSPC; a write leaves half its bytes. What comes after works, clean-up included
  kBroken,  // EIO; nothing is written
  kTorn,    // a write leaves half its bytes and nothing works any more: what is on disk is what a killed process would leave
  kKilled,  // the same before the operation
};

class FaultyFileSystem final : public base::FileSystem {
 public:
  static constexpr int kNever = 1 << 30;
  explicit FaultyFileSystem(int failing_operation = kNever, bool crash = false) : FaultyFileSystem(failing_operation, crash ? DiskFault::kTorn : DiskFault::kFull) {}
  FaultyFileSystem(int failing_operation, DiskFault fault) : failing_(failing_operation), fault_(fault) {}

  int operations() const { return count_; }

  std::unique_ptr<base::WritableFile> create(const base::Path& path) override {
    step(path);
    return std::make_unique<File>(*this, real().create(path), path);
  }
  std::unique_ptr<base::WritableFile> open_append(const base::Path& path) override {
    step(path);
    return std::make_unique<File>(*this, real().open_append(path), path);
  }
  void make_directories(const base::Path& path) override { step(path), real().make_directories(path); }
  void rename_replacing(const base::Path& from, const base::Path& to) override { step(to), real().rename_replacing(from, to); }
  void rename_new(const base::Path& from, const base::Path& to) override { step(to), real().rename_new(from, to); }
  void remove_all(const base::Path& path) override { step(path), real().remove_all(path); }
  void truncate(const base::Path& path, uint64_t size) override { step(path), real().truncate(path, size); }
  void sync_directory(const base::Path& path) override { step(path), real().sync_directory(path); }

 private:
  class File final : public base::WritableFile {
   public:
    File(FaultyFileSystem& owner, std::unique_ptr<base::WritableFile> file, base::Path path) : owner_(owner), file_(std::move(file)), path_(std::move(path)) {}
    void append(std::string_view bytes) override {
      if (owner_.due() && (owner_.fault_ == DiskFault::kFull || owner_.fault_ == DiskFault::kTorn)) {
        file_->append(bytes.substr(0, bytes.size() / 2));
        file_->close();
      }
      owner_.step(path_);
      file_->append(bytes);
    }
    void sync() override { owner_.step(path_), file_->sync(); }
    void close() override { owner_.step(path_), file_->close(); }

   private:
    FaultyFileSystem& owner_;
    std::unique_ptr<base::WritableFile> file_;
    base::Path path_;
  };

  static base::FileSystem& real() { return base::real_file_system(); }
  bool due() const { return count_ == failing_; }
  void step(const base::Path& path) {
    const int operation = count_++;
    const bool crash = fault_ == DiskFault::kTorn || fault_ == DiskFault::kKilled;
    if (operation == failing_ || (crash && operation > failing_))
      throw base::environment_error({.what = std::string("writing failed: ") + (fault_ == DiskFault::kBroken ? "Input/output error" : "No space left on device"), .where = path.string()});
  }

  int failing_;
  DiskFault fault_;
  std::atomic<int> count_ = 0;
};

}  // namespace picochat::test
