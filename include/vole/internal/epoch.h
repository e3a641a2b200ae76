// SPDX-License-Identifier: Apache-2.0
#pragma once
// Memory that readers use without a lock: a reader pins the epoch while it reads, a writer that has
// unlinked an object
// puts it in limbo and frees it when no pin is old enough to have seen it.
//
// INVARIANTS
//   - A pin is held by one thread without parking in between, so the pins of a worker are written
//   by its thread alone.
//   - An object in limbo, tagged with epoch e, was unreachable before the epoch became e + 1; it is
//   freed when every
//     pinned epoch is greater than e.
// LOCKS     limbo has its own, a leaf; deleters run without it. Pins take none.
// ORDERING  A pin is a plain store: the collector pays for both sides with membarrier(2). Where the
//           kernel has no
//           membarrier the pin is a sequentially consistent exchange, see epoch.cc.
// Source:   Fraser, "Practical lock-freedom", epoch-based reclamation; the asymmetric barrier as in
// userspace RCU.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vole/internal/atomic.h"
#include "vole/internal/raw_mutex.h"

namespace vole::internal {

// One thread's pin; depth counts nested pins and is the owner's alone.
struct alignas(64) epoch_slot {
  atomic<std::uint64_t> pinned{0};  // the epoch seen at the outermost pin; 0: none
  std::uint32_t depth = 0;
  bool guest = false;  // taken for this pin by a thread that is no worker
};

epoch_slot& epoch_pin() noexcept;
void epoch_unpin(epoch_slot& slot) noexcept;

// read_pin keeps what its scope reads alive. The scope must not park.
class read_pin {
 public:
  read_pin() noexcept : slot_(epoch_pin()) {}
  ~read_pin() { epoch_unpin(slot_); }
  read_pin(read_pin const&) = delete;
  read_pin& operator=(read_pin const&) = delete;

 private:
  epoch_slot& slot_;
};

// limbo holds what one container has unlinked until no reader can see it. Its destructor frees the
// rest: by then
// nobody reads the container.
class limbo {
 public:
  using deleter = void (*)(void*);

  // Collects whenever `batch` objects have come together.
  explicit limbo(std::size_t batch) noexcept : batch_(batch), collect_at_(batch) {}
  ~limbo();
  limbo(limbo const&) = delete;
  limbo& operator=(limbo const&) = delete;

  // retire takes over an object that no new reader can reach. The caller holds no lock that a
  // deleter might take.
  void retire(void* object, deleter free);

 private:
  struct entry {
    std::uint64_t epoch;
    void* object;
    deleter free;
  };

  std::size_t const batch_;
  raw_mutex mu_;
  std::vector<entry> entries_ VOLE_GUARDED_BY(mu_);
  std::size_t collect_at_ VOLE_GUARDED_BY(mu_);
};

}  // namespace vole::internal
