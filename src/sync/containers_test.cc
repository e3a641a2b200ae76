// SPDX-License-Identifier: Apache-2.0
// What pool, map and atomic_value promise.
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "vole/go.h"
#include "vole/internal/epoch.h"
#include "vole/runtime.h"
#include "vole/sync.h"

#include "runtime/pressure.h"

namespace vole {
namespace {

// Counts its live objects; a value that has been destroyed says so.
struct traced {
  static inline internal::atomic<int> live{0};
  int value;

  explicit traced(int v) : value(v) { live.fetch_add(1); }
  traced(traced const& other) : value(other.value) {
    EXPECT_GE(other.value, 0);
    live.fetch_add(1);
  }
  traced& operator=(traced const&) = default;
  ~traced() {
    value = -1;
    live.fetch_sub(1);
  }
  friend bool operator==(traced const&, traced const&) = default;
};

// --- epoch
// ---------------------------------------------------------------------------------------------

TEST(epoch, keeps_what_any_number_of_plain_threads_read) {
  auto const free = [](void* object) { delete static_cast<traced*>(object); };
  internal::limbo limbo(1);
  constexpr int readers = 150;
  sync::wait_group pinned;
  sync::wait_group retired;
  pinned.add(readers);
  retired.add(1);
  std::vector<std::thread> threads;
  for (int i = 0; i < readers; ++i) {
    threads.emplace_back([&] {
      internal::read_pin const pin;
      pinned.done();
      retired.wait();
    });
  }
  pinned.wait();
  limbo.retire(new traced(1), free);
  EXPECT_EQ(traced::live.load(), 1);
  retired.done();
  for (std::thread& thread : threads) thread.join();
  limbo.retire(new traced(2), free);
  EXPECT_EQ(traced::live.load(), 0);
}

// --- pool
// ----------------------------------------------------------------------------------------------

TEST(pool, gives_back_what_was_put) {
  sync::pool<std::string> pool;
  std::string* first = nullptr;
  {
    auto const s = pool.get();
    *s = "used";
    first = s.get();
  }
  auto const again = pool.get();
  EXPECT_EQ(again.get(), first);
  EXPECT_EQ(*again, "used");  // as it was
  EXPECT_NE(pool.get().get(), first);
}

TEST(pool, makes_objects_as_told) {
  sync::pool pool([] { return std::make_unique<std::vector<int>>(3, 7); });
  EXPECT_EQ(pool.get()->size(), 3U);
  pool.put(std::make_unique<std::vector<int>>(5, 1));
  EXPECT_EQ(pool.get()->size(), 5U);
  std::unique_ptr<std::vector<int>> const kept(pool.get().release());
  EXPECT_EQ(kept->size(), 5U);
}

TEST(pool, destroys_what_it_holds_and_what_is_too_much) {
  {
    sync::pool pool([] { return std::make_unique<traced>(1); });
    {
      std::vector<decltype(pool)::item> items;
      for (int i = 0; i < 5000; ++i) items.push_back(pool.get());
      EXPECT_EQ(traced::live.load(), 5000);
    }
    EXPECT_LT(traced::live.load(), 1500);
    EXPECT_GT(traced::live.load(), 500);
  }
  EXPECT_EQ(traced::live.load(), 0);
}

TEST(pool, gives_all_back_when_memory_is_short) {
  auto const held = std::make_shared<int>(1);
  sync::pool<std::shared_ptr<int>> a;
  sync::pool<std::shared_ptr<int>> b;
  for (int i = 0; i < 100; ++i) {
    a.put(std::make_unique<std::shared_ptr<int>>(held));
    b.put(std::make_unique<std::shared_ptr<int>>(held));
  }
  auto const out = a.get();
  EXPECT_EQ(held.use_count(), 201);
  internal::relieve_memory(internal::relief::all);
  EXPECT_EQ(held.use_count(), 2) << "but for the one that is out";
}

TEST(pool, gives_back_what_nobody_needed_between_two_questions) {
  auto const held = std::make_shared<int>(1);
  sync::pool<std::shared_ptr<int>> pool;
  for (int i = 0; i < 100; ++i) pool.put(std::make_unique<std::shared_ptr<int>>(held));
  internal::relieve_memory(internal::relief::unused);
  EXPECT_EQ(held.use_count(), 101) << "all were in use after the question before";
  EXPECT_TRUE(internal::something_is_kept());

  for (int i = 0; i < 3; ++i) {
    auto const one = pool.get();
    auto const another = pool.get();
  }
  internal::relieve_memory(internal::relief::unused);
  EXPECT_LT(held.use_count(), 30);
  EXPECT_NE(*pool.get(), nullptr) << "what was in use is still there";

  internal::relieve_memory(internal::relief::unused);
  internal::relieve_memory(internal::relief::unused);
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(internal::something_is_kept());
}

TEST(pool, object_is_with_one_user_at_a_time) {
  struct claimed {
    internal::atomic<int> users{0};
  };
  sync::pool<claimed> pool;
  sync::wait_group wg;
  auto const use = [&] {
    for (int i = 0; i < 2000; ++i) {
      auto const a = pool.get();
      auto const b = pool.get();
      EXPECT_EQ(a->users.fetch_add(1), 0);
      EXPECT_EQ(b->users.fetch_add(1), 0);
      if (i % 16 == 0) runtime::yield();
      a->users.fetch_sub(1);
      b->users.fetch_sub(1);
    }
  };
  for (int g = 0; g < 8; ++g) wg.go(use);
  std::thread outside(use);
  outside.join();
  wg.wait();
}

// --- map
// -----------------------------------------------------------------------------------------------

TEST(map, holds_what_is_stored) {
  sync::map<std::string, int> m;
  EXPECT_EQ(m.load("a"), std::nullopt);
  m.store("a", 1);
  m.store("b", 2);
  EXPECT_EQ(m.load("a"), 1);
  m.store("a", 3);
  EXPECT_EQ(m.load("a"), 3);
  EXPECT_EQ(m.swap("a", 4), 3);
  EXPECT_EQ(m.swap("c", 5), std::nullopt);
  EXPECT_EQ(m.load_or_store("a", 9), std::pair(4, true));
  EXPECT_EQ(m.load_or_store("d", 9), std::pair(9, false));
  EXPECT_EQ(m.load_and_delete("d"), 9);
  EXPECT_EQ(m.load_and_delete("d"), std::nullopt);
  EXPECT_TRUE(m.erase("c"));
  EXPECT_FALSE(m.erase("c"));
  EXPECT_FALSE(m.compare_and_swap("a", 5, 6));
  EXPECT_TRUE(m.compare_and_swap("a", 4, 6));
  EXPECT_FALSE(m.compare_and_delete("a", 4));
  EXPECT_TRUE(m.compare_and_delete("a", 6));
  std::map<std::string, int> all;
  m.range([&](std::string const& k, int v) { all.emplace(k, v); });
  EXPECT_EQ(all, (std::map<std::string, int>{{"b", 2}}));
  m.clear();
  EXPECT_EQ(m.load("b"), std::nullopt);
}

TEST(map, grows_shrinks_and_frees_all) {
  {
    sync::map<int, traced> m;
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 5000; ++i) m.store(i, traced(i));
      for (int i = 0; i < 5000; ++i) ASSERT_EQ(m.load(i)->value, i);
      int seen = 0;
      m.range([&](int k, traced const& v) {
        EXPECT_EQ(k, v.value);
        return ++seen < 100;
      });
      EXPECT_EQ(seen, 100);
      for (int i = 0; i < 5000; ++i) EXPECT_TRUE(m.erase(i));
      for (int i = 0; i < 5000; ++i) EXPECT_FALSE(m.load(i).has_value());
    }
    EXPECT_LT(traced::live.load(), 200);  // the last that were erased
  }
  EXPECT_EQ(traced::live.load(), 0);
}

TEST(map, range_may_change_the_map) {
  sync::map<int, int> m;
  for (int i = 0; i < 100; ++i) m.store(i, i);
  m.range([&](int k, int) {
    if (k % 2 == 0) m.erase(k);
    runtime::yield();
  });
  int left = 0;
  m.range([&](int k, int) {
    EXPECT_EQ(k % 2, 1);
    ++left;
  });
  EXPECT_EQ(left, 50);
}

TEST(map, readers_and_writers_at_once) {
  sync::map<int, traced> m;
  constexpr int keys = 64;
  sync::wait_group wg;
  internal::atomic<bool> stop{false};
  for (int w = 0; w < 2; ++w) {
    wg.go([&, w] {
      for (int i = 0; i < 20'000; ++i) {
        int const k = (i * 7 + w) % keys;
        if (i % 5 == 0) {
          m.erase(k);
        } else {
          m.store(k, traced(k * 1000 + i % 1000));
        }
        if (i % 64 == 0) runtime::yield();
      }
      stop.store(true);
    });
  }
  auto const read = [&] {
    for (int i = 0; !stop.load(); ++i) {
      int const k = i % keys;
      if (auto const v = m.load(k)) {
        EXPECT_EQ(v->value / 1000, k);
      }
      if (i % 64 == 0) runtime::yield();
    }
  };
  for (int r = 0; r < 3; ++r) wg.go(read);
  std::thread outside(read);
  outside.join();
  wg.wait();
  m.clear();
}

TEST(map, range_gives_no_key_twice_while_keys_go_and_come_back) {
  sync::map<int, int> m;
  constexpr int keys = 64;
  internal::atomic<bool> stop{false};
  sync::wait_group wg;
  wg.go([&] {
    for (int i = 0; i < 100'000; ++i) {
      m.erase(i % keys);
      m.store(i % keys, i);
      if (i % 64 == 0) runtime::yield();
    }
    stop.store(true);
  });
  while (!stop.load()) {
    std::vector<int> times(keys);
    m.range([&](int key, int) { ++times[static_cast<std::size_t>(key)]; });
    for (int const n : times) EXPECT_LE(n, 1);
    runtime::yield();
  }
  wg.wait();
}

TEST(map, load_or_store_has_one_winner) {
  for (int round = 0; round < 200; ++round) {
    sync::map<int, int> m;
    internal::atomic<int> winners{0};
    sync::wait_group wg;
    for (int g = 0; g < 8; ++g) {
      wg.go([&, g] {
        auto const [value, loaded] = m.load_or_store(1, g);
        if (!loaded) winners.fetch_add(1);
        EXPECT_EQ(m.load(1), value);
      });
    }
    wg.wait();
    EXPECT_EQ(winners.load(), 1);
  }
}

// --- atomic_value
// --------------------------------------------------------------------------------------

TEST(atomic_value, holds_the_last_one_stored) {
  sync::atomic_value<std::string> v;
  EXPECT_EQ(v.load(), std::nullopt);
  EXPECT_EQ(v.swap("a"), std::nullopt);
  v.store("b");
  EXPECT_EQ(v.load(), "b");
  EXPECT_EQ(v.swap("c"), "b");
  EXPECT_FALSE(v.compare_and_swap("b", "d"));
  EXPECT_TRUE(v.compare_and_swap("c", "d"));
  EXPECT_EQ(v.load(), "d");
}

TEST(atomic_value, readers_see_whole_values) {
  struct pair {
    traced a;
    traced b;
  };
  {
    sync::atomic_value<pair> v(pair{traced(0), traced(0)});
    sync::wait_group wg;
    internal::atomic<bool> stop{false};
    for (int r = 0; r < 4; ++r) {
      wg.go([&] {
        for (int i = 0; !stop.load(); ++i) {
          auto const p = v.load();
          EXPECT_EQ(p->a.value, p->b.value);
          if (i % 64 == 0) runtime::yield();
        }
      });
    }
    for (int i = 1; i <= 5000; ++i) {
      v.store(pair{traced(i), traced(i)});
      if (i % 16 == 0) runtime::yield();
    }
    stop.store(true);
    wg.wait();
    v.store(pair{traced(1), traced(1)});
    EXPECT_EQ(traced::live.load(), 2);  // what was replaced is gone when nobody reads
  }
  EXPECT_EQ(traced::live.load(), 0);
}

}  // namespace
}  // namespace vole
