// SPDX-License-Identifier: Apache-2.0
// What Go's runtime/proc_test.go checks of the scheduler, under its names; see
// docs/internals/conformance.md. A goroutine is never preempted here: where Go takes the processor
// away from one that computes, a spare worker runs the others beside it. Those tests compute
// without end until the others have been there.
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <string_view>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/sync.h"
#include "vole/testing.h"
#include "vole/time.h"

#include "runtime/goroutine.h"
#include "runtime/netpoll.h"
#include "runtime/processor.h"
#include "runtime/run_queue.h"
#include "runtime/sanitizer.h"

namespace vole {
namespace {

using internal::atomic;
using internal::goroutine;
using internal::memory_order_relaxed;
using internal::run_queue;
using namespace std::chrono_literals;

class with_procs {
 public:
  explicit with_procs(int n) : before_(runtime::set_max_procs(n)) {
    // Those too many go when their goroutines park.
    while (runtime::read_stats().processors > static_cast<std::size_t>(n)) runtime::yield();
  }
  ~with_procs() { runtime::set_max_procs(before_); }
  with_procs(with_procs const&) = delete;
  with_procs& operator=(with_procs const&) = delete;

 private:
  int before_;
};

long this_thread() {
  return ::syscall(SYS_gettid);
}

// compute_until keeps its processor: no call in it lets others go first.
template <class Over>
void compute_until(Over over) {
  while (!over()) internal::spin_pause();
}

// --- the world, and who goes on

void perpetuum_mobile(chan<bool> const& stop, chan<bool> const& stopped) {
  if (select(recv(stop), otherwise()) == 0) {
    stopped.send(true);
    return;
  }
  go([stop, stopped] { perpetuum_mobile(stop, stopped); });
}

// Nothing stops the world; its nearest kin look at every goroutine and change the processors.
TEST(go_proc, TestStopTheWorldDeadlock) {
  with_procs const procs(3);
  sync::wait_group wg;
  chan<bool> stop(1);
  chan<bool> stopped(1);
  wg.go([] {
    for (int i = 0; i < 50; ++i) EXPECT_FALSE(runtime::dump_goroutines().empty());
  });
  wg.go([] {
    for (int i = 0; i < 1000; ++i) runtime::set_max_procs(2 + i % 2);
  });
  go([=] { perpetuum_mobile(stop, stopped); });
  wg.wait();
  stop.send(true);
  stopped.recv();
}

void yield_progress(bool locked) {
  chan<bool> c(0);
  chan<bool> acknowledged(0);
  atomic<int> turns{0};
  sync::wait_group wg;
  wg.go([&] {
    if (locked) runtime::lock_thread();
    while (select(recv(c), otherwise()) != 0) {
      ++turns;
      runtime::yield();
    }
    acknowledged.send(true);
  });
  while (turns < 10) runtime::yield();
  c.send(true);
  acknowledged.recv();
  wg.wait();
}

TEST(go_proc, TestYieldProgress) {
  yield_progress(false);
}

TEST(go_proc, TestYieldLockedProgress) {
  yield_progress(true);
}

TEST(go_proc, TestYieldLocked) {
  chan<long> c(0);
  go([=] {
    runtime::lock_thread();
    long const mine = this_thread();
    for (int i = 0; i < 10; ++i) {
      runtime::yield();
      EXPECT_EQ(this_thread(), mine);
      time::sleep(100us);
      EXPECT_EQ(this_thread(), mine);
    }
    c.send(mine);
    // It ends locked.
  });
  EXPECT_NE(c.recv(), std::nullopt);
}

TEST(go_proc, TestBlockLocked) {
  constexpr int n = 10;
  chan<bool> c(0);
  sync::wait_group wg;
  wg.go([&] {
    runtime::lock_thread();
    for (int i = 0; i < n; ++i) c.send(true);
    runtime::unlock_thread();
  });
  for (int i = 0; i < n; ++i) EXPECT_EQ(c.recv(), true);
  wg.wait();
}

// --- goroutines that run at the same time

constexpr std::uint32_t players = 4;

// Each waits, computing, until it is its turn: they end only if all of them run.
void take_turns(atomic<std::uint32_t>& at, std::uint32_t mine) {
  for (std::uint32_t i = 0; i < 3; ++i) {
    std::uint32_t const expected = players * i + mine;
    compute_until([&] { return at.load() == expected; });
    at.store(expected + 1);
  }
}

TEST(go_proc, TestGoroutineParallelism) {
  with_procs const procs(players);
  for (int attempt = 0; attempt < 3; ++attempt) {
    atomic<std::uint32_t> at{0};
    sync::wait_group wg;
    for (std::uint32_t p = 0; p < players; ++p) wg.go([&, p] { take_turns(at, p); });
    wg.wait();
    EXPECT_EQ(at, 3 * players);
  }
}

// Workers that have just run, and go to sleep now.
void run_all_at_once() {
  atomic<std::uint32_t> running{0};
  sync::wait_group wg;
  for (std::uint32_t p = 0; p < players; ++p) {
    wg.go([&] {
      ++running;
      compute_until([&] { return running.load() == players; });
    });
  }
  wg.wait();
}

// A descriptor that is waited for: some worker sleeps in epoll instead of on its word.
class watched_pipe {
 public:
  watched_pipe() {
    EXPECT_EQ(::pipe2(fds_, O_NONBLOCK), 0);
    EXPECT_EQ(internal::poll_handle::open(fds_[0], &handle_), 0);
  }
  ~watched_pipe() {
    handle_->close();
    handle_->release();
    ::close(fds_[0]);
    ::close(fds_[1]);
  }
  watched_pipe(watched_pipe const&) = delete;
  watched_pipe& operator=(watched_pipe const&) = delete;

 private:
  int fds_[2] = {-1, -1};
  internal::poll_handle* handle_ = nullptr;
};

void nested_parallelism(bool load, bool netpoll) {
  with_procs const procs(players);
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (load) run_all_at_once();
    std::unique_ptr<watched_pipe> const pipe = netpoll ? std::make_unique<watched_pipe>() : nullptr;
    atomic<std::uint32_t> at{0};
    sync::wait_group wg;
    for (std::uint32_t p = 0; p < players; p += 2) {
      wg.go([&, p] {
        wg.go([&, p] { take_turns(at, p); });
        wg.go([&, p] { take_turns(at, p + 1); });
      });
    }
    wg.wait();
    EXPECT_EQ(at, 3 * players);
  }
}

TEST(go_proc, TestGoroutineParallelism2) {
  nested_parallelism(true, false);
  nested_parallelism(false, true);
  nested_parallelism(true, true);
}

// --- fairness

TEST(go_proc, TestTimerFairness) {
  chan<bool> done(0);
  chan<bool> c(0);
  sync::wait_group wg;
  for (int i = 0; i < 2; ++i) {
    wg.go([&] {
      while (select(send(c, true), recv(done)) == 0) {
      }
    });
  }
  auto const timer = time::after(20ms);
  while (select(recv(c), recv(timer)) == 0) {
  }
  done.close();
  wg.wait();
}

TEST(go_proc, TestTimerFairness2) {
  chan<bool> c(0);
  sync::wait_group wg;
  for (int i = 0; i < 2; ++i) {
    wg.go([&] {
      auto const timer = time::after(20ms);
      do {
        blocking([] { ::syscall(SYS_getppid); });
      } while (select(send(c, true), recv(c), recv(timer)) != 2);
    });
  }
  wg.wait();
}

// Two pairs hand a token to and fro on one processor; the one computes for long at each turn. Turns
// are what is shared here, time in Go: a pair keeps the next slot for 64 turns however long they
// are.
TEST(go_proc, TestPingPongHog) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "forced migration parts the pairs";
  with_procs const procs(1);
  chan<bool> const done(0);
  chan<bool> const hog_token(0);
  chan<bool> const light_token(0);
  chan<bool> const enough(1);
  atomic<long> hog_turns{0};
  atomic<long> light_turns{0};
  sync::wait_group wg;
  auto const play = [&](duration turn, atomic<long>& turns, chan<bool> const& token) {
    while (select(recv(done), recv(token)) == 1) {
      time_point const over = internal::monotonic_now() + turn;
      compute_until([&] { return internal::monotonic_now() >= over; });
      if (++turns == 300 && turn > 0ns) enough.try_send(true);
      if (select(recv(done), send(token, true)) == 0) return;
    }
  };
  for (int i = 0; i < 2; ++i) wg.go([&] { play(1ms, hog_turns, hog_token); });
  for (int i = 0; i < 2; ++i) wg.go([&] { play(0ns, light_turns, light_token); });
  hog_token.send(true);
  light_token.send(true);
  enough.recv();
  long const hog = hog_turns;
  long const light = light_turns;
  done.close();
  wg.wait();
  // The pair that computes has one slice of 10 ms at a time, the other 64 turns.
  EXPECT_GT(light, 2 * hog) << "turns of the pair that computes: " << hog;
}

// --- who computes without end

TEST(go_proc, TestPreemption) {
  with_procs const procs(1);
  constexpr int n = 5;
  atomic<std::uint32_t> turn{0};
  sync::wait_group wg;
  for (std::uint32_t g = 0; g < 2; ++g) {
    wg.go([&, g] {
      for (int i = 0; i < n; ++i) {
        compute_until([&] { return turn.load() == g; });
        turn.store(1 - g);
      }
    });
  }
  wg.wait();
  EXPECT_EQ(turn, 0U);
}

// What looks at all goroutines waits for none of those that compute.
TEST(go_proc, TestPreemptionGC) {
  constexpr int hogs = 3;
  with_procs const procs(hogs + 1);
  atomic<bool> stop{false};
  atomic<int> computing{0};
  sync::wait_group wg;
  for (int i = 0; i < hogs; ++i) {
    wg.go([&] {
      ++computing;
      compute_until([&] { return stop.load(memory_order_relaxed); });
    });
  }
  while (computing < hogs) runtime::yield();
  for (int i = 0; i < 3; ++i) {
    runtime::yield();
    EXPECT_NE(runtime::dump_goroutines().find("[running]"), std::string::npos);
  }
  stop = true;
  wg.wait();
}

TEST(go_proc, TestAsyncPreempt) {
  with_procs const procs(1);
  atomic<bool> stop{false};
  atomic<int> computing{0};
  sync::wait_group wg;
  for (int i = 0; i < 2; ++i) {
    wg.go([&] {
      ++computing;
      compute_until([&] { return stop.load(memory_order_relaxed); });
    });
  }
  // Neither comes back to the only processor; both run, and this goroutine beside them.
  while (computing < 2) runtime::yield();
  stop = true;
  wg.wait();
}

void let_others_beside(void (*call)(int)) {
  with_procs const procs(1);
  int const null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ASSERT_NE(null, -1);
  atomic<bool> stop{false};
  sync::wait_group wg;
  for (int i = 0; i < 2; ++i) {
    wg.go([&] {
      compute_until([&] {
        call(null);
        return stop.load(memory_order_relaxed);
      });
    });
  }
  time::sleep(1ms);  // comes back, though nobody gave the processor up
  stop = true;
  wg.wait();
  ::close(null);
}

TEST(go_proc, TestGCFairness) {
  let_others_beside([](int fd) { EXPECT_EQ(::write(fd, ".", 1), 1); });
}

TEST(go_proc, TestGCFairness2) {
  let_others_beside([](int) { blocking([] { ::syscall(SYS_getppid); }); });
}

TEST(go_proc, TestPreemptionAfterSyscall) {
  with_procs const procs(2);
  constexpr int n = 8;
  for (auto const each : {10us, 100us, 1000us}) {
    chan<bool> c(n);
    atomic<bool> stop{false};
    for (int i = 0; i < n; ++i) {
      go([&stop, c, each] {
        c.send(true);
        while (!stop.load()) {
          blocking([&] {
            time_point const until = time::now() + each;
            compute_until([&] { return time::now() >= until; });
          });
        }
        c.send(true);
      });
    }
    for (int i = 0; i < n; ++i) c.recv();
    stop = true;
    for (int i = 0; i < n; ++i) c.recv();
  }
}

// --- counting

std::size_t dumped(std::string const& text) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find("goroutine ", at)) != std::string::npos; ++at) {
    n += at == 0 || text[at - 1] == '\n';
  }
  return n;
}

TEST(go_proc, TestNumGoroutine) {
  while (runtime::goroutines() != 1) runtime::yield();  // of the test before
  chan<bool> c(0);
  sync::wait_group wg;
  for (int i = 0; i < 20; ++i) wg.go([&] { c.recv(); });
  testing::wait_until_parked(20);
  EXPECT_EQ(runtime::goroutines(), 21U);
  std::string const text = runtime::dump_goroutines();
  EXPECT_EQ(dumped(text), 21U) << text;
  c.close();
  wg.wait();
}

// --- a processor's queue

void put(run_queue& queue, goroutine& g) {
  internal::goroutine_chain overflow;
  queue.push(&g, overflow);
  ASSERT_EQ(overflow.count, 0U);
}

TEST(go_proc, TestSchedLocalQueue) {
  auto const queue = std::make_unique<run_queue>();
  std::vector<goroutine> all(run_queue::capacity);
  for (std::size_t n = 0; n <= all.size(); ++n) {
    ASSERT_EQ(queue->take(), nullptr);
    for (std::size_t i = 0; i < n; ++i) put(*queue, all[i]);
    for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(queue->take(), &all[i]);
    ASSERT_TRUE(queue->empty());
  }
}

TEST(go_proc, TestSchedLocalQueueSteal) {
  auto const victim = std::make_unique<run_queue>();
  auto const thief = std::make_unique<run_queue>();
  std::vector<goroutine> all(run_queue::capacity);
  for (std::size_t n = 0; n <= all.size(); ++n) {
    for (std::size_t i = 0; i < n; ++i) put(*victim, all[i]);
    std::vector<int> seen(all.size(), 0);
    auto const count = [&](goroutine const* g) {
      ++seen[static_cast<std::size_t>(g - all.data())];
    };
    std::size_t stolen = 0;
    if (goroutine const* const g = victim->steal_into(*thief)) {
      count(g);
      ++stolen;
    }
    while (goroutine const* const g = thief->take()) {
      count(g);
      ++stolen;
    }
    ASSERT_EQ(stolen, n - n / 2);
    while (goroutine const* const g = victim->take()) count(g);
    for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(seen[i], i < n ? 1 : 0) << i << '/' << n;
  }
}

// A full ring: half of it and the one too many go where all processors look, none twice.
TEST(go_proc, a_full_ring_gives_half_away) {
  auto const queue = std::make_unique<run_queue>();
  std::vector<goroutine> all(run_queue::capacity + 1);
  internal::goroutine_chain overflow;
  for (auto& g : all) queue->push(&g, overflow);
  EXPECT_EQ(overflow.count, run_queue::capacity / 2 + 1);
  std::vector<int> seen(all.size(), 0);
  while (goroutine const* const g = overflow.pop())
    ++seen[static_cast<std::size_t>(g - all.data())];
  while (goroutine const* const g = queue->take()) ++seen[static_cast<std::size_t>(g - all.data())];
  EXPECT_EQ(seen, std::vector<int>(all.size(), 1));
}

// --- wired goroutines

TEST(go_proc, TestLockOSThreadNesting) {
  sync::wait_group wg;
  wg.go([] {
    auto const depth = [] { return internal::current_goroutine()->wired_depth; };
    EXPECT_EQ(depth(), 0U);
    runtime::lock_thread();
    runtime::lock_thread();
    runtime::unlock_thread();
    EXPECT_EQ(depth(), 1U);
    EXPECT_NE(internal::current_goroutine()->wired, nullptr);
    runtime::unlock_thread();
    EXPECT_EQ(depth(), 0U);
    EXPECT_EQ(internal::current_goroutine()->wired, nullptr);
  });
  wg.wait();
}

// The thread of one that ends locked is not ended, as Go does, but runs others again.
TEST(go_proc, TestLockOSThreadExit) {
  with_procs const procs(1);
  std::size_t const before = runtime::read_stats().threads;
  constexpr std::size_t n = 50;
  for (std::size_t i = 0; i < n; ++i) {
    chan<long> ready(1);
    go([=] {
      runtime::lock_thread();
      ready.send(this_thread());
    });
    EXPECT_NE(ready.recv(), std::nullopt);
    runtime::yield();  // and this goroutine is on none that is locked for ever
  }
  EXPECT_LT(runtime::read_stats().threads, before + n);
}

// The goroutine and its worker are looked up anew after a switch that may have changed the thread.
TEST(go_proc, TestGetgThreadSwitch) {
  with_procs const procs(4);
  std::uint64_t const id = runtime::goroutine_id();
  goroutine* const self = internal::current_goroutine();
  for (int i = 0; i < 200; ++i) {
    chan<int> c(0);
    sync::wait_group wg;
    wg.go([&] {
      runtime::lock_thread();  // the receiver wakes on another thread
      c.send(5);
      runtime::yield();
    });
    EXPECT_EQ(c.recv(), 5);
    EXPECT_EQ(internal::current_goroutine(), self);
    EXPECT_EQ(runtime::goroutine_id(), id);
    EXPECT_EQ(internal::current_worker()->tid.load(), this_thread());
    wg.wait();
  }
}

// --- the netpoller, and many processors

TEST(go_proc, TestNetpollBreak) {
  internal::netpoller poller;
  poller.open();
  atomic<int> returned{0};
  std::thread waiter([&] {
    for (int i = 0; i < 100; ++i) {
      internal::goroutine_chain none;
      time_point const far = time::now() + 1h;
      poller.poll(none, &far);
      EXPECT_EQ(none.count, 0U);
      ++returned;
    }
  });
  // One that comes while nobody waits ends the next wait; two may end the same.
  while (returned < 100) poller.interrupt();
  waiter.join();
}

// The next test runs it from outside.
TEST(go_proc, big_max_procs_subject) {
  sync::wait_group wg;
  for (int i = 0; i < 2000; ++i) wg.go([] { runtime::yield(); });
  wg.wait();
  std::printf("procs %d\n", runtime::max_procs());
}

TEST(go_proc, TestBigGOMAXPROCS) {
  if (VOLE_TSAN) GTEST_SKIP() << "it bounds the threads";
  std::string const self = std::filesystem::read_symlink("/proc/self/exe");
  std::string const command =
      "VOLE_MAXPROCS=1024 '" + self + "' --gtest_filter=go_proc.big_max_procs_subject";
  std::unique_ptr<FILE, int (*)(FILE*)> child(::popen(command.c_str(), "r"), &::pclose);
  std::string text;
  char line[256];
  while (std::fgets(line, sizeof line, child.get()) != nullptr) text += line;
  EXPECT_NE(text.find("procs 1024\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace vole
