#include "picochat/corpus/commands.hpp"

#include <gmock/gmock.h>

#include "corpus/corpus_test_util.hpp"

namespace picochat::corpus {
namespace {

using base::ExitCode;
using ::testing::HasSubstr;
using ::testing::Not;

Path write_pack(const Folder& folder) {
  std::string rows;
  for (int i = 0; i < 60; ++i) rows += base::cat("{\"text\":\"Document ", i, " tells something of its own, at some length.\"}\n");
  folder.write("text/rows.jsonl", rows);
  folder.write("text/image.png", "x");
  folder.write("chat.jsonl", "");
  folder.write("eval.jsonl", "");
  return folder.write("pack.json", R"({"name":"My Pack!","corpus":"text","chat":"chat.jsonl","eval":"eval.jsonl"})");
}

TEST(Preview, EmptyChatAndEvalAreASuccessThatSaysWhatIsToDo) {
  Folder folder;
  const Path pack = write_pack(folder);
  const CommandOutput output = preview(base::real_file_system(), {.dataset_pack = pack.string()});
  EXPECT_EQ(output.json["stats"]["num_documents"], 60);
  EXPECT_EQ(output.json["files_included"], 1);
  EXPECT_EQ(output.json["files_skipped"], 1);
  EXPECT_EQ(output.json["to_do"].size(), 2u);
  EXPECT_THAT(output.json["next_command"].get<std::string>(), HasSubstr("picochat data task-pack --dataset-pack " + pack.string()));
  EXPECT_THAT(output.text, HasSubstr("include rows.jsonl"));
  EXPECT_THAT(output.text, HasSubstr("skip    image.png"));
  EXPECT_THAT(output.text, HasSubstr("near_duplicate_document_rate: not_measured"));
  EXPECT_THAT(output.text, HasSubstr("Document 0 tells"));
  EXPECT_THAT(output.text, HasSubstr("no rows yet"));
}

TEST(Preview, PlaceholdersAreStillToDoAndRowsLeadToARun) {
  Folder folder;
  const Path pack = write_pack(folder);
  folder.write("chat.jsonl", "{\"user\":\"[replace me] x\",\"assistant\":\"y\"}\n");
  folder.write("eval.jsonl", "{\"user\":\"x\"}\n");
  EXPECT_THAT(preview(base::real_file_system(), {.dataset_pack = pack.string()}).text, HasSubstr("1 of 1 rows are placeholders"));
  folder.write("chat.jsonl", "{\"user\":\"x\",\"assistant\":\"y\"}\n");
  const CommandOutput output = preview(base::real_file_system(), {.dataset_pack = pack.string()});
  EXPECT_THAT(output.json["next_command"].get<std::string>(), HasSubstr("picochat run tiny --out-dir runs/my-pack-v1 --dataset-pack "));
  EXPECT_TRUE(output.json["to_do"].empty());
}

TEST(Preview, AFolderAloneLeadsToAPack) {
  Folder folder;
  write_pack(folder);
  const CommandOutput output = preview(base::real_file_system(), {.input = (folder / "text").string(), .out = (folder / "out").string()});
  EXPECT_THAT(output.json["next_command"].get<std::string>(), HasSubstr("picochat data init-pack --corpus " + (folder / "text").string()));
  EXPECT_EQ(base::read_json(folder / "out/preview.json"), output.json);
  EXPECT_THAT(base::read_file(folder / "out/preview.md"), HasSubstr("# Corpus report"));
}

TEST(Preview, WhatItRefuses) {
  Folder folder;
  const Path pack = write_pack(folder);
  auto run = [&](const PreviewOptions& options) { preview(base::real_file_system(), options); };
  expect_error(ExitCode::kUsage, {"no corpus is given"}, [&] { run({}); });
  expect_error(ExitCode::kUsage, {"cannot be combined"}, [&] { run({.dataset_pack = pack.string(), .input = "x"}); });
  std::filesystem::remove(folder / "eval.jsonl");
  expect_error(ExitCode::kBadInput, {"eval.jsonl", "does not exist"}, [&] { run({.dataset_pack = pack.string()}); });
}

TEST(Preview, ShowsACutAtWholeCharacters) {
  Folder folder;
  folder.write("a.txt", "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9");
  const CommandOutput output = preview(base::real_file_system(), {.input = (folder / "a.txt").string(), .preview_chars = 3});
  EXPECT_EQ(output.json["preview"], "\xC3\xA9\xC3\xA9\xC3\xA9");
}

TEST(Inspect, PrintsEveryStatistic) {
  Folder folder;
  folder.write("a.txt", "one two\nthree\n");
  const CommandOutput output = inspect(base::real_file_system(), {.input = folder.path().string()});
  EXPECT_THAT(output.text, HasSubstr("num_documents: 1\n"));
  EXPECT_THAT(output.text, HasSubstr("average_document_chars: 14.0000\n"));
  EXPECT_EQ(output.json["stats"]["num_lines"], 2);
}

TEST(Build, WritesCorpusManifestAndReport) {
  Folder folder;
  folder.write("text/a.txt", "alpha");
  folder.write("text/b.txt", "beta");
  const BuildOptions options{.input = (folder / "text").string(), .out = (folder / "out/corpus.txt").string()};
  build(base::real_file_system(), options);
  EXPECT_EQ(base::read_file(folder / "out/corpus.txt"), "alpha\n\nbeta\n");
  const base::Json manifest = base::read_json(folder / "out/corpus_manifest.json");
  EXPECT_EQ(manifest["files"][0]["path"], "a.txt");
  EXPECT_EQ(manifest["files"][1]["text_span"], base::Json({5, 9}));
  EXPECT_THAT(base::dump(manifest), Not(HasSubstr(folder.path().filename().string() + "/text/a.txt")));
  EXPECT_THAT(base::read_file(folder / "out/corpus_report.md"), HasSubstr("usable_documents"));
  BuildOptions inside = options;
  inside.out = (folder / "text/corpus.txt").string();
  expect_error(ExitCode::kBadInput, {"inside the corpus"}, [&] { build(base::real_file_system(), inside); });
}

TEST(CommandTables, NameTheDocumentedFlags) {
  auto has = [](const auto& table, std::initializer_list<const char*> names) {
    for (const char* name : names) EXPECT_TRUE(table.find(name)) << name;
  };
  has(preview_options(), {"dataset_pack", "input", "recipe", "preview_chars", "chat_input", "eval_input", "min_score", "out", "json"});
  has(build_options(), {"dataset_pack", "input", "recipe", "min_score", "out", "manifest", "report"});
  has(init_pack_options(), {"name", "corpus", "out", "description", "force"});
  has(inspect_options(), {"input", "json"});
}

TEST(ShellQuoted, MakesAnyPathOneWord) {
  EXPECT_EQ(shell_quoted("runs/a-b_1.json"), "runs/a-b_1.json");
  EXPECT_EQ(shell_quoted("my pack's"), "'my pack'\\''s'");
  EXPECT_EQ(shell_quoted(""), "''");
}

}  // namespace
}  // namespace picochat::corpus
