#include "tokenizer/byte_level.hpp"

#include <algorithm>

#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "tokenizer/split.hpp"

namespace picochat::tokenizer {

struct ByteLevelTokenizer::Worker {
  PieceCache cache;
  LongPieceCache long_cache;
  MergeScratch scratch;
  std::vector<TokenId> ids;  // the piece at hand
};

// A worker for the time of one call. There are never more than calls at once, each of about 17 MiB.
class ByteLevelTokenizer::Borrowed {
 public:
  explicit Borrowed(const ByteLevelTokenizer& owner) : owner_(owner) {
    {
      std::lock_guard lock(owner.mutex_);
      if (!owner.idle_.empty()) {
        worker_ = std::move(owner.idle_.back());
        owner.idle_.pop_back();
      }
    }
    if (!worker_) worker_ = std::make_unique<Worker>();
  }
  ~Borrowed() {
    std::lock_guard lock(owner_.mutex_);
    owner_.idle_.push_back(std::move(worker_));
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  Worker& operator*() { return *worker_; }

 private:
  const ByteLevelTokenizer& owner_;
  std::unique_ptr<Worker> worker_;
};

ByteLevelTokenizer::ByteLevelTokenizer(Model model, std::string json)
    : model_(std::move(model)), json_(std::move(json)) {
  for (TokenId id = kSpecialTokens; id < model_.tokens.size(); ++id) {
    const std::string& bytes = model_.tokens[id];
    if (bytes.size() == 1) byte_ids_[static_cast<uint8_t>(bytes[0])] = id;
    else if (model_.split == Split::kCharacter) characters_.emplace(base::decode_utf8(bytes, 0).value, id);
  }
  pairs_.emplace(model_.merges, byte_ids_);
  cuts_.emplace(model_.tokens);
  if (json_.empty()) json_ = write_model(model_, Tokenizer::encode(self_test_text()));
}

ByteLevelTokenizer::~ByteLevelTokenizer() = default;

std::string_view ByteLevelTokenizer::token_bytes(TokenId id) const {
  if (id >= model_.tokens.size()) {
    throw base::bad_input({.what = "a token id is outside the vocabulary",
                           .expected = base::cat("less than ", model_.tokens.size()), .found = base::cat(id),
                           .remedy = "use the tokenizer that these tokens were made with"});
  }
  return model_.tokens[id];
}

void ByteLevelTokenizer::encode(std::string_view text, std::vector<TokenId>& out) const {
  if (text.empty()) return;
  switch (model_.split) {
    case Split::kCharacter: return encode_by_character(text, out);
    case Split::kPattern: {
      Borrowed worker(*this);
      return encode_by_pattern(text, *worker, out);
    }
    case Split::kNone:
      if (model_.merges.empty()) {
        for (char byte : text) out.push_back(byte_ids_[static_cast<uint8_t>(byte)]);
        return;
      }
      Borrowed worker(*this);
      merge_piece(text, *worker);
      out.insert(out.end(), (*worker).ids.begin(), (*worker).ids.end());
  }
}

void ByteLevelTokenizer::merge_piece(std::string_view piece, Worker& worker) const {
  worker.ids.resize(piece.size());
  for (size_t i = 0; i < piece.size(); ++i) worker.ids[i] = byte_ids_[static_cast<uint8_t>(piece[i])];
  worker.scratch.merge(*pairs_, piece, worker.ids);
}

void ByteLevelTokenizer::look_up_long_piece(std::string_view piece, Worker& worker) const {
  if (piece.size() > LongPieceCache::kLongest) return merge_piece(piece, worker);
  const uint64_t hash = base::hash64(piece);
  LongPieceCache::Slot& slot = worker.long_cache.slot(hash);
  if (slot.holds(piece, hash)) {
    worker.ids.assign(slot.ids, slot.ids + slot.count);
    return;
  }
  merge_piece(piece, worker);
  LongPieceCache::store(slot, piece, hash, worker.ids);
}

// Some pieces are cut before the first of them is looked up, so that their cache lines are on the way.
void ByteLevelTokenizer::encode_by_pattern(std::string_view text, Worker& worker, std::vector<TokenId>& out) const {
  constexpr size_t kAhead = 32;
  struct Ahead {
    PieceKey key;
    PieceCache::Bucket* bucket;  // nullptr: a long piece
    const uint8_t* begin;
    size_t length;
  };
  std::array<Ahead, kAhead> ahead;
  // Ids gather in a buffer and move to `out` in bulk: growing a vector id by id costs more than a lookup.
  constexpr size_t kBuffer = 4096;
  TokenId buffer[kBuffer + kAhead * PieceCache::kMostIds];
  size_t buffered = 0;
  auto flush = [&] {
    out.insert(out.end(), buffer, buffer + buffered);
    buffered = 0;
  };
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  const auto* end = p + text.size();
  const uint8_t* piece_end = p;  // of the piece that p is in, when it was cut
  while (p < end) {
    size_t count = 0;
    for (; count < kAhead && p < end; ++count) {
      const uint8_t* q = p < piece_end ? piece_end : piece_end = next_piece(p, end);
      if (q - p > static_cast<ptrdiff_t>(PieceKey::kLongest)) q = cuts_->next(p, q);
      Ahead& piece = ahead[count];
      piece.begin = p;
      piece.length = static_cast<size_t>(q - p);
      piece.bucket = nullptr;
      if (piece.length <= PieceKey::kLongest) [[likely]] {
        piece.key = piece_key(p, piece.length, end);
        piece.bucket = &worker.cache.bucket(piece.key);
        __builtin_prefetch(piece.bucket);
      }
      p = q;
    }
    for (size_t i = 0; i < count; ++i) {
      const Ahead& piece = ahead[i];
      const std::string_view bytes(reinterpret_cast<const char*>(piece.begin), piece.length);
      if (piece.bucket) [[likely]] {
        if (const PieceCache::Slot* slot = piece.bucket->find(piece.key)) [[likely]] {
          std::copy_n(slot->ids, PieceCache::kMostIds, buffer + buffered);
          buffer[buffered] &= (1u << PieceCache::Slot::kCountShift) - 1;
          buffered += slot->count();
          continue;
        }
        merge_piece(bytes, worker);
        PieceCache::store(*piece.bucket, piece.key, worker.ids);
      } else {
        look_up_long_piece(bytes, worker);
      }
      flush();
      out.insert(out.end(), worker.ids.begin(), worker.ids.end());
    }
    if (buffered >= kBuffer) flush();
  }
  flush();
}

void ByteLevelTokenizer::encode_by_character(std::string_view text, std::vector<TokenId>& out) const {
  for (size_t i = 0; i < text.size();) {
    base::CodePoint c = base::decode_utf8(text, i);
    auto known = c.valid && c.length > 1 ? characters_.find(c.value) : characters_.end();
    if (known != characters_.end()) {
      out.push_back(known->second);
    } else {
      for (size_t j = i; j < i + c.length; ++j) out.push_back(byte_ids_[static_cast<uint8_t>(text[j])]);
    }
    i += c.length;
  }
}

}  // namespace picochat::tokenizer
