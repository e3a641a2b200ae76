// SPDX-License-Identifier: Apache-2.0
// INVARIANTS  a table belongs to one goroutine, or one thread, and is touched by it alone. Keys are
//             never used again, so a value that outlives its goroutine_local is found by nobody.

#include "vole/goroutine_local.h"

#include <vector>

#include "vole/internal/atomic.h"

#include "runtime/goroutine_local.h"

namespace vole::internal {

struct local_values {
  struct entry {
    std::uint64_t key;
    void* value;
    local_operations const* with;
  };
  std::vector<entry> entries;

  local_values() = default;
  local_values(local_values const&) = delete;
  local_values& operator=(local_values const&) = delete;
  ~local_values() {
    for (entry const& e : entries) e.with->destroy(e.value);
  }

  entry* find(std::uint64_t key) noexcept {
    for (entry& e : entries) {
      if (e.key == key) return &e;
    }
    return nullptr;
  }
};

namespace {

constinit atomic<std::uint64_t> last_key{0};

local_values* own_values(bool make) {
  if (goroutine* const g = current_goroutine()) {
    if (g->locals == nullptr && make) g->locals = new local_values;
    return g->locals;
  }
  static thread_local local_values of_thread;
  return &of_thread;
}

}  // namespace

std::uint64_t new_local_key() noexcept {
  return last_key.fetch_add(1, memory_order_relaxed) + 1;
}

void* local_find(std::uint64_t key) noexcept {
  local_values* const values = own_values(false);
  if (values == nullptr) return nullptr;
  local_values::entry const* const found = values->find(key);
  return found == nullptr ? nullptr : found->value;
}

void local_put(std::uint64_t key, void* value, local_operations const& with) {
  local_values& values = *own_values(true);
  if (local_values::entry* const found = values.find(key)) {
    found->with->destroy(std::exchange(found->value, value));
    return;
  }
  values.entries.push_back({key, value, &with});
}

local_values* inherit_locals(goroutine const& parent) {
  local_values* child = nullptr;
  for (local_values::entry const& e : parent.locals->entries) {
    if (e.with->copy == nullptr) continue;
    if (child == nullptr) child = new local_values;
    child->entries.push_back({e.key, e.with->copy(e.value), e.with});
  }
  return child;
}

void destroy_locals(goroutine& self) noexcept {
  while (local_values* const values = std::exchange(self.locals, nullptr)) delete values;
}

}  // namespace vole::internal
