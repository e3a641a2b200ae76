// SPDX-License-Identifier: Apache-2.0

#include "runtime/stack_table.h"

#include <algorithm>
#include <new>
#include <sys/mman.h>

namespace vole::internal {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{256} << 10;

std::uint64_t hash_of(std::span<std::uintptr_t const> pcs, std::uint64_t tag) noexcept {
  std::uint64_t h = tag ^ 0xcbf29ce484222325;
  for (std::uintptr_t const pc : pcs) {
    h = (h ^ pc) * 0x9e3779b97f4a7c15;
    h ^= h >> 29;
  }
  return h;
}

}  // namespace

stack_bucket& stack_table::at(std::span<std::uintptr_t const> pcs, std::uint64_t tag) noexcept {
  std::uint64_t const hash = hash_of(pcs, tag);
  stack_bucket*& head = heads_[hash % heads_count];
  for (stack_bucket* b = head; b != nullptr; b = b->next) {
    if (b->hash == hash && b->tag == tag && std::ranges::equal(b->stack(), pcs)) return *b;
  }
  void* const room = take(sizeof(stack_bucket) + pcs.size_bytes(),
                          pcs.empty() ? bytes_max : bytes_max - chunk_bytes);
  if (room == nullptr) return pcs.empty() ? overflow_ : at({}, tag);
  auto* const made = ::new (room) stack_bucket;
  auto* const kept = reinterpret_cast<std::uintptr_t*>(made + 1);
  std::ranges::copy(pcs, kept);
  made->next = head;
  made->hash = hash;
  made->tag = tag;
  made->depth = static_cast<std::uint32_t>(pcs.size());
  made->pcs = kept;
  head = made;
  ++size_;
  return *made;
}

void* stack_table::take(std::size_t bytes, std::size_t most) noexcept {
  // The chunk that is kept back lies beyond what others may use, also of what is left in it.
  if (bytes > chunk_left_ || bytes_ > most) {
    if (bytes_ + chunk_bytes > most) return nullptr;
    void* const fresh =
        ::mmap(nullptr, chunk_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED) return nullptr;
    chunk_ = static_cast<char*>(fresh);
    chunk_left_ = chunk_bytes;
    bytes_ += chunk_bytes;
  }
  char* const room = chunk_;
  chunk_ += bytes;
  chunk_left_ -= bytes;
  return room;
}

}  // namespace vole::internal
