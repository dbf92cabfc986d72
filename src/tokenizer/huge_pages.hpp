// Vectors in pages of 2 MiB where the system has them. Hash tables of many megabytes are read at random,
// and with small pages the walk through the page table costs more than the memory itself.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <new>
#include <vector>

namespace picochat::tokenizer {

template <typename T>
struct HugeAllocator {
  using value_type = T;
  HugeAllocator() = default;
  template <typename U>
  HugeAllocator(const HugeAllocator<U>&) {}

  static constexpr size_t kPage = size_t{2} << 20;
  static size_t size_of(size_t count) {
    if (count > (~size_t{0} - kPage) / sizeof(T)) throw std::bad_array_new_length();
    return (count * sizeof(T) + kPage - 1) / kPage * kPage;
  }

  T* allocate(size_t count) {
    if (count * sizeof(T) < kPage) return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t(64)));
    void* memory = std::aligned_alloc(kPage, size_of(count));
    if (!memory) throw std::bad_alloc();
    ::madvise(memory, size_of(count), MADV_HUGEPAGE);  // a wish: without it everything works, slower
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t count) {
    if (count * sizeof(T) < kPage) ::operator delete(memory, std::align_val_t(64));
    else std::free(memory);
  }
  friend bool operator==(const HugeAllocator&, const HugeAllocator&) { return true; }
};

template <typename T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace picochat::tokenizer
