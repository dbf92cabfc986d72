// `data hf-import` against a hub on loopback and local files. Rows are made from their numbers, so that a
// test can say on its own what must come of them.
#ifndef PICOCHAT_ARROW
#include <gtest/gtest.h>
TEST(Import, NeedsArrow) { GTEST_SKIP() << "skipped: built without Arrow C++"; }
#else
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "picochat/base/error.hpp"
#include "picochat/base/jsonl.hpp"
#include "picochat/corpus/climbmix.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/corpus/hf_import.hpp"
#include "support/faulty_file_system.hpp"
#include "support/hub_server.hpp"
#include "support/parquet_writer.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::corpus {
namespace {

namespace fs = std::filesystem;
using base::Json;
using test::Fault;
using test::FaultyFileSystem;
using test::HubServer;
using test::ParquetRow;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kMinChars = 50;

// Every seventh text is short, every eleventh missing, every fifth repeats the one four before it.
ParquetRow row(int64_t number) {
  ParquetRow out;
  out.language = number % 3 == 0 ? "de" : "en";
  if (number % 11 == 10) return out;
  const int64_t subject = number % 5 == 4 ? number - 4 : number;
  std::string text = "Row " + std::to_string(subject) + " says \"hello\"\nin Zürich, " + std::string(static_cast<size_t>(20 + subject * 37 % 400), 'x');
  if (number % 7 == 6) text = "short";
  out.text = "  \n" + text + "\t\xC2\xA0 ";
  return out;
}
std::vector<ParquetRow> rows(int64_t first, int64_t count) {
  std::vector<ParquetRow> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(row(first + i));
  return out;
}

struct Expected {
  std::vector<std::string> texts;
  int64_t missing = 0, brief = 0;
};
Expected expected(int64_t count, int64_t first = 0) {
  Expected out;
  for (int64_t i = first; i < first + count; ++i) {
    auto text = row(i).text;
    if (!text) {
      ++out.missing;
      continue;
    }
    std::string stripped = text->substr(3, text->size() - 3 - 4);
    if (stripped == "short") ++out.brief;
    else out.texts.push_back(stripped);
  }
  return out;
}

constexpr const char* kCard = R"(---
license: odc-by
configs:
- config_name: web
  data_files:
  - split: train
    path: web/train-*
- config_name: code
  data_files:
  - split: train
    path: code/train-*
- config_name: packed
  data_files: packed/*.zip
---
)";

class Import : public ::testing::Test {
 protected:
  Import()
      : server({{"README.md", kCard},
                {"web/train-00000-of-00002.parquet", test::parquet_bytes(rows(0, 700), 90)},
                {"web/train-00001-of-00002.parquet", test::parquet_bytes(rows(700, 500), 90)},
                {"code/train-00000-of-00001.parquet", test::parquet_bytes(rows(0, 50), 50, "blob_id")},
                {"packed/x.zip", "PK"},
                {"converted/packed/train/0000.parquet", test::parquet_bytes(rows(0, 300), 100)}}) {
    server.converted = {{"parquet_files", {{{"dataset", server.dataset()}, {"config", "packed"}, {"split", "train"}, {"size", test::parquet_bytes(rows(0, 300), 100).size()},
                                            {"url", "https://hub/datasets/someone/texts/resolve/refs%2Fconvert%2Fparquet/packed/train/0000.parquet"}, {"filename", "0000.parquet"}}}},
                        {"partial", false}, {"pending", Json::array()}, {"failed", Json::array()}};
  }

  ImportOptions options(const std::string& where, int64_t max_rows = 100000) const {
    ImportOptions out{.dataset = server.dataset(), .config = "web"};
    out.out = (folder.path() / where / "corpus.txt").string();
    out.max_rows = max_rows;
    out.min_chars = kMinChars;
    out.document_shard_rows = 100;
    out.jobs = 3;
    return out;
  }
  hub::Environment environment() const {
    return [this](const std::string& name) -> std::optional<std::string> {
      if (name == "HF_ENDPOINT" || name == "PICOCHAT_DATASETS_SERVER") return server.endpoint();
      if (name == "HF_HOME") return (folder.path() / "hf").string();
      if (name == "PICOCHAT_HUB_RETRY_SECONDS") return "0.01";
      if (name == "HF_HUB_DOWNLOAD_TIMEOUT") return "1";
      return std::nullopt;
    };
  }
  Json run(const ImportOptions& with) { return hf_import(base::real_file_system(), with, environment()).json; }
  std::string refusal(const ImportOptions& with) {
    try {
      run(with);
    } catch (const base::Error& error) {
      return std::to_string(static_cast<int>(error.code())) + " " + error.what();
    }
    return "no error";
  }
  // Everything an import leaves, by name; of the report all but its timing and its own paths.
  std::map<std::string, std::string> outcome(const std::string& where) const {
    std::map<std::string, std::string> out;
    for (const auto& path : base::list_files(folder.path() / where)) {
      const std::string name = path.generic_string();
      if (name.ends_with(".lock") || name.ends_with(".import.jsonl") || name.ends_with(".md")) continue;
      std::string bytes = folder.read(where + "/" + name);
      if (name.ends_with("hf_import_report.json")) {
        Json report = Json::parse(bytes);
        for (const char* key : {"timing", "out_path", "report_path", "documents_dir", "next_command"}) report.erase(key);
        bytes = report.dump();
      }
      out[name] = bytes;
    }
    return out;
  }
  std::vector<std::string> texts(const std::string& where) const {
    std::vector<std::string> out;
    for (const auto& path : base::list_files(folder.path() / where / "documents"))
      if (path.extension() == ".jsonl" && !path.string().starts_with('.'))
        base::read_jsonl(folder.path() / where / "documents" / path, [&](const Json& line, int64_t) {
          out.push_back(line.at("text"));
          return true;
        });
    return out;
  }

  TemporaryFolder folder;
  HubServer server;
};

TEST_F(Import, EveryRowBecomesADocumentOrIsCounted) {
  const Json report = run(options("a", 1000));
  const Expected want = expected(1000);
  EXPECT_EQ(texts("a"), want.texts);
  EXPECT_EQ(report["rows_seen"], 1000);
  EXPECT_EQ(report["rows_written"], want.texts.size());
  EXPECT_EQ(report["rows_skipped"], want.missing + want.brief);
  EXPECT_EQ(report["skipped"]["below_min_chars"], want.brief);
  EXPECT_EQ(report["skipped"]["text_column_not_string"], want.missing);
  std::string corpus;
  for (const auto& text : want.texts) corpus += (corpus.empty() ? "" : "\n\n") + text;
  EXPECT_EQ(folder.read("a/corpus.txt"), corpus + "\n");
  EXPECT_EQ(report["corpus_bytes"], corpus.size() + 1);
  EXPECT_EQ(report["source"]["commit"], HubServer::kCommit);
  EXPECT_EQ(report["source"]["license"], "odc-by");
  EXPECT_EQ(report["files"].size(), 2u);
  EXPECT_EQ(report["files"][1]["rows_read"], 300);
  EXPECT_EQ(report["document_files"].size(), (want.texts.size() + 99) / 100);
  EXPECT_EQ(report["document_files"][0]["sha256"], base::sha256_file(folder / "a/documents/shard-000000.jsonl").hex());
  EXPECT_EQ(report["exact_duplicates"], nullptr) << "nobody looked";
  EXPECT_EQ(report["languages"]["column"], "metadata.language");
  EXPECT_EQ(report["rows"].size(), 90u) << "the sample is the first row group, at most 100 rows";
  EXPECT_THAT(folder.read("a/hf_import_report.md"), AllOf(HasSubstr("odc-by"), HasSubstr("below_min_chars")));
  EXPECT_EQ(server.tokens_at_storage, 0);
}

TEST_F(Import, OnlyWhatIsNeededIsFetched) {
  run(options("a", 80));
  EXPECT_LE(server.storage_requests, 4) << "a footer and one row group of one file";
}

TEST_F(Import, TheResultDependsOnNothingButTheRows) {
  run(options("a"));
  const auto want = outcome("a");
  ImportOptions one = options("b");
  one.jobs = 1;
  run(one);
  EXPECT_EQ(outcome("b"), want);
  const std::vector<Fault> script{Fault::kNone, Fault::kCut, Fault::kUnavailable, Fault::kTooMany, Fault::kNone, Fault::kExpired, Fault::kIgnoreRange};
  server.storage_fault = [&](int n) { return script[static_cast<size_t>(n) % script.size()]; };
  server.hub_status = [](int n) { return n % 4 == 1 ? 429 : 0; };
  run(options("c"));
  EXPECT_EQ(outcome("c"), want);
}

TEST_F(Import, ACrashAtAnyOperationIsGoneOnFromThere) {
  ImportOptions with = options("whole");
  with.dedup = "exact";
  run(with);
  const auto want = outcome("whole");
  FaultyFileSystem counting;
  with.out = (folder / "count/corpus.txt").string();
  hf_import(counting, with, environment());
  EXPECT_EQ(outcome("count"), want);
  int crashes = 0;
  for (int n = 0; n < counting.operations(); n += 1 + counting.operations() / 25) {
    const std::string where = "crash" + std::to_string(n);
    with.out = (folder.path() / where / "corpus.txt").string();
    FaultyFileSystem faulty(n, true);
    try {
      hf_import(faulty, with, environment());
    } catch (const base::Error&) {
      ++crashes;
    }
    // A shard that has its name is whole. The last, short one may belong to a shorter import.
    if (fs::exists(folder.path() / where / "documents"))
      for (const auto& entry : fs::directory_iterator(folder.path() / where / "documents")) {
        const std::string name = "documents/" + entry.path().filename().string();
        if (!name.starts_with("documents/shard-")) continue;
        EXPECT_EQ(folder.read(where + "/" + name), want.at(name)) << "crash at operation " << n;
      }
    if (fs::exists(folder.path() / where / "corpus.txt.partial") && !fs::exists(folder.path() / where / "documents/.import.jsonl")) with.fresh = true;
    run(with);
    with.fresh = false;
    EXPECT_EQ(outcome(where), want) << "crash at operation " << n;
  }
  EXPECT_GT(crashes, 10);
}

TEST_F(Import, MoreRowsAreAddedToAnImport) {
  run(options("a", 333));
  const Json report = run(options("a", 1100));
  run(options("b", 1100));
  EXPECT_EQ(outcome("a"), outcome("b"));
  EXPECT_EQ(report["timing"]["resumed"], true);
  const auto before = server.hub_requests.load();
  run(options("a", 1100));
  EXPECT_EQ(server.hub_requests, before) << "complete: nothing to ask";
  EXPECT_THAT(refusal(options("a", 500)), AllOf(HasSubstr("2 "), HasSubstr("max_rows: 1,100 -> 500")));
}

TEST_F(Import, OtherFiltersStopAndSayWhatWouldChange) {
  run(options("a"));
  const auto want = outcome("a");
  ImportOptions with = options("a");
  with.min_chars = 300;
  with.dedup = "exact";
  EXPECT_THAT(refusal(with), AllOf(HasSubstr("2 "), HasSubstr("min_chars: 50 -> 300"), HasSubstr("dedup: none -> exact"), HasSubstr("--fresh")));
  EXPECT_EQ(outcome("a"), want);
  with.fresh = true;
  EXPECT_EQ(run(with)["min_chars"], 300);
}

TEST_F(Import, WhatOthersMadeIsLeftAlone) {
  folder.write("a/documents/holiday.jsonl", "{\"text\": \"mine\"}\n");
  EXPECT_THAT(refusal(options("a")), AllOf(HasSubstr("4 "), HasSubstr("holiday.jsonl")));
  ImportOptions with = options("a");
  with.fresh = true;
  run(with);
  EXPECT_EQ(folder.read("a/documents/holiday.jsonl"), "{\"text\": \"mine\"}\n");
  folder.write("b/corpus.txt", "mine");
  EXPECT_THAT(refusal(options("b")), HasSubstr("corpus.txt"));
  EXPECT_EQ(folder.read("b/corpus.txt"), "mine");
}

TEST_F(Import, WrongNamesAreKnownBeforeAnythingIsWritten) {
  ImportOptions with = options("a");
  with.config = "code";
  EXPECT_THAT(refusal(with), AllOf(HasSubstr("4 "), HasSubstr("blob_id"), HasSubstr("metadata.language")));
  with = options("a");
  with.config = "wbe";
  EXPECT_THAT(refusal(with), AllOf(HasSubstr("4 "), HasSubstr("did you mean web?"), HasSubstr("code")));
  with = options("a");
  with.split = "test";
  EXPECT_THAT(refusal(with), AllOf(HasSubstr("4 "), HasSubstr("train")));
  with = options("a");
  with.text_column = "prompts";
  EXPECT_THAT(refusal(with), HasSubstr("did you mean \"prompt\"?"));
  with = options("a");
  with.dataset = "./absent";
  EXPECT_THAT(refusal(with), HasSubstr("4 "));
  with = options("a");
  with.language_regex = "(unclosed";
  EXPECT_THAT(refusal(with), AllOf(HasSubstr("2 "), HasSubstr("--language-regex")));
  EXPECT_FALSE(fs::exists(folder / "a"));
}

TEST_F(Import, NothingAcceptedIsAnErrorThatLeavesNothing) {
  ImportOptions with = options("a");
  with.min_chars = 100000;
  EXPECT_THAT(refusal(with), AllOf(HasSubstr("4 "), HasSubstr("below_min_chars")));
  EXPECT_FALSE(fs::exists(folder / "a/corpus.txt"));
  run(options("a"));
}

TEST_F(Import, RepeatedTextsAreLeftOutOnce) {
  ImportOptions with = options("a");
  with.dedup = "exact";
  const Json report = run(with);
  const auto all = expected(1200).texts;
  std::vector<std::string> want;
  for (const auto& text : all)
    if (std::find(want.begin(), want.end(), text) == want.end()) want.push_back(text);
  EXPECT_EQ(texts("a"), want);
  EXPECT_EQ(report["exact_duplicates"]["left_out"], all.size() - want.size());
  EXPECT_EQ(report["near_duplicates"], nullptr);
}

TEST_F(Import, NearCopiesAreLeftOutTheSameAfterAnInterruption) {
  std::string lines, base;
  for (int i = 0; i < 120; ++i) base += "word" + std::to_string(i) + " ";
  for (int i = 0; i < 40; ++i) lines += "{\"text\": \"" + (i % 2 == 0 ? base + "end " + std::to_string(i) : std::to_string(i * 7919) + " alone " + std::string(60, static_cast<char>('a' + i % 26)) + std::to_string(i)) + "\"}\n";
  lines += lines;
  folder.write("near.jsonl", lines);
  ImportOptions with = options("a", 80);
  with.dataset = (folder / "near.jsonl").string();
  with.config.reset();
  with.dedup = "near";
  with.document_shard_rows = 5;
  const Json report = run(with);
  EXPECT_EQ(report["rows_written"], 21);
  EXPECT_GT(report["near_duplicates"]["left_out"], 15);
  EXPECT_GT(report["exact_duplicates"]["left_out"], 19);
  with.out = (folder / "b/corpus.txt").string();
  with.max_rows = 47;
  run(with);
  with.max_rows = 80;
  run(with);
  EXPECT_EQ(outcome("b"), outcome("a"));
}

TEST_F(Import, RowsCanBeChosen) {
  ImportOptions with = options("a", 200);
  with.offset = 650;
  EXPECT_EQ(run(with)["rows_seen"], 200);
  EXPECT_EQ(texts("a"), expected(200, 650).texts);
  with = options("b");
  with.language_regex = "^DE$";
  EXPECT_THAT(refusal(with), HasSubstr("other_language"));
  with.language_regex = "^de$";
  const Json report = run(with);
  EXPECT_EQ(report["languages"]["documents"].size(), 1u);
  EXPECT_EQ(report["languages"]["documents"]["de"], report["rows_written"]);
  with = options("c");
  with.max_accepted = 123;
  EXPECT_EQ(run(with)["rows_written"], 123);
  with = options("d");
  with.max_bytes = 20000;
  const Json capped = run(with);
  EXPECT_LE(capped["text_bytes"], 20000);
  EXPECT_GT(capped["text_bytes"], 19000);
  with = options("e");
  with.shuffle_seed = 3;
  run(with);
  auto shuffled = texts("e"), want = expected(1200).texts;
  EXPECT_NE(shuffled, want);
  std::sort(shuffled.begin(), shuffled.end());
  std::sort(want.begin(), want.end());
  EXPECT_EQ(shuffled, want);
}

TEST_F(Import, LocalFilesGiveTheSameDocuments) {
  folder.write("set/README.md", kCard);
  folder.write("set/web/train-00000-of-00002.parquet", test::parquet_bytes(rows(0, 700), 90));
  folder.write("set/web/train-00001-of-00002.parquet", test::parquet_bytes(rows(700, 500), 90));
  run(options("hub"));
  ImportOptions with = options("local");
  with.dataset = (folder / "set").string();
  const Json report = run(with);
  EXPECT_EQ(texts("local"), texts("hub"));
  EXPECT_EQ(report["files"][0]["sha256"], base::sha256_file(folder / "set/web/train-00000-of-00002.parquet").hex());
  with = options("file", 100);
  with.dataset = (folder / "set/web/train-00001-of-00002.parquet").string();
  with.config.reset();
  run(with);
  EXPECT_EQ(texts("file"), expected(100, 700).texts);
}

TEST_F(Import, AChangedInputIsNotMixedWithTheOld) {
  folder.write("set/a.jsonl", "{\"text\": \"" + std::string(80, 'a') + "\"}\n{\"text\": \"" + std::string(80, 'b') + "\"}\n");
  ImportOptions with = options("a", 1);
  with.dataset = (folder / "set").string();
  with.config.reset();
  run(with);
  folder.write("set/a.jsonl", "{\"text\": \"" + std::string(90, 'c') + "\"}\n{\"text\": \"" + std::string(80, 'b') + "\"}\n");
  with.max_rows = 2;
  EXPECT_THAT(refusal(with), AllOf(HasSubstr("4 "), HasSubstr("changed")));
}

TEST_F(Import, ConvertedParquetStandsInForWhatCannotBeRead) {
  ImportOptions with = options("a");
  with.config = "packed";
  const Json report = run(with);
  EXPECT_EQ(report["source"]["kind"], "hub_converted_parquet");
  EXPECT_EQ(report["source"]["commit"], HubServer::kConvertedCommit);
  EXPECT_EQ(texts("a"), expected(300).texts);
  server.converted["partial"] = true;
  with = options("b");
  with.config = "packed";
  EXPECT_THAT(refusal(with), AllOf(HasSubstr("4 "), HasSubstr("packed/x.zip"), HasSubstr("partial")));
}

TEST_F(Import, OddTextIsKeptAsUtf8AndCounted) {
  const std::string good = std::string(60, 'g');
  folder.write("odd.jsonl", "{\"text\": \"nul \\u0000 " + good + "\"}\nnot json\n{\"text\": \"bad \xFF\xFE " + good + "\"}\n{\"text\": 3}\n[]\n{\"text\": \"   \"}\n");
  ImportOptions with = options("a");
  with.dataset = (folder / "odd.jsonl").string();
  with.config.reset();
  const Json report = run(with);
  EXPECT_EQ(report["rows_seen"], 6);
  EXPECT_EQ(report["rows_written"], 2);
  EXPECT_EQ(report["documents_with_nul"], 1);
  EXPECT_EQ(report["repaired_utf8_documents"], 1);
  const auto all = texts("a");
  EXPECT_EQ(all[0], std::string("nul \0 ", 6) + good);
  EXPECT_THAT(all[1], HasSubstr("\xEF\xBF\xBD"));
  EXPECT_EQ(report["document_files"][0]["num_documents"], 2);
}

TEST_F(Import, AStarterPackPointsAtTheDocuments) {
  ImportOptions with = options("a");
  with.pack_out = (folder / "pack").string();
  const Json report = run(with);
  EXPECT_THAT(report["next_command"].get<std::string>(), HasSubstr("--dataset-pack"));
  EXPECT_EQ(Json::parse(folder.read("pack/dataset_pack.json"))["name"], server.dataset());
  EXPECT_EQ(Json::parse(folder.read("pack/corpus_recipe.json"))["sources"][0]["path"], "../a/documents");
}

TEST(ClimbmixImport, TheFirstShardsBecomeAPackInOneFolder) {
  TemporaryFolder folder;
  std::map<std::string, std::string> shards;
  for (int i = 0; i < 3; ++i) shards["shard_0000" + std::to_string(i) + ".parquet"] = test::parquet_bytes(rows(i * 100, 100), 50);
  HubServer server(shards, "karpathy/climbmix-400b-shuffle");
  const hub::Environment environment = [&](const std::string& name) { return name == "HF_HOME" ? std::optional((folder / "hf").string()) : std::nullopt; };
  ClimbmixOptions options;
  options.out_dir = (folder / "mix").string();
  options.shards = 2;
  options.max_rows = 150;
  options.min_chars = kMinChars;
  options.endpoint = server.endpoint();
  const Json report = climbmix_import(base::real_file_system(), options, environment).json;
  EXPECT_EQ(report["rows_seen"], 150);
  EXPECT_EQ(report["files"].size(), 2u) << "the third shard was not asked for";
  const Corpus corpus = Corpus::open({.pack = (folder / "mix/dataset_pack.json").string()});
  EXPECT_EQ(corpus.scan().stats.num_documents, report["rows_written"]) << "corpus.txt beside the documents is not counted again";
  options.max_rows = 200;
  EXPECT_EQ(climbmix_import(base::real_file_system(), options, environment).json["rows_seen"], 200) << "an import grows";
  options.min_chars = kMinChars + 1;
  EXPECT_THROW(climbmix_import(base::real_file_system(), options, environment), base::Error);
  options.force = true;
  EXPECT_EQ(climbmix_import(base::real_file_system(), options, environment).json["rows_seen"], 200);
}

}  // namespace
}  // namespace picochat::corpus
#endif
