#include "picochat/serve/text_stream.hpp"

#include <algorithm>

#include "picochat/base/unicode.hpp"

namespace picochat::serve {
namespace {

// Bytes at the end of `text` that begin a UTF-8 sequence and do not end it.
size_t unfinished_character(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;  // a continuation byte: its lead is further left
    const size_t length = byte >= 0xF0 && byte <= 0xF4 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
    if (byte > 0xF4 || length <= back) return 0;
    // A lead followed by bytes that cannot follow it is invalid already, whatever comes.
    return base::decode_utf8(text.substr(text.size() - back), 0).length == back ? back : 0;
  }
  return 0;
}

}  // namespace

TextStream::TextStream(std::vector<std::string> stop_strings) : stop_strings_(std::move(stop_strings)) {
  std::erase(stop_strings_, "");
}

size_t TextStream::held_back() const {
  size_t held = unfinished_character(pending_);
  for (const auto& stop : stop_strings_)
    for (size_t length = std::min(stop.size() - 1, pending_.size()); length > held; --length)
      if (pending_.ends_with(std::string_view(stop).substr(0, length))) {
        held = length;
        break;
      }
  return held;
}

std::string TextStream::push(std::string_view bytes) {
  if (stopped_) return "";
  pending_.append(bytes);
  size_t end = std::string::npos;
  for (const auto& stop : stop_strings_) end = std::min(end, pending_.find(stop));
  if (end != std::string::npos) {
    stopped_ = true;
    pending_.resize(end);
    return base::replace_invalid_utf8(std::exchange(pending_, ""));
  }
  end = pending_.size() - held_back();
  // What is held back for a stop string may be preceded by half a character.
  end -= unfinished_character(std::string_view(pending_).substr(0, end));
  std::string ready = base::replace_invalid_utf8(std::string_view(pending_).substr(0, end));
  pending_.erase(0, end);
  return ready;
}

std::string TextStream::finish() { return base::replace_invalid_utf8(std::exchange(pending_, "")); }

}  // namespace picochat::serve
