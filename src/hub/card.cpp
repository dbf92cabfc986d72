#include "picochat/hub/card.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::hub {
namespace {

using base::cat;

constexpr size_t kLargestBlock = 4 << 20;  // cards of large collections list thousands of configs

// Between a first line "---" and the next one; nullopt when the text has no block.
std::optional<std::string_view> front_matter(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  auto line_end = [&](size_t from) { return std::min(text.find('\n', from), text.size()); };
  const size_t first = line_end(0);
  if (base::trim(text.substr(0, first)) != "---" || first == text.size()) return std::nullopt;
  for (size_t at = first + 1; at < text.size(); at = line_end(at) + 1)
    if (base::trim(text.substr(at, line_end(at) - at)) == "---") return text.substr(first + 1, at - first - 1);
  return std::nullopt;
}

struct Reader {
  std::string where;

  [[noreturn]] void refuse(const YAML::Node& node, const std::string& what, const std::string& expected) const {
    const int line = node.Mark().line;  // of the block, which begins on the second line of the file
    throw base::bad_input({.what = what, .where = line >= 0 ? cat(where, ":", line + 2) : where, .expected = expected,
                           .remedy = "the data set's card is at fault: name the files yourself with --data-files"});
  }
  std::string text(const YAML::Node& node, const std::string& what) const {
    if (!node.IsScalar()) refuse(node, cat(what, " is not a text"), "a text");
    return base::replace_invalid_utf8(node.Scalar());
  }
  // One text or a list of them.
  std::vector<std::string> texts(const YAML::Node& node, const std::string& what) const {
    if (!node.IsSequence()) return {text(node, what)};
    std::vector<std::string> out;
    for (const auto& item : node) out.push_back(text(item, what));
    return out;
  }
  std::vector<SplitFiles> data_files(const YAML::Node& node) const {
    const bool per_split = node.IsSequence() && node.size() > 0 && node[0].IsMap();
    std::vector<SplitFiles> out;
    if (!per_split && !node.IsMap()) return {{"train", texts(node, "data_files")}};
    auto add = [&](const YAML::Node& at, std::string split, std::vector<std::string> patterns) {
      if (std::any_of(out.begin(), out.end(), [&](const SplitFiles& files) { return files.split == split; }))
        refuse(at, cat("the split \"", split, "\" is named twice in data_files"), "each split once");
      out.push_back({std::move(split), std::move(patterns)});
    };
    if (node.IsMap()) {
      for (const auto& entry : node) add(entry.first, text(entry.first, "a split"), texts(entry.second, "data_files"));
      return out;
    }
    for (const auto& entry : node) {
      if (!entry.IsMap() || !entry["split"] || !entry["path"]) refuse(entry, "an entry of data_files lacks split or path", "{split, path}");
      add(entry, text(entry["split"], "split"), texts(entry["path"], "path"));
    }
    return out;
  }
  CardConfig config(const YAML::Node& node) const {
    if (!node.IsMap()) refuse(node, "an entry of configs is not a mapping", "{config_name, data_files}");
    CardConfig out;
    out.name = node["config_name"] ? text(node["config_name"], "config_name") : "default";
    if (node["data_files"]) out.splits = data_files(node["data_files"]);
    if (node["data_dir"]) out.data_dir = text(node["data_dir"], "data_dir");
    if (node["default"] && node["default"].IsScalar()) out.is_default = base::lower_ascii(node["default"].Scalar()) == "true";
    return out;
  }
  Card card(const YAML::Node& root) const {
    Card out;
    if (!root.IsMap()) return out;
    if (const auto license = root["license"]; license && !license.IsNull()) out.license = base::join(texts(license, "license"), ", ");
    const auto name = root["license_name"];
    if (out.license == "other" && name && name.IsScalar()) out.license = cat("other: ", text(name, "license_name"));
    const auto configs = root["configs"];
    if (!configs || configs.IsNull()) return out;
    if (!configs.IsSequence()) refuse(configs, "configs is not a list", "a list of {config_name, data_files}");
    for (const auto& node : configs) out.configs.push_back(config(node));
    return out;
  }
};

}  // namespace

Card parse_card(std::string_view readme, const std::string& where) {
  const auto block = front_matter(readme);
  if (!block) return {};
  if (block->size() > kLargestBlock)
    throw base::bad_input({.what = "the YAML block at the top is too large", .where = where, .expected = "at most 4 MiB", .found = base::human_bytes(block->size())});
  try {
    return Reader{where}.card(YAML::Load(std::string(*block)));
  } catch (const YAML::Exception& error) {
    throw base::bad_input({.what = "the YAML block at the top cannot be read", .where = error.mark.is_null() ? where : cat(where, ":", error.mark.line + 2),
                           .found = base::replace_invalid_utf8(error.msg), .remedy = "the data set's card is at fault: name the files yourself with --data-files"});
  }
}

}  // namespace picochat::hub
