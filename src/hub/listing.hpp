// Every file of one revision of a repository.
#pragma once

#include <string>
#include <vector>

#include "picochat/hub/client.hpp"
#include "picochat/hub/data_files.hpp"

namespace picochat::hub {

// `tree` is the address of the revision's listing, ".../api/models/someone/model/tree/<commit>"; its pages are followed. Throws as
// Client::get does.
std::vector<RepoFile> list_tree(const Client& client, const std::string& tree);

}  // namespace picochat::hub
