// A data set on a hub, or a local folder or file that is laid out like one: what it holds at a pinned
// commit, and its files as byte sources.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "picochat/base/byte_source.hpp"
#include "picochat/hub/card.hpp"
#include "picochat/hub/client.hpp"
#include "picochat/hub/data_files.hpp"

namespace picochat::hub {

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::string kind() const = 0;      // "hub", "cache" (of other tools, offline) or "local"
  virtual std::string address() const = 0;   // for messages and reports; no secret in it
  virtual std::string commit() const = 0;    // empty for local ones
  virtual std::string license() const = 0;   // empty when unknown
  virtual const Card& card() const = 0;
  virtual const std::vector<RepoFile>& files() const = 0;
  virtual std::shared_ptr<const base::ByteSource> open(const RepoFile& file) const = 0;
  // The hub's own conversion to Parquet, for data sets whose files cannot be read: nullptr when there is
  // none that is whole and of this very commit; `why` says so.
  virtual std::unique_ptr<Dataset> converted(const std::string& config, const std::string& split, std::string& why) const = 0;
};

// "namespace/name" or "name"; anything that exists on disk, or looks like a path, is local.
bool is_local_dataset(const std::string& name);

std::unique_ptr<Dataset> open_local_dataset(const Path& path);

// `revision`: a branch, a tag or a commit. The commit that it names now is what everything is read from.
std::unique_ptr<Dataset> open_hub_dataset(std::shared_ptr<const Client> client, const std::string& name, const std::string& revision);

// Its files at a commit that was resolved before; nothing is asked until one is read, and files() is empty.
std::unique_ptr<Dataset> open_pinned(std::shared_ptr<const Client> client, const std::string& name, const std::string& commit);

}  // namespace picochat::hub
