// SPDX-License-Identifier: Apache-2.0

#include "runtime/sample.h"

#include <algorithm>
#include <cstdint>
#include <dirent.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <memory>
#include <pthread.h>
#include <signal.h>
#include <span>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <vector>

#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/internal/park.h"
#include "vole/runtime.h"

#include "runtime/burn_test.h"
#include "runtime/sample_ring.h"
#include "runtime/sanitizer.h"
#include "runtime/thread_stack.h"
#include "symbol/symbolize.h"

namespace {

constinit vole::internal::atomic<int> unlisted_tid{0};

}  // namespace

// In front of the C library's: leaves one thread out, as the kernel does when the one before it
// ends.
extern "C" dirent* readdir(DIR* from) {
  using readdir_fn = dirent* (*)(DIR*);
  static auto* const next = reinterpret_cast<readdir_fn>(::dlsym(RTLD_NEXT, "readdir"));
  dirent* found = next(from);
  int const hidden = unlisted_tid.load();
  if (hidden != 0 && found != nullptr && std::to_string(hidden) == found->d_name)
    found = next(from);
  return found;
}

namespace vole::internal::sample {
namespace {

[[gnu::noinline]] std::uint64_t burn_in_goroutine(std::uint64_t ms) {
  std::uint64_t const used = burn_measured<0>(ms);
  asm volatile("");  // no tail call: this frame is looked for
  return used;
}

// A capture that keeps what it gets.
struct kept {
  struct entry {
    std::uint64_t goroutine_id;
    std::uint64_t weight;
    std::vector<std::uintptr_t> pcs;
  };

  bool names(entry const& e, std::string const& part) const {
    return std::any_of(e.pcs.begin(), e.pcs.end(), [&](std::uintptr_t pc) {
      return symbol::symbol_name(pc - 1).find(part) != std::string::npos;
    });
  }
  std::uint64_t weight_of(std::string const& part) const {
    std::uint64_t sum = 0;
    for (entry const& e : entries) sum += names(e, part) ? e.weight : 0;
    return sum;
  }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (entry const& e : entries) sum += e.weight;
    return sum;
  }

  std::vector<entry> entries;
  cpu_capture capture{[](void* self, cpu_sample const& s) {
                        static_cast<kept*>(self)->entries.push_back(
                            {s.goroutine_id, s.weight, {s.pcs.begin(), s.pcs.end()}});
                      },
                      this};
};

// in_goroutine runs fn in a goroutine and waits for it on this thread.
template <class Fn>
void in_goroutine(Fn fn) {
  park_ticket done;
  go([&] {
    fn();
    if (done.try_claim()) done.finish();
  });
  done.park(wait_reason::wait_group_wait);
}

TEST(sample, a_busy_goroutine_is_seen_with_its_callers_and_its_id) {
  kept all;
  ASSERT_EQ(all.capture.start(), 0);
  std::uint64_t id = 0;
  std::uint64_t used = 0;
  in_goroutine([&] {
    id = runtime::goroutine_id();
    used = burn_in_goroutine(400);
  });
  all.capture.stop();
  std::uint64_t const seen = all.weight_of("burn_in_goroutine");
  EXPECT_GE(seen, 39U);
  EXPECT_LE(seen, used / 10'000'000 + 2);
  for (kept::entry const& e : all.entries) {
    if (all.names(e, "burn_in_goroutine")) {
      EXPECT_EQ(e.goroutine_id, id);
    }
  }
}

TEST(sample, a_thread_that_nobody_announced_is_found_with_its_callers) {
  std::size_t deep = 0;
  // The list of threads is looked at now and then, and the kernel's look may be late.
  for (std::uint64_t ms = 1000; deep == 0 && ms <= 8000; ms *= 2) {
    kept all;
    ASSERT_EQ(all.capture.start(), 0);
    std::thread late([ms] { burn_measured<8>(ms); });
    late.join();
    all.capture.stop();
    for (kept::entry const& e : all.entries) {
      if (all.names(e, "burn_measured<8>") && e.pcs.size() >= 3) ++deep;
    }
  }
  EXPECT_GE(deep, 1U);
}

TEST(sample, several_captures_get_the_same_samples) {
  kept outer;
  kept inner;
  ASSERT_EQ(outer.capture.start(), 0);
  burn_measured<5>(150);
  ASSERT_EQ(inner.capture.start(), 0);
  burn_measured<6>(150);
  inner.capture.stop();
  burn_measured<5>(150);
  outer.capture.stop();
  EXPECT_GT(outer.weight_of("burn_measured<5>"), inner.weight_of("burn_measured<5>"));
  EXPECT_LE(inner.weight_of("burn_measured<5>"), 1U);
  EXPECT_GE(inner.weight_of("burn_measured<6>"), 8U);
  EXPECT_EQ(inner.weight_of("burn_measured<6>"), outer.weight_of("burn_measured<6>"));
}

// What a goroutine computes that stays on its thread, as a capture sees it between begin and end.
std::uint64_t weight_of_a_known_thread(void (*begin)(), void (*end)()) {
  kept k;
  in_goroutine([&] {
    runtime::lock_thread();
    begin();
    EXPECT_EQ(k.capture.start(), 0);
    burn_in_goroutine(200);
    k.capture.stop();
    end();
    runtime::unlock_thread();
  });
  std::uint64_t weight = 0;
  for (kept::entry const& e : k.entries) weight += e.goroutine_id != 0 ? e.weight : 0;
  return weight;
}

constinit rlimit descriptors_before{};

TEST(sample, needs_no_descriptor_for_the_threads_that_it_knows) {
  if (VOLE_ASAN) GTEST_SKIP() << "UBSan takes a descriptor to look at memory";
  std::uint64_t const weight = weight_of_a_known_thread(
      [] {
        EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &descriptors_before), 0);
        rlimit const none{.rlim_cur = 0, .rlim_max = descriptors_before.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
      },
      [] { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &descriptors_before), 0); });
  EXPECT_GT(weight, 5U);
}

TEST(sample, keeps_a_thread_that_the_kernels_list_leaves_out) {
  std::uint64_t const weight =
      weight_of_a_known_thread([] { unlisted_tid.store(static_cast<int>(::syscall(SYS_gettid))); },
                               [] { unlisted_tid.store(0); });
  EXPECT_GT(weight, 5U);
}

TEST(sample, without_a_capture_there_is_no_timer) {
  {
    kept all;
    ASSERT_EQ(all.capture.start(), 0);
    EXPECT_GE(read_counters().threads_armed, 1U);
    EXPECT_EQ(read_counters().threads_unarmed, 0U);
    all.capture.stop();
    all.capture.stop();
  }
  EXPECT_EQ(read_counters().threads_armed, 0U);
  std::uint64_t const before = read_counters().signals_total;
  burn_measured<7>(60);
  EXPECT_EQ(read_counters().signals_total, before);
}

TEST(sample, a_signal_that_is_not_ours_is_not_counted) {
  kept all;
  ASSERT_EQ(all.capture.start(), 0);
  counters const before = read_counters();
  pthread_kill(pthread_self(), SIGPROF);
  EXPECT_EQ(read_counters().foreign_total, before.foreign_total + 1);
}

TEST(sample, goroutines_that_switch_all_the_time_are_walked_safely) {
  kept all;
  ASSERT_EQ(all.capture.start(), 0);
  std::uint64_t const end = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) + 600'000'000;
  in_goroutine([&] {
    atomic<int> left{16};
    park_ticket done;
    for (int i = 0; i < 16; ++i) {
      go([&] {
        while (cpu_ns(CLOCK_PROCESS_CPUTIME_ID) < end) {
          for (int turn = 0; turn < 200; ++turn) runtime::yield();
        }
        if (left.fetch_sub(1) == 1 && done.try_claim()) done.finish();
      });
    }
    done.park(wait_reason::wait_group_wait);
    burn_measured<0>(20);  // until the kernel has looked
  });
  all.capture.stop();
  EXPECT_GE(all.total(), 1U);
  for (kept::entry const& e : all.entries) EXPECT_GE(e.pcs.size(), 1U);
}

// --- the ring ---

TEST(sample_ring, gives_entries_back_in_order_and_says_when_it_is_full) {
  auto const r = std::make_unique<ring>();
  std::vector<std::uintptr_t> pcs(frames_max);
  std::uint64_t pushed = 0;
  std::uint64_t seen = 0;
  for (int round = 0; round < 50; ++round) {
    while (true) {
      std::size_t const depth = 1 + pushed % frames_max;
      std::fill_n(pcs.begin(), depth, pushed);
      if (!r->push({.goroutine_id = pushed + 2,
                    .labels_id = pushed + 3,
                    .weight = pushed + 1,
                    .pcs = {pcs.data(), depth}}))
        break;
      ++pushed;
    }
    r->drain([&](cpu_sample const& s) {
      EXPECT_EQ(s.weight, seen + 1);
      EXPECT_EQ(s.goroutine_id, seen + 2);
      EXPECT_EQ(s.labels_id, seen + 3);
      EXPECT_EQ(s.pcs.size(), 1 + seen % frames_max);
      EXPECT_TRUE(std::all_of(s.pcs.begin(), s.pcs.end(), [&](auto pc) { return pc == seen; }));
      ++seen;
    });
    EXPECT_EQ(seen, pushed);
  }
}

TEST(sample_ring, discard_forgets) {
  auto const r = std::make_unique<ring>();
  std::uintptr_t const pc = 1;
  EXPECT_TRUE(r->push({.goroutine_id = 1, .weight = 1, .pcs = {&pc, 1}}));
  r->discard();
  r->drain([](cpu_sample const&) { ADD_FAILURE(); });
}

// --- stacks ---

TEST(thread_stack, ends_at_the_thread_area_when_that_lies_above) {
  thread_stack const mappings[] = {{.low = 100, .high = 200}, {.low = 300, .high = 400}};
  EXPECT_EQ(stack_around(mappings, 350, 390).high, 390U);
  EXPECT_EQ(stack_around(mappings, 350, 150).high, 400U);
  EXPECT_EQ(stack_around(mappings, 350, 340).high, 400U);
  EXPECT_EQ(stack_around(mappings, 250, 260).high, 0U);
}

TEST(thread_stack, of_this_thread_holds_a_local_variable) {
  int here = 0;
  auto const at = reinterpret_cast<std::uintptr_t>(&here);
  thread_stack const own = this_thread_stack();
  EXPECT_LE(own.low, at);
  EXPECT_GT(own.high, at);
  thread_stack const found = stack_around(writable_mappings(), at, 0);
  EXPECT_LE(found.low, at);
  EXPECT_GT(found.high, at);
}

}  // namespace
}  // namespace vole::internal::sample
