// One file of rows: Parquet, JSON Lines, CSV, text, packed or not. Expected values of Parquet files are
// those that tests/corpus/make_fixtures.py wrote with pyarrow.
#include <gmock/gmock.h>
#include <zlib.h>
#include <zstd.h>

#include "corpus/chunk_reader.hpp"
#include "corpus/corpus_test_util.hpp"
#include "corpus/row_reader.hpp"
#include "picochat/corpus/row_file.hpp"
#include "support/project.hpp"

namespace picochat::corpus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

struct Read {
  std::vector<std::string> texts, ids;
  std::vector<std::vector<std::string>> extra;
  std::vector<int64_t> index, lines;
  std::map<std::string, int64_t> skipped;
  int64_t repaired = 0;
};

Read read_source(std::shared_ptr<const base::ByteSource> source, const std::string& name, const RowColumns& columns = {}) {
  const auto file = RowFile::open(std::move(source), file_kind(name), columns);
  Read read;
  for (size_t part = 0; part < file->parts().size(); ++part) {
    const RowTally tally = file->read_part(part, [&](const FileRow& row) {
      read.texts.emplace_back(row.skipped ? std::string("<") + row.skipped + ">" : std::string(row.text));
      read.ids.emplace_back(row.id);
      read.extra.emplace_back(row.extra.begin(), row.extra.end());
      read.index.push_back(row.index);
      read.lines.push_back(row.line);
      read.repaired += row.repaired;
      return true;
    });
    for (const auto& [reason, count] : tally.skipped) read.skipped[reason] += count;
  }
  return read;
}

Read read_bytes(const std::string& name, const std::string& bytes, const RowColumns& columns = {}) {
  return read_source(std::make_shared<base::MemorySource>(name, bytes), name, columns);
}

Path fixture(const std::string& name) { return Path(kSourceDir) / "tests/corpus/fixtures" / name; }
Read read_fixture(const std::string& name, const RowColumns& columns = {}) {
  return read_source(std::make_shared<base::FileSource>(fixture(name)), name, columns);
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

TEST(FileKind, IsToldByTheName) {
  EXPECT_EQ(file_kind("a/b.JSONL"), (FileKind{Format::kJsonl}));
  EXPECT_EQ(file_kind("x.jsonl.zst"), (FileKind{Format::kJsonl, Compression::kZstd}));
  EXPECT_EQ(file_kind("x.csv.gz"), (FileKind{Format::kCsv, Compression::kGzip}));
  EXPECT_EQ(file_kind("x.tsv"), (FileKind{Format::kCsv, Compression::kNone, '\t'}));
  EXPECT_EQ(file_kind("x.txt.gz"), (FileKind{Format::kText, Compression::kGzip}));
  EXPECT_EQ(file_kind("x.parquet"), (FileKind{Format::kParquet}));
  for (const char* name : {"x.pdf", "x.parquet.gz", "jsonl", "a.jsonl/x", "x.gz", ".gz", ""}) EXPECT_EQ(file_kind(name), FileKind{}) << name;
  EXPECT_THAT(conversion_advice("A.PDF"), HasSubstr("pdftotext"));
  EXPECT_THAT(conversion_advice("a.docx"), HasSubstr("pandoc"));
  EXPECT_EQ(conversion_advice("a.xyz"), "");
}

TEST(ParquetRows, RowGroupsIdsAndExtraColumns) {
  const Read read = read_fixture("flat.parquet", {.extra = {"score", "language"}});
  ASSERT_EQ(read.texts.size(), 60u);
  EXPECT_EQ(read.texts[0], "Document 0: ");
  EXPECT_EQ(read.texts[59], "Document 59: the quick brown fox jumps over the lazy dog. the quick brown fox jumps over the lazy dog. the quick brown fox jumps over the lazy dog. ");
  EXPECT_THAT(read.skipped, ElementsAre(Pair("text_column_not_string", 1)));
  EXPECT_EQ(read.texts[5], "<text_column_not_string>");
  EXPECT_EQ(read.ids[7], "doc-7");
  EXPECT_THAT(read.extra[9], ElementsAre("1.125", "\"de\""));
  for (size_t i = 0; i < 60; ++i) EXPECT_EQ(read.index[i], static_cast<int64_t>(i));
}

TEST(ParquetRows, PartsAreRowGroupsAndCanBeReadAlone) {
  const auto file = RowFile::open(std::make_shared<base::FileSource>(fixture("flat.parquet")), file_kind("flat.parquet"), {});
  ASSERT_EQ(file->parts().size(), 3u);
  EXPECT_EQ(file->parts()[2].first_row, 50);
  EXPECT_EQ(file->parts()[2].rows, 10);
  EXPECT_GT(file->parts()[2].bytes, 0u);
  std::vector<int64_t> index;
  file->read_part(2, [&](const FileRow& row) {
    index.push_back(row.index);
    return index.size() < 3;
  });
  EXPECT_THAT(index, ElementsAre(50, 51, 52));
}

TEST(ParquetRows, TextInsideAStructByItsDottedName) {
  const Read read = read_fixture("nested.parquet", {.text = "row.body", .extra = {"row.meta.url", "row", "turns"}});
  ASSERT_EQ(read.texts.size(), 8u);
  EXPECT_EQ(read.texts[2], "nested 2");
  EXPECT_EQ(read.texts[3], "<text_column_not_string>");
  EXPECT_EQ(read.ids[0], "100");
  EXPECT_THAT(read.extra[1], ElementsAre("\"http://host/1\"", R"({"body":"nested 1","meta":{"url":"http://host/1","n":1}})",
                                         R"([{"role":"user","content":"hi"},{"role":"assistant","content":null}])"));
  EXPECT_THAT(read.extra[3], ElementsAre("null", "null", R"([{"role":"user","content":"hi"},{"role":"assistant","content":null}])"));
}

TEST(ParquetRows, DictionariesLargeStringsViewsAndCodecs) {
  EXPECT_THAT(read_fixture("dictionary.parquet").texts, ElementsAre("same", "same", "same", "same", "same", "other", "other", "other", "other", "<text_column_not_string>"));
  EXPECT_THAT(read_fixture("large_string.parquet").texts, ElementsAre("a", "b", "<text_column_not_string>", ""));
  EXPECT_THAT(read_fixture("string_view.parquet").texts, ElementsAre("short", "a text of more than twelve bytes"));
  EXPECT_THAT(read_fixture("brotli.parquet").texts, ElementsAre("brotli text", "brotli text", "brotli text"));
  EXPECT_THAT(read_fixture("lz4.parquet").texts, ElementsAre("lz4 text", "lz4 text", "lz4 text"));
}

TEST(ParquetRows, BytesThatAreNotUtf8AreRepairedAndSaid) {
  const Read read = read_fixture("not_utf8.parquet");
  EXPECT_THAT(read.texts, ElementsAre("caf\xEF\xBF\xBD", "fine"));
  EXPECT_EQ(read.repaired, 1);
}

TEST(ParquetRows, AMissingColumnNamesThoseThereAre) {
  expect_error(base::ExitCode::kBadInput, {"no column \"text\"", "blob_id (string)", "length_bytes (int64)", "did you mean \"texts\""}, [] { read_fixture("no_text.parquet"); });
  expect_error(base::ExitCode::kBadInput, {"\"score\" does not hold text", "double", "blob_id (string)"}, [] { read_fixture("no_text.parquet", {.text = "score"}); });
  expect_error(base::ExitCode::kBadInput, {"\"texts\" does not hold text", "list<"}, [] { read_fixture("no_text.parquet", {.text = "texts"}); });
  expect_error(base::ExitCode::kBadInput, {"no column \"language\"", "blob_id"}, [] { read_fixture("no_text.parquet", {.text = "blob_id", .extra = {"language"}}); });
}

// Reads every row, ignoring what they say; true when the file was refused by an error of ours.
bool refused(const std::string& bytes) {
  try {
    read_bytes("x.parquet", bytes);
    return false;
  } catch (const base::Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(base::ExitCode::kBadInput)) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("x.parquet"));
    return true;
  }
}

TEST(ParquetRows, EveryTruncationIsRefused) {
  const std::string whole = base::read_file(fixture("flat.parquet"));
  for (size_t size = 0; size < whole.size(); size += size < 64 || whole.size() - size < 64 ? 1 : 37) EXPECT_TRUE(refused(whole.substr(0, size))) << size;
}

TEST(ParquetRows, FlippedBitsNeverCrashAndDataUnderAChecksumIsRefused) {
  for (const char* name : {"flat.parquet", "checked.parquet", "nested.parquet"}) {
    const std::string whole = base::read_file(fixture(name));
    size_t noticed = 0, tried = 0;
    for (size_t at = 0; at < whole.size(); at += 5) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
      noticed += refused(damaged);
      ++tried;
    }
    EXPECT_GT(noticed * 2, name == std::string("checked.parquet") ? tried : 0u) << name << ": " << noticed << " of " << tried;
  }
}

TEST(ParquetRows, AFooterLengthBeyondTheFileIsRefusedBeforeItIsAllocated) {
  std::string bytes = base::read_file(fixture("flat.parquet"));
  for (const uint32_t length : {0xFFFFFFFFu, 0x7FFFFFFFu, static_cast<uint32_t>(bytes.size())}) {
    for (int i = 0; i < 4; ++i) bytes[bytes.size() - 8 + static_cast<size_t>(i)] = static_cast<char>(length >> (8 * i));
    expect_error(base::ExitCode::kBadInput, {"impossible length"}, [&] { read_bytes("x.parquet", bytes); });
  }
  expect_error(base::ExitCode::kBadInput, {"cut off, or is no Parquet"}, [] { read_bytes("x.parquet", "PAR1" + std::string(100, 'x')); });
}

TEST(JsonRows, ExtraColumnsDottedNamesAndReasons) {
  const Read read = read_bytes("x.jsonl",
                               "{\"id\":7,\"text\":\"one\",\"meta\":{\"url\":\"u\",\"n\":1.5}}\n\n{\"text\":null}\nnot json\n{\"text\":\"two\",\"meta.url\":\"own\"}\n",
                               {.extra = {"meta.url", "meta"}});
  EXPECT_THAT(read.texts, ElementsAre("one", "<text_column_not_string>", "<invalid_json>", "two"));
  EXPECT_THAT(read.index, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(read.lines, ElementsAre(1, 3, 4, 5));
  EXPECT_EQ(read.ids[0], "7");
  EXPECT_THAT(read.extra[0], ElementsAre("\"u\"", "{\"url\":\"u\",\"n\":1.5}"));
  EXPECT_THAT(read.extra[3], ElementsAre("\"own\"", "null"));
  EXPECT_THAT(read_bytes("x.jsonl", "{\"a\":{\"b\":{\"c\":\"deep\"}}}", {.text = "a.b.c"}).texts, ElementsAre("deep"));
}

TEST(JsonRows, AMissingColumnNamesTheKeys) {
  expect_error(base::ExitCode::kBadInput, {"no column \"text\"", "texts (string)", "meta.n (integer)", "did you mean \"texts\""},
               [] { read_bytes("x.jsonl", "{\"texts\":\"a\",\"meta\":{\"n\":1}}\n"); });
  expect_error(base::ExitCode::kBadInput, {"\"text\" does not hold text", "integer"}, [] { read_bytes("x.jsonl", "{\"text\":5}\n"); });
}

TEST(CsvRows, QuotesNewlinesAndDelimitersInsideFields) {
  const std::string csv =
      "\xEF\xBB\xBFid,text,note\r\n1,plain,a\r\n2,\"with, comma\nand \"\"quotes\"\" and\r\nlines\",\"\"\n\n3,5\" pipe,\"x\"y\n4,\"\",last";
  const Read read = read_bytes("x.csv", csv, {.extra = {"note"}});
  EXPECT_THAT(read.texts, ElementsAre("plain", "with, comma\nand \"quotes\" and\r\nlines", "5\" pipe", ""));
  EXPECT_THAT(read.ids, ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(read.lines, ElementsAre(2, 3, 7, 8));
  EXPECT_THAT(read.extra, ElementsAre(ElementsAre("\"a\""), ElementsAre("\"\""), ElementsAre("\"xy\""), ElementsAre("\"last\"")));
  EXPECT_THAT(read_bytes("x.tsv", "text\tn\na,b\t1\n").texts, ElementsAre("a,b"));
}

TEST(CsvRows, RowsThatDoNotFitTheHeaderAreCounted) {
  const Read read = read_bytes("x.csv", "id,text\n1,good\n2\n3,a,b\n4,\"never closed\n5,x\n");
  EXPECT_THAT(read.texts, ElementsAre("good", "<wrong_field_count>", "<wrong_field_count>", "<unterminated_quote>"));
  expect_error(base::ExitCode::kBadInput, {"no column \"text\"", "content (string)"}, [] { read_bytes("x.csv", "id,content\n1,a\n"); });
  expect_error(base::ExitCode::kBadInput, {"no column \"url\""}, [] { read_bytes("x.csv", "id,text\n1,a\n", {.extra = {"url"}}); });
}

TEST(CsvRows, ChunkSizeDoesNotChangeWhatIsRead) {
  Folder folder;
  std::string csv = "n,text\n";
  for (int i = 0; i < 200; ++i) csv += base::cat(i, ",\"row ", i, i % 3 ? " \"\"q\"\"\n" : ",", std::string(static_cast<size_t>(i * 7 % 90), 'z'), "\"", i % 2 ? "\r\n" : "\n");
  const Path path = folder.write("rows.csv", csv);
  const std::vector<std::string> expected = read_bytes("rows.csv", csv).texts;
  ASSERT_EQ(expected.size(), 200u);
  SourceFile file{.path = path, .name = "rows.csv", .kind = file_kind("rows.csv")};
  for (size_t size : {1, 7, 64, 1000, 4096}) {
    ChunkReader chunks(file, {.chunk_bytes = size});
    RowReader rows;
    std::vector<std::string> texts;
    std::string joined;
    for (Chunk chunk; chunks.next(chunk);) {
      joined += chunk.bytes();
      rows.start(chunk);
      for (Row row; rows.next(row);) texts.emplace_back(row.text);
    }
    EXPECT_EQ(texts, expected) << size;
    EXPECT_EQ(joined, csv);
  }
}

TEST(PackedRows, GzipAndZstdGiveTheSameRows) {
  std::string rows;
  for (int i = 0; i < 20000; ++i) rows += base::cat("{\"text\":\"row number ", i, "\"}\n");
  const Read plain = read_bytes("x.jsonl", rows);
  ASSERT_EQ(plain.texts.size(), 20000u);
  EXPECT_EQ(read_bytes("x.jsonl.gz", gzip(rows)).texts, plain.texts);
  EXPECT_EQ(read_bytes("x.jsonl.zst", zstd(rows)).texts, plain.texts);
  // Several members and frames, as tools that append write them; zero bytes as padding.
  const size_t half = rows.find('\n', rows.size() / 2) + 1;
  EXPECT_EQ(read_bytes("x.jsonl.gz", gzip(rows.substr(0, half)) + gzip(rows.substr(half)) + std::string(512, '\0')).texts, plain.texts);
  EXPECT_EQ(read_bytes("x.jsonl.zst", zstd(rows.substr(0, half)) + zstd(rows.substr(half))).texts, plain.texts);
  EXPECT_THAT(read_bytes("x.txt.gz", gzip("a text\n")).texts, ElementsAre("a text\n"));
}

TEST(PackedRows, DamageIsNamedAndNeverSilent) {
  std::string rows;
  for (int i = 0; i < 20000; ++i) rows += base::cat("{\"text\":\"row number ", i * 7919 % 20011, "\"}\n");
  for (const std::string& name : {std::string("x.jsonl.gz"), std::string("x.jsonl.zst")}) {
    const std::string packed = name.ends_with("gz") ? gzip(rows) : zstd(rows);
    for (size_t size : {packed.size() - 1, packed.size() / 2, size_t{20}})
      expect_error(base::ExitCode::kBadInput, {"end early", name}, [&] { read_bytes(name, packed.substr(0, size)); });
    expect_error(base::ExitCode::kBadInput, {"is not", name}, [&] { read_bytes(name, "plain text, not packed\n" + std::string(100, 'x')); });
    if (name.ends_with("gz")) {
      std::string flipped = packed;
      flipped[packed.size() / 2] = static_cast<char>(flipped[packed.size() / 2] ^ 16);
      expect_error(base::ExitCode::kBadInput, {"damaged"}, [&] { read_bytes(name, flipped); });
      expect_error(base::ExitCode::kBadInput, {"gzip"}, [&] { read_bytes(name, packed + "garbage"); });
    }
  }
}

TEST(RowFiles, UnsupportedKindsSayHowToConvert) {
  expect_error(base::ExitCode::kBadInput, {"not read", "pdftotext"}, [] { read_bytes("paper.pdf", "%PDF"); });
  expect_error(base::ExitCode::kBadInput, {"not read", "pandoc"}, [] { read_bytes("paper.docx", "PK"); });
}

TEST(RowFiles, NulBytesAndLongLines) {
  std::string nul = "{\"text\":\"a\\u0000b\"}\n";
  EXPECT_THAT(read_bytes("x.jsonl", nul).texts, ElementsAre(std::string("a\0b", 3)));
  const Read raw = read_bytes("x.jsonl", std::string("{\"text\":\"a\0b\"}\n", 15) + "{\"text\":\"good\"}\n");
  EXPECT_THAT(raw.texts, ElementsAre("<invalid_json>", "good"));
}

TEST(CorpusFiles, PatternsAndTextColumnsInARecipe) {
  Folder folder;
  folder.write("data/a-train.csv", "body\nfirst\n");
  folder.write("data/deep/b-train.jsonl", "{\"body\":\"second\"}\n");
  folder.write("data/a-test.csv", "body\nnot this\n");
  folder.write("r.json", R"({"sources":[{"path":"data/*-train.*","text_column":"body"}]})");
  EXPECT_THAT(texts_of(open_recipe(folder / "r.json")), ElementsAre("first", "second"));
  EXPECT_THAT(texts_of(open_input(folder / "data/*.csv")), ElementsAre());
  folder.write("none.json", R"({"sources":["data/*.parquet"]})");
  expect_error(base::ExitCode::kBadInput, {"data/*.parquet", "matches no file", "none.json"}, [&] { open_recipe(folder / "none.json"); });
  folder.write("typo.json", R"({"sources":[{"path":"data","text_colunm":"body"}]})");
  expect_error(base::ExitCode::kBadInput, {"text_colunm", "did you mean \"text_column\""}, [&] { open_recipe(folder / "typo.json"); });
}

TEST(CorpusFiles, EveryKindInOneFolder) {
  Folder folder;
  folder.write("a.jsonl.gz", gzip("{\"text\":\"json in gzip\"}\n"));
  folder.write("b.csv", "id,text\nrow-1,from csv\n");
  std::filesystem::copy(fixture("brotli.parquet"), folder / "c.parquet");
  folder.write("d.md.zst", zstd("# text in zstd\n"));
  std::filesystem::copy(fixture("no_text.parquet"), folder / "e.parquet");
  folder.write("f.pdf", "%PDF");
  const Corpus corpus = open_input(folder.path());
  EXPECT_THAT(texts_of(corpus), ElementsAre("json in gzip", "from csv", "brotli text", "brotli text", "brotli text", "# text in zstd\n"));
  const auto documents = read_all(corpus);
  EXPECT_EQ(documents[1].id, "row-1");
  EXPECT_EQ(documents[3].id, "c.parquet:2");
  const Manifest manifest = corpus.scan();
  EXPECT_EQ(manifest.stats.num_documents, 6);
  EXPECT_EQ(manifest.stats.duplicate_documents, 2);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(manifest.files[i].sha256, base::sha256_file(folder / manifest.files[i].path)) << i;
  EXPECT_EQ(manifest.files[4].reason, "missing_text_column");
  EXPECT_THAT(manifest.files[4].columns_found, HasSubstr("blob_id (string)"));
  EXPECT_THAT(base::join(manifest.warnings, "\n"), HasSubstr("pdftotext"));
}

}  // namespace
}  // namespace picochat::corpus
