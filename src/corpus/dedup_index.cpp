#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/dedup.hpp"

namespace picochat::corpus {
namespace {

// An open-addressing multimap from 64-bit keys to documents, cut into sub-tables by the keys' top bits so
// that growing one never doubles the whole. A slot keeps Tag bits of the key.
template <typename Tag>
class KeyTable {
 public:
  KeyTable() : tables_(size_t{1} << kTableBits) {}

  // Calls found(document) for each entry of the key, in the order in which they were inserted.
  template <typename Found>
  void each(uint64_t key, Found found) const {
    const Table& table = tables_[key >> (64 - kTableBits)];
    if (table.slots.empty()) return;
    const size_t mask = table.slots.size() - 1;
    for (size_t i = slot_of(key) & mask; table.slots[i].document != kFree; i = (i + 1) & mask)
      if (table.slots[i].tag == static_cast<Tag>(key)) found(table.slots[i].document);
  }

  void insert(uint64_t key, uint32_t document) {
    Table& table = tables_[key >> (64 - kTableBits)];
    if ((table.used + 1) * 5 > table.slots.size() * 4) grow(table);
    place(table.slots, key, document);
    ++table.used;
  }

  void prefetch(uint64_t key) const {
    const Table& table = tables_[key >> (64 - kTableBits)];
    if (!table.slots.empty()) __builtin_prefetch(&table.slots[slot_of(key) & (table.slots.size() - 1)]);
  }

 private:
  static constexpr int kTableBits = 12;
  static constexpr uint32_t kFree = UINT32_MAX;
  struct Slot {
    Tag tag = 0;
    uint32_t document = kFree;
  } __attribute__((packed));
  struct Table {
    std::vector<Slot> slots;
    size_t used = 0;
  };

  // By the tag alone, so that slots can be placed anew when a table grows.
  static size_t slot_of(uint64_t key) { return static_cast<size_t>((static_cast<uint64_t>(static_cast<Tag>(key)) * 0x9E3779B97F4A7C15u) >> 24); }

  static void place(std::vector<Slot>& slots, uint64_t key, uint32_t document) {
    const size_t mask = slots.size() - 1;
    size_t i = slot_of(key) & mask;
    while (slots[i].document != kFree) i = (i + 1) & mask;
    slots[i].tag = static_cast<Tag>(key);
    slots[i].document = document;
  }

  // Entries of one key keep their order: slots are walked from a free one on, which no run crosses.
  static void grow(Table& table) {
    std::vector<Slot> larger(table.slots.empty() ? 16 : table.slots.size() * 2);
    size_t start = 0;
    while (start < table.slots.size() && table.slots[start].document != kFree) ++start;
    for (size_t k = 0; k < table.slots.size(); ++k) {
      const Slot slot = table.slots[(start + k) & (table.slots.size() - 1)];
      if (slot.document != kFree) place(larger, slot.tag, slot.document);
    }
    table.slots = std::move(larger);
  }

  std::vector<Table> tables_;
};

// Sketches by number: the first in memory, the others in a file without a name, which goes with the process.
class SketchStore {
 public:
  using Values = decltype(DocumentSketch::values);
  explicit SketchStore(size_t in_memory) : in_memory_(in_memory) {}
  ~SketchStore() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  SketchStore(const SketchStore&) = delete;
  SketchStore& operator=(const SketchStore&) = delete;

  void add(const Values& values) {
    if (size_ < in_memory_) {
      if (size_ % kBlock == 0) blocks_.push_back(std::make_unique<Values[]>(kBlock));
      blocks_.back()[size_ % kBlock] = values;
    } else {
      waiting_.push_back(values);
      if (waiting_.size() == kBlock) write_waiting();
    }
    ++size_;
  }

  Values get(size_t number) const {
    if (number < in_memory_) return blocks_[number / kBlock][number % kBlock];
    const size_t outside = number - in_memory_;
    if (outside >= written_) return waiting_[outside - written_];
    Values values;
    const ssize_t got = ::pread(descriptor_, values.data(), sizeof(values), static_cast<off_t>(outside * sizeof(values)));
    if (got != static_cast<ssize_t>(sizeof(values))) fail("reading the temporary file of sketches failed");
    return values;
  }

 private:
  static constexpr size_t kBlock = 4096;

  [[noreturn]] static void fail(const char* what) {
    throw base::environment_error({.what = base::cat(what, ": ", std::strerror(errno)), .where = folder(),
                                   .remedy = "free some space there, or point TMPDIR at a larger disk"});
  }
  static std::string folder() {
    const char* given = std::getenv("TMPDIR");
    return given && *given ? given : "/tmp";
  }

  void write_waiting() {
    if (descriptor_ < 0) {
      std::string path = folder() + "/picochat-sketches-XXXXXX";
      descriptor_ = ::mkstemp(path.data());
      if (descriptor_ < 0) fail("cannot create a temporary file");
      ::unlink(path.c_str());
    }
    const char* bytes = reinterpret_cast<const char*>(waiting_.data());
    size_t size = waiting_.size() * sizeof(Values);
    off_t offset = static_cast<off_t>(written_ * sizeof(Values));
    while (size > 0) {
      const ssize_t count = ::pwrite(descriptor_, bytes, size, offset);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) fail("writing the temporary file of sketches failed");
      bytes += count, size -= static_cast<size_t>(count), offset += count;
    }
    written_ += waiting_.size();
    waiting_.clear();
  }

  const size_t in_memory_;
  size_t size_ = 0, written_ = 0;
  std::vector<std::unique_ptr<Values[]>> blocks_;
  std::vector<Values> waiting_;
  int descriptor_ = -1;
};

}  // namespace

struct ExactIndex::Tables {
  KeyTable<uint64_t> table;
  std::vector<int64_t> documents;
};

ExactIndex::ExactIndex() : tables_(std::make_unique<Tables>()) {}
ExactIndex::~ExactIndex() = default;

std::optional<Duplicate> ExactIndex::add(int64_t document, uint64_t normalized_hash) {
  std::optional<Duplicate> found;
  tables_->table.each(normalized_hash, [&](uint32_t number) {
    if (!found) found = Duplicate{tables_->documents[number], 1};
  });
  if (found) return found;
  base::require(tables_->documents.size() < UINT32_MAX, "fewer than four billion documents");
  tables_->table.insert(normalized_hash, static_cast<uint32_t>(tables_->documents.size()));
  tables_->documents.push_back(document);
  return {};
}

struct NearIndex::State {
  explicit State(const Options& given) : options(given), sketches(given.sketches_in_memory) {}
  Options options;
  KeyTable<uint32_t> table;  // all bands: the band is part of its key
  SketchStore sketches;
  std::vector<int64_t> documents;  // by number in the index
  int64_t checked = 0;
  bool full = false;
};

NearIndex::NearIndex(const Options& options) : state_(std::make_unique<State>(options)) {}
NearIndex::~NearIndex() = default;
NearIndex::NearIndex(NearIndex&&) noexcept = default;
int64_t NearIndex::checked() const { return state_->checked; }
bool NearIndex::full() const { return state_->full; }

std::optional<Duplicate> NearIndex::add(int64_t document, const DocumentSketch& sketch) {
  // A key that many documents share names boilerplate: its first entries stand for it.
  constexpr int kPerKey = 4;
  State& s = *state_;
  if (s.documents.size() >= s.options.max_documents) {
    s.full = true;
    return {};
  }
  ++s.checked;
  for (const uint64_t key : sketch.bands) s.table.prefetch(key);
  std::array<int, DocumentSketch::kBands> entries{};
  std::array<uint32_t, DocumentSketch::kBands * kPerKey> seen;
  size_t candidates = 0;
  std::optional<Duplicate> best;
  DocumentSketch other;
  for (size_t band = 0; band < sketch.bands.size(); ++band) {
    s.table.each(sketch.bands[band], [&](uint32_t number) {
      if (++entries[band] > kPerKey) return;
      for (size_t i = 0; i < candidates; ++i)
        if (seen[i] == number) return;
      seen[candidates++] = number;
      other.values = s.sketches.get(number);
      const double similarity = estimated_similarity(sketch, other);
      if (similarity >= s.options.threshold && (!best || similarity > best->similarity)) best = Duplicate{s.documents[number], similarity};
    });
  }
  if (best) return best;
  const auto number = static_cast<uint32_t>(s.documents.size());
  for (size_t band = 0; band < sketch.bands.size(); ++band)
    if (entries[band] < kPerKey) s.table.insert(sketch.bands[band], number);
  s.sketches.add(sketch.values);
  s.documents.push_back(document);
  return {};
}

}  // namespace picochat::corpus
