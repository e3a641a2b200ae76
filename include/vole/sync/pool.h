// SPDX-License-Identifier: Apache-2.0
#pragma once
// sync::pool keeps objects that are expensive to make for their next use.
//
// INVARIANTS  an object is in a magazine, in the depot, or out with a user. A worker's magazine is
//             touched by the thread of that worker alone, between two points at which it could
//             park, while busy is set and trimming_ was not; or by who trims, while it is the other
//             way round. Neither waits for the other.
// LOCKS       pool_core::mu_ guards the depot and is held while trimming_ is set; a leaf.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "vole/internal/atomic.h"
#include "vole/internal/raw_mutex.h"

namespace vole {

namespace internal {

struct garbage;
class reclaimer;
enum class relief : std::uint8_t;

// pool_core is a pool of untyped objects.
class pool_core {
 public:
  explicit pool_core(void (*destroy)(void*));
  ~pool_core();
  pool_core(pool_core const&) = delete;
  pool_core& operator=(pool_core const&) = delete;

  void* get() noexcept;  // null: empty
  void put(void* object) noexcept;
  void trim() noexcept;

 private:
  static constexpr std::size_t magazine_size = 16;
  static constexpr std::size_t magazines_max = 256;  // workers with a higher number use the depot
  static constexpr std::size_t depot_max = 1024;

  struct alignas(64) magazine {
    atomic<bool> busy{false};
    bool touched = false;  // since the pool was last asked for what is unused
    std::size_t count = 0;
    void* objects[magazine_size];
  };

  void collect(relief need, std::vector<garbage>& idle) noexcept;
  magazine* own_magazine() noexcept;
  magazine* make_magazine(std::size_t index) noexcept;
  magazine* enter() noexcept;
  void touch(magazine* own) noexcept;
  static void leave(magazine* own) noexcept;
  void* refill(magazine* own) noexcept;
  std::size_t flush(magazine* own, void* object, void** surplus) noexcept;

  void (*const destroy_)(void*);
  std::unique_ptr<reclaimer> reclaimer_;  // first to go
  // Made once per worker that comes by, freed with the pool.
  atomic<atomic<magazine*>*> magazines_{nullptr};
  atomic<bool> trimming_{false};
  raw_mutex mu_;
  std::size_t depot_count_ VOLE_GUARDED_BY(mu_) = 0;
  std::size_t depot_low_ VOLE_GUARDED_BY(mu_) = 0;  // the least since it was last asked
  std::size_t depot_room_ VOLE_GUARDED_BY(mu_) = 0;
  void** depot_ VOLE_GUARDED_BY(mu_) = nullptr;
};

template <class T>
struct make_default {
  std::unique_ptr<T> operator()() const { return std::make_unique<T>(); }
};

}  // namespace internal

namespace sync {

// pool hands out objects and takes them back as they are: whoever gets one must reset it.
//   sync::pool<std::string> buffers;                       auto b = buffers.get();  b->clear();
//   sync::pool frames([] { return std::make_unique<frame>(64 << 10); });
// Safety:  any goroutine or thread; the pool outlives what it has handed out.
// Cost:    a few ns, no lock in the common case.
// Memory:  at most 16 idle objects per worker and 1,024 shared ones. What nobody has needed for ten
//          seconds goes; all go when the kernel reports that the process (its control group) waits
//          for memory.
// Source:  Go sync.Pool. Differs: get() returns an owner that puts the object back; what is idle is
//          bounded by number and by need, not dropped by a collector.
template <class T, class Make = internal::make_default<T>>
class pool {
  struct put_back {
    pool* owner = nullptr;
    void operator()(T* object) const noexcept { owner->core_.put(object); }
  };

 public:
  // item owns an object until it goes back to the pool. item.release() keeps it out: then it must
  // be deleted.
  using item = std::unique_ptr<T, put_back>;

  pool()
    requires std::default_initializable<Make>
  = default;
  explicit pool(Make make) : make_(std::move(make)) {}

  item get() {
    void* const object = core_.get();
    return item(object != nullptr ? static_cast<T*>(object) : make_().release(), put_back{this});
  }

  // put adds an object that did not come from get().
  void put(std::unique_ptr<T> object) noexcept {
    if (object != nullptr) core_.put(object.release());
  }

  // trim destroys what is idle, but for what some worker is just getting or putting.
  void trim() noexcept { core_.trim(); }

 private:
  [[no_unique_address]] Make make_;
  internal::pool_core core_{[](void* object) { delete static_cast<T*>(object); }};
};

template <class Make>
pool(Make) -> pool<typename std::invoke_result_t<Make&>::element_type, Make>;

}  // namespace sync
}  // namespace vole
