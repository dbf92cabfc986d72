#include "corpus/import/block.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <new>

#include "corpus/json_escape.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/document.hpp"

namespace picochat::corpus::import {
namespace {

constexpr size_t kPreviewCharacters = 90;

bool is_ascii_space(unsigned char c) { return c == ' ' || (c >= 9 && c <= 13) || (c >= 28 && c <= 31); }
bool is_wide_space(char32_t c) { return c >= 128 && base::char_class(c) == base::CharClass::kSpace; }

struct TextCounts {
  int64_t characters = 0, lines = 0;
  bool nul = false;
};

// Of valid UTF-8: a character is a byte that does not continue one.
TextCounts count_text(std::string_view text) {
  int64_t characters = 0, newlines = 0;
  bool nul = false;
  size_t i = 0;
#if defined(__SSE2__)
  const __m128i zero = _mm_setzero_si128(), last_continuation = _mm_set1_epi8(-65), newline = _mm_set1_epi8('\n');
  __m128i nuls = zero;
  while (text.size() - i >= 16) {
    // Byte-wide counters hold up to 255 rounds.
    const size_t end = i + 16 * std::min<size_t>((text.size() - i) / 16, 255);
    __m128i starts = zero, lines = zero;
    for (; i < end; i += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + i));
      starts = _mm_sub_epi8(starts, _mm_cmpgt_epi8(bytes, last_continuation));
      lines = _mm_sub_epi8(lines, _mm_cmpeq_epi8(bytes, newline));
      nuls = _mm_or_si128(nuls, _mm_cmpeq_epi8(bytes, zero));
    }
    const __m128i sums = _mm_sad_epu8(starts, zero), line_sums = _mm_sad_epu8(lines, zero);
    characters += _mm_cvtsi128_si64(sums) + _mm_cvtsi128_si64(_mm_srli_si128(sums, 8));
    newlines += _mm_cvtsi128_si64(line_sums) + _mm_cvtsi128_si64(_mm_srli_si128(line_sums, 8));
  }
  nul = _mm_movemask_epi8(nuls) != 0;
#endif
  for (; i < text.size(); ++i) {
    characters += (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    newlines += text[i] == '\n';
    nul |= text[i] == '\0';
  }
  return {characters, newlines + (!text.empty() && text.back() != '\n'), nul};
}

// The value of a JSON string, or the JSON itself.
std::string plain_text(std::string_view json) {
  if (json.size() >= 2 && json.front() == '"' && json.find('\\') == std::string_view::npos) return std::string(json.substr(1, json.size() - 2));
  const auto value = base::Json::parse(json, nullptr, false);
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : std::string(json);
}

}  // namespace

void ByteBuffer::grow(size_t least) {
  const size_t capacity = std::max<size_t>({least, capacity_ + capacity_ / 2, size_t{64} << 10});
  char* bytes = static_cast<char*>(std::realloc(bytes_.get(), capacity));
  if (!bytes) throw std::bad_alloc();
  (void)bytes_.release();
  bytes_.reset(bytes);
  capacity_ = capacity;
}

void Block::clear() {
  rows.clear();
  lines.clear();
  texts.clear();
  languages.clear();
  previews.clear();
  sketches.clear();
}

std::string_view strip(std::string_view text) {
  for (;;) {
    if (text.empty()) return text;
    if (is_ascii_space(static_cast<unsigned char>(text.front()))) {
      text.remove_prefix(1);
      continue;
    }
    if (static_cast<unsigned char>(text.front()) < 0x80) break;
    const base::CodePoint point = base::decode_utf8(text, 0);
    if (!is_wide_space(point.value)) break;
    text.remove_prefix(point.length);
  }
  for (;;) {
    const auto last = static_cast<unsigned char>(text.back());
    if (last < 0x80) {
      if (!is_ascii_space(last)) return text;
      text.remove_suffix(1);
      continue;
    }
    size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 4 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    if (!is_wide_space(base::decode_utf8(text, start).value)) return text;
    text = text.substr(0, start);
  }
}

std::string preview_of(std::string_view text) {
  std::string out;
  size_t characters = 0;
  bool space = false;
  for (size_t at = 0; at < text.size() && characters < kPreviewCharacters;) {
    const base::CodePoint point = base::decode_utf8(text, at);
    if (is_wide_space(point.value) || (point.value < 128 && is_ascii_space(static_cast<unsigned char>(point.value)))) {
      space = !out.empty();
    } else {
      if (space && ++characters < kPreviewCharacters) out += ' ';
      space = false;
      if (characters++ < kPreviewCharacters) base::append_utf8(out, point.value);
    }
    at += point.length;
  }
  return out;
}

RowRules::RowRules(const Plan& plan)
    : min_chars(plan.filters.min_chars), min_score(plan.filters.min_score), hash(plan.filters.dedup != "none"), sketch(plan.filters.dedup == "near"), has_language(plan.filters.language_column.has_value()) {
  if (!plan.filters.language_regex) return;
  try {
    language.emplace(*plan.filters.language_regex, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    throw base::usage_error({.what = "not a regular expression", .where = "--language-regex", .expected = "ECMAScript syntax: ^(en|de)$", .found = *plan.filters.language_regex});
  }
}

void BlockBuilder::begin(Block& block, Position first, bool previews) {
  block_ = &block;
  block.clear();
  block.first = first;
  block.languages.emplace_back();
  previews_ = previews;
  known_languages_.clear();
}

uint16_t BlockBuilder::language_of(const FileRow& row, bool& wanted) {
  const std::string json(row.extra.empty() ? "null" : row.extra.front());
  if (const auto known = known_languages_.find(json); known != known_languages_.end()) {
    wanted = known->second.second;
    return known->second.first;
  }
  const std::string name = plain_text(json);
  auto judged = judged_languages_.find(name);
  if (judged == judged_languages_.end()) judged = judged_languages_.emplace(name, !rules_.language || std::regex_search(name.substr(0, 1000), *rules_.language)).first;
  wanted = judged->second;
  uint16_t index = 0;
  if (!name.empty() && block_->languages.size() < 1000) {
    index = static_cast<uint16_t>(block_->languages.size());
    block_->languages.push_back(name.substr(0, 100));
  }
  known_languages_[json] = {index, wanted};
  return index;
}

const char* BlockBuilder::judge(const FileRow& row, std::string_view text, RowNote& note) {
  if (row.skipped) return row.skipped;
  if (text.empty()) return "empty_text";
  const TextCounts counts = count_text(text);
  note.characters = counts.characters;
  note.lines = static_cast<uint32_t>(counts.lines);
  note.with_nul = counts.nul;
  if (note.characters < rules_.min_chars) return "below_min_chars";
  if (rules_.has_language) {
    bool wanted = true;
    note.language = language_of(row, wanted);
    if (!wanted) return "other_language";
  }
  if (rules_.min_score > 0 && profiler_.profile(text).score < rules_.min_score) return "below_min_score";
  return nullptr;
}

void BlockBuilder::write(const FileRow& row, std::string_view text, RowNote& note) {
  if (rules_.hash) {
    normalized_.clear();
    append_normalized(normalized_, text);
    note.hash = base::hash64(normalized_);
    if (rules_.sketch) block_->sketches.push_back(sketcher_.sketch_normalized(normalized_));
  }
  note.repaired = row.repaired;
  ByteBuffer& lines = block_->lines;
  lines.append("{\"id\":\"");
  std::string made;
  std::string_view id = row.id;
  if (id.empty()) id = made = base::cat(file_, ":", row.line > 0 ? row.line : row.index);
  lines.grow_to(escape_json(lines.reserve(kEscapeGrowth * id.size() + kEscapeSlack), id));
  lines.append("\",\"text\":\"");
  // Piece by piece, so that room for the worst case stays small.
  constexpr size_t kPiece = 16 << 10;
  for (size_t at = 0; at < text.size(); at += kPiece) {
    const std::string_view piece = text.substr(at, kPiece);
    lines.grow_to(escape_json(lines.reserve(kEscapeGrowth * piece.size() + kEscapeSlack), piece));
  }
  lines.append("\"}\n");
  block_->texts.append("\n\n");
  block_->texts.append(text);
}

void BlockBuilder::add(const FileRow& row) {
  RowNote note;
  const std::string_view text = row.skipped ? std::string_view() : strip(row.text);
  note.skipped = judge(row, text, note);
  if (!note.skipped) write(row, text, note);
  note.line_end = block_->lines.size();
  note.text_end = block_->texts.size();
  block_->rows.push_back(note);
  if (previews_) block_->previews.push_back(preview_of(text));
}

}  // namespace picochat::corpus::import
