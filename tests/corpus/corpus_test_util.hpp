// A folder of its own for each test, and checks of errors.
#pragma once

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <fstream>

#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/corpus.hpp"

namespace picochat::corpus {

class Folder {
 public:
  Folder() {
    static std::atomic<int> serial{0};
    path_ = std::filesystem::temp_directory_path() / base::cat("picochat-corpus-", static_cast<int>(::getpid()), "-", serial++);
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const Path& path() const { return path_; }
  Path operator/(const std::string& name) const { return path_ / name; }
  Path write(const std::string& name, std::string_view bytes) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path_ / name;
  }

 private:
  Path path_;
};

// Runs `action`; the error it throws must be of this kind and mention every part.
template <typename Action>
void expect_error(base::ExitCode code, const std::vector<std::string>& parts, Action action) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const base::Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    for (const auto& part : parts) EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << part << " is not in: " << error.what();
  }
}

inline std::vector<Document> read_all(const Corpus& corpus) {
  std::vector<Document> documents;
  corpus.for_each_document([&](Document&& document) {
    documents.push_back(std::move(document));
    return true;
  });
  return documents;
}

inline std::vector<std::string> texts_of(const Corpus& corpus) {
  std::vector<std::string> texts;
  for (auto& document : read_all(corpus)) texts.push_back(std::move(document.text));
  return texts;
}

inline Corpus open_input(const Path& path, int64_t min_score = 0) { return Corpus::open({.input = path, .min_score = min_score}); }
inline Corpus open_recipe(const Path& path, int64_t min_score = 0) { return Corpus::open({.recipe = path, .min_score = min_score}); }

}  // namespace picochat::corpus
