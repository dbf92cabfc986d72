// Data sets on a hub, and in the cache that other tools keep of it.
#include <algorithm>
#include <filesystem>
#include <mutex>
#include <set>

#include "hub/answers.hpp"
#include "hub/listing.hpp"
#include "hub/local_dataset.hpp"
#include "hub/url.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/hub/dataset.hpp"
#include "picochat/hub/download.hpp"
#include "picochat/hub/remote_file.hpp"

namespace picochat::hub {
namespace {

namespace fs = std::filesystem;
using base::cat;

constexpr size_t kLargestAnswer = 64 << 20;
constexpr size_t kLargestCard = 16 << 20;
constexpr const char* kConvertedBranch = "refs/convert/parquet";

void check_name(const std::string& name) {
  const auto parts = base::split(name, '/');
  const bool fits = (parts.size() == 1 || parts.size() == 2) && std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
                      return !part.empty() && part.size() <= 96 && part.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos &&
                             part.front() != '.' && part.front() != '-' && part.find("..") == std::string::npos;
                    });
  if (!fits)
    throw base::bad_input({.what = "not the name of a data set", .where = "--dataset", .expected = "namespace/name as on the hub, or an existing file or folder", .found = name});
}

// From the cache of other tools when it is there, else over the network.
std::shared_ptr<const base::ByteSource> open_at(const std::shared_ptr<const Client>& client, const std::string& name, const std::string& commit, const RepoFile& file) {
  std::error_code ignored;
  const Path cached = cache_folder(client->settings(), name) / "snapshots" / commit / file.path;
  if (fs::is_regular_file(cached, ignored) && fs::file_size(cached, ignored) == file.size) return std::make_shared<base::FileSource>(cached);
  return std::make_shared<RemoteFile>(client, file_url(client->settings(), name, commit, file.path), file, commit);
}

class HubDataset : public Dataset {
 public:
  HubDataset(std::shared_ptr<const Client> client, std::string name, const std::string& revision) : client_(std::move(client)), name_(std::move(name)) {
    const std::string url = cat(api(), "/revision/", percent_encoded(revision, true));
    const Revision found = parse_revision(client_->get(url, kLargestAnswer).body, url);
    commit_ = found.commit;
    license_ = found.license;
    list();
    read_card();
    if (!card_.license.empty()) license_ = card_.license;
  }
  std::string kind() const override { return "hub"; }
  std::string address() const override { return cat(client_->settings().endpoint, "/datasets/", name_); }
  std::string commit() const override { return commit_; }
  std::string license() const override { return license_; }
  const Card& card() const override { return card_; }
  const std::vector<RepoFile>& files() const override { return files_; }

  std::shared_ptr<const base::ByteSource> open(const RepoFile& file) const override {
    return open_at(client_, name_, commit_, file);
  }

  std::unique_ptr<Dataset> converted(const std::string& config, const std::string& split, std::string& why) const override;

 protected:
  std::string api() const { return cat(client_->settings().endpoint, "/api/datasets/", name_); }

 private:
  void list() {
    files_ = list_tree(*client_, cat(api(), "/tree/", commit_));
  }
  void read_card() {
    const auto readme = std::find_if(files_.begin(), files_.end(), [](const RepoFile& file) { return file.path == "README.md"; });
    if (readme == files_.end() || readme->size > kLargestCard) return;
    const std::string url = file_url(client_->settings(), name_, commit_, "README.md");
    card_ = parse_card(client_->get(url, kLargestCard).body, cat(name_, "/README.md"));
  }

  std::shared_ptr<const Client> client_;
  std::string name_, commit_, license_;
  Card card_;
  std::vector<RepoFile> files_;
};

// What is needed to go on with a plan: no listing, no card.
class PinnedDataset : public Dataset {
 public:
  PinnedDataset(std::shared_ptr<const Client> client, std::string name, std::string commit) : client_(std::move(client)), name_(std::move(name)), commit_(std::move(commit)) {}
  std::string kind() const override { return "hub"; }
  std::string address() const override { return cat(client_->settings().endpoint, "/datasets/", name_); }
  std::string commit() const override { return commit_; }
  std::string license() const override { return ""; }
  const Card& card() const override { return card_; }
  const std::vector<RepoFile>& files() const override { return files_; }
  std::shared_ptr<const base::ByteSource> open(const RepoFile& file) const override { return open_at(client_, name_, commit_, file); }
  std::unique_ptr<Dataset> converted(const std::string&, const std::string&, std::string&) const override { return nullptr; }

 private:
  std::shared_ptr<const Client> client_;
  std::string name_, commit_;
  Card card_;
  std::vector<RepoFile> files_;
};

// One split of the hub's conversion: the files are those of the branch's commit, in the service's order.
class ConvertedDataset : public HubDataset {
 public:
  ConvertedDataset(std::shared_ptr<const Client> client, const std::string& name, std::string source_commit, std::string license)
      : HubDataset(std::move(client), name, kConvertedBranch), source_commit_(std::move(source_commit)), source_license_(std::move(license)) {}
  std::string kind() const override { return "hub_converted_parquet"; }
  std::string license() const override { return source_license_; }
  const Card& card() const override { return no_card_; }
  const std::vector<RepoFile>& files() const override { return split_; }

  // False when the branch lacks a file or has it with another size.
  bool select(const std::vector<ConvertedFile>& wanted) {
    for (const auto& file : wanted) {
      const auto& all = HubDataset::files();
      const auto found = std::find_if(all.begin(), all.end(), [&](const RepoFile& each) { return each.path == file.path; });
      if (found == all.end() || found->size != file.size) return false;
      split_.push_back(*found);
    }
    return !split_.empty();
  }

 private:
  std::string source_commit_, source_license_;
  Card no_card_;
  std::vector<RepoFile> split_;
};

std::unique_ptr<Dataset> HubDataset::converted(const std::string& config, const std::string& split, std::string& why) const {
  const std::string url = cat(client_->settings().datasets_server, "/parquet?dataset=", percent_encoded(name_, true));
  Client::Answer answer;
  try {
    answer = client_->get(url, kLargestAnswer);
  } catch (const base::Error& error) {
    why = cat("the conversion service did not help (", error.details().what, ")");
    return nullptr;
  }
  const Conversion conversion = parse_conversion(answer.body, url);
  if (!conversion.complete) {
    why = "the hub's conversion to Parquet is partial, pending or failed";
    return nullptr;
  }
  if (answer.revision != commit_) {
    why = cat("the hub's conversion to Parquet is of another commit (", answer.revision.substr(0, 40), ")");
    return nullptr;
  }
  std::vector<ConvertedFile> wanted;
  std::set<std::string> configs, splits;
  for (const auto& file : conversion.files) {
    configs.insert(file.config);
    if (file.config == config) splits.insert(file.split);
    if (file.config == config && file.split == split) wanted.push_back(file);
  }
  if (wanted.empty()) {
    const auto& names = splits.empty() ? configs : splits;
    why = cat("the hub's conversion to Parquet has no ", splits.empty() ? "config \"" + config : "split \"" + split, "\"; it has ", base::join(std::vector<std::string>(names.begin(), names.end()), ", "));
    return nullptr;
  }
  auto out = std::make_unique<ConvertedDataset>(client_, name_, commit_, license_);
  if (!out->select(wanted)) {
    why = "the branch refs/convert/parquet does not hold what the conversion service lists";
    return nullptr;
  }
  return out;
}

std::unique_ptr<Dataset> open_cached(const Settings& settings, const std::string& name, const std::string& revision) {
  const Path folder = cache_folder(settings, name);
  std::error_code ignored;
  std::string commit = revision;
  if (fs::is_regular_file(folder / "refs" / revision, ignored)) commit = std::string(base::trim(base::read_file(folder / "refs" / revision)));
  const Path snapshot = folder / "snapshots" / commit;
  if (commit.find("..") != std::string::npos || !fs::is_directory(snapshot, ignored))
    throw base::environment_error({.what = "HF_HUB_OFFLINE is set, and the cache does not hold this data set at this revision", .where = snapshot.string(),
                                   .remedy = "unset HF_HUB_OFFLINE, or name a local folder or file as --dataset"});
  return open_folder(snapshot, {.kind = "cache", .address = cat(settings.endpoint, "/datasets/", name), .commit = commit});
}

}  // namespace

std::unique_ptr<Dataset> open_pinned(std::shared_ptr<const Client> client, const std::string& name, const std::string& commit) {
  return std::make_unique<PinnedDataset>(std::move(client), name, commit);
}

std::unique_ptr<Dataset> open_hub_dataset(std::shared_ptr<const Client> client, const std::string& name, const std::string& revision) {
  check_name(name);
  if (client->settings().offline) return open_cached(client->settings(), name, revision);
  return std::make_unique<HubDataset>(std::move(client), name, revision);
}

}  // namespace picochat::hub
