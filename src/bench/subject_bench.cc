// SPDX-License-Identifier: Apache-2.0
// The program that program_test.cc runs and looks at from outside.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "vole/bench.h"
#include "vole/chan.h"
#include "vole/runtime.h"
#include "vole/sync.h"

using namespace vole;

namespace {

// Seven blocks, 64 + 64 + 32 + 48 + 128 + 256 + 512 bytes.
VOLE_BENCH(seven_blocks) {
  b.report_allocs();
  while (b.loop()) {
    auto first = std::make_unique<char[]>(64);
    bench::keep(first);
    void* second = std::malloc(64);
    bench::keep(second);
    void* third = std::calloc(4, 8);
    bench::keep(third);
    second = std::realloc(second, 48);
    bench::keep(second);
    void* aligned = std::aligned_alloc(64, 128);
    bench::keep(aligned);
    void* posix = nullptr;
    if (posix_memalign(&posix, 64, 256) != 0) b.fatal("no memory");
    bench::keep(posix);
    auto* over_aligned = new (std::align_val_t{64}) char[512];
    bench::keep(over_aligned);
    ::operator delete[](over_aligned, std::align_val_t{64});
    for (void* block : {second, third, aligned, posix}) std::free(block);
  }
}

VOLE_BENCH(every_fourth) {
  b.report_allocs();
  for (std::int64_t i = 0; i < b.n; ++i) {
    if (i % 4 == 0) bench::keep(std::make_unique<char[]>(64));
  }
}

VOLE_BENCH(sum) {
  std::vector<int> const numbers(100, 7);
  b.loop([&] {
    int sum = 0;
    for (int const x : numbers) sum += x;
    return sum;
  });
}

VOLE_BENCH(sizes) {
  for (int const n : {1, 10, 100}) {
    b.run(fmt::format("n={}", n), [n](bench::benchmark& sub) {
      while (sub.loop()) {
        for (int i = 0; i < n; ++i) bench::clobber();
      }
    });
  }
}

// Its two goroutines wait for each other and quarrel over a lock.
VOLE_BENCH(quarrel) {
  sync::mutex mu;
  chan<int> c(0);
  while (b.loop()) {
    sync::wait_group both;
    for (int side = 0; side < 2; ++side) {
      both.go([&, side] {
        if (side == 0) {
          c.send(1);
        } else {
          c.recv();
        }
        mu.lock();
        runtime::yield();
        mu.unlock();
        bench::keep(std::make_unique<char[]>(1 << 20));
      });
    }
    both.wait();
  }
}

// The sizes that come before the one that hangs are complete.
VOLE_BENCH(grows_then_waits) {
  for (int const n : {1, 2, 4, 8}) {
    b.run(fmt::format("n={}", n), [n](bench::benchmark& sub) {
      while (sub.loop()) {
        if (n < 8) continue;
        std::fputs("hanging\n", stderr);
        for (volatile bool on = true; on;) {
        }
      }
      sub.report_metric(n * 100.0, "ns/op");
    });
  }
}

// Of some us a turn, so that the clock tells one from another.
VOLE_BENCH(both_at_once) {
  b.run_parallel([](bench::parallel& turns) {
    while (turns.next()) {
      for (int i = 0; i < 2000; ++i) bench::clobber();
    }
  });
}

VOLE_BENCH(turns_only) {
  while (b.loop()) {
  }
}

// Many waits at one place, and then one at another, which only a profile of every wait is sure to
// have.
[[gnu::noinline]] void rare_wait(chan<int>& c, chan<int>& back) {
  c.send(0);
  back.recv();
  asm volatile("");  // the frame stays
}
VOLE_BENCH(waits_rarely) {
  chan<int> c(0);
  chan<int> back(0);
  while (b.loop()) {
    constexpr int often = 20'000;
    sync::wait_group other;
    other.go([&] {
      for (int i = 0; i <= often; ++i) {
        c.recv();
        back.send(0);
      }
    });
    for (int i = 0; i < often; ++i) {
      c.send(0);
      back.recv();
    }
    rare_wait(c, back);
    other.wait();
  }
}

// Waits for what never comes; says so first, for the test that ends it.
VOLE_BENCH(hangs) {
  while (b.loop()) {
    std::fputs("hanging\n", stderr);
    for (volatile bool on = true; on;) {
    }
  }
}

// Takes its process down when its name has been printed.
VOLE_BENCH(dies) {
  for (std::int64_t i = 0, n = b.n; i < n; ++i) {
    if (n > 1) std::raise(SIGKILL);
  }
}

VOLE_BENCH(fails) {
  b.fatal("as it should");
}

// A second benchmark of one name, where a test wants it.
auto const twice = std::getenv("VOLE_SUBJECT_TWICE") == nullptr
                       ? nullptr
                       : std::make_unique<bench::registration>(
                             "sum_", [](bench::benchmark_state&) {}, "elsewhere.cc", 7);

}  // namespace
