// A folder for one test, and quick files in it.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "picochat/base/file_system.hpp"

namespace picochat::tasks {

class TestFolder {
 public:
  explicit TestFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / ("picochat-tasks-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  base::Path operator/(const std::string& name) const { return path_ / name; }
  base::Path write(const std::string& name, std::string_view bytes) const {
    base::write_file(base::real_file_system(), path_ / name, bytes);
    return path_ / name;
  }
  const base::Path& path() const { return path_; }

 private:
  base::Path path_;
};

}  // namespace picochat::tasks
