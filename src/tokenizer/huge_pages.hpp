// Vectors in pages of 2 MiB where the system has them. Hash tables of many megabytes are read at random,
// and with small pages the walk through the page table costs more than the memory itself. They are mapped
// one by one, so that a table that has grown leaves nothing of its smaller self behind in the heap.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <vector>

namespace picochat::tokenizer {

template <typename T>
struct HugeAllocator {
  using value_type = T;
  HugeAllocator() = default;
  template <typename U>
  HugeAllocator(const HugeAllocator<U>&) {}

  static constexpr size_t kPage = size_t{2} << 20, kSmallPage = 4096, kLeastMapped = size_t{64} << 10;
  static bool is_mapped(size_t count) { return count * sizeof(T) >= kLeastMapped; }
  static size_t size_of(size_t count) {
    if (count > (~size_t{0} - 2 * kPage) / sizeof(T)) throw std::bad_array_new_length();
    const size_t page = count * sizeof(T) < kPage ? kSmallPage : kPage;
    return (count * sizeof(T) + page - 1) / page * page;
  }

  T* allocate(size_t count) {
    const size_t size = size_of(count);
    if (!is_mapped(count)) return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t(64)));
    if (size < kPage) return reinterpret_cast<T*>(map(size));
    const size_t room = size + kPage;
    char* const begin = map(room);
    const size_t before = (kPage - reinterpret_cast<uintptr_t>(begin) % kPage) % kPage;
    if (before) ::munmap(begin, before);
    if (room - before > size) ::munmap(begin + before + size, room - before - size);
    ::madvise(begin + before, size, MADV_HUGEPAGE);  // a wish: without it everything works, slower
    return reinterpret_cast<T*>(begin + before);
  }
  void deallocate(T* memory, size_t count) {
    if (is_mapped(count)) ::munmap(memory, size_of(count));
    else ::operator delete(memory, std::align_val_t(64));
  }

 private:
  static char* map(size_t size) {
    void* const mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    return static_cast<char*>(mapped);
  }

 public:
  friend bool operator==(const HugeAllocator&, const HugeAllocator&) { return true; }
};

template <typename T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace picochat::tokenizer
