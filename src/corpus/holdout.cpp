#include "picochat/corpus/holdout.hpp"

#include <algorithm>
#include <numeric>

namespace picochat::corpus {
namespace {

// The documents of smallest key that reach `wanted`. Documents of equal key (exact duplicates) go together.
HoldoutPlan plan_documents(std::span<const HoldoutDocument> documents, uint64_t wanted) {
  std::vector<size_t> order(documents.size());
  std::iota(order.begin(), order.end(), size_t{0});
  auto before = [&](size_t a, size_t b) { return documents[a].key != documents[b].key ? documents[a].key < documents[b].key : a < b; };
  std::sort(order.begin(), order.end(), before);
  HoldoutPlan plan;
  plan.by_document = true;
  for (size_t i = 0; i < order.size(); ++i) {
    const bool twin = i > 0 && documents[order[i]].key == documents[order[i - 1]].key;
    if (plan.tokens >= wanted && !twin) break;
    plan.documents.push_back(order[i]);
    plan.tokens += documents[order[i]].tokens;
  }
  std::sort(plan.documents.begin(), plan.documents.end());
  uint64_t position = 0;
  size_t next = 0;
  for (size_t i = 0; i < documents.size() && next < plan.documents.size(); ++i) {
    const uint64_t end = position + documents[i].tokens;
    if (plan.documents[next] == i) {
      plan.ranges.push_back({position, end, position, end});
      ++next;
    }
    position = end;
  }
  return plan;
}

// Up to eight blocks, each in the middle of its share of the stream. Fewer when the gaps would take
// more than a quarter of what is held out.
HoldoutPlan plan_blocks(uint64_t total, uint64_t wanted, uint64_t context) {
  HoldoutPlan plan;
  const uint64_t blocks = std::clamp<uint64_t>(context == 0 ? 8 : wanted / (8 * context), 1, 8);
  const uint64_t share = total / blocks, size = wanted / blocks;
  // What is left of each share must still hold a training window.
  if (size == 0 || size + 2 * context + context + 1 > share) return plan;
  for (uint64_t block = 0; block < blocks; ++block) {
    const uint64_t begin = block * share + (share - size) / 2;
    plan.ranges.push_back({begin, begin + size, begin - context, begin + size + context});
  }
  plan.tokens = blocks * size;
  plan.lost_tokens = blocks * 2 * context;
  return plan;
}

}  // namespace

HoldoutPlan plan_holdout(std::span<const HoldoutDocument> documents, uint64_t val_tokens, uint64_t context) {
  uint64_t total = 0;
  for (const auto& document : documents) total += document.tokens;
  const uint64_t wanted = std::min(val_tokens, static_cast<uint64_t>(kMaxHoldoutFraction * static_cast<double>(total)));
  if (wanted == 0) return {};
  if (documents.size() >= kMinHoldoutDocuments) {
    HoldoutPlan plan = plan_documents(documents, wanted);
    if (plan.tokens <= 2 * wanted) return plan;
    // One huge document would take far more than was asked for.
  }
  return plan_blocks(total, wanted, context);
}

}  // namespace picochat::corpus
