#include "corpus/json_text.hpp"

#include <simdjson.h>

#include <algorithm>

#include "corpus/json_escape.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::corpus {
void append_json_string(std::string& out, std::string_view text) {
  if (!simdjson::validate_utf8(text.data(), text.size())) return append_json_string(out, base::replace_invalid_utf8(text));
  // Piece by piece, so that room for the worst case stays small.
  constexpr size_t kPiece = 4096;
  out += '"';
  for (; !text.empty(); text.remove_prefix(std::min(kPiece, text.size()))) {
    const std::string_view piece = text.substr(0, kPiece);
    const size_t start = out.size();
    out.resize(start + kEscapeGrowth * piece.size() + kEscapeSlack);
    out.resize(static_cast<size_t>(escape_json(out.data() + start, piece) - out.data()));
  }
  out += '"';
}

}  // namespace picochat::corpus
