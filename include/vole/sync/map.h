// SPDX-License-Identifier: Apache-2.0
#pragma once
// sync::map: a hash map that many goroutines use at once. Reading takes no lock and writes nothing
// shared.
//
// INVARIANTS
//   - The hash chooses a shard by its upper bits and a slot by its lower ones. A slot is null
//   (never used), gone (was
//     used), or points to an immutable entry; probing is linear and ends at a null, of which there
//     always are some.
//   - Entries and tables that writers have unlinked are in limbo_ until no reader can see them.
// LOCKS     shard::mu guards all changes of its shard; readers take none; limbo_ is called without
//           it.
// ORDERING  a slot and a table pointer are stored with release after what they point to is
//           complete; readers load them
//           with acquire, under a read_pin.
// REJECTED  A lock per shard for readers too: its line travels between the cores, 25 ns a look-up
//           instead of 8.

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "vole/internal/epoch.h"
#include "vole/sync/mutex.h"

namespace vole::sync {

// map: for keys that are written once and read often, or goroutines that use disjoint keys. Else a
// mutex and a
// std::unordered_map are simpler and keep invariants across keys.
// Safety:  any goroutine or thread. Copying V, comparing and hashing K must not park.
// Memory:  what was replaced or erased is destroyed some writes later.
// Source:  Go sync.Map. Differs: typed; values are copied out (use a std::shared_ptr for large
// ones).
template <class K, std::copy_constructible V, class Hash = std::hash<K>,
          class Equal = std::equal_to<K>>
class map {
 public:
  map() = default;
  ~map();
  map(map const&) = delete;
  map& operator=(map const&) = delete;

  // load copies the value of a key; empty: there is none.
  std::optional<V> load(K const& key) const {
    std::size_t const hash = mix(hash_(key));
    internal::read_pin const pin;
    entry const* const found = find(shard_of(hash), hash, key);
    return found == nullptr ? std::optional<V>() : std::optional<V>(found->value);
  }

  // store sets the value of a key.
  void store(K key, V value) { static_cast<void>(put(std::move(key), std::move(value))); }

  // swap sets the value of a key and returns the one before.
  std::optional<V> swap(K key, V value) {
    std::optional<V> before;
    static_cast<void>(put(std::move(key), std::move(value), &before));
    return before;
  }

  // load_or_store returns the value there is and true, or stores the given one and returns it and
  // false.
  std::pair<V, bool> load_or_store(K key, V value);

  // load_and_delete removes a key and returns its value; erase only removes it and says whether it
  // was there.
  std::optional<V> load_and_delete(K const& key);
  bool erase(K const& key) { return remove(key, nullptr, nullptr); }

  // compare_and_swap stores desired, compare_and_delete removes, if the value of the key equals
  // expected.
  bool compare_and_swap(K const& key, V const& expected, V desired)
    requires std::equality_comparable<V>;
  bool compare_and_delete(K const& key, V const& expected)
    requires std::equality_comparable<V>
  {
    return remove(key, &expected, nullptr);
  }

  // range calls fn(key, value) for each entry until it returns false (a void fn: for all). No
  // snapshot: an entry that
  // comes or goes meanwhile may be seen or not, none twice. fn may use the map, and may park.
  template <class Fn>
    requires std::invocable<Fn&, K const&, V const&>
  void range(Fn&& fn) const;

  void clear();

 private:
  static constexpr std::size_t shards = 32;
  static constexpr std::size_t slots_min = 8;

  struct entry {
    std::size_t hash;
    K key;
    V value;
  };
  using slot = internal::atomic<entry*>;
  struct table {
    explicit table(std::size_t slots) : mask(slots - 1), entries(std::make_unique<slot[]>(slots)) {}
    std::size_t const mask;
    std::size_t used = 0;  // slots that are not null; guarded by the shard's lock
    std::unique_ptr<slot[]> const entries;
  };
  struct alignas(64) shard {
    internal::atomic<table*> current{nullptr};
    std::size_t live = 0;  // entries; guarded by mu
    internal::raw_mutex mu;
  };
  // What a change has unlinked, to be retired when the lock is gone.
  struct unlinked {
    entry* replaced = nullptr;
    table* outgrown = nullptr;
  };

  // The marker of a slot whose entry was removed.
  static entry* gone() noexcept { return reinterpret_cast<entry*>(alignof(entry)); }
  static std::size_t mix(std::size_t h) noexcept {
    std::uint64_t x = h * 0x9e3779b97f4a7c15ULL;  // std::hash of an integer is the integer
    return static_cast<std::size_t>(x ^ (x >> 32));
  }
  shard& shard_of(std::size_t hash) const noexcept {
    return shards_[hash >> (sizeof(hash) * 8 - 5)];
  }

  slot* find_slot(table const& t, std::size_t hash, K const& key) const;
  entry* find(shard const& s, std::size_t hash, K const& key) const;
  bool put(K key, V value, std::optional<V>* before = nullptr);
  bool remove(K const& key, V const* expected, std::optional<V>* before);
  void insert(shard& s, entry* fresh, unlinked& out);
  table* grown(shard const& s, table const* from) const;
  void retire(unlinked const& out);

  [[no_unique_address]] Hash hash_;
  [[no_unique_address]] Equal equal_;
  mutable std::array<shard, shards> shards_;
  internal::limbo limbo_{64};
};

}  // namespace vole::sync

#include "vole/internal/map_impl.h"
