#include "serve/row_cache.hpp"

#include <algorithm>

namespace picochat::serve {

using tokenizer::TokenId;

RowCache::RowCache(model::Decoder& decoder) : decoder_(decoder), rows_(static_cast<size_t>(decoder.max_rows())) {}

size_t RowCache::shared_with(const Row& row, std::span<const TokenId> prompt) const {
  const size_t most = std::min(row.tokens.size(), prompt.size() - 1);
  return static_cast<size_t>(std::mismatch(prompt.begin(), prompt.begin() + static_cast<ptrdiff_t>(most), row.tokens.begin()).first - prompt.begin());
}

std::optional<RowCache::Place> RowCache::take(std::span<const TokenId> prompt, bool fresh) {
  constexpr size_t kWorthCopying = 8;
  size_t best = 0, shared = 0;
  std::optional<size_t> oldest;
  for (size_t r = 0; r < rows_.size(); ++r) {
    if (!rows_[r].used && (!oldest || rows_[r].released < rows_[*oldest].released)) oldest = r;
    const size_t found = fresh ? 0 : shared_with(rows_[r], prompt);
    if (found > shared) shared = found, best = r;
  }
  if (!oldest) return {};
  size_t row = *oldest;
  // A row that is continued is taken as it is. One that only begins alike (the same system turn) stays for its own
  // conversation, and what is shared is copied.
  if (shared > 0 && !rows_[best].used && shared == rows_[best].tokens.size()) row = best;
  else if (shared < kWorthCopying) shared = row == best ? shared : 0;
  else if (row != best) decoder_.copy_row(static_cast<int64_t>(best), static_cast<int64_t>(row));
  decoder_.truncate(static_cast<int64_t>(row), static_cast<int64_t>(shared));
  rows_[row].tokens.assign(prompt.begin(), prompt.begin() + static_cast<ptrdiff_t>(shared));
  rows_[row].used = true;
  return Place{static_cast<int64_t>(row), shared};
}

void RowCache::ran(int64_t row, std::span<const TokenId> tokens) {
  auto& held = rows_[static_cast<size_t>(row)].tokens;
  held.insert(held.end(), tokens.begin(), tokens.end());
}

void RowCache::clear(int64_t row) {
  decoder_.reset(row);
  rows_[static_cast<size_t>(row)].tokens.clear();
}

void RowCache::release(int64_t row) {
  rows_[static_cast<size_t>(row)].used = false;
  rows_[static_cast<size_t>(row)].released = ++releases_;
}

}  // namespace picochat::serve
