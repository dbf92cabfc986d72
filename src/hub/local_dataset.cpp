// Folders and files on disk, among them what other tools left in their cache of a hub.
#include "hub/local_dataset.hpp"

#include <algorithm>
#include <filesystem>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::hub {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLargestCard = 16 << 20;

std::vector<RepoFile> list(const Path& root) {
  std::vector<RepoFile> out;
  if (fs::is_regular_file(root)) {
    out.push_back({.path = root.filename().generic_string(), .size = fs::file_size(root)});
    return out;
  }
  try {
    // Entries of a cache are links to files elsewhere.
    for (auto entry = fs::recursive_directory_iterator(root); entry != fs::recursive_directory_iterator(); ++entry)
      if (entry->is_regular_file()) out.push_back({.path = entry->path().lexically_relative(root).generic_string(), .size = entry->file_size()});
  } catch (const fs::filesystem_error& error) {
    throw base::bad_input({.what = "cannot list the folder: " + error.code().message(), .where = error.path1().string(), .remedy = "check its permissions"});
  }
  std::sort(out.begin(), out.end(), [](const RepoFile& a, const RepoFile& b) { return a.path < b.path; });
  return out;
}

class LocalDataset : public Dataset {
 public:
  LocalDataset(Path root, LocalOrigin origin) : root_(std::move(root)), origin_(std::move(origin)), files_(list(root_)) {
    const Path readme = root_ / "README.md";
    if (fs::is_directory(root_) && fs::is_regular_file(readme) && fs::file_size(readme) <= kLargestCard) card_ = parse_card(base::read_file(readme), readme.string());
    if (fs::is_regular_file(root_)) file_ = true;
  }
  std::string kind() const override { return origin_.kind; }
  std::string address() const override { return origin_.address.empty() ? root_.string() : origin_.address; }
  std::string commit() const override { return origin_.commit; }
  std::string license() const override { return card_.license; }
  const Card& card() const override { return card_; }
  const std::vector<RepoFile>& files() const override { return files_; }
  std::shared_ptr<const base::ByteSource> open(const RepoFile& file) const override { return std::make_shared<base::FileSource>(file_ ? root_ : root_ / file.path); }
  std::unique_ptr<Dataset> converted(const std::string&, const std::string&, std::string& why) const override {
    why = "local files are read as they are";
    return nullptr;
  }

 private:
  Path root_;
  LocalOrigin origin_;
  std::vector<RepoFile> files_;
  Card card_;
  bool file_ = false;
};

}  // namespace

bool is_local_dataset(const std::string& name) {
  std::error_code ignored;
  return name.starts_with('/') || name.starts_with("./") || name.starts_with("../") || name.starts_with("~") || fs::exists(name, ignored);
}

std::unique_ptr<Dataset> open_local_dataset(const Path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored) && !fs::is_directory(path, ignored))
    throw base::bad_input({.what = "the data set does not exist", .where = path.string(), .expected = "a folder or file, or the name of a data set on the hub (namespace/name)"});
  return open_folder(path, {.kind = "local"});
}

std::unique_ptr<Dataset> open_folder(const Path& root, LocalOrigin origin) { return std::make_unique<LocalDataset>(root, std::move(origin)); }

}  // namespace picochat::hub
