// SPDX-License-Identifier: Apache-2.0
// When memory or threads end: a spawn says so as a value, nothing is lost, and the runtime goes on.
// Each in a process of its own, whose limits are real ones (setrlimit).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <malloc.h>
#include <memory>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "vole/go.h"
#include "vole/internal/park.h"
#include "vole/runtime.h"

#include "runtime/latch_test.h"
#include "runtime/sanitizer.h"

namespace vole::internal {
namespace {

using std::chrono::milliseconds;

std::size_t mapped_bytes() {
  std::unique_ptr<FILE, int (*)(FILE*)> statm(std::fopen("/proc/self/statm", "r"), &std::fclose);
  std::size_t pages = 0;
  EXPECT_EQ(std::fscanf(statm.get(), "%zu", &pages), 1);
  return pages * 4096;
}

void set_soft_limit(__rlimit_resource which, rlim_t soft) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(which, &limit), 0);
  limit.rlim_cur = std::min(soft, limit.rlim_max);
  ASSERT_EQ(::setrlimit(which, &limit), 0);
}

// From here on no thread can be made: as a user without privileges, who may have none.
void refuse_threads() {
  constexpr uid_t nobody = 65534;
  if (::geteuid() == 0) {
    ASSERT_EQ(::setresuid(nobody, nobody, nobody), 0);
    ::prctl(PR_SET_DUMPABLE, 1UL);
  }
  set_soft_limit(RLIMIT_NPROC, 0);
}

// GoogleTest keeps what fails in the child to itself.
[[noreturn]] void end_process() {
  auto const& result = *testing::UnitTest::GetInstance()->current_test_info()->result();
  for (int i = 0; i < result.total_part_count(); ++i) {
    auto const& part = result.GetTestPartResult(i);
    std::fprintf(stderr, "line %d: %s\n", part.line_number(), part.summary());
  }
  std::_Exit(result.Failed() ? 1 : 0);
}

// parked_goroutines are started until none can be, and hold a token each.
class parked_goroutines {
 public:
  std::errc start_one(std::size_t stack_bytes = 0) {
    auto done = std::make_unique<latch>(1);
    latch* const at_end = done.get();
    spawn_options options;
    options.stack_bytes = stack_bytes;
    std::errc const failure = try_go(options, [this, at_end, token = token_] {
      held_.wait();
      at_end->count_down();
    });
    if (failure == std::errc{}) ended_.push_back(std::move(done));
    return failure;
  }
  std::errc start_until_none_can_be() {
    constexpr std::size_t most = 1'000'000;
    std::errc failure{};
    while (failure == std::errc{} && ended_.size() < most) failure = start_one();
    return failure;
  }
  void end_all() {
    for (std::size_t i = 0; i < ended_.size(); ++i) {
      while (!held_.wake_one()) runtime::yield();
    }
    for (auto const& e : ended_) e->wait();
    ended_.clear();
    while (token_.use_count() != 1) runtime::yield();
  }
  std::size_t count() const { return ended_.size(); }
  long tokens() const { return token_.use_count() - 1; }

 private:
  gate held_;
  std::shared_ptr<int> const token_ = std::make_shared<int>(0);
  std::vector<std::unique_ptr<latch>> ended_;
};

// No address space left for stacks.
void exhaust_address_space(parked_goroutines& goroutines) {
  set_soft_limit(RLIMIT_AS, mapped_bytes() + (64 << 20));
  EXPECT_EQ(goroutines.start_until_none_can_be(), std::errc::not_enough_memory);
}

[[noreturn]] void run_out_of_memory_and_go_on() {
  run([] {
    parked_goroutines goroutines;
    exhaust_address_space(goroutines);
    std::size_t const first = goroutines.count();
    EXPECT_GT(first, 0U);
    EXPECT_EQ(static_cast<std::size_t>(goroutines.tokens()), first);  // what failed holds nothing

    std::size_t const mapped = mapped_bytes();
    for (int i = 0; i < 1000; ++i) {
      EXPECT_EQ(goroutines.start_one(), std::errc::not_enough_memory);
      EXPECT_EQ(goroutines.start_one(1 << 20), std::errc::not_enough_memory);
    }
    EXPECT_LT(mapped_bytes(), mapped + (16 << 20));  // a worker's stack, but none of ours
    EXPECT_EQ(static_cast<std::size_t>(goroutines.tokens()), first);
    EXPECT_EQ(runtime::goroutines(), first + 1);

    goroutines.end_all();
    EXPECT_EQ(goroutines.start_until_none_can_be(), std::errc::not_enough_memory);
    // A processor's cache is for its own spawns only.
    EXPECT_GE(goroutines.count() + 64 * static_cast<std::size_t>(runtime::max_procs()), first);
    goroutines.end_all();

    set_soft_limit(RLIMIT_AS, RLIM_INFINITY);
    while (goroutines.count() < 2 * first) ASSERT_EQ(goroutines.start_one(), std::errc{});
    goroutines.end_all();
  });
  end_process();
}

TEST(out_of_memory, a_spawn_says_so_as_a_value_and_the_others_go_on) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "a sanitizer maps more than any limit lets it";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run_out_of_memory_and_go_on(), testing::ExitedWithCode(0), "");
}

TEST(out_of_memory, go_is_a_panic_that_says_what_has_ended) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "a sanitizer maps more than any limit lets it";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run([] {
                 parked_goroutines goroutines;
                 exhaust_address_space(goroutines);
                 go([] {});
               }),
               "panic: go: no memory for a stack: [0-9]+ goroutines live; the address space "
               "\\(ulimit -v\\), memory or map entries \\(vm.max_map_count\\) are used up; try_go "
               "returns this as a value");
}

// All workers that there are go into read(), which ends when somebody writes.
class blocked_workers {
 public:
  blocked_workers() { EXPECT_EQ(::pipe(fds_), 0); }
  void block(int n) {
    for (int i = 0; i < n; ++i) {
      go([fd = fds_[0]] {
        char c = 0;
        EXPECT_EQ(blocking([&] { return ::read(fd, &c, 1); }), 1);
      });
    }
  }
  void release(int n) const {
    for (int i = 0; i < n; ++i) EXPECT_EQ(::write(fds_[1], "x", 1), 1);
  }

 private:
  int fds_[2] = {-1, -1};
};

int malloc_arenas() {
  char* text = nullptr;
  std::size_t bytes = 0;
  std::FILE* const to = ::open_memstream(&text, &bytes);
  EXPECT_EQ(::malloc_info(0, to), 0);
  std::fclose(to);
  int arenas = 0;
  for (char const* at = text; (at = std::strstr(at, "<heap nr=")) != nullptr; ++at) ++arenas;
  std::free(text);
  return arenas;
}

TEST(malloc_arenas, are_bounded_by_the_processors_however_many_threads_there_are) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "a sanitizer has an allocator of its own";
  if (std::getenv("MALLOC_ARENA_MAX") != nullptr) GTEST_SKIP() << "MALLOC_ARENA_MAX decides";
  run([] {
    int const most = std::max(4, 2 * runtime::max_procs());
    int const n = most + 8;
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    latch ended(n);
    atomic<int> allocated{0};
    for (int i = 0; i < n; ++i) {
      go([&] {
        blocking([&] {
          auto const own = std::make_unique<int>(1);
          allocated.fetch_add(*own);
          char c = 0;
          EXPECT_EQ(::read(fds[0], &c, 1), 1);
        });
        ended.count_down();
      });
    }
    while (allocated.load() != n) runtime::yield();
    EXPECT_LE(malloc_arenas(), most);
    for (int i = 0; i < n; ++i) EXPECT_EQ(::write(fds[1], "x", 1), 1);
    ended.wait();
    for (int const fd : fds) ::close(fd);
  });
}

// Calls it while every worker is blocked, from a plain thread that was there before; then threads
// can be had again. Nothing else happens that could wake anybody.
template <class Then>
[[noreturn]] void run_out_of_threads(Then start_waiters) {
  atomic<bool> refused{false};
  atomic<bool> ended{false};
  atomic<std::size_t> workers{0};
  std::thread lifter([&] {
    while (!refused.load()) std::this_thread::yield();
    // The last of them has given its processor up once all processors are idle.
    auto const all_blocked = [&] {
      runtime::stats const s = runtime::read_stats();
      return s.blocking_calls == workers.load() && s.processors_idle == s.processors;
    };
    while (!all_blocked() && !ended.load()) std::this_thread::yield();
    set_soft_limit(RLIMIT_NPROC, RLIM_INFINITY);
  });
  run([&] {
    runtime::set_max_procs(1);
    refuse_threads();
    static_cast<void>(runtime::read_stats());  // a worker that is just being made is counted now
    workers.store(runtime::read_stats().threads);
    blocked_workers blocked;
    latch done(1);
    int const n = static_cast<int>(workers.load());
    start_waiters(blocked, n, done);
    refused.store(true);
    done.wait();
    ended.store(true);
    EXPECT_GT(runtime::read_stats().threads, workers.load());
  });
  lifter.join();
  end_process();
}

TEST(out_of_threads, what_is_runnable_waits_and_goes_on_when_there_are_some) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "a sanitizer makes threads of its own";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      run_out_of_threads([](blocked_workers& blocked, int n, latch& done) {
        go([&blocked, &done, n] {
          auto const all = static_cast<std::size_t>(n);
          while (runtime::read_stats().blocking_calls != all) runtime::yield();
          blocked.release(n);
          done.count_down();
        });
        blocked.block(n);
      }),
      testing::ExitedWithCode(0),
      "vole: no further worker thread: [0-9]+ exist, and the system refuses one "
      "\\(ulimit -u, ulimit -v, cgroup pids.max\\); goroutines wait until a worker is free");
}

TEST(out_of_threads, a_timer_is_waited_for_once_there_are_some) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "a sanitizer makes threads of its own";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run_out_of_threads([](blocked_workers& blocked, int n, latch& done) {
                go([&blocked, &done, n] {
                  auto const others = static_cast<std::size_t>(n - 1);
                  while (runtime::read_stats().blocking_calls != others) runtime::yield();
                  blocked.block(1);  // the last worker runs this one once it has parked
                  gate never_opened;
                  never_opened.wait({now() + milliseconds(500), nullptr});
                  blocked.release(n);
                  done.count_down();
                });
                blocked.block(n - 1);
              }),
              testing::ExitedWithCode(0), "vole: no further worker thread");
}

}  // namespace
}  // namespace vole::internal
