// The two small files that say what a run is made of: the dataset pack (corpus, chat rows, eval rows)
// and the corpus recipe (which files are the corpus). Formats: docs/formats/corpus.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::corpus {

using base::Path;

struct Pack {
  std::string name, description;
  std::optional<Path> input, recipe;  // exactly one is set
  Path chat, eval;
  Path file;  // the pack itself
};

// Paths in the result are resolved against the pack's folder. BadInput for a file that is not a pack:
// bad JSON, a missing or unknown key (with the nearest valid one), a wrong type.
Pack load_pack(const Path& path);

// BadInput naming the first file of the pack that does not exist, and the key that names it.
void check_pack_files(const Pack& pack);

struct RecipeSource {
  Path path;          // resolved against the recipe's folder
  std::string given;  // as written in the recipe
  std::string label = "corpus";
  std::string text_column = "text";        // of rows; dotted for members of structs
  bool include = true;
  std::vector<std::string> exclude;
  std::string reason = "recipe_excluded";  // shown when include is false
  double weight = 1;                       // expected copies of each document, > 0
  std::optional<int64_t> max_documents;    // first ones in order
  std::optional<int64_t> max_bytes;        // of text; whole documents until it would be exceeded
  std::string license, origin, revision;   // stated by the recipe; an import's report says them for its documents
};

struct Recipe {
  std::string name, description;
  std::vector<std::string> exclude;
  std::vector<RecipeSource> sources;
  Path file;
};

Recipe load_recipe(const Path& path);

// The rows that `data init-pack` writes carry this text, so that later stages can refuse to train or
// score on them.
inline constexpr std::string_view kPlaceholderMark = "[replace me]";
bool is_placeholder(std::string_view text);

struct InitPackOptions {
  std::string name = "picochat-pack";
  std::string corpus;
  std::string out;
  std::string description = "A starter pack: replace the placeholder rows before training.";
  bool force = false;
  bool json = false;
};

// Writes dataset_pack.json, corpus_recipe.json, chat.jsonl and eval.jsonl into `out`; returns their
// paths. BadInput when one exists and `force` is off, or when the corpus does not exist.
std::vector<Path> init_pack(base::FileSystem& files, const InitPackOptions& options);

}  // namespace picochat::corpus
