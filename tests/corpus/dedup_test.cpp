// Near duplicates against the exact Jaccard index, computed here from sets of words.
#include <gmock/gmock.h>

#include <set>

#include "corpus/corpus_test_util.hpp"
#include "corpus/scan.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/random.hpp"
#include "picochat/corpus/commands.hpp"
#include "picochat/corpus/dedup.hpp"

namespace picochat::corpus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> random_words(base::Random& random, size_t count) {
  std::vector<std::string> words(count);
  for (auto& word : words) word = base::cat("w", random.below(5000));
  return words;
}
std::string joined(const std::vector<std::string>& words) { return base::join(words, " "); }

double jaccard(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  auto shingles = [](const std::vector<std::string>& words) {
    std::set<std::string> out;
    for (size_t i = 0; i + 5 <= words.size(); ++i) out.insert(joined({words.begin() + static_cast<ptrdiff_t>(i), words.begin() + static_cast<ptrdiff_t>(i) + 5}));
    return out;
  };
  const auto left = shingles(a), right = shingles(b);
  size_t common = 0;
  for (const auto& shingle : left) common += right.contains(shingle);
  return static_cast<double>(common) / static_cast<double>(left.size() + right.size() - common);
}

// `edits` words of `words` replaced at random places.
std::vector<std::string> edited(base::Random& random, std::vector<std::string> words, size_t edits) {
  for (size_t i = 0; i < edits; ++i) words[random.below(words.size())] = base::cat("new", random.next_u32());
  return words;
}

TEST(Sketches, EstimateTheJaccardIndex) {
  base::Random random(1, "sketches");
  Sketcher sketcher;
  double squares = 0;
  int pairs = 0;
  for (int i = 0; i < 300; ++i) {
    const auto words = random_words(random, 100 + random.below(400));
    const auto other = edited(random, words, random.below(words.size() / 8));
    const double truth = jaccard(words, other);
    const double estimate = estimated_similarity(sketcher.sketch(joined(words)), sketcher.sketch(joined(other)));
    EXPECT_NEAR(estimate, truth, 0.12) << i;
    squares += (estimate - truth) * (estimate - truth);
    ++pairs;
  }
  EXPECT_LT(std::sqrt(squares / pairs), 0.03);
}

TEST(Sketches, CaseAndWhiteSpaceDoNotMatterShortAndUnspacedTextsWork) {
  Sketcher sketcher;
  auto same = [&](std::string_view a, std::string_view b) { return estimated_similarity(sketcher.sketch(a), sketcher.sketch(b)); };
  EXPECT_EQ(same("The  quick brown\nfox jumps over", "the quick BROWN fox jumps over "), 1);
  EXPECT_EQ(same("two words", "Two Words"), 1);
  EXPECT_LT(same("two words", "too words"), 0.2);
  EXPECT_EQ(same("", "  "), 1);
  // 40 ideographs, one changed: five of 36 shingles differ on either side, 31/41.
  std::string left, right;
  for (int i = 0; i < 40; ++i) {
    const std::string sign = {'\xE4', static_cast<char>(0xB8 + i % 8), static_cast<char>(0x80 + i)};
    left += sign;
    right += i == 20 ? std::string("\xE9\xBE\x8D") : sign;
  }
  EXPECT_NEAR(same(left, right), 31.0 / 41, 0.1);
}

TEST(NearIndex, FindsPlantedPairsAndReportsNoDistantOnes) {
  base::Random random(2, "pairs");
  Sketcher sketcher;
  NearIndex index({.sketches_in_memory = 700});  // most of them in the file
  struct Planted {
    int64_t copy, original;
    double truth;
  };
  std::vector<Planted> planted;
  std::vector<std::vector<std::string>> documents;
  for (int i = 0; i < 1500; ++i) documents.push_back(random_words(random, 60 + random.below(300)));
  for (int64_t i = 0; i < 1500; ++i) {
    const auto& original = documents[static_cast<size_t>(i)];
    auto copy = edited(random, original, random.below(original.size() / 10 + 1));
    planted.push_back({static_cast<int64_t>(documents.size()), i, jaccard(original, copy)});
    documents.push_back(std::move(copy));
  }
  std::map<int64_t, Duplicate> found;
  for (size_t i = 0; i < documents.size(); ++i)
    if (const auto match = index.add(static_cast<int64_t>(i), sketcher.sketch(joined(documents[i])))) found[static_cast<int64_t>(i)] = *match;
  int high = 0, high_found = 0, low_found = 0;
  for (const auto& pair : planted) {
    const auto match = found.find(pair.copy);
    const bool hit = match != found.end() && match->second.document == pair.original;
    if (pair.truth >= 0.85) ++high, high_found += hit;
    if (pair.truth <= 0.75) low_found += hit;
  }
  ASSERT_GT(high, 100);
  EXPECT_GE(high_found, 0.97 * high);
  EXPECT_LE(low_found, 0.02 * static_cast<double>(found.size()));
  for (const auto& [copy, match] : found) EXPECT_GE(copy, 1500) << "unrelated documents " << copy << " and " << match.document;
  EXPECT_EQ(index.checked(), 3000);
}

TEST(NearIndex, TheFirstOfAGroupStandsForAllAndTheBoundIsSaid) {
  base::Random random(3, "group");
  Sketcher sketcher;
  NearIndex index({.max_documents = 3});
  const auto words = random_words(random, 400);
  EXPECT_FALSE(index.add(10, sketcher.sketch(joined(words))));
  for (int i = 0; i < 50; ++i) {
    const auto match = index.add(20 + i, sketcher.sketch(joined(edited(random, words, 2))));
    ASSERT_TRUE(match);
    EXPECT_EQ(match->document, 10);
  }
  EXPECT_FALSE(index.full());
  for (int i = 0; i < 3; ++i) index.add(100 + i, sketcher.sketch(joined(random_words(random, 100))));
  EXPECT_TRUE(index.full());
}

// Documents of 200 words; every fifth is a near copy of the one before, every seventh an exact one.
std::string corpus_rows(int count, std::vector<int>* near, std::vector<int>* exact) {
  base::Random random(4, "corpus");
  std::string rows;
  std::vector<std::string> words;
  for (int i = 0; i < count; ++i) {
    if (i % 7 == 6) {
      if (exact) exact->push_back(i);
      rows += base::cat("{\"id\":\"d", i, "\",\"text\":\"", joined(words), "  \"}\n");
      continue;
    }
    if (i % 5 == 4) {
      words = edited(random, words, 2);
      if (near) near->push_back(i);
    } else {
      words = random_words(random, 200);
    }
    rows += base::cat("{\"id\":\"d", i, "\",\"text\":\"", joined(words), "\"}\n");
  }
  return rows;
}

TEST(ScanNearDuplicates, CountsThemTheSameForAnyNumberOfThreads) {
  Folder folder;
  std::vector<int> near, exact;
  const Path path = folder.write("rows.jsonl", corpus_rows(600, &near, &exact));
  const Corpus corpus = open_input(path);
  EXPECT_FALSE(corpus.scan().stats.near_duplicate_documents.has_value());
  std::vector<std::vector<int64_t>> decisions;
  for (int threads : {1, 2, 3}) {
    for (size_t chunk : {2000, 100000}) {
      ScanLimits limits;
      limits.read.chunk_bytes = chunk;
      limits.round_bytes = 3 * chunk;
      std::vector<int64_t> found;
      const ScanOptions options{.threads = threads, .near_duplicates = true, .on_duplicate = [&](int64_t document, const Duplicate& of) {
                                  found.push_back(document);
                                  found.push_back(of.document);
                                }};
      const Manifest manifest = scan_corpus(corpus, limits, options);
      EXPECT_EQ(manifest.stats.duplicate_documents, static_cast<int64_t>(exact.size()));
      EXPECT_EQ(manifest.stats.near_duplicate_documents, static_cast<int64_t>(near.size()));
      EXPECT_EQ(manifest.stats.near_duplicate_documents_checked, 600 - static_cast<int64_t>(exact.size()));
      decisions.push_back(std::move(found));
    }
  }
  for (const auto& found : decisions) EXPECT_EQ(found, decisions[0]);
  EXPECT_EQ(decisions[0].size(), 2 * (near.size() + exact.size()));
}

TEST(DedupCommand, WritesWhatStaysAndListsWhatWasRemovedAndWhy) {
  Folder folder;
  std::vector<int> near, exact;
  const Path path = folder.write("rows.jsonl", corpus_rows(70, &near, &exact));
  const std::string out = (folder / "out").string();
  const CommandOutput output = dedup(base::real_file_system(), {.input = path.string(), .out = out, .document_shard_rows = 20});
  EXPECT_EQ(output.json["documents_read"], 70);
  EXPECT_EQ(output.json["exact_duplicates_removed"], exact.size());
  EXPECT_EQ(output.json["near_duplicates_removed"], near.size());
  const auto kept = read_all(open_recipe(folder / "out/corpus_recipe.json"));
  EXPECT_EQ(kept.size(), 70 - exact.size() - near.size());
  EXPECT_EQ(kept[0].id, "d0");
  EXPECT_TRUE(std::filesystem::exists(folder / "out/documents/shard-000002.jsonl"));
  std::map<std::string, base::Json> removed;
  for (const auto& line : base::split(base::read_file(folder / "out/removed.jsonl"), '\n'))
    if (!line.empty()) {
      const base::Json row = base::parse_json(line, "removed");
      removed[row["id"]] = row;
    }
  EXPECT_EQ(removed.size(), exact.size() + near.size());
  EXPECT_EQ(removed["d6"]["reason"], "exact_duplicate");
  EXPECT_EQ(removed["d6"]["duplicate_of"], "d5");
  EXPECT_EQ(removed["d9"]["reason"], "near_duplicate");
  EXPECT_EQ(removed["d9"]["duplicate_of"], "d8");
  EXPECT_GT(removed["d9"]["similarity"].get<double>(), 0.8);
  expect_error(base::ExitCode::kBadInput, {"exists already"}, [&] { dedup(base::real_file_system(), {.input = path.string(), .out = out}); });
  const CommandOutput only_exact = dedup(base::real_file_system(), {.input = path.string(), .out = (folder / "exact").string(), .dedup = "exact"});
  EXPECT_TRUE(only_exact.json["near_duplicates_removed"].is_null());
  EXPECT_EQ(only_exact.json["documents_kept"], 60);
}

TEST(DedupCommand, SourcesKeepTheirLabelsAndWeights) {
  Folder folder;
  folder.write("a.jsonl", "{\"text\":\"one document of the first source\"}\n");
  folder.write("b.jsonl", "{\"text\":\"one document of the first source\"}\n{\"text\":\"another document, of the second\"}\n");
  folder.write("r.json", R"({"sources":[{"path":"a.jsonl","label":"first"},{"path":"b.jsonl","label":"second","weight":2.5}]})");
  dedup(base::real_file_system(), {.recipe = (folder / "r.json").string(), .out = (folder / "out").string()});
  const Recipe recipe = load_recipe(folder / "out/corpus_recipe.json");
  ASSERT_EQ(recipe.sources.size(), 2u);
  EXPECT_EQ(recipe.sources[1].label, "second");
  EXPECT_EQ(recipe.sources[1].weight, 2.5);
  EXPECT_THAT(read_all(open_input(folder / "out/documents"))[1].text, HasSubstr("another"));
}

}  // namespace
}  // namespace picochat::corpus
