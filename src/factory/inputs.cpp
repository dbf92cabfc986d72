// <run>/inputs: the pack, the recipe, the import reports of its sources, and the chat and eval rows, byte for
// byte, with a list of digests. The corpus text itself is named by digest and never copied.
#include <map>

#include "picochat/base/text.hpp"
#include "run_context.hpp"

namespace picochat::factory {
namespace {

using base::cat;

constexpr const char* kImportReport = "hf_import_report.json";

class Inputs {
 public:
  explicit Inputs(RunContext& run) : run_(run) {}

  void copy(const std::string& name, const Path& source) {
    const std::string path = cat("inputs/", name), bytes = base::read_file(source);
    const base::Digest digest = base::sha256(bytes);
    const Path target = run_.at(path);
    if (!std::filesystem::exists(target) || base::sha256_file(target) != digest) base::write_file(run_.files, target, bytes);
    list_.push_back({{"path", path}, {"sha256", digest.hex()}, {"bytes", bytes.size()}});
  }

  // An import leaves its report beside, or in, the folder of documents.
  void import_report(const corpus::RecipeSource& source) {
    for (const Path& folder : {source.path, source.path.parent_path()}) {
      if (!std::filesystem::is_regular_file(folder / kImportReport)) continue;
      const int earlier = labels_[source.label]++;
      return copy(cat("import_reports/", safe(source.label), earlier ? cat("-", earlier + 1) : std::string(), ".json"), folder / kImportReport);
    }
  }

  void write() {
    const std::string text = base::dump(Json{{"kind", "inputs"}, {"files", list_}}) + "\n";
    const Path path = run_.at("inputs/inputs.json");
    if (!std::filesystem::exists(path) || base::read_file(path) != text) base::write_file(run_.files, path, text);
  }

 private:
  static std::string safe(std::string label) {
    for (char& c : label)
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '-';
    return label;
  }

  RunContext& run_;
  Json list_ = Json::array();
  std::map<std::string, int> labels_;
};

}  // namespace

void record_inputs(RunContext& run) {
  Inputs inputs(run);
  std::optional<Path> recipe = run.corpus.options().recipe;
  if (const auto& pack = run.corpus.pack()) {
    inputs.copy("dataset_pack.json", pack->file);
    recipe = pack->recipe;
  }
  if (recipe) inputs.copy("corpus_recipe.json", *recipe);
  for (const auto& source : run.corpus.sources()) inputs.import_report(source);
  inputs.copy("chat.jsonl", run.chat_input);
  inputs.copy("eval.jsonl", run.eval_input);
  if (run.options().dpo_input) inputs.copy("preferences.jsonl", *run.options().dpo_input);
  inputs.write();
}

}  // namespace picochat::factory
