// The commands that the documents tell a reader to type.
#pragma once

#include <algorithm>
#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "picochat/base/text.hpp"
#include "program.hpp"

namespace picochat::acceptance {

// README, docs and the commands of the founding runbook, in the order in which a reader meets them.
inline std::vector<std::filesystem::path> documents() {
  const std::filesystem::path root = kSourceDir;
  std::vector<std::filesystem::path> all{root / "README.md"}, rest;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "docs"))
    if (entry.path().extension() == ".md") rest.push_back(entry.path());
  std::sort(rest.begin(), rest.end());
  all.insert(all.end(), rest.begin(), rest.end());
  all.push_back(root / "tests/acceptance/founding_commands.md");
  return all;
}

struct DocumentedCommand {
  std::string place;  // "docs/export.md:7"
  std::string text;   // one command for a shell: lines joined, its here-document included, comments gone
};

// The commands of every fenced block that is marked sh, or has no mark and one of our commands.
inline std::vector<DocumentedCommand> documented_commands(const std::string& name, const std::string& text) {
  static const std::regex ours(R"(^([A-Z_]+=\S+ )*(picochat|scripts/|tools/|build/\S*picochat)\b.*)");
  std::vector<DocumentedCommand> all, block;
  std::string here_document_end, *open = nullptr;
  bool fenced = false, command_block = false;
  const auto lines = base::split(text, '\n');
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string line = lines[i];
    if (base::trim(line).starts_with("```")) {
      if (fenced && command_block) all.insert(all.end(), block.begin(), block.end());
      const std::string language{base::trim(line).substr(3)};
      fenced = !fenced && (language.empty() || language == "sh");
      command_block = language == "sh", open = nullptr;
      block.clear();
      if (!fenced && !language.empty())  // another language: on to its end
        while (i + 1 < lines.size() && !base::trim(lines[i + 1]).starts_with("```")) ++i;
      if (!fenced && !language.empty()) ++i;
      continue;
    }
    if (!fenced) continue;
    if (!here_document_end.empty()) {
      block.back().text += "\n" + line;
      if (line == here_document_end) here_document_end.clear();
      continue;
    }
    line = std::regex_replace(line, std::regex(R"(\s+#( .*)?$)"), "");
    if (!open && (base::trim(line).empty() || line.starts_with("#"))) continue;
    if (!open) {
      command_block = command_block || std::regex_match(line, ours) || line.starts_with("source <(picochat");
      block.push_back({base::cat(name, ":", i + 1), ""});
    }
    const bool more = line.ends_with("\\");
    block.back().text += more ? line.substr(0, line.size() - 1) + " " : line;
    open = more ? &block.back().text : nullptr;
    std::smatch end;
    if (std::regex_search(line, end, std::regex(R"(<<'(\w+)')"))) here_document_end = end[1];
  }
  return all;
}

inline std::vector<DocumentedCommand> documented_commands() {
  std::vector<DocumentedCommand> all;
  for (const auto& path : documents()) {
    const auto found = documented_commands(std::filesystem::relative(path, kSourceDir).string(), read_all(path));
    all.insert(all.end(), found.begin(), found.end());
  }
  return all;
}

}  // namespace picochat::acceptance
