#include "hub/listing.hpp"

#include <set>

#include "hub/answers.hpp"
#include "hub/url.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::hub {
namespace {

constexpr size_t kLargestPage = 64 << 20;
constexpr size_t kMostPages = 20000;  // of 1,000 files

}  // namespace

std::vector<RepoFile> list_tree(const Client& client, const std::string& tree) {
  std::vector<RepoFile> files;
  std::string url = tree + "?recursive=true&expand=false";
  std::set<std::string> seen;
  while (!url.empty()) {
    if (!seen.insert(url).second || seen.size() > kMostPages)
      throw base::environment_error({.what = "the hub's listing does not end", .where = printable(url), .remedy = "check the endpoint (HF_ENDPOINT, --endpoint)"});
    const auto answer = client.get(url, kLargestPage);
    for (auto& file : parse_tree_page(answer.body, url)) files.push_back(std::move(file));
    const std::string next = next_page(answer.link);
    const std::string resolved = next.empty() ? "" : resolve_url(url, next);
    if (!next.empty() && (resolved.empty() || origin_of(resolved) != origin_of(client.settings().endpoint)))
      throw base::environment_error({.what = "the next page of the listing lies on another host", .where = printable(url), .found = printable(next)});
    url = resolved;
  }
  return files;
}

}  // namespace picochat::hub
