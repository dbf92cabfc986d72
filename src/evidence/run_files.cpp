#include "picochat/evidence/run_files.hpp"

#include <algorithm>

#include "evidence/archive.hpp"
#include "picochat/base/artifact.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Path;

class FolderFiles : public RunFiles {
 public:
  explicit FolderFiles(Path folder) : folder_(std::move(folder)) {}

  std::vector<std::string> list() const override {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_))
      if (!entry.is_symlink() && entry.is_regular_file()) names.push_back(entry.path().lexically_relative(folder_).generic_string());
    std::sort(names.begin(), names.end());
    return names;
  }
  bool contains(const std::string& path) const override {
    std::error_code ignored;
    return std::filesystem::is_regular_file(folder_ / path, ignored);
  }
  uint64_t size(const std::string& path) const override { return std::filesystem::file_size(folder_ / path); }
  base::Digest digest(const std::string& path) const override {
    auto& known = digests_[path];
    if (known.empty()) known = base::sha256_file(folder_ / path);
    return known;
  }
  std::string read(const std::string& path) const override { return base::read_file(folder_ / path); }
  std::string where(const std::string& path) const override { return (folder_ / path).string(); }

 private:
  Path folder_;
  mutable std::map<std::string, base::Digest> digests_;
};

constexpr size_t kLargestReport = 64 << 20, kAllReports = 512 << 20;
constexpr size_t kMostEntries = 100'000;

class BundleFiles : public RunFiles {
 public:
  explicit BundleFiles(const Path& bundle) : bundle_(bundle) {
    std::string name, kept;
    base::Sha256 hash;
    bool keep = false;
    size_t total = 0;
    auto finish = [&] {
      if (name.empty()) return;
      auto& file = files_.at(name);
      file.digest = hash.finish();
      file.bytes = std::move(kept);
      kept.clear();
      hash = base::Sha256();
    };
    read_archive(
        bundle,
        [&](const ArchiveEntry& entry) {
          finish();
          name = inside_root(entry.name);
          files_[name].size = entry.bytes;
          if (files_.size() > kMostEntries) throw base::bad_input({.what = "the archive holds too many files", .where = bundle.string(), .expected = cat("at most ", kMostEntries)});
          keep = entry.bytes <= kLargestReport && (name.ends_with(".json") || name == "SHA256SUMS") && (total += entry.bytes) <= kAllReports;
        },
        [&](std::string_view piece) {
          hash.update(piece);
          if (keep) kept.append(piece);
        });
    finish();
  }

  std::vector<std::string> list() const override {
    std::vector<std::string> names;
    for (const auto& [name, file] : files_) names.push_back(name);
    return names;
  }
  bool contains(const std::string& path) const override { return files_.contains(path); }
  uint64_t size(const std::string& path) const override { return at(path).size; }
  base::Digest digest(const std::string& path) const override { return at(path).digest; }
  std::string read(const std::string& path) const override { return at(path).bytes; }
  std::string where(const std::string& path) const override { return cat(bundle_.string(), ": ", path); }

 private:
  struct File {
    uint64_t size = 0;
    base::Digest digest;
    std::string bytes;
  };

  // Everything lies in one folder, named after the run.
  std::string inside_root(const std::string& name) {
    const size_t slash = name.find('/');
    const std::string root = name.substr(0, slash);
    if (root_.empty()) root_ = root;
    if (slash == std::string::npos || root != root_ || slash + 1 == name.size())
      throw base::bad_input({.what = "the archive is no bundle of a run", .where = cat(bundle_.string(), ": ", name), .expected = "one top folder that holds everything"});
    return name.substr(slash + 1);
  }
  const File& at(const std::string& path) const {
    const auto found = files_.find(path);
    if (found == files_.end()) throw base::bad_input({.what = "a file is missing", .where = where(path)});
    return found->second;
  }

  Path bundle_;
  std::string root_;
  std::map<std::string, File> files_;
};

}  // namespace

std::unique_ptr<RunFiles> open_run_files(const Path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return std::make_unique<FolderFiles>(path);
  if (std::filesystem::is_regular_file(path, ignored)) return std::make_unique<BundleFiles>(path);
  throw base::bad_input({.what = "there is neither a run directory nor a bundle", .where = path.string(), .remedy = "give the folder of a run, or a .tgz made by `picochat run bundle`"});
}

namespace {

constexpr const char *kDpoCheckpoint = "dpo/checkpoint", *kSftCheckpoint = "sft/checkpoint";

}  // namespace

std::string aligned_checkpoint(const RunFiles& files) { return artifact_digest(files, kDpoCheckpoint) ? kDpoCheckpoint : kSftCheckpoint; }

std::string aligned_checkpoint(const base::Path& run_dir) { return std::filesystem::exists(run_dir / kDpoCheckpoint) ? kDpoCheckpoint : kSftCheckpoint; }

std::optional<base::Digest> artifact_digest(const RunFiles& files, const std::string& folder) {
  const std::string manifest = cat(folder, "/", base::kManifestFile);
  return files.contains(manifest) ? std::optional(files.digest(manifest)) : std::nullopt;
}

}  // namespace picochat::evidence
