#include "picochat/hub/data_files.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::hub {
namespace {

using base::cat;
using Components = std::vector<std::string>;

Components components(std::string_view path) {
  Components out;
  for (auto& part : base::split(path, '/'))
    if (!part.empty() && part != ".") out.push_back(std::move(part));
  return out;
}

// ".x" unless it is "." or "..", and "__x" for folders: left out unless the pattern names as many.
int special_parts(const Components& parts) {
  int count = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool dotted = parts[i].starts_with('.') && parts[i].find_first_not_of('.') != std::string::npos;
    const bool underscored = parts[i].starts_with("__") && i + 1 < parts.size();
    count += dotted || underscored;
  }
  return count;
}

bool is_ignored_name(const std::string& path, const std::string& pattern) {
  static const std::array<std::string_view, 6> kIgnored{"README.md", "config.json", "dataset_info.json", "dataset_infos.json", "dummy_data.zip", "dataset_dict.json"};
  const std::string name = path.substr(path.rfind('/') + 1);
  return pattern.substr(pattern.rfind('/') + 1) != name && std::find(kIgnored.begin(), kIgnored.end(), name) != kIgnored.end();
}

bool has_wildcard(const std::string& pattern) { return pattern.find_first_of("*?[") != std::string::npos; }

struct SplitRule {
  std::string split;
  std::vector<std::string> patterns;                  // either patterns,
  std::function<bool(const std::string&)> accepts;    // or a rule over paths
};

struct Resolver {
  const std::vector<RepoFile>& all;
  const std::string& where;

  std::vector<RepoFile> matching(const std::string& pattern) const {
    if (pattern.find("://") != std::string::npos)
      throw base::bad_input({.what = "files outside of the repository are not fetched", .where = where, .found = pattern, .remedy = "download them and import the local files"});
    std::vector<RepoFile> out;
    const int special = special_parts(components(pattern));
    for (const auto& file : all)
      if (path_matches(pattern, file.path) && special_parts(components(file.path)) == special && !is_ignored_name(file.path, pattern)) out.push_back(file);
    std::sort(out.begin(), out.end(), [](const RepoFile& a, const RepoFile& b) { return a.path < b.path; });
    return out;
  }

  std::vector<RepoFile> files_of(const SplitRule& rule) const {
    std::vector<RepoFile> out;
    std::set<std::string> seen;
    auto take = [&](const RepoFile& file) {
      if (seen.insert(file.path).second) out.push_back(file);
    };
    if (rule.accepts) {
      auto visible = matching("**");
      for (const auto& file : visible)
        if (rule.accepts(file.path)) take(file);
    }
    for (const auto& pattern : rule.patterns) {
      const auto found = matching(pattern);
      if (found.empty())
        throw base::bad_input({.what = "no file matches", .where = where, .found = pattern,
                               .remedy = has_wildcard(pattern) ? "\"*\" stays inside a folder, \"**\" crosses folders" : "check the spelling; paths count from the repository's root"});
      for (const auto& file : found) take(file);
    }
    return out;
  }
};

// --- the default patterns ------------------------------------------------------------------------

struct Keywords {
  const char* split;
  std::vector<std::string> words;
};
const std::vector<Keywords>& split_keywords() {
  static const std::vector<Keywords> all{{"train", {"train", "training"}}, {"validation", {"validation", "valid", "dev", "val"}}, {"test", {"test", "testing", "eval", "evaluation"}}};
  return all;
}

bool is_delimiter(char c) { return c == '-' || c == '.' || c == '_' || c == ' ' || (c >= '0' && c <= '9'); }

// The keyword stands at the start or after a delimiter, and a delimiter follows; folders may also end with it.
bool holds_keyword(const std::string& name, const std::string& word, bool may_end) {
  for (size_t at = name.find(word); at != std::string::npos; at = name.find(word, at + 1)) {
    const size_t end = at + word.size();
    const bool left = at == 0 || is_delimiter(name[at - 1]);
    const bool right = end == name.size() ? may_end : is_delimiter(name[end]);
    if (left && right) return true;
  }
  return false;
}

bool names_split(const std::string& path, const Keywords& keywords, bool in_folders) {
  Components parts = components(path);
  if (parts.empty()) return false;
  const std::string file = parts.back();
  parts.pop_back();
  for (const auto& word : keywords.words) {
    if (!in_folders && holds_keyword(file, word, false)) return true;
    if (in_folders && std::any_of(parts.begin(), parts.end(), [&](const std::string& part) { return holds_keyword(part, word, true); })) return true;
  }
  return false;
}

// "data/<split>-00000-of-00001<anything>.<anything>": the split, or "".
std::string sharded_split(const std::string& path) {
  const Components parts = components(path);
  if (parts.size() != 2 || parts[0] != "data") return "";
  const std::string& name = parts[1];
  for (size_t at = name.find("-of-"); at != std::string::npos; at = name.find("-of-", at + 1)) {
    auto digits = [&](size_t from) { return from + 5 <= name.size() && std::all_of(name.begin() + static_cast<ptrdiff_t>(from), name.begin() + static_cast<ptrdiff_t>(from) + 5, [](unsigned char c) { return c >= '0' && c <= '9'; }); };
    if (at >= 7 && name[at - 6] == '-' && digits(at - 5) && digits(at + 4) && name.find('.', at + 9) != std::string::npos) return name.substr(0, at - 6);
  }
  return "";
}

std::vector<SplitRule> default_rules(const Resolver& resolver) {
  std::set<std::string> sharded;
  const auto visible = resolver.matching("**");
  for (const auto& file : visible)
    if (const auto split = sharded_split(file.path); !split.empty()) sharded.insert(split);
  std::vector<SplitRule> rules;
  for (const auto& split : sharded) rules.push_back({split, {}, [split](const std::string& path) { return sharded_split(path) == split; }});
  for (const bool in_folders : {true, false}) {
    if (!rules.empty()) return rules;
    for (const auto& keywords : split_keywords())
      if (std::any_of(visible.begin(), visible.end(), [&](const RepoFile& file) { return names_split(file.path, keywords, in_folders); }))
        rules.push_back({keywords.split, {}, [&keywords, in_folders](const std::string& path) { return names_split(path, keywords, in_folders); }});
  }
  if (rules.empty()) rules.push_back({"train", {}, [](const std::string&) { return true; }});
  return rules;
}

std::string listed(const std::vector<std::string>& names) {
  if (names.size() <= 40) return base::join(names, ", ");
  return cat(base::join(std::span(names).first(40), ", "), ", ... (", names.size(), " in all)");
}

const CardConfig* chosen_config(const Card& card, const DataFilesRequest& request, const std::string& where) {
  std::vector<std::string> names;
  for (const auto& config : card.configs) names.push_back(config.name);
  if (names.empty()) {
    if (request.config && *request.config != "default")
      throw base::bad_input({.what = cat("the data set has no config \"", *request.config, "\""), .where = where, .expected = "no --config: its card names none, so there is only \"default\""});
    return nullptr;
  }
  auto named = [&](const std::string& name) -> const CardConfig* {
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? nullptr : &card.configs[static_cast<size_t>(found - names.begin())];
  };
  if (request.config) {
    if (const auto* config = named(*request.config)) return config;
    const std::string near = base::closest(*request.config, names);
    throw base::bad_input({.what = cat("the data set has no config \"", *request.config, "\""), .where = where, .expected = cat("one of ", listed(names)),
                           .remedy = near.empty() ? "" : cat("did you mean ", near, "?")});
  }
  if (names.size() == 1) return &card.configs.front();
  for (const auto& config : card.configs)
    if (config.is_default) return &config;
  if (const auto* config = named("default")) return config;
  throw base::bad_input({.what = "the data set has several configs and no default one", .where = where, .expected = cat("--config with one of ", listed(names))});
}

// A folder often holds files of several kinds (data, licence, notes): the kind that most files have is the data.
void keep_one_kind(DataFiles& out, const std::function<std::string(std::string_view)>& kind) {
  std::map<std::string, size_t> counts;
  for (const auto& file : out.files) ++counts[kind(file.path)];
  for (const auto& file : out.files)
    if (kind(file.path).empty()) out.unreadable.push_back(file.path);
  counts.erase("");
  const auto most = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const std::string kept = most == counts.end() ? "" : most->first;
  std::erase_if(out.files, [&](const RepoFile& file) { return kept.empty() || kind(file.path) != kept; });
}

}  // namespace

bool path_matches(std::string_view pattern, std::string_view path) {
  const Components want = components(pattern), have = components(path);
  // reach[j]: the first i components of the pattern can match the first j of the path.
  std::vector<char> reach(have.size() + 1, 0);
  reach[0] = 1;
  for (size_t i = 0; i < want.size(); ++i) {
    std::vector<char> next(have.size() + 1, 0);
    const bool crosses = want[i].find("**") != std::string::npos;
    for (size_t j = 0; j <= have.size(); ++j) {
      if (!reach[j]) continue;
      if (want[i] == "**") {
        // As a last component it needs something to match: a file below.
        for (size_t k = i + 1 == want.size() ? j + 1 : j; k <= have.size(); ++k) next[k] = 1;
      } else if (crosses) {
        std::string rest;
        for (size_t k = j; k < have.size(); ++k) {
          rest += (k > j ? "/" : "") + have[k];
          if (base::glob_match(want[i], rest)) next[k + 1] = 1;
        }
      } else if (j < have.size() && base::glob_match(want[i], have[j])) {
        next[j + 1] = 1;
      }
    }
    reach = std::move(next);
  }
  return reach[have.size()] != 0 && !have.empty();
}

DataFiles resolve_data_files(const std::vector<RepoFile>& all, const Card& card, const DataFilesRequest& request, const std::string& where) {
  DataFiles out{.config = request.config.value_or("default"), .split = request.split};
  if (!request.patterns.empty()) {
    out.files = Resolver{all, where}.files_of({request.split, request.patterns, {}});
    keep_one_kind(out, request.kind);
    return out;
  }
  const CardConfig* config = chosen_config(card, request, where);
  if (config) out.config = config->name;
  std::vector<SplitRule> rules;
  std::vector<RepoFile> below;
  const std::string folder = config ? base::join(components(config->data_dir), "/") : "";
  for (const auto& file : all)
    if (folder.empty() || file.path.starts_with(folder + "/")) below.push_back(file);
  const Resolver resolver{config && config->splits.empty() ? below : all, where};
  if (config && !config->splits.empty()) {
    for (const auto& split : config->splits) {
      rules.push_back({split.split, split.patterns, {}});
      if (!folder.empty())
        for (auto& pattern : rules.back().patterns) pattern = cat(folder, "/", pattern);
    }
  } else {
    rules = default_rules(resolver);
  }
  std::vector<std::string> splits;
  for (const auto& rule : rules) {
    splits.push_back(rule.split);
    if (rule.split == request.split) out.files = resolver.files_of(rule);
  }
  if (std::find(splits.begin(), splits.end(), request.split) == splits.end()) {
    const std::string near = base::closest(request.split, splits);
    throw base::bad_input({.what = cat("config \"", out.config, "\" has no split \"", request.split, "\""), .where = where, .expected = cat("one of ", listed(splits)),
                           .remedy = near.empty() ? "" : cat("did you mean ", near, "?")});
  }
  keep_one_kind(out, request.kind);
  return out;
}

}  // namespace picochat::hub
