// SPDX-License-Identifier: Apache-2.0
#pragma once
// The body of sync::map; see vole/sync/map.h for its invariants and locks.

#include "vole/sync/map.h"

namespace vole::sync {

template <class K, std::copy_constructible V, class Hash, class Equal>
map<K, V, Hash, Equal>::~map() {
  for (shard& s : shards_) {
    table* const t = s.current.load(internal::memory_order_relaxed);
    if (t == nullptr) continue;
    for (std::size_t i = 0; i <= t->mask; ++i) {
      entry* const e = t->entries[i].load(internal::memory_order_relaxed);
      if (e != gone()) delete e;
    }
    delete t;
  }
}

// find_slot returns the slot that holds the key, or null. The caller holds a pin or the shard's
// lock.
template <class K, std::copy_constructible V, class Hash, class Equal>
auto map<K, V, Hash, Equal>::find_slot(table const& t, std::size_t hash, K const& key) const
    -> slot* {
  for (std::size_t i = hash & t.mask;; i = (i + 1) & t.mask) {
    entry* const e = t.entries[i].load(internal::memory_order_acquire);  // pairs with insert, put
    if (e == nullptr) return nullptr;
    if (e != gone() && e->hash == hash && equal_(e->key, key)) return &t.entries[i];
  }
}

template <class K, std::copy_constructible V, class Hash, class Equal>
auto map<K, V, Hash, Equal>::find(shard const& s, std::size_t hash, K const& key) const -> entry* {
  table const* const t = s.current.load(internal::memory_order_acquire);  // pairs with insert
  if (t == nullptr) return nullptr;
  for (std::size_t i = hash & t->mask;; i = (i + 1) & t->mask) {
    // One load of the slot: it may change at any moment. pairs with insert, put
    entry* const e = t->entries[i].load(internal::memory_order_acquire);
    if (e == nullptr) return nullptr;
    if (e != gone() && e->hash == hash && equal_(e->key, key)) return e;
  }
}

// grown is a copy of the shard's table without the gone slots, at most half full after one more
// entry.
template <class K, std::copy_constructible V, class Hash, class Equal>
auto map<K, V, Hash, Equal>::grown(shard const& s, table const* from) const -> table* {
  std::size_t slots = slots_min;
  while (slots < (s.live + 1) * 3) slots *= 2;
  auto* const to = new table(slots);
  for (std::size_t i = 0; from != nullptr && i <= from->mask; ++i) {
    entry* const e = from->entries[i].load(internal::memory_order_relaxed);
    if (e == nullptr || e == gone()) continue;
    std::size_t at = e->hash & to->mask;
    while (to->entries[at].load(internal::memory_order_relaxed) != nullptr) {
      at = (at + 1) & to->mask;
    }
    to->entries[at].store(e, internal::memory_order_relaxed);
    ++to->used;
  }
  return to;
}

// insert adds an entry whose key is not there. The caller holds the shard's lock.
template <class K, std::copy_constructible V, class Hash, class Equal>
void map<K, V, Hash, Equal>::insert(shard& s, entry* fresh, unlinked& out) {
  table* t = s.current.load(internal::memory_order_relaxed);
  if (t == nullptr || (t->used + 1) * 2 > t->mask + 1) {
    table* const bigger = grown(s, t);
    out.outgrown = t;
    t = bigger;
    s.current.store(t, internal::memory_order_release);  // pairs with find, range
  }
  std::size_t i = fresh->hash & t->mask;
  while (t->entries[i].load(internal::memory_order_relaxed) != nullptr) i = (i + 1) & t->mask;
  t->entries[i].store(fresh, internal::memory_order_release);  // pairs with find, range
  ++t->used;
  ++s.live;
}

template <class K, std::copy_constructible V, class Hash, class Equal>
bool map<K, V, Hash, Equal>::put(K key, V value, std::optional<V>* before) {
  std::size_t const hash = mix(hash_(key));
  shard& s = shard_of(hash);
  entry* const fresh = new entry{hash, std::move(key), std::move(value)};
  unlinked out;
  {
    internal::raw_lock const lock(s.mu);
    table* const t = s.current.load(internal::memory_order_relaxed);
    slot* const at = t == nullptr ? nullptr : find_slot(*t, hash, fresh->key);
    if (at == nullptr) {
      insert(s, fresh, out);
    } else {
      out.replaced = at->load(internal::memory_order_relaxed);
      at->store(fresh, internal::memory_order_release);  // pairs with find, range
    }
  }
  if (before != nullptr && out.replaced != nullptr) before->emplace(out.replaced->value);
  retire(out);
  return out.replaced != nullptr;
}

template <class K, std::copy_constructible V, class Hash, class Equal>
std::pair<V, bool> map<K, V, Hash, Equal>::load_or_store(K key, V value) {
  std::size_t const hash = mix(hash_(key));
  shard& s = shard_of(hash);
  {
    internal::read_pin const pin;
    if (entry const* const found = find(s, hash, key)) return {found->value, true};
  }
  auto fresh = std::make_unique<entry>(entry{hash, std::move(key), value});
  unlinked out;
  {
    internal::read_pin const pin;  // keeps what is found until it is copied, after the lock
    entry* found = nullptr;
    {
      internal::raw_lock const lock(s.mu);
      found = find(s, hash, fresh->key);
      if (found == nullptr) insert(s, fresh.release(), out);
    }
    if (found != nullptr) return {found->value, true};
  }
  retire(out);
  return {std::move(value), false};
}

template <class K, std::copy_constructible V, class Hash, class Equal>
std::optional<V> map<K, V, Hash, Equal>::load_and_delete(K const& key) {
  std::optional<V> before;
  remove(key, nullptr, &before);
  return before;
}

template <class K, std::copy_constructible V, class Hash, class Equal>
bool map<K, V, Hash, Equal>::remove(K const& key, V const* expected, std::optional<V>* before) {
  std::size_t const hash = mix(hash_(key));
  shard& s = shard_of(hash);
  unlinked out;
  {
    internal::raw_lock const lock(s.mu);
    table* const t = s.current.load(internal::memory_order_relaxed);
    slot* const at = t == nullptr ? nullptr : find_slot(*t, hash, key);
    if (at == nullptr) return false;
    entry* const e = at->load(internal::memory_order_relaxed);
    if constexpr (std::equality_comparable<V>) {
      if (expected != nullptr && !(e->value == *expected)) return false;
    }
    at->store(gone(), internal::memory_order_release);  // pairs with find, range
    --s.live;
    out.replaced = e;
  }
  if (before != nullptr) before->emplace(out.replaced->value);
  retire(out);
  return true;
}

template <class K, std::copy_constructible V, class Hash, class Equal>
bool map<K, V, Hash, Equal>::compare_and_swap(K const& key, V const& expected, V desired)
  requires std::equality_comparable<V>
{
  std::size_t const hash = mix(hash_(key));
  shard& s = shard_of(hash);
  auto fresh = std::make_unique<entry>(entry{hash, key, std::move(desired)});
  unlinked out;
  {
    internal::raw_lock const lock(s.mu);
    table* const t = s.current.load(internal::memory_order_relaxed);
    slot* const at = t == nullptr ? nullptr : find_slot(*t, hash, key);
    if (at == nullptr) return false;
    entry* const e = at->load(internal::memory_order_relaxed);
    if (!(e->value == expected)) return false;
    at->store(fresh.release(), internal::memory_order_release);  // pairs with find, range
    out.replaced = e;
  }
  retire(out);
  return true;
}

template <class K, std::copy_constructible V, class Hash, class Equal>
template <class Fn>
  requires std::invocable<Fn&, K const&, V const&>
void map<K, V, Hash, Equal>::range(Fn&& fn) const {
  std::vector<std::pair<slot const*, entry const*>> found;
  std::vector<std::pair<K, V>> seen;
  for (shard const& s : shards_) {
    found.clear();
    seen.clear();
    {
      internal::read_pin const pin;
      table const* const t = s.current.load(internal::memory_order_acquire);  // pairs with insert
      for (std::size_t i = 0; t != nullptr && i <= t->mask; ++i) {
        // pairs with insert, put
        entry const* const e = t->entries[i].load(internal::memory_order_acquire);
        if (e != nullptr && e != gone()) found.emplace_back(&t->entries[i], e);
      }
      // Erased since: its key may stand among the rest once more.
      for (auto const& [at, e] : found) {
        // relaxed: who found the key again has seen it gone here
        if (at->load(internal::memory_order_relaxed) != gone()) seen.emplace_back(e->key, e->value);
      }
    }
    for (auto const& [key, value] : seen) {
      if constexpr (std::is_void_v<std::invoke_result_t<Fn&, K const&, V const&>>) {
        fn(key, value);
      } else if (!fn(key, value)) {
        return;
      }
    }
  }
}

template <class K, std::copy_constructible V, class Hash, class Equal>
void map<K, V, Hash, Equal>::clear() {
  for (shard& s : shards_) {
    table* t = nullptr;
    {
      internal::raw_lock const lock(s.mu);
      t = s.current.load(internal::memory_order_relaxed);
      s.current.store(nullptr, internal::memory_order_release);  // pairs with find, range
      s.live = 0;
    }
    if (t == nullptr) continue;
    for (std::size_t i = 0; i <= t->mask; ++i) {
      entry* const e = t->entries[i].load(internal::memory_order_relaxed);
      if (e != nullptr && e != gone()) retire({.replaced = e, .outgrown = nullptr});
    }
    retire({.replaced = nullptr, .outgrown = t});
  }
}

template <class K, std::copy_constructible V, class Hash, class Equal>
void map<K, V, Hash, Equal>::retire(unlinked const& out) {
  if (out.replaced != nullptr) {
    limbo_.retire(out.replaced, [](void* p) { delete static_cast<entry*>(p); });
  }
  if (out.outgrown != nullptr) {
    limbo_.retire(out.outgrown, [](void* p) { delete static_cast<table*>(p); });
  }
}

}  // namespace vole::sync
