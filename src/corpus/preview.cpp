// `data preview`: what is in a corpus, whether it is fit to train on, and what to do next.
#include <algorithm>
#include <cctype>

#include "picochat/base/error.hpp"
#include "picochat/base/jsonl.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/commands.hpp"

namespace picochat::corpus {
namespace {

namespace fs = std::filesystem;
using base::cat;
using base::grouped;
using base::Json;

constexpr size_t kSourcesShown = 25;

// How many rows there are and whether they are still the placeholders of init-pack. Whether the rows
// are good is for the room that knows their schema.
Json inspect_rows(const Path& path) {
  int64_t rows = 0, placeholders = 0;
  if (!fs::exists(path)) return {{"path", path.string()}, {"status", "blocked"}, {"summary", "the file does not exist"}, {"num_rows", 0}};
  base::MappedFile file(path);
  base::for_each_line(file.bytes(), [&](std::string_view line, int64_t) {
    rows += !base::trim(line).empty();
    placeholders += is_placeholder(line);
    return true;
  });
  const std::string summary = rows == 0 ? "no rows yet" : placeholders > 0 ? cat(placeholders, " of ", rows, " rows are placeholders") : cat(grouped(rows), " rows");
  return {{"path", path.string()}, {"status", rows == 0 || placeholders > 0 ? "blocked" : "ready"}, {"summary", summary}, {"num_rows", rows}, {"placeholders", placeholders}};
}

std::string slug(const std::string& name) {
  std::string out;
  for (unsigned char c : base::lower_ascii(name)) {
    if (std::isalnum(c)) out += static_cast<char>(c);
    else if (!out.empty() && out.back() != '-') out += '-';
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "corpus" : out;
}

// The start of the first documents, cut at whole characters.
std::string preview_text(const Corpus& corpus, int64_t characters) {
  std::string out;
  int64_t left = characters;
  if (left == 0) return out;
  corpus.for_each_document([&](Document&& document) {
    if (!out.empty()) out += "\n\n";
    size_t at = 0;
    for (; at < document.text.size() && left > 0; --left) at += base::decode_utf8(document.text, at).length;
    out += base::replace_invalid_utf8(std::string_view(document.text).substr(0, at));
    return left > 0;
  });
  return out;
}

struct NextStep {
  std::vector<std::string> to_do;
  std::string command, note;
};

bool usable(const Json& rows) { return rows.is_object() && rows.value("status", "") != "blocked"; }

NextStep next_step(const PreviewOptions& options, const Corpus& corpus, const Manifest& manifest, const Json& chat, const Json& eval) {
  NextStep next;
  if (manifest.stats.num_documents == 0) {
    next.to_do.push_back("give the corpus at least one usable document");
    next.note = "preview again after that";
    return next;
  }
  if (!options.dataset_pack && !(options.chat_input && options.eval_input)) {
    if (options.input) {
      const std::string name = slug(fs::absolute(*options.input).lexically_normal().filename().empty() ? Path(*options.input).parent_path().filename().string()
                                                                                                     : Path(*options.input).stem().string());
      next.to_do.push_back("make a dataset pack: the corpus with chat rows and eval rows");
      next.command = cat("picochat data init-pack --corpus ", shell_quoted(*options.input), " --out ", shell_quoted(cat("packs/", name)));
    } else {
      next.to_do.push_back("write a dataset_pack.json that names this recipe, chat rows and eval rows (docs/formats/corpus.md shows one)");
    }
    return next;
  }
  const std::pair<const char*, const Json&> parts[] = {{"chat", chat}, {"eval", eval}};
  for (const auto& [what, rows] : parts)
    if (!usable(rows)) next.to_do.push_back(cat(what, " rows (", rows.value("path", ""), "): ", rows.value("summary", "")));
  if (!next.to_do.empty()) {
    if (options.dataset_pack)
      next.command = cat("picochat data task-pack --dataset-pack ", shell_quoted(*options.dataset_pack),
                         " --profile release_skills --sft-rows 2800 --eval-rows 700 --skill-answer-style scratchpad --source offline --force");
    next.note = "writes chat and eval rows; your own rows do as well";
    return next;
  }
  const std::string name = corpus.pack() ? corpus.pack()->name : Path(options.input ? *options.input : *options.recipe).stem().string();
  next.command = cat("picochat run tiny --out-dir ", shell_quoted(cat("runs/", slug(name), "-v1")));
  if (options.dataset_pack) next.command += cat(" --dataset-pack ", shell_quoted(*options.dataset_pack));
  else next.command += cat(options.input ? " --corpus-input " : " --corpus-recipe ", shell_quoted(options.input ? *options.input : *options.recipe), " --chat-input ", shell_quoted(*options.chat_input),
                           " --eval-input ", shell_quoted(*options.eval_input));
  next.command += cat(" --scale tiny-cpu", options.min_score > 0 ? cat(" --min-score ", options.min_score) : "", " --preflight-only");
  next.note = "checks budget and data before anything is trained; choose the --scale of your machine";
  return next;
}

std::string source_lines(const Manifest& manifest) {
  std::string out;
  for (size_t i = 0; i < std::min(kSourcesShown, manifest.files.size()); ++i) {
    const ManifestFile& file = manifest.files[i];
    out += cat(file.included ? "include " : "skip    ", file.path, "  label=", file.label, "  ", file.format);
    if (file.included)
      out += cat("  score=", base::fixed(file.quality_score, 1), "  documents=", grouped(file.documents), "  chars=", grouped(file.characters), "  lines=", grouped(file.lines));
    else out += cat("  reason=", file.reason);
    if (!file.quality_flags.empty()) out += cat("  flags=", base::join(file.quality_flags, ","));
    out += "\n";
  }
  if (manifest.files.size() > kSourcesShown) out += cat("... and ", grouped(static_cast<int64_t>(manifest.files.size() - kSourcesShown)), " more files\n");
  return out;
}

std::string rows_line(const char* what, const Json& rows) {
  if (rows.is_null()) return cat(what, ": none given\n");
  return cat(what, ": ", rows.value("path", ""), ": ", rows.value("status", ""), ", ", rows.value("summary", ""), "\n");
}

std::string render(const Json& json, const Manifest& manifest, const BudgetSuggestion& budget, const NextStep& next) {
  std::string out;
  for (const char* key : {"dataset_pack", "input", "recipe"})
    if (!json[key].is_null()) out += cat(key, ": ", json[key].get<std::string>(), "\n");
  out += cat("digest: ", manifest.digest.hex(), "\nmin_quality_score: ", manifest.min_quality_score, "\nfiles_included: ", grouped(json["files_included"].get<int64_t>()),
             "\nfiles_skipped: ", grouped(json["files_skipped"].get<int64_t>()), "\n", statistics_text(manifest.stats));
  out += cat("\nreadiness: ", manifest.readiness.status, " (", manifest.readiness.summary, ")\n");
  for (const auto& check : manifest.readiness.checks) out += cat("  ", base::padded(check.status, 13), base::padded(check.name, 26), check.message, "\n");
  out += cat("\nbudget: ", budget.preset, ", about ", base::short_count(static_cast<double>(budget.estimated_tokens)), " tokens (", budget.basis, ")\n  context ",
             budget.suggested_context_size, ", batch ", budget.suggested_batch_size, ", ", grouped(budget.suggested_base_steps), " steps, ",
             base::fixed(budget.estimated_passes, 2), " passes: ", budget.note, "\n\n");
  out += rows_line("chat_data", json["chat_data"]) + rows_line("eval_data", json["eval_data"]);
  out += cat("\nsources:\n", source_lines(manifest));
  if (!manifest.warnings.empty()) out += "\nwarnings:\n";
  for (const auto& warning : manifest.warnings) out += cat("  ", warning, "\n");
  if (!json["preview"].get<std::string>().empty()) out += cat("\npreview:\n", json["preview"].get<std::string>(), "\n");
  if (!next.to_do.empty()) out += "\nstill to do:\n";
  for (const auto& item : next.to_do) out += cat("  ", item, "\n");
  if (!next.command.empty()) out += cat("\nnext: ", next.command, "\n");
  if (!next.note.empty()) out += cat("      (", next.note, ")\n");
  return out;
}

Json or_null(const std::optional<std::string>& value) { return value ? Json(*value) : Json(nullptr); }

}  // namespace

const base::OptionTable<PreviewOptions>& preview_options() {
  static const base::OptionTable<PreviewOptions> table = [] {
    base::OptionTable<PreviewOptions> t;
    t.add("dataset_pack", &PreviewOptions::dataset_pack, "dataset pack").alias("--pack").metavar = "FILE";
    t.add("input", &PreviewOptions::input, "file or folder of documents").metavar = "PATH";
    t.add("recipe", &PreviewOptions::recipe, "corpus recipe").metavar = "FILE";
    t.add("chat_input", &PreviewOptions::chat_input, "chat rows, when there is no pack").metavar = "FILE";
    t.add("eval_input", &PreviewOptions::eval_input, "eval rows, when there is no pack").metavar = "FILE";
    t.add("min_score", &PreviewOptions::min_score, "leave out documents of a lower quality score").at_least(0).at_most(100);
    t.add("near_duplicates", &PreviewOptions::near_duplicates, "also look for documents that are nearly the same (slower)");
    t.add("preview_chars", &PreviewOptions::preview_chars, "characters of text to show").at_least(0);
    t.add("out", &PreviewOptions::out, "folder for preview.json and preview.md").metavar = "DIR";
    t.add("json", &PreviewOptions::json, "print JSON");
    return t;
  }();
  return table;
}

CommandOutput preview(base::FileSystem& files, const PreviewOptions& options, const RowInspectors& inspectors) {
  const Corpus corpus = Corpus::open(corpus_options(options.dataset_pack, options.input, options.recipe, options.min_score));
  if (corpus.pack()) check_pack_files(*corpus.pack());
  const Manifest manifest = corpus.scan({.near_duplicates = options.near_duplicates});

  auto rows = [&](const std::optional<std::string>& given, const Path* packed, const std::function<Json(const Path&)>& inspector) -> Json {
    if (!given && !packed) return nullptr;
    const Path path = given ? Path(*given) : *packed;
    return inspector ? inspector(path) : inspect_rows(path);
  };
  const Json chat = rows(options.chat_input, corpus.pack() ? &corpus.pack()->chat : nullptr, inspectors.chat);
  const Json eval = rows(options.eval_input, corpus.pack() ? &corpus.pack()->eval : nullptr, inspectors.eval);
  std::optional<TokenEstimate> tokens;
  if (inspectors.estimate_tokens && manifest.stats.num_documents > 0) tokens = inspectors.estimate_tokens(corpus);
  BudgetSuggestion budget = suggest_budget(manifest.stats, tokens ? std::optional(tokens->bytes_per_token) : std::nullopt);
  if (tokens) budget.basis += "; " + tokens->basis;
  const NextStep next = next_step(options, corpus, manifest, chat, eval);

  CommandOutput output;
  Json& json = output.json;
  json = {{"dataset_pack", or_null(options.dataset_pack)}, {"input", or_null(options.input)}, {"recipe", or_null(options.recipe)}};
  const auto included = std::count_if(manifest.files.begin(), manifest.files.end(), [](const ManifestFile& file) { return file.included; });
  json["files_included"] = included;
  json["files_skipped"] = static_cast<int64_t>(manifest.files.size()) - included;
  const Json facts = manifest_json(manifest);
  for (const auto& [key, value] : facts.items())
    if (key != "format" && key != "version") json[key] = value;
  json["budget"] = budget_json(budget);
  json["chat_data"] = chat;
  json["eval_data"] = eval;
  json["to_do"] = next.to_do;
  json["next_command"] = next.command.empty() ? Json(nullptr) : Json(next.command);
  json["preview"] = preview_text(corpus, options.preview_chars);
  output.text = render(json, manifest, budget, next);
  if (options.out) {
    base::write_file(files, Path(*options.out) / "preview.json", base::dump(json) + "\n");
    base::write_file(files, Path(*options.out) / "preview.md", corpus_report_markdown(manifest));
  }
  return output;
}

}  // namespace picochat::corpus
