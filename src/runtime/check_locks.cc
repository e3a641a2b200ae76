// SPDX-License-Identifier: Apache-2.0
// The library vole::check_locks. Linked into a program, its functions are found before the C
// library's by every module, and the scheduler is told before main.
//
// INVARIANTS
//   held lists the locks that the goroutine on this thread took since it was last switched to: the
//   switch empties it. So an unlock after that, here or elsewhere, finds nothing and is let be.
//   One report at a time (reporting); a place that was found meanwhile is found again.
// REJECTED  the same in shared libraries: the C library's functions are found before theirs, and
//           `held` is more than the loader keeps for the thread_locals of what is loaded later.
//           Keeping the locks with the goroutine: an unlock on another thread would have to look
//           for them there; what is wrong by then has been said.

#include "vole/check_locks.h"

#include <algorithm>
#include <cerrno>
#include <dlfcn.h>
#include <pthread.h>
#include <string>
#include <unistd.h>
#include <utility>

#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/internal/format.h"

#include "runtime/dump.h"
#include "runtime/own_stack.h"
#include "runtime/scheduler.h"
#include "runtime/signal.h"

namespace vole::internal {
namespace {

constexpr std::size_t depth_max = 24;
constexpr std::size_t held_max = 32;     // of one goroutine; more are not looked at
constexpr std::size_t places_max = 256;  // that are reported

struct held_lock {
  void const* lock;
  std::size_t depth;
  std::uintptr_t pcs[depth_max];  // where it was locked
};

struct held_locks {
  std::size_t count;
  held_lock all[held_max];
};

// Initial-exec: the first touch of another model may call malloc.
[[gnu::tls_model("initial-exec")]] constinit thread_local held_locks held{};

constinit atomic<bool> reporting{false};
constinit atomic<std::uint64_t> reports{0};
constinit atomic<std::uintptr_t> places[places_max]{};

struct finding {
  std::uint64_t id;
  std::uint64_t parent_id;
  std::uintptr_t created_by;
  goroutine_state state;
  wait_reason why;
  held_lock locked;
  std::size_t left_depth;
  std::uintptr_t left[depth_max];  // where it left its thread
};

char const* how(finding const& f) noexcept {
  switch (f.state) {
    case goroutine_state::dead:
      return "ends";
    case goroutine_state::parked:
      return to_text(f.why);
    case goroutine_state::blocking:
      return "blocking call";
    default:
      return "yield";
  }
}

void print(finding const& f) {
  std::string text = fmt::format(
      "vole: goroutine {} leaves its thread ({}) and holds a std::mutex or another pthread lock, "
      "{}: "
      "whoever wants it next stops a worker; a sync::mutex may be held there\n\nlocked at:\n",
      f.id, how(f), fmt::ptr(f.locked.lock));
  append_frames(text, f.locked.pcs, f.locked.depth);
  text += "\nleft its thread at:\n";
  append_frames(text, f.left, f.left_depth);
  append_creator(text, f.created_by, f.parent_id);
  text += '\n';
  write_all(STDERR_FILENO, text);
}

// Of the innermost callers: without inlining the first alone would be std::mutex::lock each time.
std::uintptr_t place_of(held_lock const& locked) noexcept {
  constexpr std::size_t callers = 8;
  std::uintptr_t hash = 1;
  for (std::size_t i = 0; i < std::min(locked.depth, callers); ++i) {
    hash = (hash ^ locked.pcs[i]) * 0x9e3779b97f4a7c15U;
  }
  return hash | 1;  // 0 is a free slot
}

// Whether the place is known by now, or there is no room for it.
bool known(std::uintptr_t place) noexcept {
  for (auto const& slot : places) {
    std::uintptr_t const at = slot.load(memory_order_relaxed);
    if (at == place) return true;
    if (at == 0) return false;
  }
  return true;
}

// The caller is the only one that reports.
void remember(std::uintptr_t place) noexcept {
  for (auto& slot : places) {
    if (slot.load(memory_order_relaxed) != 0) continue;
    slot.store(place, memory_order_relaxed);
    return;
  }
}

void report(goroutine& g, held_lock const& locked) noexcept {
  std::uintptr_t const place = place_of(locked);
  if (reporting.exchange(true)) return;
  if (known(place)) {
    reporting.store(false);
    return;
  }
  finding f{.id = g.id.load(memory_order_relaxed),
            .parent_id = g.parent_id.load(memory_order_relaxed),
            .created_by = reinterpret_cast<std::uintptr_t>(g.created_by.load(memory_order_relaxed)),
            .state = g.state.load(memory_order_relaxed),
            .why = g.why.load(memory_order_relaxed),
            .locked = locked,
            .left_depth = 0,
            .left = {}};
  remember(place);
  f.left_depth = unwind_own_stack(f.left, __builtin_return_address(0));
  // The reporter inherits nothing: a copy constructor of g's values might wait, and g has just said
  // what is to be done after its switch.
  local_values* const locals = std::exchange(g.locals, nullptr);
  std::errc const failure = try_go({.scheduling = scheduling_class::foreground}, [f] {
    blocking([&] { print(f); });
    reporting.store(false);
    reports.fetch_add(1);
  });
  g.locals = locals;
  if (failure != std::errc{}) reporting.store(false);
}

// left_by is the scheduler's check: g is about to leave the calling thread.
void left_by(goroutine& g) noexcept {
  std::size_t const count = std::exchange(held.count, 0);
  if (g.wired != nullptr) return;
  for (std::size_t i = 0; i < count; ++i) report(g, held.all[i]);
}

// taken notes a lock; `from` is where the function in front of it returns to.
[[gnu::noinline]] int taken(int result, void const* lock, void const* from) noexcept {
  if (result != 0 && result != EOWNERDEAD) return result;
  if (current_goroutine() == nullptr || held.count == held_max) return result;
  held_lock& h = held.all[held.count];
  h.lock = lock;
  h.depth = unwind_own_stack(h.pcs, from);
  ++held.count;
  return result;
}

[[gnu::constructor]] void check_from_now_on() {
  the_scheduler().check_switches(&left_by);
}

void given_back(void const* lock) noexcept {
  for (std::size_t i = held.count; i-- > 0;) {
    if (held.all[i].lock != lock) continue;
    for (; i + 1 < held.count; ++i) held.all[i] = held.all[i + 1];
    --held.count;
    return;
  }
}

// next is the function of that name that stands behind ours. A race ends with the same answer.
template <class F>
F* next(atomic<F*>& known_as, char const* name) noexcept {
  F* f = known_as.load(memory_order_relaxed);
  if (f == nullptr) {
    f = reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
    known_as.store(f, memory_order_relaxed);
  }
  return f;
}

}  // namespace
}  // namespace vole::internal

namespace vole::runtime {

std::uint64_t lock_reports() noexcept {
  return internal::reports.load();
}

}  // namespace vole::runtime

// --- in front of the C library ---

#pragma GCC visibility push(default)  // for the program's shared libraries too

#define VOLE_LOCKS(name, parameters, arguments)                                         \
  extern "C" int name parameters noexcept {                                             \
    static constinit vole::internal::atomic<int(*) parameters> known_as{nullptr};       \
    int const result = vole::internal::next<int parameters>(known_as, #name) arguments; \
    return vole::internal::taken(result, lock, __builtin_return_address(0));            \
  }
#define VOLE_UNLOCKS(name, lock_type)                                               \
  extern "C" int name(lock_type* lock) noexcept {                                   \
    static constinit vole::internal::atomic<int (*)(lock_type*)> known_as{nullptr}; \
    vole::internal::given_back(lock);                                               \
    return vole::internal::next<int(lock_type*)>(known_as, #name)(lock);            \
  }

VOLE_LOCKS(pthread_mutex_lock, (pthread_mutex_t * lock), (lock))
VOLE_LOCKS(pthread_mutex_trylock, (pthread_mutex_t * lock), (lock))
VOLE_LOCKS(pthread_mutex_timedlock, (pthread_mutex_t * lock, timespec const* until), (lock, until))
VOLE_LOCKS(pthread_mutex_clocklock,
           (pthread_mutex_t * lock, clockid_t clock, timespec const* until), (lock, clock, until))
VOLE_UNLOCKS(pthread_mutex_unlock, pthread_mutex_t)

VOLE_LOCKS(pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock))
VOLE_LOCKS(pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock))
VOLE_LOCKS(pthread_rwlock_tryrdlock, (pthread_rwlock_t * lock), (lock))
VOLE_LOCKS(pthread_rwlock_trywrlock, (pthread_rwlock_t * lock), (lock))
VOLE_LOCKS(pthread_rwlock_timedrdlock, (pthread_rwlock_t * lock, timespec const* until),
           (lock, until))
VOLE_LOCKS(pthread_rwlock_timedwrlock, (pthread_rwlock_t * lock, timespec const* until),
           (lock, until))
VOLE_LOCKS(pthread_rwlock_clockrdlock,
           (pthread_rwlock_t * lock, clockid_t clock, timespec const* until), (lock, clock, until))
VOLE_LOCKS(pthread_rwlock_clockwrlock,
           (pthread_rwlock_t * lock, clockid_t clock, timespec const* until), (lock, clock, until))
VOLE_UNLOCKS(pthread_rwlock_unlock, pthread_rwlock_t)

#pragma GCC visibility pop
