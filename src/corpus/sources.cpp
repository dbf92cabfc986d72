// Corpus::open: from a path, a recipe or a pack to the list of files, each with whether it is read
// and, if not, why.
#include <algorithm>
#include <map>
#include <set>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/corpus.hpp"

namespace picochat::corpus {
namespace {

namespace fs = std::filesystem;

// What nobody means when naming a folder. A recipe's "exclude" adds to it.
const std::vector<std::string> kNeverMeant = {"**/.*/**", "**/.*", "**/__pycache__/**"};

bool excluded(const std::vector<std::string>& globs, const Path& within_root, const Path& within_source) {
  std::string by_root = within_root.generic_string();
  while (by_root.starts_with("../")) by_root.erase(0, 3);  // "**/.*" does not mean these dots
  const std::string by_source = within_source.generic_string();
  const std::string name = within_root.filename().string();
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
    // The leading slash lets "**/.git/**" match at the top as well.
    return base::glob_match(glob, by_root) || base::glob_match(glob, name) || base::glob_match(glob, by_source) ||
           base::glob_match(glob, "/" + by_source);
  });
}

std::vector<Path> list(const Path& folder) {
  try {
    return base::list_files(folder);
  } catch (const fs::filesystem_error& error) {
    throw base::bad_input({.what = "cannot list the folder: " + error.code().message(), .where = error.path1().empty() ? folder.string() : error.path1().string(),
                           .remedy = "check its permissions"});
  }
}

// Files that an import leaves beside documents/: a second copy of the text, and its reports.
std::string import_leftover(const Path& path) {
  const std::string name = path.filename().string();
  const Path folder = path.parent_path();
  if (!fs::exists(folder / "hf_import_report.json")) return "";
  if (name == "corpus.txt" && fs::is_directory(folder / "documents")) return "copy_of_imported_documents";
  return name == "hf_import_report.md" ? "import_report" : "";
}

bool is_pattern(const Path& path) { return path.string().find_first_of("*?[") != std::string::npos; }

// The folder above the first part of a pattern with a wildcard.
Path fixed_part(const Path& pattern) {
  Path folder;
  for (const Path& part : pattern) {
    if (is_pattern(part)) break;
    folder /= part;
  }
  return folder.empty() ? Path(".") : folder;
}

struct Resolver {
  Path root;  // names are relative to it
  std::vector<std::string> exclude;
  std::vector<SourceFile> files;
  std::set<std::string> seen;

  void add(const Path& path, const Path& within_source, size_t index, const RecipeSource& source) {
    SourceFile file;
    file.path = path;
    Path relative = fs::absolute(path).lexically_normal().lexically_relative(fs::absolute(root).lexically_normal());
    file.name = (relative.empty() ? path : relative).generic_string();
    file.label = source.label;
    file.kind = file_kind(path.filename().string());
    file.text_column = source.text_column;
    file.source = index;
    std::error_code error;
    file.bytes = fs::file_size(path, error);
    if (error)
      throw base::bad_input({.what = "cannot read the file: " + error.message(), .where = path.string(),
                             .remedy = "check that it exists and may be read, or exclude it in the recipe"});
    file.reason = reason_to_skip(file, within_source, source);
    file.included = file.reason.empty();
    if (file.included) file.reason = "included";
    files.push_back(std::move(file));
  }

  std::string reason_to_skip(const SourceFile& file, const Path& within_source, const RecipeSource& source) {
    if (!source.include) return source.reason;
    if (excluded(exclude, file.name, within_source) || excluded(source.exclude, file.name, within_source)) return "excluded";
    // A file given by its own name is meant, whatever the name.
    if (within_source != within_source.filename() || !fs::is_regular_file(source.path))
      if (excluded(kNeverMeant, within_source, within_source)) return "excluded";
    if (file.kind.format == Format::kUnsupported) return "unsupported_extension";
    if (std::string leftover = import_leftover(file.path); !leftover.empty()) return leftover;
    std::error_code ignored;
    const Path canonical = fs::weakly_canonical(file.path, ignored);
    if (!seen.insert(canonical.string()).second) return "already_included";
    return "";
  }

  void add_source(size_t index, const RecipeSource& source) {
    if (fs::is_directory(source.path)) {
      for (const Path& path : list(source.path)) add(source.path / path, path, index, source);
    } else if (!fs::exists(source.path)) {  // a pattern
      const Path folder = fixed_part(source.path);
      const std::string pattern = source.path.lexically_relative(folder).generic_string();
      for (const Path& path : list(folder))
        if (base::glob_match(pattern, path.generic_string())) add(folder / path, path, index, source);
    } else {
      add(source.path, source.path.filename(), index, source);
    }
  }
};

[[noreturn]] void nothing_to_read(const std::vector<SourceFile>& files, const std::string& where) {
  if (files.empty()) throw base::bad_input({.what = "the corpus folder holds no files", .where = where, .expected = kReadableFiles, .remedy = "put text there, or name another folder"});
  std::map<std::string, int64_t> found;
  for (const auto& file : files) {
    std::string extension = Path(file.name).extension().string();
    found[file.reason == "unsupported_extension" ? (extension.empty() ? "no extension" : extension) : file.reason] += 1;
  }
  std::vector<std::string> parts;
  for (const auto& [what, count] : found) parts.push_back(base::cat(count, count == 1 ? " file " : " files ", what));
  std::string advice;
  for (const auto& file : files)
    if (advice.empty()) advice = conversion_advice(file.name);
  if (advice.empty()) advice = "convert the files to .txt or .jsonl ({\"text\": ...} on each line), or correct the path or the excludes";
  throw base::bad_input({.what = "no file of the corpus can be read", .where = where, .expected = kReadableFiles, .found = base::join(parts, ", "), .remedy = advice});
}

}  // namespace

Corpus Corpus::open(const CorpusOptions& options) {
  const int given = options.input.has_value() + options.recipe.has_value() + options.pack.has_value();
  if (given != 1)
    throw base::usage_error({.what = given == 0 ? "no corpus is given" : "the corpus is given more than once",
                             .expected = "one of --dataset-pack, --input, --recipe"});
  Corpus corpus;
  corpus.options_ = options;
  std::optional<Path> input = options.input, recipe_path = options.recipe;
  std::string named_by;
  if (options.pack) {
    corpus.pack_ = load_pack(*options.pack);
    input = corpus.pack_->input;
    recipe_path = corpus.pack_->recipe;
    named_by = options.pack->string();
  }

  Resolver resolver;
  if (recipe_path) {
    if (!fs::exists(*recipe_path))
      throw base::bad_input({.what = "the corpus recipe does not exist", .where = named_by.empty() ? recipe_path->string() : named_by,
                             .found = recipe_path->string(), .remedy = "correct the path"});
    Recipe recipe = load_recipe(*recipe_path);
    resolver.root = recipe_path->parent_path();
    if (resolver.root.empty()) resolver.root = ".";
    resolver.exclude = recipe.exclude;
    corpus.sources_ = std::move(recipe.sources);
    named_by = recipe_path->string();
  } else {
    RecipeSource source;
    source.path = *input;
    source.given = input->string();
    corpus.sources_.push_back(std::move(source));
    resolver.root = fs::is_directory(*input) ? *input : fs::exists(*input) || !is_pattern(*input) ? input->parent_path() : fixed_part(*input);
    if (resolver.root.empty()) resolver.root = ".";
  }

  for (size_t i = 0; i < corpus.sources_.size(); ++i) {
    const RecipeSource& source = corpus.sources_[i];
    if (!fs::exists(source.path) && is_pattern(source.path) && fs::is_directory(fixed_part(source.path))) {
      const size_t before = resolver.files.size();
      resolver.add_source(i, source);
      if (resolver.files.size() > before || !source.include) continue;
      throw base::bad_input({.what = base::cat("the pattern \"", source.given, "\" matches no file"), .where = named_by.empty() ? source.given : named_by,
                             .found = base::cat("nothing below ", fixed_part(source.path).string()), .remedy = "correct the pattern; * also crosses /"});
    }
    if (!fs::exists(source.path)) {
      if (!source.include) continue;
      throw base::bad_input({.what = recipe_path ? base::cat("source ", i + 1, " of the recipe (\"", source.given, "\") does not exist") : "the corpus does not exist",
                             .where = named_by.empty() ? source.path.string() : named_by, .found = named_by.empty() ? "" : source.path.string(),
                             .remedy = recipe_path ? "correct the path, make the source first, or set \"include\": false" : "correct the path"});
    }
    resolver.add_source(i, source);
  }
  corpus.files_ = std::move(resolver.files);
  if (std::none_of(corpus.files_.begin(), corpus.files_.end(), [](const SourceFile& file) { return file.included; }))
    nothing_to_read(corpus.files_, named_by.empty() ? input->string() : named_by);
  return corpus;
}

}  // namespace picochat::corpus
