// What counts as a document, in which order, and what happens to bad rows and bad files.
#include <gmock/gmock.h>

#include "corpus/corpus_test_util.hpp"
#include "corpus/cursor.hpp"
#include "corpus/normalize.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::corpus {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::vector<std::string> ids_of(const Corpus& corpus) {
  std::vector<std::string> ids;
  for (auto& document : read_all(corpus)) ids.push_back(document.id);
  return ids;
}

TEST(Documents, RowsOfJsonLinesAndWholeTextFilesInPathOrder) {
  Folder folder;
  folder.write("b.jsonl", "{\"text\":\"one\"}\n\n{\"id\":\"second\",\"text\":\"two\"}\n{\"id\":7,\"text\":\"three\"}");
  folder.write("a/z.txt", "first\n\nstill the first\n");
  folder.write("c.md", "# last\n");
  const Corpus corpus = open_input(folder.path());
  EXPECT_THAT(texts_of(corpus), ElementsAre("first\n\nstill the first\n", "one", "two", "three", "# last\n"));
  EXPECT_THAT(ids_of(corpus), ElementsAre("a/z.txt", "b.jsonl:1", "second", "7", "c.md"));
}

TEST(Documents, TextIsKeptByteForByteEscapesIncluded) {
  Folder folder;
  const std::string bytes = "  caf\xC3\xA9 \xFF\xFE\r\n\ttail  \n";
  folder.write("a.txt", bytes);
  folder.write("b.jsonl", R"({"text":"q\"\\\/\b\f\n\r\tA\u00e9\ud83d\ude00é"})");
  EXPECT_THAT(texts_of(open_input(folder.path())), ElementsAre(bytes, "q\"\\/\b\f\n\r\tA\xC3\xA9\xF0\x9F\x98\x80\xC3\xA9"));
}

TEST(Documents, BadRowsAreCountedUnderTheirReason) {
  Folder folder;
  folder.write("rows.jsonl",
               "{\"text\":\"good\"}\n{\"text\":\n[1]\n{\"content\":\"x\"}\n{\"text\":5}\n{\"text\":null}\n{\"text\":\" \\n \"}\n{\"text\":\"cut off");
  std::vector<std::string> texts;
  const ReadTally tally = open_input(folder.path()).for_each_document([&](Document&& document) {
    texts.push_back(document.text);
    return true;
  });
  EXPECT_THAT(texts, ElementsAre("good"));
  EXPECT_EQ(tally.documents, 1);
  EXPECT_EQ(tally.bytes, 4u);
  EXPECT_THAT(tally.skipped, UnorderedElementsAre(Pair("invalid_json", 2), Pair("row_not_object", 1), Pair("missing_text_column", 1),
                                                  Pair("text_column_not_string", 2), Pair("empty_text", 1)));
}

TEST(Documents, InvalidUtf8AndHalfSurrogatesInRowsBecomeReplacementCharacters) {
  Folder folder;
  folder.write("rows.jsonl", "{\"text\":\"a\xFF" "b\"}\n{\"text\":\"x\\ud800y\\\\ud800\\udc00\"}\n{\"text\":\"\\ud83d\\ude00\"}\n");
  EXPECT_THAT(texts_of(open_input(folder.path())), ElementsAre("a\xEF\xBF\xBD" "b", "x\xEF\xBF\xBDy\\ud800\xEF\xBF\xBD", "\xF0\x9F\x98\x80"));
  EXPECT_EQ(open_input(folder.path()).scan().stats.invalid_utf8_documents, 2);
}

TEST(Documents, WindowsLineEndsAndByteOrderMarksInJsonLines) {
  Folder folder;
  folder.write("rows.jsonl", "\xEF\xBB\xBF{\"text\":\"a\"}\r\n{\"text\":\"b\"}\r\n");
  EXPECT_THAT(texts_of(open_input(folder.path())), ElementsAre("a", "b"));
}

TEST(Documents, BinaryAndForeignEncodingsAreLeftOutByName) {
  Folder folder;
  std::string binary, latin;
  for (int i = 0; i < 5000; ++i) binary += static_cast<char>(i * 37 % 256);
  for (int i = 0; i < 500; ++i) latin += "\xEF\xF0\xE8\xE2\xE5\xF2 \xEC\xE8\xF0, ";  // Windows-1251
  folder.write("a.txt", binary);
  folder.write("b.txt", latin);
  folder.write("c.txt", "");
  folder.write("d.txt", "fine");
  folder.write("e.png", "x");
  const Corpus corpus = open_input(folder.path());
  EXPECT_THAT(texts_of(corpus), ElementsAre("fine"));
  const Manifest manifest = corpus.scan();
  std::vector<std::string> reasons;
  for (const auto& file : manifest.files) reasons.push_back(file.reason);
  EXPECT_THAT(reasons, ElementsAre("binary", "not_utf8", "empty_text", "included", "unsupported_extension"));
  EXPECT_NE(base::join(manifest.warnings, "\n").find("a.txt: left out, binary"), std::string::npos);
  EXPECT_NE(base::join(manifest.warnings, "\n").find("iconv"), std::string::npos);
}

TEST(Documents, TextWithAFewBadBytesIsStillText) {
  Folder folder;
  std::string text;
  for (int i = 0; i < 100; ++i) text += "caf\xE9 and na\xEFve text in Latin-1, mostly ASCII\n";
  folder.write("a.txt", text);
  const Manifest manifest = open_input(folder.path()).scan();
  EXPECT_EQ(manifest.stats.num_documents, 1);
  EXPECT_EQ(manifest.stats.invalid_utf8_documents, 1);
}

TEST(Documents, ARowOfAHundredMegabytes) {
  Folder folder;
  const std::string body(100 << 20, 'x');
  folder.write("big.jsonl", "{\"text\":\"first\"}\n{\"text\":\"" + body + "\"}\n{\"text\":\"last\"}\n");
  std::vector<size_t> sizes;
  const Corpus corpus = open_input(folder.path());
  corpus.for_each_document([&](Document&& document) {
    sizes.push_back(document.text.size());
    return true;
  });
  EXPECT_THAT(sizes, ElementsAre(5u, body.size(), 4u));
  EXPECT_EQ(corpus.scan().stats.num_bytes, body.size() + 9);
}

ReadTally read_with(const Corpus& corpus, const ReadLimits& limits, std::vector<Document>& documents) {
  DocumentCursor cursor(corpus, limits);
  Document document;
  while (cursor.next(document)) documents.push_back(document);
  return cursor.tally();
}

TEST(Documents, AnEndlessRowIsCountedAndTheNextRowsAreRead) {
  Folder folder;
  folder.write("rows.jsonl", "{\"text\":\"a\"}\n{\"text\":\"" + std::string(5000, 'x') + "\"}\n{\"text\":\"b\"}\n{\"text\":\"" + std::string(9000, 'y'));
  std::vector<Document> documents;
  const ReadTally tally = read_with(open_input(folder.path()), {.chunk_bytes = 64, .max_row_bytes = 1000}, documents);
  ASSERT_EQ(documents.size(), 2u);
  EXPECT_EQ(documents[0].text, "a");
  EXPECT_EQ(documents[1].text, "b");
  EXPECT_EQ(documents[1].id, "rows.jsonl:3");
  EXPECT_THAT(tally.skipped, ElementsAre(Pair("row_too_long", 2)));
}

TEST(Documents, ChunkSizeDoesNotChangeWhatIsRead) {
  Folder folder;
  std::string rows;
  for (int i = 0; i < 200; ++i) rows += base::cat("{\"n\":", i, ",\"text\":\"row ", i, " ", std::string(static_cast<size_t>(i * 7 % 90), 'z'), "\"}", i % 3 ? "\n" : "\r\n\n");
  folder.write("rows.jsonl", rows);
  const Corpus corpus = open_input(folder.path());
  const std::vector<Document> expected = read_all(corpus);
  ASSERT_EQ(expected.size(), 200u);
  for (size_t chunk : {1, 7, 64, 65, 1000, 4096}) {
    std::vector<Document> documents;
    read_with(corpus, {.chunk_bytes = chunk}, documents);
    ASSERT_EQ(documents.size(), expected.size()) << chunk;
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(documents[i].text, expected[i].text);
      EXPECT_EQ(documents[i].id, expected[i].id);
    }
  }
}

TEST(Documents, AHugeTextFileIsCutAtBlankLinesAndLosesNothing) {
  Folder folder;
  std::string text;
  for (int i = 0; i < 300; ++i) text += base::cat("Paragraph ", i, " \xE2\x82\xAC.\n", i % 4 == 3 ? "\n" : "");
  folder.write("book.txt", text + std::string(700, 'e'));
  std::vector<Document> documents;
  read_with(open_input(folder.path()), {.max_document_bytes = 500}, documents);
  ASSERT_GT(documents.size(), 8u);
  std::string joined;
  for (size_t i = 0; i < documents.size(); ++i) {
    EXPECT_LE(documents[i].text.size(), 500u);
    EXPECT_TRUE(i >= 8 || documents[i].text.ends_with("\n\n")) << i;
    joined += documents[i].text;
  }
  EXPECT_EQ(joined, text + std::string(700, 'e'));
  EXPECT_EQ(documents[0].id, "book.txt#part-000001");
}

TEST(Documents, StreamCanBePulledAndStartsAnew) {
  Folder folder;
  folder.write("a.jsonl", "{\"text\":\"1\"}\n{\"text\":\"2\"}\n");
  std::function<bool(std::string&)> stream;
  {
    const Corpus corpus = open_input(folder / "a.jsonl");
    stream = corpus.texts();
    auto other = corpus.texts();
    std::string text;
    EXPECT_TRUE(other(text));
    EXPECT_EQ(text, "1");
  }
  std::string text;
  EXPECT_TRUE(stream(text));
  EXPECT_EQ(text, "1");
  EXPECT_TRUE(stream(text));
  EXPECT_EQ(text, "2");
  EXPECT_FALSE(stream(text));
}

TEST(Documents, VisitorMayStop) {
  Folder folder;
  folder.write("a.jsonl", "{\"text\":\"1\"}\n{\"text\":\"2\"}\n{\"text\":\"3\"}\n");
  int seen = 0;
  open_input(folder.path()).for_each_document([&](Document&&) { return ++seen < 2; });
  EXPECT_EQ(seen, 2);
}

// One code point after the other, as the rule is stated.
std::string plainly_normalized(std::string_view text) {
  std::string out;
  bool space = false;
  for (size_t i = 0; i < text.size();) {
    const base::CodePoint point = base::decode_utf8(text, i);
    if (point.valid && base::char_class(point.value) == base::CharClass::kSpace) {
      space = true;
    } else {
      if (space && !out.empty()) out += ' ';
      space = false;
      if (point.valid) base::append_utf8(out, base::to_lower(point.value));
      else out += text.substr(i, point.length);
    }
    i += point.length;
  }
  return out;
}

void expect_as_plainly(const std::string& text) {
  const std::string expected = plainly_normalized(text);
  for (const auto normalizer : normalizers()) {
    std::string room(room_for_normalized(text.size()), '?');
    room.resize(normalizer(text, room.data()));
    ASSERT_EQ(room, expected) << ::testing::PrintToString(text);
  }
}

TEST(NormalizedText, ManyBytesAtATimeGiveWhatOneDoes) {
  base::Random random(3, "normalize");
  const std::vector<std::string> parts = {"A", "z", "@", "[", "`", "{", "0", " ", " ", "\t", "\r", "\n", "\x0E", "\x08", "\x1F", "!", "\xC3\x89", "\xC2\xA0", "\xE3\x80\x80", "\xE3\x80\x81", "\xE4\xB8\xAD", "\xE0\xB8\x81", "\xE0\x80\x80", "\xE3\x80", "\xD0\x9F", "\xC8\xBA", "\xC4\xB0", "\xE1\x9A\x80", "\xE2\x92\xB6", "\xF0\x90\x90\x80", "\xC3", "\xFF", "\x7F", "words of usual length ", "\xD0\x9F\xD1\x80 \xD0\xB8", "A LINE THAT IS LONGER THAN ONE STEP OF IT"};
  for (int round = 0; round < 20000; ++round) {
    std::string text, out = "before";
    for (uint64_t n = random.below(40); n > 0; --n) text += parts[random.below(parts.size())];
    expect_as_plainly(text);
    append_normalized(out, text);
    ASSERT_EQ(out, "before" + plainly_normalized(text));
  }
}

TEST(NormalizedText, EveryCodePointInALongText) {
  std::string text;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    base::append_utf8(text, c);
    if (c % 3 == 0) text += c % 2 ? " A" : "\xE4\xB8\xAD ";
    if (c % 997 == 0) expect_as_plainly(std::exchange(text, {}));
  }
  expect_as_plainly(text);
}

TEST(NormalizedText, CaseAndWhiteSpaceDoNotMatterInAnyScript) {
  auto normalized = [](std::string_view text) {
    std::string out;
    append_normalized(out, text);
    return out;
  };
  EXPECT_EQ(normalized("  The\t\tCAT \n sat\xC2\xA0on\xE3\x80\x80it "), "the cat sat on it");
  EXPECT_EQ(normalized("\xD0\x9F\xD0\xA0\xD0\x98\xD0\x92\xD0\x95\xD0\xA2"), "\xD0\xBF\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82");
  EXPECT_EQ(normalized(" \n\t"), "");
  EXPECT_EQ(normalized("a\xFF\xFE"), "a\xFF\xFE");
  std::string growing, longer;
  for (int i = 0; i < 1000; ++i) growing += "\xC8\xBA", longer += "\xE2\xB1\xA5";  // a lower case that is a byte longer
  EXPECT_EQ(normalized(growing), longer);
  EXPECT_EQ(normalized_hash("A  b"), normalized_hash(" a B\n"));
  EXPECT_NE(document_key("text", 1), document_key("text", 2));
  EXPECT_EQ(document_key("Text ", 1), document_key("text", 1));
}

}  // namespace
}  // namespace picochat::corpus
