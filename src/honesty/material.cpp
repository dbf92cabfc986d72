#include "honesty/material.hpp"

#include <map>
#include <set>
#include <unordered_map>

#include "honesty/support_phrases.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tasks/preferences.hpp"
#include "picochat/tasks/similarity.hpp"

namespace picochat::honesty {
namespace {

using base::cat;

// Shorter prompts ("Who are you?") are sentences that any text holds: they only count where they stand alone, and only warn.
constexpr size_t kTellingBytes = 24;
// A benchmark's question is looked for by itself when it is this long (in words of a spaced script) and no other row
// asks the same; else only together with its choices.
constexpr double kTellingStem = 8;

template <typename Row, typename Read>
std::optional<std::vector<Row>> load_rows(const base::Path& path, const char* what, Read read, Ledger& ledger) {
  if (path.empty()) return std::nullopt;
  try {
    tasks::RowFile<Row> file = read(path);
    if (!file.issues.empty()) {
      ledger.add({{"kind", "unreadable_rows"}, {"severity", "block"},
                  {"message", cat(file.issues.size(), " of the ", what, " cannot be read, so they were not checked; first: line ", file.issues[0].line, ": ",
                                  file.issues[0].message)},
                  {"matched_source", path.string()}, {"remedy", "correct or delete those lines"}});
    }
    if (file.rows.empty()) {
      ledger.add({{"kind", "no_rows"}, {"severity", "block"}, {"message", cat("there are no ", what, " to check")}, {"matched_source", path.string()},
                  {"remedy", "write the rows, or generate them with `picochat data task-pack`"}});
    }
    return std::move(file.rows);
  } catch (const base::Error& error) {
    ledger.add({{"kind", "missing_input"}, {"severity", "block"}, {"message", cat("the ", what, " could not be read: ", error.details().what)},
                {"matched_source", path.string()}, {"remedy", "correct the path or the file: what is not read is not clean"}});
    return std::nullopt;
  }
}

class Collector {
 public:
  void add(const std::string& text, bool near, Owner owner) {
    const std::string words = tasks::comparison_text(text);
    if (words.empty()) return;
    const bool sentence = words.size() < kTellingBytes;
    auto [found, fresh] = index_.try_emplace(base::hash64(words), catalogue.phrases.size());
    if (fresh) {
      catalogue.phrases.push_back({text, near && !sentence, sentence && owner.role != Role::kSupport});
      catalogue.owners.emplace_back();
    } else {
      Phrase& phrase = catalogue.phrases[found->second];
      phrase.near = phrase.near || (near && !sentence);
    }
    catalogue.owners[found->second].push_back(owner);
  }
  Catalogue catalogue;

 private:
  std::unordered_map<uint64_t, size_t> index_;
};

void add_external(Collector& collector, const std::vector<tasks::BenchmarkRow>& rows, uint32_t file) {
  std::map<std::string, int> asked;
  for (const tasks::BenchmarkRow& row : rows) ++asked[tasks::comparison_text(row.question)];
  for (uint32_t i = 0; i < rows.size(); ++i) {
    const Owner owner{Role::kExternal, file, i};
    if (asked[tasks::comparison_text(rows[i].question)] == 1 && length_in_words(rows[i].question) >= kTellingStem) collector.add(rows[i].question, true, owner);
    // Without the letters: copies of a benchmark number the choices in many ways.
    collector.add(cat(rows[i].question, "\n", base::join(rows[i].choices, "\n")), true, owner);
  }
}

}  // namespace

Material load_material(const HonestyInputs& inputs, Ledger& ledger) {
  Material out;
  out.chat = load_rows<tasks::ChatRow>(inputs.chat, "SFT rows", [](const base::Path& p) { return tasks::load_chat_rows(p); }, ledger);
  if (out.chat) {
    out.sft_rows = out.chat->size();
    auto preferences = load_rows<tasks::PreferenceRow>(inputs.preferences, "preference rows", [](const base::Path& p) { return tasks::RowFile<tasks::PreferenceRow>{tasks::read_preference_rows(p), {}, 0}; }, ledger);
    for (const auto& row : preferences.value_or(std::vector<tasks::PreferenceRow>())) {
      tasks::ChatRow both{.turns = row.with(row.chosen), .category = row.category, .line = row.line};
      both.turns.push_back({"assistant", row.rejected});
      out.chat->push_back(std::move(both));
    }
  }
  out.eval = load_rows<tasks::EvalRow>(inputs.eval, "eval rows", [](const base::Path& p) { return tasks::load_eval_rows(p); }, ledger);
  for (const tasks::NamedBenchmark& named : inputs.external) {
    External external{named.name, named.path, std::nullopt};
    try {
      external.file = tasks::read_benchmark(named.path);
    } catch (const base::Error& error) {
      ledger.add({{"kind", "missing_input"}, {"severity", "block"}, {"message", cat("the benchmark ", named.name, " could not be read: ", error.details().what)},
                  {"matched_source", error.details().where.empty() ? named.path.string() : error.details().where},
                  {"remedy", error.details().remedy.empty() ? "correct the path or the file" : error.details().remedy}});
    }
    out.external.push_back(std::move(external));
  }
  return out;
}

Catalogue catalogue_of(const Material& material) {
  Collector collector;
  if (material.eval) {
    for (uint32_t i = 0; i < material.eval->size(); ++i) collector.add((*material.eval)[i].user, true, {Role::kEval, 0, i});
    for (uint32_t i = 0; i < material.eval->size(); ++i)
      for (const std::string& phrase : support_phrases((*material.eval)[i])) collector.add(phrase, false, {Role::kSupport, 0, i});
  }
  if (material.chat)
    for (uint32_t i = 0; i < material.chat->size(); ++i) collector.add((*material.chat)[i].user(), false, {Role::kSft, 0, i});
  for (uint32_t file = 0; file < material.external.size(); ++file)
    if (material.external[file].file) add_external(collector, material.external[file].file->rows, file);
  return std::move(collector.catalogue);
}

}  // namespace picochat::honesty
