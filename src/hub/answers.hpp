// What a hub answers, checked before anything is believed. Every function is pure; a body that is not
// what the interface says is an environment error that names the address.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/hub/data_files.hpp"

namespace picochat::hub {

struct Revision {
  std::string commit;   // 40 hex digits
  std::string license;  // of the hub's copy of the card; may be empty
};
Revision parse_revision(std::string_view body, const std::string& where);

// One page of a listing: files only. Paths that are absolute or climb ("..") are refused.
std::vector<RepoFile> parse_tree_page(std::string_view body, const std::string& where);

// The address of `rel="next"` in a Link header, "" when there is none.
std::string next_page(std::string_view link_header);

struct ConvertedFile {
  std::string config, split, path;  // path: on the branch refs/convert/parquet
  uint64_t size = 0;
};
struct Conversion {
  bool complete = false;  // neither partial nor pending nor failed
  std::vector<ConvertedFile> files;
};
Conversion parse_conversion(std::string_view body, const std::string& where);

// "bytes 10-19/100"
struct ContentRange {
  uint64_t first = 0, last = 0, total = 0;
};
std::optional<ContentRange> parse_content_range(std::string_view text);

// Decimal digits alone; nullopt beyond 64 bits.
std::optional<uint64_t> parse_size(std::string_view text);

// Seconds to wait, from "Retry-After" (a number or an HTTP date) or from the reset time of
// 'RateLimit: "name";r=0;t=55'; nullopt when neither says anything usable. At most one hour.
std::optional<double> asked_wait(std::string_view retry_after, std::string_view rate_limit, int64_t unix_now);

}  // namespace picochat::hub
