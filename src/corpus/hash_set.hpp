// A set of 64-bit hashes for counting distinct values of a large stream in bounded memory. It is cut
// into sub-tables by the top bits, so that growing one of them never doubles the whole.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace picochat::corpus {

// Entry is uint64_t, or uint32_t for half the memory: then 12 + 32 bits of the hash decide, and of n
// distinct values about n^2 / 2^45 are taken for one seen before (64 million: 120).
template <typename Entry>
class HashSet {
 public:
  explicit HashSet(size_t max_entries) : tables_(size_t{1} << kTableBits), max_entries_(max_entries) {}

  // Counts the value and says whether it is new. Past max_entries the set gives up: its memory goes, full()
  // stays true, and everything is new.
  bool add(uint64_t hash) {
    if (full_) return true;
    Table& table = tables_[hash >> (64 - kTableBits)];
    if (table.used * 4 >= table.slots.size() * 3) grow(table);
    // 0 marks a free slot; a hash that ends in zeros is counted as its neighbour 1.
    Entry entry = static_cast<Entry>(hash);
    if (entry == 0) entry = 1;
    if (!insert(table.slots, entry)) return false;
    ++table.used;
    if (++size_ > max_entries_) give_up();
    return true;
  }

  void prefetch(uint64_t hash) const {
    const Table& table = tables_[hash >> (64 - kTableBits)];
    if (!table.slots.empty()) __builtin_prefetch(&table.slots[slot_of(static_cast<Entry>(hash), table.slots.size())]);
  }

  // Adds many, with the memory accesses of the next ones already under way.
  void add_all(const std::vector<uint64_t>& hashes) {
    if (full_) return;
    constexpr size_t kAhead = 12;
    for (size_t i = 0; i < hashes.size() && !full_; ++i) {
      if (i + kAhead < hashes.size()) prefetch(hashes[i + kAhead]);
      add(hashes[i]);
    }
  }

  bool full() const { return full_; }
  size_t size() const { return size_; }

 private:
  static constexpr int kTableBits = 12;
  struct Table {
    std::vector<Entry> slots;
    size_t used = 0;
  };

  static size_t slot_of(Entry entry, size_t slots) { return (static_cast<uint64_t>(entry) * 0x9E3779B97F4A7C15u >> 20) & (slots - 1); }

  static bool insert(std::vector<Entry>& slots, Entry entry) {
    size_t i = slot_of(entry, slots.size());
    for (; slots[i] != 0; i = (i + 1) & (slots.size() - 1))
      if (slots[i] == entry) return false;
    slots[i] = entry;
    return true;
  }

  static void grow(Table& table) {
    std::vector<Entry> larger(table.slots.empty() ? 16 : table.slots.size() * 2, Entry{0});
    for (Entry entry : table.slots)
      if (entry != 0) insert(larger, entry);
    table.slots = std::move(larger);
  }

  void give_up() {
    full_ = true;
    std::vector<Table>().swap(tables_);
  }

  std::vector<Table> tables_;
  size_t max_entries_, size_ = 0;
  bool full_ = false;
};

}  // namespace picochat::corpus
