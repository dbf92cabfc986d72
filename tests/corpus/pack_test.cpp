// Packs, recipes and sources: what is accepted, and what a person reads when something is wrong.
#include "picochat/corpus/pack.hpp"

#include <gmock/gmock.h>

#include "corpus/corpus_test_util.hpp"
#include "picochat/corpus/commands.hpp"

namespace picochat::corpus {
namespace {

using base::ExitCode;
using ::testing::ElementsAre;

std::vector<std::string> listed(const Corpus& corpus) {
  std::vector<std::string> lines;
  for (const auto& file : corpus.files()) lines.push_back(file.name + " " + file.reason);
  return lines;
}

TEST(Pack, TheRunbookPackAndRecipeLoadAsWritten) {
  Folder folder;
  folder.write("sources/fineweb-edu-dedup/documents/shard-000000.jsonl", "{\"id\":\"1\",\"text\":\"web\"}\n");
  folder.write("sources/cosmopedia-v2/documents/shard-000000.jsonl", "{\"id\":\"2\",\"text\":\"book\"}\n");
  folder.write("sources/cosmopedia-v2/documents/.DS_Store", "x");
  folder.write("pack/dataset_pack.json",
               R"({"name":"smollm-100m-public-v1","description":"d","corpus":{"recipe":"corpus_recipe.json"},"chat":"chat.jsonl","eval":"eval.jsonl"})");
  folder.write("pack/corpus_recipe.json",
               R"({"name":"n","description":"d","sources":[{"path":"../sources/fineweb-edu-dedup/documents","label":"fineweb-edu-dedup"},
                   {"path":"../sources/cosmopedia-v2/documents","label":"cosmopedia-v2"}],"exclude":["**/.DS_Store","**/.git/**","**/__pycache__/**"]})");
  const Pack pack = load_pack(folder / "pack/dataset_pack.json");
  EXPECT_EQ(pack.chat, folder / "pack/chat.jsonl");
  const Corpus corpus = Corpus::open({.pack = folder / "pack/dataset_pack.json"});
  const auto documents = read_all(corpus);
  ASSERT_EQ(documents.size(), 2u);
  EXPECT_EQ(documents[0].source_label, "fineweb-edu-dedup");
  EXPECT_EQ(documents[1].source_label, "cosmopedia-v2");
  EXPECT_THAT(listed(corpus), ElementsAre("../sources/fineweb-edu-dedup/documents/shard-000000.jsonl included",
                                          "../sources/cosmopedia-v2/documents/.DS_Store excluded",
                                          "../sources/cosmopedia-v2/documents/shard-000000.jsonl included"));
  EXPECT_EQ(corpus.scan().readiness.checks.back().status, "pass") << "a file left out on purpose is not news";
}

TEST(Pack, AliasesAndTheKeysThatSlicesAddAreAccepted) {
  Folder folder;
  const Path path = folder.write("p.json", R"({"corpus":"c.txt","chat_input":"a.jsonl","eval_input":"/abs/b.jsonl","source_dataset_pack":"x","slice":{"include_categories":["a"]}})");
  const Pack pack = load_pack(path);
  EXPECT_EQ(pack.name, "p");
  EXPECT_EQ(*pack.input, folder / "c.txt");
  EXPECT_EQ(pack.eval, Path("/abs/b.jsonl"));
}

TEST(Pack, MistakesAreNamedWithTheNearestKey) {
  Folder folder;
  auto check = [&](const char* json, std::vector<std::string> parts) {
    const Path path = folder.write("pack.json", json);
    parts.push_back("pack.json");
    expect_error(ExitCode::kBadInput, parts, [&] { load_pack(path); });
  };
  check(R"({"corpus":"c","chat":"a","evla":"b"})", {"unknown key \"evla\"", "did you mean \"eval\""});
  check(R"({"corpus":"c","chat":"a"})", {"\"eval\" is missing"});
  check(R"({"chat":"a","eval":"b"})", {"\"corpus\" is missing"});
  check(R"({"corpus":{"recipe":"r","input":"i"},"chat":"a","eval":"b"})", {"exactly one"});
  check(R"({"corpus":{"recpie":"r"},"chat":"a","eval":"b"})", {"recpie", "did you mean \"recipe\""});
  check(R"({"corpus":"c","chat":" ","eval":"b"})", {"\"chat\" is empty"});
  check(R"({"corpus":"c","chat":"a","chat_input":"a","eval":"b"})", {"chat_input"});
  check(R"({"name":1,"corpus":"c","chat":"a","eval":"b"})", {"\"name\"", "a string"});
  check("[1]", {"not a JSON object"});
  check("{\n\"corpus\": \"c\",\n\"chat\" \"a\"}", {"not valid JSON", "pack.json:3"});
  expect_error(ExitCode::kBadInput, {"nowhere.json"}, [&] { load_pack(folder / "nowhere.json"); });
}

TEST(Pack, AMissingFileIsNamedWithItsKey) {
  Folder folder;
  folder.write("c.txt", "x");
  folder.write("eval.jsonl", "");
  const Path path = folder.write("pack.json", R"({"corpus":"c.txt","chat":"chat.jsonl","eval":"eval.jsonl"})");
  expect_error(ExitCode::kBadInput, {"chat file does not exist", "chat.jsonl", "task-pack"}, [&] { check_pack_files(load_pack(path)); });
  folder.write("chat.jsonl", "");
  check_pack_files(load_pack(path));
}

TEST(Recipe, MistakesAreNamed) {
  Folder folder;
  folder.write("a.txt", "x");
  auto check = [&](const char* json, std::vector<std::string> parts) {
    const Path path = folder.write("recipe.json", json);
    parts.push_back("recipe.json");
    expect_error(ExitCode::kBadInput, parts, [&] { open_recipe(path); });
  };
  check("plain text, not a recipe", {"not valid JSON", "--input"});
  check(R"({"sources":[]})", {"\"sources\" is missing or empty"});
  check(R"({"sources":["a.txt"],"excludes":[]})", {"did you mean \"exclude\""});
  check(R"({"sources":[{"path":"a.txt","wieght":2}]})", {"sources[0]", "did you mean \"weight\""});
  check(R"({"sources":[{"path":"a.txt","weight":0}]})", {"sources[0]", "above 0"});
  check(R"({"sources":[{"path":"a.txt","max_documents":0}]})", {"max_documents", "at least 1"});
  check(R"({"sources":["a.txt",{"path":"gone.txt"}]})", {"source 2", "gone.txt", "does not exist"});
  check(R"({"sources":[{"path":"a.txt","include":"no"}]})", {"\"include\""});
  check(R"({"sources":["a.txt"],"exclude":"*.md"})", {"\"exclude\"", "a list"});
}

TEST(Recipe, ExcludesIncludeFalseAndLeftOvers) {
  Folder folder;
  folder.write("docs/keep.md", "keep");
  folder.write("docs/draft-1.md", "draft");
  folder.write("docs/sub/skip.txt", "skip");
  folder.write("docs/.git/config.txt", "x");
  folder.write("docs/image.png", "x");
  folder.write("notes.txt", "note");
  const Path path = folder.write("recipe.json", R"({"exclude":["draft-*"],"sources":[{"path":"docs","exclude":["docs/sub/*"]},
      {"path":"notes.txt","include":false,"reason":"licence"},{"path":"docs/keep.md"},{"path":"absent","include":false}]})");
  const Corpus corpus = open_recipe(path);
  EXPECT_THAT(listed(corpus), ElementsAre("docs/.git/config.txt excluded", "docs/draft-1.md excluded", "docs/image.png unsupported_extension", "docs/keep.md included",
                                          "docs/sub/skip.txt excluded", "notes.txt licence", "docs/keep.md already_included"));
  EXPECT_THAT(texts_of(corpus), ElementsAre("keep"));
}

TEST(Recipe, AnImportFolderIsNotReadTwice) {
  Folder folder;
  folder.write("documents/shard-000000.jsonl", "{\"text\":\"a\"}\n");
  folder.write("corpus.txt", "a\n");
  folder.write("hf_import_report.json", "{}");
  folder.write("hf_import_report.md", "# report");
  EXPECT_THAT(texts_of(open_input(folder.path())), ElementsAre("a"));
}

TEST(Recipe, LimitsTakeTheFirstDocumentsOfEachSource) {
  Folder folder;
  folder.write("a.jsonl", "{\"text\":\"a1\"}\n{\"text\":\"a2\"}\n{\"text\":\"a3\"}\n");
  folder.write("b.jsonl", "{\"text\":\"b111\"}\n{\"text\":\"b2\"}\n{\"text\":\"b3\"}\n");
  const Corpus corpus = open_recipe(folder.write("r.json", R"({"sources":[{"path":"a.jsonl","max_documents":2},{"path":"b.jsonl","max_bytes":7}]})"));
  EXPECT_THAT(texts_of(corpus), ElementsAre("a1", "a2", "b111", "b2"));
  EXPECT_EQ(corpus.scan().stats.num_documents, 4);
}

TEST(Recipe, WeightsRepeatOrThinWholeDocuments) {
  Folder folder;
  std::string rows;
  for (int i = 0; i < 1000; ++i) rows += base::cat("{\"text\":\"row ", i, "\"}\n");
  folder.write("a.jsonl", rows);
  auto counted = [&](const char* weight) {
    const Corpus corpus = open_recipe(folder.write("r.json", base::cat(R"({"sources":[{"path":"a.jsonl","weight":)", weight, "}]}")));
    std::map<std::string, int> counts;
    for (const auto& text : texts_of(corpus)) ++counts[text];
    const Statistics stats = corpus.scan().stats;
    int64_t total = 0;
    for (const auto& [text, count] : counts) total += count;
    EXPECT_EQ(stats.num_documents, static_cast<int64_t>(counts.size()));
    EXPECT_EQ(stats.num_documents + stats.repeated_documents, total);
    EXPECT_EQ(stats.duplicate_documents, 0);
    return counts;
  };
  const auto quarter = counted("0.25");
  EXPECT_GT(quarter.size(), 180u);
  EXPECT_LT(quarter.size(), 320u);
  const auto double_and_half = counted("2.5");
  EXPECT_EQ(double_and_half.size(), 1000u);
  int thrice = 0;
  for (const auto& [text, count] : double_and_half) {
    EXPECT_TRUE(count == 2 || count == 3);
    thrice += count == 3;
  }
  EXPECT_GT(thrice, 400);
  EXPECT_LT(thrice, 600);
}

TEST(Corpus, WhatCannotBeReadIsAnErrorWithARemedy) {
  Folder folder;
  expect_error(ExitCode::kBadInput, {"does not exist", "nowhere"}, [&] { open_input(folder / "nowhere"); });
  expect_error(ExitCode::kBadInput, {"holds no files"}, [&] { open_input(folder.path()); });
  folder.write("a.pdf", "x");
  folder.write("b.pdf", "x");
  folder.write("data.xml", "x");
  expect_error(ExitCode::kBadInput, {"2 files .pdf", "1 file .xml", ".jsonl", "pdftotext"}, [&] { open_input(folder.path()); });
  expect_error(ExitCode::kBadInput, {"1 file .pdf"}, [&] { open_input(folder / "a.pdf"); });
  expect_error(ExitCode::kUsage, {"no corpus is given"}, [&] { Corpus::open({}); });
  folder.write("p.json", R"({"corpus":{"recipe":"none.json"},"chat":"a","eval":"b"})");
  expect_error(ExitCode::kBadInput, {"p.json", "none.json", "recipe does not exist"}, [&] { Corpus::open({.pack = folder / "p.json"}); });
  const Path rows = folder.write("rows.jsonl", "{\"content\":\"x\",\"url\":\"y\"}\n");
  expect_error(ExitCode::kBadInput, {"no usable document", "missing_text_column", "content, url"}, [&] { require_documents(open_input(rows).scan()); });
  folder.write("hidden/.secret.txt", "given by name");
  EXPECT_THAT(texts_of(open_input(folder / "hidden/.secret.txt")), ElementsAre("given by name"));
}

TEST(InitPack, WritesAPackThatLoadsAndRefusesToOverwrite) {
  Folder folder;
  folder.write("text/a.txt", "hello");
  const InitPackOptions options{.name = "mine", .corpus = (folder / "text").string(), .out = (folder / "pack").string()};
  EXPECT_EQ(init_pack(base::real_file_system(), options).size(), 4u);
  const Corpus corpus = Corpus::open({.pack = folder / "pack/dataset_pack.json"});
  EXPECT_EQ(corpus.pack()->name, "mine");
  EXPECT_THAT(texts_of(corpus), ElementsAre("hello"));
  EXPECT_TRUE(is_placeholder(base::read_file(folder / "pack/chat.jsonl")));
  EXPECT_TRUE(is_placeholder(base::read_file(folder / "pack/eval.jsonl")));
  expect_error(ExitCode::kBadInput, {"already holds a pack", "--force"}, [&] { init_pack(base::real_file_system(), options); });
  InitPackOptions forced = options;
  forced.force = true;
  init_pack(base::real_file_system(), forced);
}

TEST(InitPack, APackInsideItsCorpusIsNotPartOfIt) {
  Folder folder;
  folder.write("a.txt", "hello");
  init_pack(base::real_file_system(), {.corpus = folder.path().string(), .out = (folder / "pack").string()});
  EXPECT_THAT(texts_of(Corpus::open({.pack = folder / "pack/dataset_pack.json"})), ElementsAre("hello"));
}

}  // namespace
}  // namespace picochat::corpus
