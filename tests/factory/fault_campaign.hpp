// What is on disk, what a campaign did to it, and what came of that.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "picochat/base/artifact.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"

namespace picochat::factory::campaign {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;  // name -> digest of the bytes; "" for reports, which hold times

// Weights, ids, texts, archives, tokenizers, and the manifests that name their digests.
inline bool is_timeless(const fs::path& path) {
  static const std::set<std::string> extensions{".safetensors", ".bin", ".tgz", ".gguf", ".txt"}, names{"manifest.json", "tokenizer.json", "config.json", "model.safetensors.index.json"};
  return extensions.contains(path.extension().string()) || names.contains(path.filename().string()) || path.filename().string().starts_with("shard-");
}

inline Files files_in(const fs::path& folder) {
  Files all;
  if (!fs::exists(folder)) return all;
  for (const auto& path : base::list_files(folder))
    if (path.filename() != ".lock") all[path.generic_string()] = is_timeless(path) ? base::sha256(base::read_file(folder / path)).hex() : "";
  return all;
}

// What two undisturbed runs agree on: the outcome, without paths.
inline Files agreed(const Files& a, const Files& b) {
  Files both;
  for (const auto& [name, digest] : a)
    if (const auto other = b.find(name); other != b.end()) both[name] = digest == other->second ? digest : "";
  return both;
}

// The first file that is not as it should be; empty: all are, and there is no other.
inline std::string difference(const Files& want, const Files& found) {
  for (const auto& [name, digest] : want) {
    const auto at = found.find(name);
    if (at == found.end()) return name + " is missing";
    if (!digest.empty() && digest != at->second) return name + " has other bytes";
  }
  for (const auto& [name, digest] : found)
    if (!want.contains(name)) return name + " was left behind";
  return "";
}

// Folders with a manifest that stand under their final name, and are not what it says.
inline std::string broken_artifact(const fs::path& folder) {
  if (!fs::exists(folder)) return "";
  for (const auto& path : base::list_files(folder)) {
    if (path.filename() != base::kManifestFile || path.string().find(".tmp-") != std::string::npos || path.string().find(".trash-") != std::string::npos) continue;
    const auto artifact = folder / path.parent_path();
    const auto kind = base::read_json(folder / path).value("kind", std::string());
    if (kind.empty()) continue;
    try {
      base::verify_artifact(artifact, kind);
    } catch (const base::Error& error) {
      return error.what();
    }
  }
  return "";
}

// Rows of docs/reliability.md: what was done, how often, and what came of it.
class Table {
 public:
  int& count(const std::string& row, const std::string& fault, const std::string& outcome) {
    if (std::find(rows_.begin(), rows_.end(), row) == rows_.end()) rows_.push_back(row);
    return counts_[row][fault][outcome];
  }
  std::string markdown(const std::string& first, const std::vector<std::string>& outcomes) const {
    std::string text = base::cat("| ", first, " | fault | cases | ", base::join(outcomes, " | "), " |\n| --- | --- | ---: |"), line;
    for (size_t i = 0; i < outcomes.size(); ++i) text += " ---: |";
    text += "\n";
    for (const auto& row : rows_)
      for (const auto& [fault, found] : counts_.at(row)) {
        int cases = 0;
        line.clear();
        for (const auto& outcome : outcomes) {
          const auto at = found.find(outcome);
          const int times = at == found.end() ? 0 : at->second;
          cases += times;
          line += base::cat(" ", times, " |");
        }
        text += base::cat("| ", row, " | ", fault, " | ", cases, " |", line, "\n");
      }
    return text;
  }

 private:
  std::vector<std::string> rows_;
  std::map<std::string, std::map<std::string, std::map<std::string, int>>> counts_;
};

}  // namespace picochat::factory::campaign
