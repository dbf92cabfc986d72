#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/commands.hpp"
#include "picochat/corpus/pack.hpp"

namespace picochat::corpus {
namespace {

namespace fs = std::filesystem;
using base::Json;

std::string marked(const char* text) { return base::cat(kPlaceholderMark, " ", text); }

std::string lines(const std::vector<Json>& rows) {
  std::string out;
  for (const auto& row : rows) out += base::dump(row, -1) + "\n";
  return out;
}

std::string chat_rows() {
  auto row = [](const char* category, bool answerable, const char* user, const char* assistant) {
    return Json{{"category", category}, {"group", base::cat("placeholder-", category)}, {"answerable", answerable}, {"user", marked(user)}, {"assistant", marked(assistant)}};
  };
  return lines({row("domain_qa", true, "A question that the corpus answers?", "Its answer, as the model should give it."),
                row("refusal", false, "A question that the corpus does not answer?", "How the model should decline."),
                row("style", true, "A request about tone or form.", "A reply in that tone or form.")});
}

std::string eval_rows() {
  auto row = [](const char* category, bool answerable, const char* user, const char* key, const Json& value) {
    return Json{{"category", category}, {"split", "heldout"}, {"answerable", answerable}, {"user", marked(user)}, {key, value}};
  };
  return lines({row("domain_qa", true, "A new question that the corpus answers?", "must_include", Json::array({"a word of the right answer"})),
                row("refusal", false, "A new question that the corpus does not answer?", "must_include_any", Json::array({Json::array({"do not know", "cannot answer"})}))});
}

Path relative_to(const Path& path, const Path& folder) {
  return fs::absolute(path).lexically_normal().lexically_relative(fs::absolute(folder).lexically_normal());
}

}  // namespace

std::vector<Path> init_pack(base::FileSystem& files, const InitPackOptions& options) {
  if (!fs::exists(options.corpus))
    throw base::bad_input({.what = "the corpus does not exist", .where = options.corpus, .expected = "a text file, a .jsonl file, or a folder of them", .remedy = "correct --corpus"});
  const Path folder = options.out;
  const std::vector<Path> paths = {folder / "chat.jsonl", folder / "eval.jsonl", folder / "corpus_recipe.json", folder / "dataset_pack.json"};
  for (const auto& path : paths)
    if (!options.force && fs::exists(path))
      throw base::bad_input({.what = "the folder already holds a pack", .where = path.string(), .remedy = "name another --out, or overwrite it with --force"});

  Json exclude = {"**/.DS_Store", "**/.git/**", "**/__pycache__/**"};
  // A pack inside its own corpus must not become part of it.
  const Path inside = relative_to(folder, options.corpus);
  if (fs::is_directory(options.corpus) && !inside.empty() && *inside.begin() != "..")
    for (const auto& path : paths) exclude.push_back(inside == "." ? path.filename().generic_string() : (inside / path.filename()).generic_string());
  const Json recipe = {{"name", options.name},
                       {"description", options.description},
                       {"sources", Json::array({{{"path", relative_to(options.corpus, folder).generic_string()}, {"label", "corpus"}}})},
                       {"exclude", exclude}};
  const Json pack = {{"name", options.name},
                     {"description", options.description},
                     {"corpus", {{"recipe", "corpus_recipe.json"}}},
                     {"chat", "chat.jsonl"},
                     {"eval", "eval.jsonl"}};
  // The pack last: it names the others.
  base::write_file(files, paths[0], chat_rows());
  base::write_file(files, paths[1], eval_rows());
  base::write_file(files, paths[2], base::dump(recipe) + "\n");
  base::write_file(files, paths[3], base::dump(pack) + "\n");
  return paths;
}

const base::OptionTable<InitPackOptions>& init_pack_options() {
  static const base::OptionTable<InitPackOptions> table = [] {
    base::OptionTable<InitPackOptions> t;
    t.add("corpus", &InitPackOptions::corpus, "text file, .jsonl file or folder that is the corpus").must().metavar = "PATH";
    t.add("out", &InitPackOptions::out, "folder to write the pack into").must().metavar = "DIR";
    t.add("name", &InitPackOptions::name, "name of the pack");
    t.add("description", &InitPackOptions::description, "one line about it");
    t.add("force", &InitPackOptions::force, "overwrite the four files when they exist");
    t.add("json", &InitPackOptions::json, "print JSON");
    return t;
  }();
  return table;
}

CommandOutput init_pack_command(base::FileSystem& files, const InitPackOptions& options) {
  CommandOutput output;
  output.json["files"] = Json::array();
  for (const auto& path : init_pack(files, options)) {
    output.json["files"].push_back(path.string());
    output.text += base::cat("wrote ", path.string(), "\n");
  }
  const std::string pack = (Path(options.out) / "dataset_pack.json").string();
  output.json["next_command"] = base::cat("picochat data preview --dataset-pack ", shell_quoted(pack));
  output.text += base::cat("The chat and eval rows are placeholders, marked ", kPlaceholderMark,
                           ": replace them, or write generated ones over them with `picochat data task-pack`.\nnext: ", output.json["next_command"].get<std::string>(), "\n");
  return output;
}

}  // namespace picochat::corpus
