// The scan against a plain, slow reading of the same files, and what the digest depends on.
#include "corpus/scan.hpp"

#include <gmock/gmock.h>

#include <set>

#include "corpus/corpus_test_util.hpp"
#include "corpus/hash_set.hpp"
#include "corpus/manifest_rules.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/quality.hpp"
#include "support/project.hpp"

namespace picochat::corpus {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const char* kWords[] = {"the", "Cat", "sat", "on\n", "caf\xC3\xA9", "\n\n", "mat. ", "\xE6\x97\xA5\xE6\x9C\xAC", "  line\n", "line\n", "\xEF\xBF\xBD", "\x01"};

std::string random_text(base::Random& random) {
  std::string text;
  const auto words = random.below(40);
  for (uint64_t i = 0; i < words; ++i) text += std::string(kWords[random.below(std::size(kWords))]) + (random.below(3) ? " " : "");
  return text;
}

void fill_random(const Folder& folder, int files, uint64_t seed) {
  base::Random random(seed, "scan_test");
  for (int i = 0; i < files; ++i) {
    std::string bytes;
    const bool rows = random.below(2);
    for (uint64_t row = 0; row < 30; ++row) {
      const std::string text = random_text(random);
      bytes += rows ? base::dump(base::Json{{"text", text}}, -1) + "\n" : text;
    }
    folder.write(base::cat("file-", i, rows ? ".jsonl" : ".txt"), bytes);
  }
}

TEST(Scan, AgreesWithAPlainCountOfTheSameDocuments) {
  Folder folder;
  fill_random(folder, 20, 1);
  const Corpus corpus = open_input(folder.path());
  const Statistics stats = corpus.scan().stats;

  int64_t documents = 0, characters = 0, lines = 0, empty = 0, nonempty = 0, non_ascii = 0;
  uint64_t bytes = 0;
  std::set<std::string> distinct_documents, distinct_lines;
  for (const auto& text : texts_of(corpus)) {
    ++documents;
    bytes += text.size();
    std::string normalized;
    append_normalized(normalized, text);
    distinct_documents.insert(normalized);
    for (size_t at = 0; at < text.size();) {
      const auto point = base::decode_utf8(text, at);
      ++characters;
      non_ascii += point.value > 127;
      at += point.length;
    }
    auto pieces = base::split(text, '\n');
    if (pieces.back().empty()) pieces.pop_back();
    for (const auto& line : pieces) {
      ++lines;
      const std::string trimmed(base::trim(line));
      trimmed.empty() ? ++empty : ++nonempty;
      if (!trimmed.empty()) distinct_lines.insert(trimmed);
    }
  }
  EXPECT_EQ(stats.num_documents, documents);
  EXPECT_EQ(stats.num_bytes, bytes);
  EXPECT_EQ(stats.num_characters, characters);
  EXPECT_EQ(stats.num_lines, lines);
  EXPECT_EQ(stats.empty_lines, empty);
  EXPECT_EQ(stats.nonempty_lines, nonempty);
  EXPECT_EQ(stats.non_ascii_characters, non_ascii);
  EXPECT_EQ(stats.duplicate_documents, documents - static_cast<int64_t>(distinct_documents.size()));
  EXPECT_EQ(stats.duplicate_lines, nonempty - static_cast<int64_t>(distinct_lines.size()));
  int64_t in_histogram = 0;
  for (int64_t count : stats.length_histogram) in_histogram += count;
  EXPECT_EQ(in_histogram, documents);
}

TEST(Scan, ThreadsAndChunksDoNotChangeTheManifest) {
  Folder folder;
  fill_random(folder, 30, 2);
  folder.write("a.txt", "a text of its own\n");
  folder.write("z.jsonl", "{\"text\":\"good row\"}\nbroken\n{\"nope\":1}\n");
  folder.write("r.json", R"({"sources":[{"path":"a.txt","weight":1.5},{"path":"z.jsonl"},{"path":".","exclude":["r.json"],"max_documents":40}]})");
  for (bool recipe : {false, true}) {
    const Corpus corpus = recipe ? Corpus::open({.recipe = folder / "r.json", .min_score = 40}) : open_input(folder.path());
    const std::string expected = base::dump(manifest_json(corpus.scan(1)));
    for (int threads : {2, 5})
      for (size_t chunk : {50, 1000, 100000})
        for (size_t round : {1, 3000}) {
          ScanLimits limits;
          limits.read.chunk_bytes = chunk;
          limits.round_bytes = round;
          EXPECT_EQ(base::dump(manifest_json(scan_corpus(corpus, limits, {.threads = threads}))), expected) << threads << " " << chunk << " " << round;
        }
  }
}

TEST(Scan, CountsWhatIsRead) {
  Folder folder;
  fill_random(folder, 25, 3);
  folder.write("a.txt", "A text of its own.\nIt is long enough for a middling score, which is all that is asked.\n");
  folder.write("r.json", R"({"sources":[{"path":"a.txt","weight":2.5},{"path":".","exclude":["r.json"],"weight":0.5,"max_bytes":9000}]})");
  const Corpus corpus = open_recipe(folder / "r.json", 30);
  const ReadTally tally = corpus.for_each_document([](Document&&) { return true; });
  const Manifest manifest = corpus.scan();
  EXPECT_EQ(tally.documents, manifest.stats.num_documents + manifest.stats.repeated_documents);
  EXPECT_EQ(tally.bytes, manifest.stats.num_bytes + manifest.stats.repeated_bytes);
  EXPECT_LE(manifest.sources[1].bytes, 9000u);
  uint64_t at = 0;
  for (const auto& file : manifest.files)
    if (file.included) {
      EXPECT_EQ(file.text_start, at);
      at = file.text_end;
    }
  EXPECT_EQ(at, manifest.stats.num_bytes);
}

TEST(Digest, NamesContentAndOrderNotPlace) {
  Folder here, there;
  for (const Folder* folder : {&here, &there}) {
    folder->write("a.txt", "alpha");
    folder->write("b.jsonl", "{\"text\":\"beta\"}\n");
  }
  const base::Digest digest = open_input(here.path()).scan().digest;
  EXPECT_EQ(open_input(there.path()).scan().digest, digest);
  EXPECT_EQ(digest.hex().size(), 64u);

  there.write("c.png", "not read");
  EXPECT_EQ(open_input(there.path()).scan().digest, digest) << "a file that is not read is not content";
  there.write("b.jsonl", "{\"text\":\"betA\"}\n");
  EXPECT_NE(open_input(there.path()).scan().digest, digest) << "one byte";
  there.write("b.jsonl", "{\"text\":\"beta\"}\n");
  EXPECT_NE(open_input(there.path(), 70).scan().digest, digest) << "another selection";
  std::filesystem::rename(there / "a.txt", there / "z.txt");
  EXPECT_NE(open_input(there.path()).scan().digest, digest) << "another order";

  auto by_recipe = [&](const char* json) { return open_recipe(here.write("r.json", json)).scan().digest; };
  EXPECT_EQ(by_recipe(R"({"sources":["a.txt",{"path":"b.jsonl","label":"other name"}]})"), digest);
  EXPECT_NE(by_recipe(R"({"sources":["b.jsonl","a.txt"]})"), digest);
  EXPECT_NE(by_recipe(R"({"sources":["a.txt",{"path":"b.jsonl","weight":2}]})"), digest);
}

TEST(Digest, OfAFileIsItsSha256) {
  Folder folder;
  std::string rows;
  for (int i = 0; i < 3000; ++i) rows += base::cat("{\"text\":\"", i, "\"}\n");
  const Path path = folder.write("a.jsonl", rows);
  ScanLimits limits;
  limits.read.chunk_bytes = 500;
  limits.read.max_row_bytes = 1000;
  limits.round_bytes = 2000;
  EXPECT_EQ(scan_corpus(open_input(path), limits, {.threads = 3}).files[0].sha256, base::sha256(rows));
}

TEST(Scan, PastTheMemoryBoundDuplicatesAreNotMeasured) {
  Folder folder;
  std::string rows;
  for (int i = 0; i < 100; ++i) rows += base::cat("{\"text\":\"line ", i, "\"}\n");
  folder.write("a.jsonl", rows);
  ScanLimits limits;
  limits.max_distinct_documents = 99;
  limits.max_distinct_lines = 99;
  const Manifest manifest = scan_corpus(open_input(folder.path()), limits, {.threads = 1});
  EXPECT_FALSE(manifest.stats.duplicate_documents.has_value());
  EXPECT_TRUE(manifest_json(manifest)["stats"]["duplicate_line_rate"].is_null());
  std::map<std::string, std::string> status;
  for (const auto& check : manifest.readiness.checks) status[check.name] = check.status;
  EXPECT_EQ(status["duplicate_documents"], "not_measured");
  EXPECT_EQ(status["duplicate_lines"], "not_measured");
  EXPECT_EQ(status["near_duplicate_documents"], "not_measured");
}

TEST(Scan, RealText) {
  const Path file = Path(kSourceDir) / "CMakeLists.txt";
  const Manifest manifest = open_input(file).scan();
  EXPECT_EQ(manifest.stats.num_documents, 1);
  EXPECT_EQ(manifest.stats.num_bytes, std::filesystem::file_size(file));
  EXPECT_EQ(manifest.files[0].path, "CMakeLists.txt");
}

TEST(HashSet, CountsDistinctValues) {
  base::Random random(5, "hash_set_test");
  HashSet<uint64_t> wide(1 << 20);
  HashSet<uint32_t> narrow(1 << 20);
  std::set<uint64_t> expected;
  std::vector<uint64_t> values;
  for (int i = 0; i < 100000; ++i) values.push_back(random.below(2) ? random.next_u64() : random.below(1000) * 0x9E3779B97F4A7C15u + 1);
  expected.insert(values.begin(), values.end());
  wide.add_all(values);
  narrow.add_all(values);
  EXPECT_EQ(wide.size(), expected.size());
  EXPECT_EQ(narrow.size(), expected.size());
}

DocumentProfile profiled(const std::string& text) {
  DocumentProfiler profiler;
  return profiler.profile(text);
}

TEST(Quality, EachRuleDocksItsPoints) {
  std::string prose;
  for (int i = 0; i < 100; ++i) prose += base::cat("Sentence number ", i, " of an ordinary page.\n");
  EXPECT_EQ(profiled(prose).score, 100);
  EXPECT_THAT(quality_flag_names(profiled(prose).flags), IsEmpty());
  EXPECT_EQ(profiled("short").score, 75);
  EXPECT_THAT(quality_flag_names(profiled("short").flags), ElementsAre("short_document"));
  EXPECT_EQ(profiled(prose.substr(0, 900)).score, 90);
  std::string one_line = prose;
  std::replace(one_line.begin(), one_line.end(), '\n', ' ');
  EXPECT_THAT(quality_flag_names(profiled(one_line).flags), ElementsAre("long_single_line"));
  std::string repeated = prose;
  for (int i = 0; i < 20; ++i) repeated += "Share this page\n";
  EXPECT_THAT(quality_flag_names(profiled(repeated).flags), ElementsAre("duplicate_lines"));
  for (int i = 0; i < 60; ++i) repeated += "Share this page\n";
  EXPECT_EQ(profiled(repeated).score, 75);
  EXPECT_THAT(quality_flag_names(profiled(prose + std::string(150, '\n')).flags), ElementsAre("many_empty_lines"));
  std::string accents;
  for (int i = 0; i < 280; ++i) accents += "\xC3\xA9";
  EXPECT_EQ(profiled(prose + accents).score, 92);
  EXPECT_EQ(profiled(prose + accents + accents).score, 85);
  EXPECT_THAT(quality_flag_names(profiled(prose + "\x02").flags), ElementsAre("extraction_noise"));
  EXPECT_THAT(quality_flag_names(profiled(prose + "\xEF\xBF\xBD").flags), ElementsAre("extraction_noise"));
  EXPECT_THAT(quality_flag_names(profiled(prose + "\xFF").flags), ElementsAre("extraction_noise"));
  EXPECT_TRUE(profiled(" \n\t\r\n").blank);
}

TEST(Quality, LowScoresAreLeftOutOfReadingAndCounting) {
  Folder folder;
  std::string prose;
  for (int i = 0; i < 100; ++i) prose += base::cat("Sentence number ", i, " of an ordinary page.\\n");
  folder.write("a.jsonl", "{\"text\":\"short\"}\n{\"text\":\"" + prose + "\"}\n");
  const Corpus corpus = open_input(folder.path(), 80);
  EXPECT_EQ(read_all(corpus).size(), 1u);
  const Manifest manifest = corpus.scan();
  EXPECT_EQ(manifest.stats.num_documents, 1);
  EXPECT_EQ(manifest.files[0].skipped_rows.at("below_min_score"), 1);
  EXPECT_THAT(manifest.warnings, IsEmpty());
}

std::string status_of(const Statistics& stats, const std::string& name, int64_t skipped = 0) {
  for (const auto& check : assess_readiness(stats, skipped).checks)
    if (check.name == name) return check.status;
  return "absent";
}

TEST(Readiness, EachCheckReachesEachStatusItDefines) {
  Statistics good;
  good.num_documents = 100, good.num_characters = 100000, good.num_lines = 1000, good.nonempty_lines = 1000;
  good.duplicate_documents = 0, good.duplicate_lines = 0, good.near_duplicate_documents = 0, good.near_duplicate_documents_checked = 100;
  EXPECT_EQ(assess_readiness(good, 0).status, "ready");
  Statistics stats = good;
  auto expect = [&](const char* name, const char* status, int64_t skipped = 0) { EXPECT_EQ(status_of(stats, name, skipped), status) << name; };
  stats.num_documents = 0, expect("usable_documents", "fail"), expect("document_mix", "fail");
  expect("duplicate_documents", "not_measured");
  EXPECT_EQ(assess_readiness(stats, 0).status, "blocked");
  stats.num_documents = 1, expect("usable_documents", "pass"), expect("document_mix", "warn");
  EXPECT_EQ(assess_readiness(stats, 0).status, "caution");
  stats = good, expect("document_mix", "pass"), expect("corpus_size", "pass");
  stats.num_characters = 999, expect("corpus_size", "warn");
  stats.num_characters = 0, expect("corpus_size", "fail");
  stats = good, stats.duplicate_documents = 5, expect("duplicate_documents", "pass");
  stats.duplicate_documents = 6, expect("duplicate_documents", "warn");
  stats.duplicate_lines = 150, expect("duplicate_lines", "pass");
  stats.duplicate_lines = 151, expect("duplicate_lines", "warn");
  stats.near_duplicate_documents = 6, expect("near_duplicate_documents", "warn");
  stats.empty_lines = 351, expect("empty_lines", "warn");
  stats.non_ascii_characters = 5001, expect("non_ascii", "warn");
  expect("skipped_sources", "pass"), expect("skipped_sources", "warn", 1);
}

TEST(Budget, FollowsTheCorpus) {
  Statistics stats;
  EXPECT_EQ(suggest_budget(stats).preset, "blocked");
  stats.num_documents = 2, stats.num_characters = stats.num_bytes = 500;
  EXPECT_EQ(suggest_budget(stats).preset, "smoke");
  stats.num_characters = stats.num_bytes = 49999;
  EXPECT_EQ(suggest_budget(stats).preset, "tiny");
  stats.num_documents = 1;
  EXPECT_EQ(suggest_budget(stats).preset, "overfit-check");
  stats.num_documents = 1000, stats.num_characters = stats.num_bytes = 4000000;
  EXPECT_EQ(suggest_budget(stats).preset, "small-preview");
  EXPECT_EQ(suggest_budget(stats, 4.0).estimated_tokens, 1000000);
  EXPECT_NE(suggest_budget(stats).basis.find("rule of thumb"), std::string::npos);
}

}  // namespace
}  // namespace picochat::corpus
