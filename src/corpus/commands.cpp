// What the commands share, and the small ones: inspect and build.
#include "picochat/corpus/commands.hpp"

#include <unistd.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::corpus {
namespace {

namespace fs = std::filesystem;
using base::cat;
using base::Json;

std::string shown(const Json& value) {
  if (value.is_null()) return "not_measured";
  if (value.is_number_float()) return base::fixed(value.get<double>(), 4);
  return value.is_string() ? value.get<std::string>() : base::dump(value, -1);
}

bool lies_within(const Path& path, const Path& folder) {
  std::error_code ignored;
  const Path relative = fs::weakly_canonical(path, ignored).lexically_relative(fs::weakly_canonical(folder, ignored));
  return !relative.empty() && *relative.begin() != "..";
}

// corpus.txt: documents joined by a blank line, one newline at the end.
void write_corpus_text(base::FileSystem& files, const Corpus& corpus, const Path& path) {
  files.make_directories(path.parent_path());
  const Path temporary = path.parent_path() / cat(".tmp-", path.filename().string(), "-", static_cast<int>(::getpid()));
  try {
    auto file = files.create(temporary);
    std::string buffer;
    bool first = true;
    corpus.for_each_document([&](Document&& document) {
      if (!first) buffer += "\n\n";
      first = false;
      buffer += document.text;
      if (buffer.size() >= 1 << 20) file->append(buffer), buffer.clear();
      return true;
    });
    file->append(buffer + "\n");
    file->sync();
    file->close();
    files.rename_replacing(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  files.sync_directory(path.parent_path());
}

}  // namespace

std::string shell_quoted(const std::string& word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@%+";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  return cat("'", base::replace_all(word, "'", "'\\''"), "'");
}

std::string statistics_text(const Statistics& stats) {
  std::string text;
  const Json figures = statistics_json(stats);
  for (const auto& [key, value] : figures.items())
    if (!value.is_array()) text += cat(key, ": ", shown(value), "\n");
  return text;
}

CorpusOptions corpus_options(const std::optional<std::string>& dataset_pack, const std::optional<std::string>& input,
                             const std::optional<std::string>& recipe, int64_t min_score) {
  if (!dataset_pack && !input && !recipe)
    throw base::usage_error({.what = "no corpus is given", .expected = "--dataset-pack, --input or --recipe", .remedy = "for a folder of text: --input FOLDER"});
  if (dataset_pack && (input || recipe))
    throw base::usage_error({.what = "--dataset-pack cannot be combined with --input or --recipe", .remedy = "the pack names its corpus: give the pack alone"});
  if (input && recipe) throw base::usage_error({.what = "--input and --recipe both name the corpus", .remedy = "give one of them"});
  CorpusOptions options;
  options.min_score = min_score;
  if (dataset_pack) options.pack = *dataset_pack;
  if (input) options.input = *input;
  if (recipe) options.recipe = *recipe;
  return options;
}

const base::OptionTable<InspectOptions>& inspect_options() {
  static const base::OptionTable<InspectOptions> table = [] {
    base::OptionTable<InspectOptions> t;
    t.add("input", &InspectOptions::input, "file or folder of documents").must().metavar = "PATH";
    t.add("out", &InspectOptions::out, "JSON file to write").metavar = "FILE";
    t.add("json", &InspectOptions::json, "print JSON");
    return t;
  }();
  return table;
}

CommandOutput inspect(base::FileSystem& files, const InspectOptions& options) {
  const Manifest manifest = Corpus::open(corpus_options({}, options.input, {}, 0)).scan();
  require_documents(manifest);
  CommandOutput output{.json = {{"input", options.input}, {"digest", manifest.digest.hex()}, {"stats", statistics_json(manifest.stats)}},
                       .text = cat("input: ", options.input, "\ndigest: ", manifest.digest.hex(), "\n", statistics_text(manifest.stats))};
  if (options.out) base::write_file(files, *options.out, base::dump(output.json) + "\n");
  return output;
}

const base::OptionTable<BuildOptions>& build_options() {
  static const base::OptionTable<BuildOptions> table = [] {
    base::OptionTable<BuildOptions> t;
    t.add("dataset_pack", &BuildOptions::dataset_pack, "dataset pack").alias("--pack").metavar = "FILE";
    t.add("input", &BuildOptions::input, "file or folder of documents").metavar = "PATH";
    t.add("recipe", &BuildOptions::recipe, "corpus recipe").metavar = "FILE";
    t.add("out", &BuildOptions::out, "corpus.txt to write: documents joined by a blank line").must().metavar = "FILE";
    t.add("manifest", &BuildOptions::manifest, "manifest to write (default: corpus_manifest.json beside --out)").metavar = "FILE";
    t.add("report", &BuildOptions::report, "report to write (default: corpus_report.md beside --out)").metavar = "FILE";
    t.add("min_score", &BuildOptions::min_score, "leave out documents of a lower quality score").at_least(0).at_most(100);
    t.add("json", &BuildOptions::json, "print the manifest as JSON");
    return t;
  }();
  return table;
}

CommandOutput build(base::FileSystem& files, const BuildOptions& options) {
  const Corpus corpus = Corpus::open(corpus_options(options.dataset_pack, options.input, options.recipe, options.min_score));
  const Path out = options.out;
  for (const auto& source : corpus.sources())
    if (source.include && lies_within(out, source.path))
      throw base::bad_input({.what = "--out lies inside the corpus, so the next reading would find the text twice", .where = options.out,
                             .found = source.path.string(), .remedy = "write it outside of the corpus folder"});
  const Manifest manifest = corpus.scan();
  require_documents(manifest);
  const Path manifest_path = options.manifest ? Path(*options.manifest) : out.parent_path() / "corpus_manifest.json";
  const Path report_path = options.report ? Path(*options.report) : out.parent_path() / "corpus_report.md";
  write_corpus_text(files, corpus, out);
  CommandOutput output{.json = manifest_json(manifest)};
  base::write_file(files, report_path, corpus_report_markdown(manifest));
  base::write_file(files, manifest_path, base::dump(output.json) + "\n");
  output.text = cat("corpus: ", out.string(), "\nmanifest: ", manifest_path.string(), "\nreport: ", report_path.string(), "\nreadiness: ",
                    manifest.readiness.status, "\n", statistics_text(manifest.stats));
  return output;
}

}  // namespace picochat::corpus
