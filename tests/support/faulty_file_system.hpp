// The real file system until the n-th operation, which fails as a full disk does (a write may leave
// half its bytes). With `crash`, every later operation fails too, clean-up included: what is on disk
// then is what a killed process would leave.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"

namespace picochat::test {

class FaultyFileSystem final : public base::FileSystem {
 public:
  static constexpr int kNever = 1 << 30;
  explicit FaultyFileSystem(int failing_operation = kNever, bool crash = false)
      : failing_(failing_operation), crash_(crash) {}

  int operations() const { return count_; }

  std::unique_ptr<base::WritableFile> create(const base::Path& path) override {
    step();
    return std::make_unique<File>(*this, real().create(path));
  }
  std::unique_ptr<base::WritableFile> open_append(const base::Path& path) override {
    step();
    return std::make_unique<File>(*this, real().open_append(path));
  }
  void make_directories(const base::Path& path) override { step(), real().make_directories(path); }
  void rename_replacing(const base::Path& from, const base::Path& to) override {
    step(), real().rename_replacing(from, to);
  }
  void rename_new(const base::Path& from, const base::Path& to) override { step(), real().rename_new(from, to); }
  void remove_all(const base::Path& path) override { step(), real().remove_all(path); }
  void truncate(const base::Path& path, uint64_t size) override { step(), real().truncate(path, size); }
  void sync_directory(const base::Path& path) override { step(), real().sync_directory(path); }

 private:
  class File final : public base::WritableFile {
   public:
    File(FaultyFileSystem& owner, std::unique_ptr<base::WritableFile> file)
        : owner_(owner), file_(std::move(file)) {}
    void append(std::string_view bytes) override {
      if (owner_.due()) {
        file_->append(bytes.substr(0, bytes.size() / 2));
        file_->close();
      }
      owner_.step();
      file_->append(bytes);
    }
    void sync() override { owner_.step(), file_->sync(); }
    void close() override { owner_.step(), file_->close(); }

   private:
    FaultyFileSystem& owner_;
    std::unique_ptr<base::WritableFile> file_;
  };

  static base::FileSystem& real() { return base::real_file_system(); }
  bool due() const { return count_ == failing_; }
  void step() {
    const int operation = count_++;
    if (operation == failing_ || (crash_ && operation > failing_))
      throw base::environment_error({.what = "writing failed: No space left on device", .where = "test"});
  }

  int failing_;
  bool crash_;
  int count_ = 0;
};

}  // namespace picochat::test
