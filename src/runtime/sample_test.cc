// SPDX-License-Identifier: Apache-2.0

#include "runtime/sample.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <dirent.h>
#include <dlfcn.h>
#include <fstream>
#include <gtest/gtest.h>
#include <latch>
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
#include "runtime/own_stack.h"
#include "runtime/sample_ring.h"
#include "runtime/sanitizer.h"
#include "runtime/thread_stack.h"
#include "symbol/symbolize.h"

namespace {

constinit vole::internal::atomic<int> unlisted_tid{0};

}  // namespace

// In front of the C library's: leaves one thread out, as the kernel does when the one before it
// ends.
extern "C" [[gnu::visibility("default")]] dirent* readdir(DIR* from) {
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

TEST(sample, the_first_sample_of_a_foreign_thread_has_its_callers) {
  std::latch begun(1);
  std::latch there(1);
  std::thread foreign([&] {
    there.count_down();
    begun.wait();
    burn_measured<9>(90);  // the list of threads is looked at again after 100
  });
  there.wait();
  kept all;
  ASSERT_EQ(all.capture.start(), 0);
  begun.count_down();
  foreign.join();
  all.capture.stop();
  EXPECT_GE(all.weight_of("burn_measured<9>"), 5U);
  for (kept::entry const& e : all.entries) {
    if (all.names(e, "burn_measured<9>")) {
      EXPECT_GE(e.pcs.size(), 3U);
    }
  }
}

std::size_t resident_kib() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

TEST(sample, a_capture_leaves_no_memory_behind_for_the_threads_it_saw) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "a sanitizer keeps memory of its own";
  constexpr std::size_t threads = 256;
  std::latch over(1);
  std::vector<std::thread> all;
  for (std::size_t i = 0; i < threads; ++i) all.emplace_back([&over] { over.wait(); });
  std::size_t before = 0;
  for (bool const first : {true, false}) {  // the first one reads unwind tables
    kept capture;
    if (!first) before = resident_kib();
    ASSERT_EQ(capture.capture.start(), 0);
    EXPECT_GE(read_counters().threads_armed, first ? threads : 1);
    capture.capture.stop();
  }
  EXPECT_LT(resident_kib(), before + threads * ring::bytes / 1024 / 4);
  over.count_down();
  for (std::thread& t : all) t.join();
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

constinit atomic<int> signals_of_another{0};
constinit struct sigaction before_another{};

// As another profiler's: it counts, and passes on to the handler that it has found.
void put_in_another_handler() {
  struct sigaction another{};
  another.sa_sigaction = [](int signal, siginfo_t* info, void* machine) {
    signals_of_another.fetch_add(1);
    before_another.sa_sigaction(signal, info, machine);
  };
  another.sa_flags = SA_SIGINFO | SA_RESTART;
  ASSERT_EQ(::sigaction(SIGPROF, &another, &before_another), 0);
}

TEST(sample, puts_its_handler_back_where_a_library_has_put_in_its_own) {
  kept first;
  ASSERT_EQ(first.capture.start(), 0);
  first.capture.stop();
  EXPECT_FALSE(first.capture.gaps().handler_replaced);
  put_in_another_handler();
  kept second;
  ASSERT_EQ(second.capture.start(), 0);
  burn_measured<14>(100);
  pthread_kill(pthread_self(), SIGPROF);
  second.capture.stop();
  EXPECT_TRUE(second.capture.gaps().handler_replaced);
  EXPECT_GE(second.weight_of("burn_measured<14>"), 5U);
  EXPECT_EQ(signals_of_another.load(), 1) << "a signal that is not of our timers is its";
  kept third;
  ASSERT_EQ(third.capture.start(), 0);
  third.capture.stop();
  EXPECT_FALSE(third.capture.gaps().handler_replaced);
}

TEST(sample, is_no_danger_where_the_default_action_was_put_back) {
  kept first;
  ASSERT_EQ(first.capture.start(), 0);
  first.capture.stop();
  ::signal(SIGPROF, SIG_DFL);
  kept second;
  ASSERT_EQ(second.capture.start(), 0);
  burn_measured<14>(100);
  second.capture.stop();
  EXPECT_TRUE(second.capture.gaps().handler_replaced);
  EXPECT_GE(second.weight_of("burn_measured<14>"), 5U);
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
  ring r;
  ASSERT_TRUE(r.prepare());
  std::vector<std::uintptr_t> pcs(frames_max);
  std::uint64_t pushed = 0;
  std::uint64_t seen = 0;
  for (int round = 0; round < 50; ++round) {
    while (true) {
      std::size_t const depth = 1 + pushed % frames_max;
      std::fill_n(pcs.begin(), depth, pushed);
      if (!r.push({.goroutine_id = pushed + 2,
                   .labels_id = pushed + 3,
                   .weight = pushed + 1,
                   .pcs = {pcs.data(), depth}}))
        break;
      ++pushed;
    }
    r.drain([&](cpu_sample const& s) {
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
  ring r;
  ASSERT_TRUE(r.prepare());
  std::uintptr_t const pc = 1;
  EXPECT_TRUE(r.push({.goroutine_id = 1, .weight = 1, .pcs = {&pc, 1}}));
  r.discard();
  r.drain([](cpu_sample const&) { ADD_FAILURE(); });
}

std::ptrdiff_t pages_in_memory(ring const& r) {
  constexpr std::size_t page_bytes = 4096;
  unsigned char pages[ring::bytes / page_bytes] = {};
  EXPECT_EQ(::mincore(const_cast<void*>(r.cells()), ring::bytes, pages), 0);
  return std::ranges::count_if(pages, [](unsigned char p) { return (p & 1) != 0; });
}

TEST(sample_ring, takes_memory_for_what_it_holds_and_gives_it_back) {
  ring r;
  ASSERT_TRUE(r.prepare());
  EXPECT_EQ(pages_in_memory(r), 0);
  std::uintptr_t const pc = 1;
  EXPECT_TRUE(r.push({.goroutine_id = 1, .weight = 1, .pcs = {&pc, 1}}));
  EXPECT_EQ(pages_in_memory(r), 1);
  r.give_back();
  EXPECT_EQ(pages_in_memory(r), 0);
  r.drain([](cpu_sample const&) { ADD_FAILURE(); });
  EXPECT_TRUE(r.push({.goroutine_id = 2, .weight = 1, .pcs = {&pc, 1}}));
  std::uint64_t seen = 0;
  r.drain([&seen](cpu_sample const& s) { seen += s.goroutine_id; });
  EXPECT_EQ(seen, 2U);
}

// --- stacks ---

// A thread's stack, below it a hole, and below that the stack of a fiber.
class stack_with_a_hole_below {
 public:
  static constexpr std::size_t fiber_bytes = 1 << 20;
  static constexpr std::size_t hole_bytes = 1 << 20;
  static constexpr std::size_t thread_bytes = 4 << 20;

  stack_with_a_hole_below()
      : all_(static_cast<char*>(::mmap(nullptr, fiber_bytes + hole_bytes + thread_bytes,
                                       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                                       0))) {
    EXPECT_NE(all_, MAP_FAILED);
  }
  ~stack_with_a_hole_below() { ::munmap(all_, fiber_bytes + hole_bytes + thread_bytes); }
  stack_with_a_hole_below(stack_with_a_hole_below const&) = delete;
  stack_with_a_hole_below& operator=(stack_with_a_hole_below const&) = delete;

  void unmap_hole() { EXPECT_EQ(::munmap(hole(), hole_bytes), 0); }
  void protect_hole() { EXPECT_EQ(::mprotect(hole(), hole_bytes, PROT_NONE), 0); }
  char* fiber() { return all_; }
  char* hole() { return all_ + fiber_bytes; }

  // run runs fn on the thread.
  void run(void (*fn)(stack_with_a_hole_below&)) {
    fn_ = fn;
    pthread_attr_t attr;
    ::pthread_attr_init(&attr);
    ASSERT_EQ(::pthread_attr_setstack(&attr, hole() + hole_bytes, thread_bytes), 0);
    pthread_t thread{};
    ASSERT_EQ(::pthread_create(
                  &thread, &attr,
                  [](void* self) -> void* {
                    auto& own = *static_cast<stack_with_a_hole_below*>(self);
                    own.fn_(own);
                    return nullptr;
                  },
                  this),
              0);
    ::pthread_join(thread, nullptr);
    ::pthread_attr_destroy(&attr);
  }

 private:
  char* all_;
  void (*fn_)(stack_with_a_hole_below&) = nullptr;
};

void expect_the_fibers_stack_alone(stack_with_a_hole_below& stacks) {
  char const* const here = stacks.fiber() + 4096 + 64;
  symbol::stack_bounds const bounds = own_stack_bounds(here);
  EXPECT_EQ(bounds.low, reinterpret_cast<std::uintptr_t>(here));
  EXPECT_EQ(bounds.high, reinterpret_cast<std::uintptr_t>(stacks.hole()));
}

TEST(own_stack, of_a_foreign_fiber_ends_before_a_hole_in_memory) {
  stack_with_a_hole_below stacks;
  stacks.unmap_hole();
  stacks.run(&expect_the_fibers_stack_alone);
}

TEST(own_stack, of_a_foreign_fiber_ends_before_a_guard_page) {
  stack_with_a_hole_below stacks;
  stacks.protect_hole();
  stacks.run(&expect_the_fibers_stack_alone);
}

TEST(own_stack, of_a_foreign_thread_reaches_to_its_first_frame) {
  stack_with_a_hole_below stacks;
  stacks.unmap_hole();
  stacks.run([](stack_with_a_hole_below& own) {
    errno = EBADF;
    char const* const here = static_cast<char*>(__builtin_frame_address(0));
    symbol::stack_bounds const bounds = own_stack_bounds(here);
    EXPECT_EQ(errno, EBADF);
    EXPECT_EQ(bounds.low, reinterpret_cast<std::uintptr_t>(here));
    char const* const end = own.hole() + own.hole_bytes + own.thread_bytes;
    EXPECT_GT(bounds.high, reinterpret_cast<std::uintptr_t>(here));
    EXPECT_LE(bounds.high, reinterpret_cast<std::uintptr_t>(end));
    // Below the stack pointer there may be a page that cannot be read.
    EXPECT_EQ(own_stack_bounds(own.hole() + own.hole_bytes - 8).low,
              reinterpret_cast<std::uintptr_t>(own.hole() + own.hole_bytes));
  });
}

TEST(thread_stack, of_this_thread_holds_a_local_variable) {
  int here = 0;
  auto const at = reinterpret_cast<std::uintptr_t>(&here);
  thread_stack const own = this_thread_stack();
  EXPECT_LE(own.low, at);
  EXPECT_GT(own.high, at);
}

}  // namespace
}  // namespace vole::internal::sample
