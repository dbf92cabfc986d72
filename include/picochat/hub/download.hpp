// Whole files into the cache that Hugging Face tools share.
#pragma once

#include <memory>
#include <string>

#include "picochat/hub/client.hpp"
#include "picochat/hub/data_files.hpp"

namespace picochat::hub {

// Fetches a file of a data set, unless the cache has it: blobs/<digest>, and a link to it in
// snapshots/<commit>. Goes on with what an earlier try left. The bytes are checked against the file's size
// and, where the hub gives one, its SHA-256 before the file gets its name. Returns its path.
Path fetch_into_cache(base::FileSystem& files, const std::shared_ptr<const Client>& client, const std::string& dataset, const std::string& commit, const RepoFile& file);

// "<cache>/datasets--namespace--name"
Path cache_folder(const Settings& settings, const std::string& dataset);
std::string file_url(const Settings& settings, const std::string& dataset, const std::string& commit, const std::string& path);

}  // namespace picochat::hub
