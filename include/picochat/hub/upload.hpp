// A folder as one commit in a model repository of a hub: what the hub has already is not sent, large files go to its
// storage host first (Git LFS, in one piece or in parts), then one commit names them all. A push that was cut off goes on when it is
// repeated: files that arrived whole are known to the hub.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "picochat/base/digest.hpp"
#include "picochat/hub/client.hpp"
#include "picochat/hub/settings.hpp"

namespace picochat::hub {

struct LocalFile {
  std::string path;  // in the repository, with slashes
  Path source;
  uint64_t size = 0;
  base::Digest sha256;
};

struct UploadRequest {
  std::string repo_id, revision = "main", commit_message;
  bool make_private = false;  // when the repository is made; one that exists keeps what it is
  std::vector<LocalFile> files;
  // Files that the hub has and `files` lacks are deleted by the same commit where this holds; all others stay.
  std::function<bool(const std::string& path)> replaces = [](const std::string&) { return false; };
};

enum class FileState { kNew, kChanged, kUnchanged, kDeleted };
const char* to_text(FileState state);

struct UploadPlan {
  struct Entry {
    std::string path;
    uint64_t size = 0;
    FileState state = FileState::kNew;
  };
  bool repository = false, revision = false;  // exist already
  std::string head;                           // commit that the revision points to; empty when there is none
  std::vector<Entry> entries;                 // in the order of the request, deletions last
  size_t count(FileState state) const;
};

struct UploadReport {
  UploadPlan plan;
  std::string commit, url;    // of the new commit; of the one that was there when nothing had changed
  bool committed = false;
  uint64_t bytes_sent = 0;    // of large files, to the storage host
  size_t already_stored = 0;  // large files that an earlier push had brought there
};

// "name" or "namespace/name"; usage error for anything else.
void check_repo_id(const std::string& repo_id, const std::string& where);

// Does the hub take this token? BadInput when it does not, or when there is none. One request, nothing is changed.
void check_token(const Client& client);

// What would be sent. Reads only: a repository that is not there is a plan where all is new.
UploadPlan plan_upload(const Client& client, const UploadRequest& request);

// Makes the repository and the branch where they are missing. After the commit the hub's own listing is compared with what was sent.
// BadInput for what the hub refuses, environment error for what did not pass after all retries, or did not arrive as it was sent.
UploadReport upload(const Client& client, const UploadRequest& request);

}  // namespace picochat::hub
