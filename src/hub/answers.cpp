#include "hub/answers.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"

namespace picochat::hub {
namespace {

using base::cat;
using base::Json;

base::Error strange(const std::string& where, const std::string& expected, const std::string& found = "") {
  return base::environment_error({.what = "the hub's answer is not what its interface says", .where = where, .expected = expected, .found = found,
                                  .remedy = "check that the endpoint is a hub (HF_ENDPOINT, --endpoint); a proxy may answer in its place"});
}

// Answers may repeat keys or add new ones: only what we read matters.
Json parse(std::string_view body, const std::string& where) {
  Json value = Json::parse(body, nullptr, false);
  if (value.is_discarded()) throw strange(where, "JSON", base::cat(body.size(), " bytes that are not JSON"));
  return value;
}

std::string text_or(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<uint64_t> size_of(const Json& object) {
  const auto found = object.find("size");
  if (found == object.end() || !found->is_number_unsigned() || found->get<uint64_t>() > (uint64_t{1} << 60)) return std::nullopt;
  return found->get<uint64_t>();
}

bool is_hex(const std::string& text, size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_safe_path(const std::string& path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string::npos || path.find('\\') != std::string::npos) return false;
  const auto parts = base::split(path, '/');
  return std::none_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty() || part == "." || part == ".."; });
}

std::string license_of(const Json& root) {
  const auto card = root.find("cardData");
  if (card != root.end() && card->is_object()) {
    if (const auto license = text_or(*card, "license"); !license.empty()) return license;
    std::vector<std::string> all;
    if (const auto list = card->find("license"); list != card->end() && list->is_array())
      for (const auto& item : *list)
        if (item.is_string()) all.push_back(item.get<std::string>());
    if (!all.empty()) return base::join(all, ", ");
  }
  const auto tags = root.find("tags");
  if (tags != root.end() && tags->is_array())
    for (const auto& tag : *tags)
      if (tag.is_string() && tag.get<std::string>().starts_with("license:")) return tag.get<std::string>().substr(8);
  return "";
}

}  // namespace

Revision parse_revision(std::string_view body, const std::string& where) {
  const Json root = parse(body, where);
  if (!root.is_object()) throw strange(where, "an object with \"sha\"");
  Revision out{.commit = text_or(root, "sha"), .license = license_of(root)};
  if (!is_hex(out.commit, 40)) throw strange(where, "\"sha\": a commit of 40 hex digits", out.commit.substr(0, 60));
  return out;
}

std::vector<RepoFile> parse_tree_page(std::string_view body, const std::string& where) {
  const Json root = parse(body, where);
  if (!root.is_array()) throw strange(where, "a list of files");
  std::vector<RepoFile> out;
  for (const auto& entry : root) {
    if (!entry.is_object()) throw strange(where, "a list of objects");
    if (text_or(entry, "type") != "file") continue;
    RepoFile file{.path = text_or(entry, "path"), .git_oid = text_or(entry, "oid")};
    if (!is_safe_path(file.path)) throw strange(where, "paths below the repository", file.path.substr(0, 100));
    const auto lfs = entry.find("lfs");
    const bool large = lfs != entry.end() && lfs->is_object();
    const auto size = size_of(large ? *lfs : entry);
    if (!size) throw strange(where, cat("the size of ", file.path));
    file.size = *size;
    if (large) {
      file.sha256 = text_or(*lfs, "oid");
      if (!is_hex(file.sha256, 64)) throw strange(where, cat("the SHA-256 of ", file.path), file.sha256.substr(0, 80));
    }
    out.push_back(std::move(file));
  }
  return out;
}

std::string next_page(std::string_view link_header) {
  for (size_t at = link_header.find('<'); at != std::string_view::npos; at = link_header.find('<', at)) {
    const size_t end = link_header.find('>', at);
    if (end == std::string_view::npos) return "";
    const std::string_view parameters = link_header.substr(end + 1, link_header.find('<', end) - end - 1);
    if (parameters.find("rel=\"next\"") != std::string_view::npos || parameters.find("rel=next") != std::string_view::npos)
      return std::string(link_header.substr(at + 1, end - at - 1));
    at = end;
  }
  return "";
}

Conversion parse_conversion(std::string_view body, const std::string& where) {
  const Json root = parse(body, where);
  if (!root.is_object() || !root.contains("parquet_files") || !root["parquet_files"].is_array()) throw strange(where, "an object with \"parquet_files\"");
  auto empty_list = [&](const char* key) {
    const auto found = root.find(key);
    return found != root.end() && found->is_array() && found->empty();
  };
  const auto partial = root.find("partial");
  Conversion out;
  out.complete = partial != root.end() && partial->is_boolean() && !partial->get<bool>() && empty_list("pending") && empty_list("failed");
  constexpr std::string_view kBranch = "/resolve/refs%2Fconvert%2Fparquet/";
  for (const auto& entry : root["parquet_files"]) {
    if (!entry.is_object()) throw strange(where, "a list of objects");
    const std::string url = text_or(entry, "url");
    const size_t at = url.find(kBranch);
    ConvertedFile file{.config = text_or(entry, "config"), .split = text_or(entry, "split"), .path = at == std::string::npos ? "" : url.substr(at + kBranch.size())};
    const auto size = size_of(entry);
    if (!is_safe_path(file.path) || !size) throw strange(where, "files on the branch refs/convert/parquet with their sizes", url.substr(0, 200));
    file.size = *size;
    out.files.push_back(std::move(file));
  }
  return out;
}

std::optional<uint64_t> parse_size(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  text = base::trim(text);
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const size_t dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  const auto first = parse_size(text.substr(0, dash)), last = parse_size(text.substr(dash + 1, slash - dash - 1)), total = parse_size(text.substr(slash + 1));
  if (!first || !last || !total || *first > *last || *last >= *total) return std::nullopt;
  return ContentRange{*first, *last, *total};
}

std::optional<double> asked_wait(std::string_view retry_after, std::string_view rate_limit, int64_t unix_now) {
  constexpr double kLongest = 3600;
  retry_after = base::trim(retry_after);
  if (const auto seconds = parse_size(retry_after)) return std::min<double>(static_cast<double>(*seconds), kLongest);
  if (!retry_after.empty()) {
    const int64_t date = curl_getdate(std::string(retry_after).c_str(), nullptr);
    if (date >= 0) return std::clamp<double>(static_cast<double>(date - unix_now), 0, kLongest);
  }
  // A limit that is not used up asks for nothing.
  if (rate_limit.find("r=0") == std::string_view::npos) return std::nullopt;
  for (const auto& field : base::split(rate_limit, ';')) {
    const auto part = base::trim(field);
    if (!part.starts_with("t=")) continue;
    if (const auto seconds = parse_size(part.substr(2))) return std::min<double>(static_cast<double>(*seconds), kLongest);
  }
  return std::nullopt;
}

}  // namespace picochat::hub
