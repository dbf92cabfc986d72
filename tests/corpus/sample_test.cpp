#include "picochat/corpus/sample.hpp"

#include <set>

#include "corpus/corpus_test_util.hpp"

namespace picochat::corpus {
namespace {

using base::cat;

std::string rows(int first, int count, const std::string& word) {
  std::string out;
  for (int i = first; i < first + count; ++i) out += cat("{\"text\":\"", word, " ", i, " ", std::string(180, 'x'), "\"}\n");
  return out;
}

TEST(TextSample, ASmallCorpusIsTakenWhole) {
  Folder folder;
  const Path file = folder.write("a.jsonl", rows(0, 50, "row"));
  const TextSample sample = sample_text(open_input(file), 1 << 20, 16, 0);
  EXPECT_TRUE(sample.whole);
  size_t documents = 0;
  for (const auto& spot : sample.spots) documents += spot.documents.size();
  EXPECT_EQ(documents, 50u);
}

TEST(TextSample, ALargeFileIsReadAtManyPlaces) {
  Folder folder;
  const Path file = folder.write("a.jsonl", rows(0, 40'000, "row"));  // 8 MB
  const TextSample sample = sample_text(open_input(file), 200'000, 20, 0);
  EXPECT_FALSE(sample.whole);
  ASSERT_EQ(sample.spots.size(), 20u);
  EXPECT_NEAR(static_cast<double>(sample.bytes()), 200'000, 60'000);
  std::set<int> twentieths;
  for (const auto& spot : sample.spots) {
    for (const auto& document : spot.documents) ASSERT_TRUE(document.starts_with("row ") && document.ends_with("xxx")) << document;
    twentieths.insert(std::stoi(spot.documents.front().substr(4)) / 2000);
  }
  EXPECT_GE(twentieths.size(), 18u) << "every twentieth of the file gives its part";
  EXPECT_EQ(sample_text(open_input(file), 200'000, 20, 0).spots[7].documents, sample.spots[7].documents);
  EXPECT_NE(sample_text(open_input(file), 200'000, 20, 1).spots[7].documents, sample.spots[7].documents);
}

TEST(TextSample, SourcesCountByTheirWeightAndCaps) {
  Folder folder;
  for (int i = 0; i < 30; ++i) {
    folder.write(cat("a/", i, ".jsonl"), rows(0, 200, "aaa"));
    folder.write(cat("b/", i, ".jsonl"), rows(0, 200, "bbb"));
  }
  auto share_of_b = [&](const std::string& sources) {
    const TextSample sample = sample_text(open_recipe(folder.write("r.json", cat("{\"sources\":", sources, "}"))), 300'000, 60, 0);
    double b = 0;
    for (const auto& spot : sample.spots) b += spot.documents.front().starts_with("bbb");
    return b / static_cast<double>(sample.spots.size());
  };
  EXPECT_NEAR(share_of_b(R"([{"path":"a"},{"path":"b"}])"), 0.5, 0.03);
  EXPECT_NEAR(share_of_b(R"([{"path":"a"},{"path":"b","weight":3}])"), 0.75, 0.03);
  EXPECT_NEAR(share_of_b(R"([{"path":"a","max_bytes":130000},{"path":"b"}])"), 0.9, 0.03);
}

TEST(TextSample, LongTextsGiveAPiece) {
  Folder folder;
  std::string text;
  for (int i = 0; i < 30'000; ++i) text += cat("Line ", i, " of a long text.\n");
  const TextSample sample = sample_text(open_input(folder.write("book.txt", text)), 64 << 10, 8, 0);
  ASSERT_EQ(sample.spots.size(), 8u);
  for (const auto& spot : sample.spots) {
    ASSERT_EQ(spot.documents.size(), 1u);
    EXPECT_TRUE(spot.documents[0].starts_with("Line "));
    EXPECT_LT(spot.documents[0].size(), 20'000u);
  }
}

}  // namespace
}  // namespace picochat::corpus
