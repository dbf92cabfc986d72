#include "tasks/starter_sentences.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "picochat/base/digest.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::tasks {
namespace {

constexpr uint64_t kSampleBytes = 32 << 20;
constexpr uint64_t kSideSeed = 0x7374617274;  // not the user's: sides stay when the seed changes
constexpr size_t kFewDocuments = 20, kFewestCharacters = 40, kMostCharacters = 320, kFewestContentWords = 5;
constexpr std::array<std::string_view, 28> kStopWords = {"about", "after", "also", "because", "been", "before", "between", "could", "does", "from",
                                                         "have",  "into",  "more", "most",    "only", "other",  "over",    "some",  "such", "than",
                                                         "that",  "their", "them", "then",    "there", "they",  "this",    "with"};

// Three in ten documents are for questions.
Side side_of(std::string_view text) { return corpus::document_key(text, kSideSeed) % 10 < 3 ? Side::kQuestions : Side::kLessons; }

std::vector<std::string> words_of(std::string_view sentence) {
  std::vector<std::string> words;
  for (std::string word : base::split(sentence, ' ')) {
    auto inside = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || (c & 0x80); };
    while (!word.empty() && !inside(word.back())) word.pop_back();
    while (!word.empty() && !inside(word.front())) word.erase(0, 1);
    if (!word.empty()) words.push_back(std::move(word));
  }
  return words;
}

// Cut at line ends, and at . ! ? before a space.
std::vector<std::string> sentences_of(std::string_view text) {
  std::vector<std::string> out;
  size_t begin = 0;
  auto take = [&](size_t end) {
    std::string sentence;
    for (const char c : base::trim(text.substr(begin, end - begin))) {
      const bool space = c == ' ' || c == '\t' || c == '\r';
      if (!space || (!sentence.empty() && sentence.back() != ' ')) sentence += space ? ' ' : c;
    }
    if (!sentence.empty()) out.push_back(std::move(sentence));
    begin = end;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const bool stop = (text[i] == '.' || text[i] == '!' || text[i] == '?') && (i + 1 == text.size() || text[i + 1] == ' ');
    if (stop || text[i] == '\n') take(i + 1);
  }
  take(text.size());
  return out;
}

bool usable(const std::string& text) {
  if (!base::is_valid_utf8(text)) return false;
  const size_t characters = base::count_code_points(text);
  const bool plain = text.find_first_of("{}<>|\\`\"") == std::string::npos;
  return plain && characters >= kFewestCharacters && characters <= kMostCharacters;
}

}  // namespace

std::vector<std::string> content_words(const std::vector<std::string>& words) {
  std::vector<std::string> content;
  for (const auto& word : words) {
    const std::string lower = base::lower_ascii(word);
    const bool letters = std::all_of(lower.begin(), lower.end(), [](char c) { return std::isalpha(static_cast<unsigned char>(c)) || (c & 0x80); });
    if (!letters || base::count_code_points(lower) < 4) continue;
    if (std::find(kStopWords.begin(), kStopWords.end(), lower) != kStopWords.end()) continue;
    if (std::find(content.begin(), content.end(), lower) == content.end()) content.push_back(lower);
  }
  return content;
}

std::vector<Sentence> pick_sentences(const corpus::Corpus& corpus, Side side, uint64_t seed, size_t limit) {
  const std::vector<std::string> documents = corpus.sample(kSampleBytes);
  const bool by_document = documents.size() >= kFewDocuments;
  // A sentence that stands in documents of both sides belongs to none.
  std::set<uint64_t> elsewhere;
  std::vector<std::pair<uint64_t, std::string>> ordered;
  std::set<uint64_t> seen;
  for (const auto& document : documents) {
    const Side of_document = side_of(document);
    for (auto& sentence : sentences_of(document)) {
      if (!usable(sentence)) continue;
      const uint64_t hash = corpus::normalized_hash(sentence);
      if ((by_document ? of_document : side_of(sentence)) != side) elsewhere.insert(hash);
      else if (seen.insert(hash).second) ordered.emplace_back(corpus::document_key(sentence, seed), std::move(sentence));
    }
  }
  std::sort(ordered.begin(), ordered.end());
  std::vector<Sentence> out;
  for (auto& [key, text] : ordered) {
    if (out.size() == limit) break;
    if (elsewhere.contains(corpus::normalized_hash(text))) continue;
    Sentence sentence{.text = std::move(text), .words = {}, .content = {}};
    sentence.words = words_of(sentence.text);
    sentence.content = content_words(sentence.words);
    if (sentence.content.size() >= kFewestContentWords) out.push_back(std::move(sentence));
  }
  return out;
}

}  // namespace picochat::tasks
