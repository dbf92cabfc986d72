#include "picochat/corpus/pack.hpp"

#include <algorithm>
#include <array>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::corpus {
namespace {

using base::Json;

// What the documented commands and the tools around packs write.
const std::array<std::string, 9> kPackKeys = {"name", "description", "corpus", "chat", "chat_input", "eval", "eval_input", "slice",
                                              "source_dataset_pack"};
const std::array<std::string, 2> kCorpusKeys = {"input", "recipe"};

Json read_object(const Path& path, const char* kind, const char* remedy) {
  Json value;
  try {
    value = base::read_json(path);
  } catch (const base::Error& error) {
    auto details = error.details();
    details.what = base::cat(kind, ": ", details.what);
    if (details.remedy.empty()) details.remedy = remedy;
    throw base::Error(error.code(), details);
  }
  if (!value.is_object())
    throw base::bad_input({.what = base::cat(kind, " is not a JSON object"), .where = path.string(), .remedy = remedy});
  return value;
}

std::string get_text(const Json& object, const std::string& key, const std::string& where) {
  std::string text = base::get_string(object, key, where);
  if (base::trim(text).empty())
    throw base::bad_input({.what = base::cat("\"", key, "\" is empty"), .where = where, .expected = "a path"});
  return text;
}

Path resolve(const Path& file, const std::string& given) { return (file.parent_path() / given).lexically_normal(); }

std::vector<std::string> get_globs(const Json& object, const std::string& where) {
  std::vector<std::string> globs;
  if (!object.contains("exclude")) return globs;
  const Json& list = object["exclude"];
  const bool fits = list.is_array() && std::all_of(list.begin(), list.end(), [](const Json& item) { return item.is_string(); });
  if (!fits) throw base::bad_input({.what = "\"exclude\" has the wrong type", .where = where, .expected = "a list of patterns such as \"**/.git/**\""});
  for (const auto& glob : list) globs.push_back(glob.get<std::string>());
  return globs;
}

Path get_either(const Json& object, const char* key, const char* alias, const Path& pack, const std::string& where) {
  if (object.contains(key) && object.contains(alias))
    throw base::bad_input({.what = base::cat("\"", key, "\" and \"", alias, "\" name the same thing"), .where = where, .remedy = "keep one of them"});
  return resolve(pack, get_text(object, object.contains(alias) ? alias : key, where));
}

constexpr const char* kPackRemedy = "docs/formats/corpus.md shows a dataset pack; `picochat data init-pack` writes one";
constexpr const char* kRecipeRemedy = "docs/formats/corpus.md shows a corpus recipe; to use a text file or folder as it is, give it as --input";

}  // namespace

Pack load_pack(const Path& path) {
  const std::string where = path.string();
  const Json json = read_object(path, "the dataset pack", kPackRemedy);
  base::refuse_unknown_keys(json, kPackKeys, where);
  Pack pack;
  pack.file = path;
  pack.name = base::get_string_or(json, "name", "", where);
  if (base::trim(pack.name).empty()) pack.name = path.stem().string();
  pack.description = base::get_string_or(json, "description", "", where);

  if (!json.contains("corpus"))
    throw base::bad_input({.what = "\"corpus\" is missing", .where = where, .expected = "a path, or {\"input\": ...} or {\"recipe\": ...}", .remedy = kPackRemedy});
  const Json& corpus = json["corpus"];
  if (corpus.is_string()) {
    pack.input = resolve(path, get_text(json, "corpus", where));
  } else if (corpus.is_object()) {
    base::refuse_unknown_keys(corpus, kCorpusKeys, where + ": corpus");
    if (corpus.size() != 1)
      throw base::bad_input({.what = "\"corpus\" needs exactly one key", .where = where, .expected = "\"input\" or \"recipe\"",
                             .found = corpus.empty() ? "neither" : "both"});
    (corpus.contains("input") ? pack.input : pack.recipe) = resolve(path, get_text(corpus, corpus.begin().key(), where + ": corpus"));
  } else {
    throw base::bad_input({.what = "\"corpus\" has the wrong type", .where = where, .expected = "a path, or {\"input\": ...} or {\"recipe\": ...}"});
  }
  pack.chat = get_either(json, "chat", "chat_input", path, where);
  pack.eval = get_either(json, "eval", "eval_input", path, where);
  return pack;
}

bool is_placeholder(std::string_view text) { return text.find(kPlaceholderMark) != std::string_view::npos; }

void check_pack_files(const Pack& pack) {
  auto check = [&](const char* key, const Path& path, const char* remedy) {
    if (!std::filesystem::exists(path))
      throw base::bad_input({.what = base::cat("the pack's ", key, " does not exist"), .where = pack.file.string(), .found = path.string(), .remedy = remedy});
  };
  check("corpus", pack.input ? *pack.input : *pack.recipe, "correct the path in the pack");
  const char* rows = "correct the path, or make the rows: `picochat data task-pack --dataset-pack <pack>` (create an empty file first)";
  check("chat file", pack.chat, rows);
  check("eval file", pack.eval, rows);
}

namespace {

const std::array<std::string, 4> kRecipeKeys = {"name", "description", "exclude", "sources"};
const std::array<std::string, 12> kSourceKeys = {"path",          "label",     "include",     "exclude", "reason", "weight",
                                                 "max_documents", "max_bytes", "text_column", "license", "origin", "revision"};

std::optional<int64_t> get_limit(const Json& object, const char* key, const std::string& where) {
  if (!object.contains(key)) return {};
  const int64_t value = base::get_int(object, key, where);
  if (value < 1) throw base::bad_input({.what = base::cat("\"", key, "\" is out of range"), .where = where, .expected = "at least 1", .found = base::cat(value)});
  return value;
}

RecipeSource parse_source(const Json& json, const Path& recipe, const std::string& where) {
  RecipeSource source;
  if (json.is_string()) {
    source.given = json.get<std::string>();
  } else if (json.is_object()) {
    base::refuse_unknown_keys(json, kSourceKeys, where);
    source.given = base::get_string(json, "path", where);
    source.label = base::get_string_or(json, "label", source.label, where);
    source.include = base::get_bool_or(json, "include", true, where);
    source.exclude = get_globs(json, where);
    source.reason = base::get_string_or(json, "reason", source.reason, where);
    if (json.contains("weight")) source.weight = base::get_number(json, "weight", where);
    source.max_documents = get_limit(json, "max_documents", where);
    source.max_bytes = get_limit(json, "max_bytes", where);
    if (json.contains("text_column")) source.text_column = get_text(json, "text_column", where);
    source.license = base::trim(base::get_string_or(json, "license", "", where));
    source.origin = base::trim(base::get_string_or(json, "origin", "", where));
    source.revision = base::trim(base::get_string_or(json, "revision", "", where));
  } else {
    throw base::bad_input({.what = "a source has the wrong type", .where = where, .expected = "a path, or an object with \"path\""});
  }
  if (base::trim(source.given).empty()) throw base::bad_input({.what = "a source's path is empty", .where = where});
  // The bound keeps one typing error from repeating a corpus a million times.
  if (!(source.weight > 0 && source.weight <= 100))
    throw base::bad_input({.what = "\"weight\" is out of range", .where = where, .expected = "above 0 and at most 100",
                           .found = base::cat(source.weight), .remedy = "to leave a source out, set \"include\": false"});
  source.path = resolve(recipe, source.given);
  return source;
}

}  // namespace

Recipe load_recipe(const Path& path) {
  const std::string where = path.string();
  const Json json = read_object(path, "the corpus recipe", kRecipeRemedy);
  base::refuse_unknown_keys(json, kRecipeKeys, where);
  Recipe recipe;
  recipe.file = path;
  recipe.name = base::get_string_or(json, "name", path.stem().string(), where);
  recipe.description = base::get_string_or(json, "description", "", where);
  recipe.exclude = get_globs(json, where);
  if (!json.contains("sources") || !json["sources"].is_array() || json["sources"].empty())
    throw base::bad_input({.what = "\"sources\" is missing or empty", .where = where, .expected = "a list of at least one source", .remedy = kRecipeRemedy});
  for (size_t i = 0; i < json["sources"].size(); ++i)
    recipe.sources.push_back(parse_source(json["sources"][i], path, base::cat(where, ": sources[", i, "]")));
  return recipe;
}

}  // namespace picochat::corpus
