// Large files to a hub's storage host, by the Git LFS batch interface with the transfers "basic" and "multipart".
// https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
#pragma once

#include <string>
#include <vector>

#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "picochat/hub/upload.hpp"

namespace picochat::hub {

struct LargeFilesSent {
  uint64_t bytes = 0;
  size_t already_stored = 0;
};

// Returns when every file is stored and the hub has verified it. A signed address that has expired is asked for again; a try that
// fails is repeated from the start of its part. Throws as upload() does.
LargeFilesSent send_large_files(const Client& client, const std::string& repo_id, const std::string& revision, const std::vector<LocalFile>& files);

// An answer that means no, as an error with the words of a push.
base::Error push_refusal(const Client::Reply& reply, const std::string& url, const Settings& settings);

// The JSON of an answer; environment error naming the address when it is none.
base::Json reply_json(const Client::Reply& reply, const std::string& url);

}  // namespace picochat::hub
