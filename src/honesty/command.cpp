// `data honesty`, and the report's files.
#include <filesystem>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/corpus/pack.hpp"
#include "picochat/honesty/honesty.hpp"

namespace picochat::honesty {
namespace {

using base::cat;
using base::Json;

std::string shown(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

constexpr const char* kCounters[] = {"num_sft_examples", "num_eval_items", "num_corpus_documents", "exact_prompt_leaks", "near_prompt_leaks",
                                     "eval_prompts_in_sft", "corpus_prompt_hits", "sft_support_phrase_hits", "corpus_support_phrase_hits",
                                     "duplicate_eval_prompts", "max_sft_prompt_similarity"};

std::string place_of(const Json& finding) {
  std::string out;
  if (finding.contains("eval_line")) out += cat("eval line ", finding["eval_line"].get<int64_t>(), ": ");
  out += finding["message"].get<std::string>();
  if (finding.contains("document")) {
    out += cat(" (file ", finding["file"].get<std::string>(), ", document ", finding["document"].get<std::string>(), ", byte ", finding["offset"].get<int64_t>(), ")");
  } else if (finding.contains("matched_line")) {
    out += cat(" (", finding["matched_source"].get<std::string>(), " line ", finding["matched_line"].get<int64_t>(), ")");
  } else if (finding.contains("matched_source")) {
    out += cat(" (", finding["matched_source"].get<std::string>(), ")");
  }
  return out;
}

std::string console_text(const Json& report) {
  std::string out = cat("honesty: ", report["status"].get<std::string>(), "\nsummary: ", report["summary"].get<std::string>(), "\n");
  for (const char* key : kCounters) out += cat(key, ": ", shown(report[key]), "\n");
  if (report.contains("external")) {
    for (const Json& external : report["external"])
      out += cat("external ", external["name"].get<std::string>(), ": ", external["flagged_rows"].get<int64_t>(), " of ", external["rows"].get<int64_t>(), " rows in the training material\n");
  }
  for (const Json& pair : report["contamination_matrix"]) {
    out += cat(pair["name"].get<std::string>(), ": ", pair["risk"].get<std::string>());
    if (pair["checked"].get<bool>()) {
      out += cat(" (exact ", pair["exact_text_hits"].get<int64_t>(), ", near ", pair["near_text_hits"].get<int64_t>(), ", longest run ",
                 pair["max_longest_overlap_tokens"].get<int64_t>(), " words)");
    } else {
      out += cat(" (", pair["reason"].get<std::string>(), ")");
    }
    out += "\n";
  }
  int64_t listed = 0;
  for (const Json& finding : report["findings"]) {
    if (++listed > 8) break;
    out += cat(finding["severity"].get<std::string>(), " ", finding["kind"].get<std::string>(), ": ", place_of(finding), "\n");
    if (finding.contains("remedy")) out += cat("  to do: ", finding["remedy"].get<std::string>(), "\n");
  }
  int64_t rest = report["blocking_findings"].get<int64_t>() + report["warning_findings"].get<int64_t>() - std::min<int64_t>(listed, 8);
  if (rest > 0) out += cat("and ", rest, " more findings\n");
  return out;
}

}  // namespace

const base::OptionTable<HonestyOptions>& honesty_options() {
  static const auto table = [] {
    using O = HonestyOptions;
    base::OptionTable<O> out;
    out.add("dataset_pack", &O::dataset_pack, "take corpus, SFT rows and eval rows from this pack").alias("--pack").metavar = "PACK";
    out.add("corpus", &O::corpus, "corpus file or folder").metavar = "PATH";
    out.add("chat_input", &O::chat_input, "SFT rows").metavar = "PATH";
    out.add("eval_input", &O::eval_input, "eval rows").metavar = "PATH";
    out.add("external_eval", &O::external_eval, "outside benchmark to look for (repeatable): ARC, MMLU or HellaSwag as distributed").metavar = "[NAME=]PATH";
    out.add("out_dir", &O::out_dir, "write honesty_report.json and report.md here").metavar = "DIR";
    out.add("near_threshold", &O::near_threshold, "similarity from which two prompts are nearly the same").more_than(0).at_most(1);
    out.add("ngram_size", &O::ngram_size, "words of the shortest run of shared text that counts").at_least(4).at_most(64);
    out.add("threads", &O::threads, "cores to use (0: all); the result does not depend on it").at_least(0);
    out.add("json", &O::json, "print the report as JSON");
    return out;
  }();
  return table;
}

CorpusStream stream_of(const corpus::Corpus& corpus) {
  return [&corpus](const std::function<bool(const CorpusDocument&)>& visit) {
    corpus.for_each_document([&](corpus::Document&& document) { return visit({document.text, document.id, document.file}); });
  };
}

std::string honesty_markdown(const Json& report) {
  std::string out = cat("# Data honesty: ", report["status"].get<std::string>(), "\n\n", report["summary"].get<std::string>(), ".\n\n| measure | value |\n| --- | ---: |\n");
  for (const char* key : kCounters) out += cat("| ", key, " | ", shown(report[key]), " |\n");
  out += "\n| pair | risk | exact | near | longest run (words) |\n| --- | --- | ---: | ---: | ---: |\n";
  for (const Json& pair : report["contamination_matrix"]) {
    auto cell = [&](const char* key) { return pair.contains(key) ? shown(pair[key]) : std::string("not measured"); };
    out += cat("| ", pair["name"].get<std::string>(), " | ", pair["risk"].get<std::string>(), " | ", cell("exact_text_hits"), " | ", cell("near_text_hits"),
               " | ", cell("max_longest_overlap_tokens"), " |\n");
  }
  out += "\n## Findings\n\n";
  if (report["findings"].empty()) out += "None.\n";
  for (const Json& finding : report["findings"]) {
    out += cat("- **", finding["severity"].get<std::string>(), "** ", finding["kind"].get<std::string>(), ": ", place_of(finding), "\n");
    if (finding.contains("snippet")) out += cat("  > ", finding["snippet"].get<std::string>(), "\n");
    if (finding.contains("remedy")) out += cat("  To do: ", finding["remedy"].get<std::string>(), ".\n");
  }
  if (report["findings_not_listed"].get<int64_t>() > 0) out += cat("\nNot listed: ", report["findings_not_listed"].get<int64_t>(), " more.\n");
  return out;
}

void write_honesty_report(base::FileSystem& files, const Json& report, const base::Path& folder) {
  files.make_directories(folder);
  base::write_file(files, folder / "honesty_report.json", base::dump(report) + "\n");
  base::write_file(files, folder / "report.md", honesty_markdown(report));
}

corpus::CommandOutput run_honesty(base::FileSystem& files, const HonestyOptions& options) {
  HonestyInputs inputs;
  inputs.near_threshold = options.near_threshold;
  inputs.ngram_size = options.ngram_size;
  inputs.threads = static_cast<int>(options.threads);
  for (const std::string& named : options.external_eval) inputs.external.push_back(tasks::parse_named_benchmark(named, "--external-eval"));
  corpus::CorpusOptions source;
  if (options.dataset_pack) {
    if (options.corpus || options.chat_input || options.eval_input) {
      throw base::usage_error({.what = "a pack names corpus, SFT rows and eval rows itself", .where = "--dataset-pack",
                               .remedy = "leave out --corpus, --chat-input and --eval-input"});
    }
    corpus::Pack pack = corpus::load_pack(*options.dataset_pack);
    inputs.chat = pack.chat;
    inputs.eval = pack.eval;
    source.pack = *options.dataset_pack;
    inputs.corpus_label = (pack.recipe ? *pack.recipe : *pack.input).string();
  } else {
    if (!options.eval_input && inputs.external.empty()) {
      throw base::usage_error({.what = "what to check is missing", .where = "data honesty",
                               .expected = "--dataset-pack, or --eval-input or --external-eval with --chat-input and --corpus"});
    }
    if (options.chat_input) inputs.chat = *options.chat_input;
    if (options.eval_input) inputs.eval = *options.eval_input;
    if (options.corpus) {
      source.input = *options.corpus;
      inputs.corpus_label = *options.corpus;
    }
  }
  std::optional<base::Progress> progress;
  if (source.pack || source.input) {
    // Opened inside the check, where a corpus that cannot be read becomes a blocking finding.
    inputs.corpus = [source, &progress](const std::function<bool(const CorpusDocument&)>& visit) {
      const corpus::Corpus corpus = corpus::Corpus::open(source);
      uint64_t bytes = 0;
      for (const corpus::SourceFile& file : corpus.files()) bytes += file.included ? file.bytes : 0;
      progress.emplace("honesty", bytes, "B");
      stream_of(corpus)(visit);
    };
    inputs.progress = [&progress](uint64_t bytes) { progress->update(bytes); };
  }
  Json report = check_honesty(inputs);
  progress.reset();
  std::string text = console_text(report);
  if (options.out_dir) {
    write_honesty_report(files, report, *options.out_dir);
    text += cat("report: ", (base::Path(*options.out_dir) / "report.md").string(), "\n");
  }
  return {report, text};
}

}  // namespace picochat::honesty
