// SPDX-License-Identifier: Apache-2.0
// The primitives by themselves; bench/ holds the ones that are compared with Go.
#include <cstdint>
#include <memory>
#include <string>

#include "vole/bench.h"
#include "vole/sync.h"

using namespace vole;

namespace {

void report_sum(bench::benchmark& b, std::int64_t sum) {
  b.report_metric(b.n == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

VOLE_BENCH(mutex_uncontended) {
  sync::mutex mu;
  std::int64_t sum = 0;
  while (b.loop()) {
    mu.lock();
    ++sum;
    bench::keep(sum);
    mu.unlock();
  }
  report_sum(b, sum);
}

VOLE_BENCH(mutex_contended) {
  sync::mutex mu;
  std::int64_t sum = 0;
  b.set_parallelism(8);
  b.run_parallel([&](bench::parallel& turns) {
    while (turns.next()) {
      sync::lock_guard const lock(mu);
      ++sum;
    }
  });
  report_sum(b, sum);
}

VOLE_BENCH(rw_mutex_read_parallel) {
  sync::rw_mutex mu;
  std::int64_t const value = 1;
  internal::atomic<std::int64_t> sum{0};
  b.run_parallel([&](bench::parallel& turns) {
    std::int64_t mine = 0;
    while (turns.next()) {
      sync::read_guard const lock(mu);
      mine += value;
    }
    sum.fetch_add(mine, internal::memory_order_relaxed);
  });
  report_sum(b, sum.load(internal::memory_order_relaxed));
}

VOLE_BENCH(rw_mutex_write) {
  sync::rw_mutex mu;
  std::int64_t sum = 0;
  while (b.loop()) {
    sync::write_guard const lock(mu);
    ++sum;
    bench::keep(sum);
  }
  report_sum(b, sum);
}

VOLE_BENCH(rw_mutex_one_write_in_100) {
  sync::rw_mutex mu;
  std::int64_t written = 0;
  internal::atomic<std::int64_t> turns_taken{0};
  b.set_parallelism(4);
  b.run_parallel([&](bench::parallel& turns) {
    std::int64_t i = 0;
    for (; turns.next(); ++i) {
      if (i % 100 == 0) {
        sync::write_guard const lock(mu);
        ++written;
      } else {
        sync::read_guard const lock(mu);
        bench::keep(written);
      }
    }
    turns_taken.fetch_add(i, internal::memory_order_relaxed);
  });
  report_sum(b, turns_taken.load(internal::memory_order_relaxed));
}

VOLE_BENCH(wait_group_add_done) {
  sync::wait_group wg;
  std::int64_t sum = 0;
  while (b.loop()) {
    wg.add(1);
    ++sum;
    wg.done();
  }
  report_sum(b, sum);
}

VOLE_BENCH(once_done) {
  sync::once once;
  std::int64_t sum = 0;
  while (b.loop()) {
    once.call([] {});
    ++sum;
    bench::keep(sum);
  }
  report_sum(b, sum);
}

VOLE_BENCH(semaphore_uncontended) {
  sync::semaphore sem(10);
  std::int64_t sum = 0;
  while (b.loop()) {
    sem.acquire(3);
    ++sum;
    sem.release(3);
  }
  report_sum(b, sum);
}

VOLE_BENCH(semaphore_contended) {
  sync::semaphore sem(2);
  internal::atomic<std::int64_t> sum{0};
  b.set_parallelism(4);
  b.run_parallel([&](bench::parallel& turns) {
    std::int64_t mine = 0;
    for (; turns.next(); ++mine) {
      sem.acquire(1);
      sem.release(1);
    }
    sum.fetch_add(mine, internal::memory_order_relaxed);
  });
  report_sum(b, sum.load(internal::memory_order_relaxed));
}

VOLE_BENCH(pool_get_put) {
  sync::pool<std::string> pool;
  std::int64_t sum = 0;
  while (b.loop()) {
    auto const s = pool.get();
    bench::keep(*s);
    ++sum;
  }
  report_sum(b, sum);
}

VOLE_BENCH(pool_get_put_parallel) {
  sync::pool<std::string> pool;
  internal::atomic<std::int64_t> sum{0};
  b.run_parallel([&](bench::parallel& turns) {
    std::int64_t mine = 0;
    for (; turns.next(); ++mine) {
      auto const s = pool.get();
      bench::keep(*s);
    }
    sum.fetch_add(mine, internal::memory_order_relaxed);
  });
  report_sum(b, sum.load(internal::memory_order_relaxed));
}

constexpr int map_keys = 1000;

VOLE_BENCH(map_load) {
  sync::map<int, int> m;
  for (int i = 0; i < map_keys; ++i) m.store(i, 1);
  std::int64_t sum = 0;
  int key = 0;
  while (b.loop()) {
    sum += *m.load(key);
    if (++key == map_keys) key = 0;
  }
  report_sum(b, sum);
}

VOLE_BENCH(map_load_parallel) {
  sync::map<int, int> m;
  for (int i = 0; i < map_keys; ++i) m.store(i, 1);
  internal::atomic<std::int64_t> sum{0};
  b.run_parallel([&](bench::parallel& turns) {
    std::int64_t mine = 0;
    for (int key = 0; turns.next(); key = key + 1 == map_keys ? 0 : key + 1) mine += *m.load(key);
    sum.fetch_add(mine, internal::memory_order_relaxed);
  });
  report_sum(b, sum.load(internal::memory_order_relaxed));
}

VOLE_BENCH(map_store) {
  sync::map<int, int> m;
  std::int64_t sum = 0;
  int key = 0;
  while (b.loop()) {
    m.store(key, 1);
    ++sum;
    if (++key == map_keys) key = 0;
  }
  report_sum(b, sum);
}

VOLE_BENCH(atomic_value_load) {
  sync::atomic_value<std::int64_t> v(1);
  std::int64_t sum = 0;
  while (b.loop()) sum += *v.load();
  report_sum(b, sum);
}

}  // namespace
