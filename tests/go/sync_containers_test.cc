// SPDX-License-Identifier: Apache-2.0
// What Go's sync tests check of Map and Pool, and sync/atomic's of Value, under their names; see
// docs/internals/conformance.md.
#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/sync.h"

namespace vole {
namespace {

using internal::atomic;

// --- map_test.go

// The same random operations on a sync::map and on a std::map give the same answers and end with
// the same entries.
TEST(go_sync, TestMapMatchesRWMutex) {
  std::mt19937_64 random(1);
  auto const below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int round = 0; round < 50; ++round) {
    sync::map<int, int> m;
    std::map<int, int> model;
    auto const old = [&](int k) {
      auto const at = model.find(k);
      return at == model.end() ? std::optional<int>() : std::optional<int>(at->second);
    };
    for (int i = 0; i < 300; ++i) {
      int const k = below(16);
      int const v = below(4);
      int const w = below(4);
      std::optional<int> const before = old(k);
      switch (below(8)) {
        case 0:
          ASSERT_EQ(m.load(k), before);
          break;
        case 1:
          m.store(k, v);
          model[k] = v;
          break;
        case 2: {
          auto const [got, loaded] = m.load_or_store(k, v);
          ASSERT_EQ(got, before.value_or(v));
          ASSERT_EQ(loaded, before.has_value());
          model.emplace(k, v);
          break;
        }
        case 3:
          ASSERT_EQ(m.load_and_delete(k), before);
          model.erase(k);
          break;
        case 4:
          ASSERT_EQ(m.swap(k, v), before);
          model[k] = v;
          break;
        case 5:
          ASSERT_EQ(m.compare_and_swap(k, v, w), before == v);
          if (before == v) model[k] = w;
          break;
        case 6:
          ASSERT_EQ(m.compare_and_delete(k, v), before == v);
          if (before == v) model.erase(k);
          break;
        default:
          if (i % 50 == 0) {
            m.clear();
            model.clear();
          }
      }
    }
    std::map<int, int> left;
    m.range([&](int k, int v) { ASSERT_TRUE(left.emplace(k, v).second) << "twice: " << k; });
    ASSERT_EQ(left, model);
  }
}

TEST(go_sync, TestConcurrentRange) {
  constexpr int size = 1 << 10;
  sync::map<int, std::int64_t> m;
  for (int n = 1; n <= size; ++n) m.store(n, n);
  chan<unit> done(0);
  sync::wait_group wg;
  for (int g = 1; g <= 4; ++g) {
    wg.go([&, g] {
      for (int i = 0; select(recv(done), otherwise()) == 1; ++i) {
        for (int n = 1; n < size; ++n) {
          if ((n * 7 + i) % 64 == 0) {
            m.store(n, std::int64_t{n} * i * g);
          } else {
            m.load(n);
          }
        }
        runtime::yield();
      }
    });
  }
  for (int round = 0; round < 16; ++round) {
    std::vector<bool> seen(size + 1);
    int count = 0;
    m.range([&](int k, std::int64_t v) {
      EXPECT_EQ(v % k, 0) << "key " << k;
      EXPECT_FALSE(seen.at(static_cast<std::size_t>(k))) << "twice: " << k;
      seen[static_cast<std::size_t>(k)] = true;
      ++count;
    });
    EXPECT_EQ(count, size);
    runtime::yield();
  }
  done.close();
  wg.wait();
}

// A key that was erased is freed: not later than the writes that follow.
TEST(go_sync, TestIssue40999) {
  sync::map<std::shared_ptr<int>, int> m;
  m.store(nullptr, 0);
  std::weak_ptr<int> first;
  for (int i = 0; i < 200; ++i) {
    auto const p = std::make_shared<int>(i);
    if (i == 0) first = p;
    m.store(p, 0);
    m.erase(p);
  }
  EXPECT_TRUE(first.expired());
}

TEST(go_sync, TestMapRangeNestedCall) {
  sync::map<int, std::string> m;
  for (int i = 0; i < 3; ++i) m.store(i, std::to_string(i));
  m.range([&](int key, std::string const&) {
    m.range([&](int inner, std::string const& value) {
      EXPECT_EQ(m.load(inner), value);
      EXPECT_FALSE(m.load_or_store(42, "dummy").second);
      m.store(42, "sync::map");
      EXPECT_EQ(m.load_and_delete(42), "sync::map");
    });
    m.erase(key);
  });
  m.range([&](int key, std::string const&) { ADD_FAILURE() << key << " is left"; });
}

TEST(go_sync, TestCompareAndSwap_NonExistingKey) {
  sync::map<int, int> m;
  EXPECT_FALSE(m.compare_and_swap(1, 0, 42));
  EXPECT_EQ(m.load(1), std::nullopt);
}

TEST(go_sync, TestConcurrentClear) {
  sync::map<int, int> m;
  sync::wait_group wg;
  for (int i = 0; i < 10; ++i) {
    wg.go([&, i] { m.store(i, i * 10); });
    wg.go([&, i] { EXPECT_EQ(m.load(i).value_or(i * 10), i * 10); });
    wg.go([&] { m.clear(); });
  }
  wg.wait();
  m.clear();
  m.range([](int k, int) { ADD_FAILURE() << k << " is left"; });
}

// --- pool_test.go

struct counted {
  explicit counted(int v = 0) : value(v) { ++alive; }
  ~counted() { --alive; }
  counted(counted const&) = delete;
  counted& operator=(counted const&) = delete;
  int value;
  static inline atomic<int> alive{0};
};

TEST(go_sync, TestPool) {
  {
    sync::pool<counted> p;
    counted::alive = 0;
    for (int i = 0; i < 100; ++i) p.put(std::make_unique<counted>(7));
    EXPECT_EQ(p.get()->value, 7);
    EXPECT_EQ(counted::alive, 100);
    p.trim();  // what a pool does when memory is short
    EXPECT_EQ(counted::alive, 0);
    EXPECT_EQ(p.get()->value, 0);
  }
  EXPECT_EQ(counted::alive, 0);
}

TEST(go_sync, TestPoolNew) {
  int made = 0;
  sync::pool p([&] { return std::make_unique<int>(++made); });
  auto first = p.get();
  auto second = p.get();
  EXPECT_EQ(*first, 1);
  EXPECT_EQ(*second, 2);
  p.put(std::make_unique<int>(42));
  auto third = p.get();
  EXPECT_EQ(*third, 42);
  EXPECT_EQ(*p.get(), 3);
}

// What is taken out of a pool and dropped is freed; so is what a trimmed pool held.
void freed_by(bool drain) {
  sync::pool<counted> p;
  constexpr int n = 100;
  for (int round = 0; round < 3; ++round) {
    counted::alive = 0;
    for (int i = 0; i < n; ++i) p.put(std::make_unique<counted>());
    if (drain) {
      for (int i = 0; i < n; ++i) delete p.get().release();
    } else {
      p.trim();
    }
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST(go_sync, TestPoolGC) {
  freed_by(true);
}

TEST(go_sync, TestPoolRelease) {
  freed_by(false);
}

TEST(go_sync, TestPoolStress) {
  sync::pool<counted> p;
  sync::wait_group wg;
  for (int g = 0; g < 10; ++g) {
    wg.go([&, g] {
      for (int i = 0; i < 3000; ++i) {
        auto object = p.get();
        EXPECT_EQ(object->value, 0) << "two have it";
        object->value = g + 1;
        if (i % 64 == 0) runtime::yield();
        object->value = 0;
        if (i % 1024 == 0) p.trim();
      }
    });
  }
  wg.wait();
}

// --- sync/atomic value_test.go

TEST(go_atomic, TestValue) {
  sync::atomic_value<int> v;
  EXPECT_EQ(v.load(), std::nullopt);
  v.store(42);
  EXPECT_EQ(v.load(), 42);
  v.store(84);
  EXPECT_EQ(v.load(), 84);
}

TEST(go_atomic, TestValueLarge) {
  sync::atomic_value<std::string> v;
  v.store("foo");
  EXPECT_EQ(v.load(), "foo");
  v.store("barbaz");
  EXPECT_EQ(v.load(), "barbaz");
}

TEST(go_atomic, TestValueConcurrent) {
  std::vector<std::string> const texts{"", "a", std::string(100, 'b'), std::string(1000, 'c')};
  sync::atomic_value<std::string> v;
  sync::wait_group wg;
  for (int g = 0; g < 4; ++g) {
    wg.go([&] {
      for (std::size_t i = 0; i < 2000; ++i) {
        v.store(texts[i % texts.size()]);
        std::string const seen = *v.load();
        EXPECT_TRUE(std::find(texts.begin(), texts.end(), seen) != texts.end()) << seen;
      }
    });
  }
  wg.wait();
}

TEST(go_atomic, TestValue_Swap) {
  sync::atomic_value<bool> v;
  EXPECT_EQ(v.swap(true), std::nullopt);
  EXPECT_EQ(v.swap(false), true);
  EXPECT_EQ(v.load(), false);
}

TEST(go_atomic, TestValueSwapConcurrent) {
  sync::atomic_value<std::uint64_t> v;
  atomic<std::uint64_t> taken{0};
  constexpr std::uint64_t m = 1000;
  constexpr std::uint64_t n = 1000;
  sync::wait_group wg;
  for (std::uint64_t i = 0; i < m * n; i += n) {
    wg.go([&, i] {
      std::uint64_t own = 0;
      for (std::uint64_t fresh = i; fresh < i + n / 10; ++fresh) own += v.swap(fresh).value_or(0);
      taken += own;
    });
  }
  wg.wait();
  std::uint64_t put = 0;
  for (std::uint64_t i = 0; i < m * n; i += n) {
    for (std::uint64_t fresh = i; fresh < i + n / 10; ++fresh) put += fresh;
  }
  EXPECT_EQ(taken + *v.load(), put);
}

TEST(go_atomic, TestValue_CompareAndSwap) {
  sync::atomic_value<int> v;
  EXPECT_FALSE(v.compare_and_swap(1, 2));
  v.store(1);
  EXPECT_FALSE(v.compare_and_swap(2, 3));
  EXPECT_TRUE(v.compare_and_swap(1, 3));
  EXPECT_EQ(v.load(), 3);
}

TEST(go_atomic, TestValueCompareAndSwapConcurrent) {
  sync::atomic_value<int> v;
  v.store(0);
  constexpr int m = 50;
  constexpr int n = 50;
  sync::wait_group wg;
  for (int i = 0; i < m; ++i) {
    wg.go([&, i] {
      for (int j = i; j < m * n; runtime::yield()) {
        if (v.compare_and_swap(j, j + 1)) j += m;
      }
    });
  }
  wg.wait();
  EXPECT_EQ(v.load(), m * n);
}

}  // namespace
}  // namespace vole
