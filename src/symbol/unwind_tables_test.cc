// SPDX-License-Identifier: Apache-2.0
#include "symbol/unwind_tables.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <span>
#include <string>
#include <vector>

#include "vole/internal/atomic.h"

#include "symbol/modules.h"
#include "symbol/symbolize.h"
#include "symbol/thread_bounds_test.h"
#include "symbol/unwind.h"

namespace vole::symbol {
namespace {

constexpr std::size_t frames_max = 64;

struct walk {
  std::array<std::uintptr_t, frames_max> pcs{};
  std::size_t count = 0;

  std::span<std::uintptr_t const> stack() const { return std::span(pcs).first(count); }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < count; ++i)
      all.push_back(symbol_name(i == 0 ? pcs[0] : pcs[i] - 1));
    return all;
  }
};

stack_bounds bounds;
walk seen;

void on_signal(int, siginfo_t*, void* context) {
  seen.count = unwind_sampled(interrupted(context), bounds, seen.pcs);
}

class handler_scope {
 public:
  handler_scope(int signal, void (*handler)(int, siginfo_t*, void*)) : signal_(signal) {
    struct sigaction action{};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO;
    EXPECT_EQ(::sigaction(signal, &action, &before_), 0);
  }
  ~handler_scope() { ::sigaction(signal_, &before_, nullptr); }
  handler_scope(handler_scope const&) = delete;
  handler_scope& operator=(handler_scope const&) = delete;

 private:
  int signal_;
  struct sigaction before_{};
};

// The library, loaded while it lives.
class plugin {
 public:
  plugin() : library_(::dlopen(VOLE_PLUGIN, RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_NE(library_, nullptr) << ::dlerror();
  }
  ~plugin() { ::dlclose(library_); }
  plugin(plugin const&) = delete;
  plugin& operator=(plugin const&) = delete;

  using call_fn = void (*)(void (*)());
  call_fn find(char const* name) const {
    return reinterpret_cast<call_fn>(::dlsym(library_, name));
  }

 private:
  void* library_;
};

class unwind_tables : public ::testing::Test {
 protected:
  void SetUp() override {
    bounds = bounds_of_this_thread();
    seen = {};
    refresh_unwind_tables();
  }
};

[[gnu::noipa]] void root_probe(void (*fn)()) {
  fn();
  asm volatile("");
}

TEST_F(unwind_tables, lead_from_inside_libc_to_main) {
  handler_scope const handler(SIGUSR2, &on_signal);
  root_probe(+[] { ::raise(SIGUSR2); });
  EXPECT_THAT(seen.names(), ::testing::Contains(::testing::HasSubstr("root_probe")));
  EXPECT_THAT(seen.names(), ::testing::Contains("main"));
}

TEST_F(unwind_tables, are_bounded_and_hold_more_than_libc) {
  EXPECT_GT(unwind_tables_bytes(), std::size_t{100} << 10);
  EXPECT_LE(unwind_tables_bytes(), unwind_tables_bytes_max);
}

// A handler that walks its own stack comes through the signal's frame to the interrupted code.
TEST_F(unwind_tables, a_walk_passes_the_frame_of_a_signal) {
  handler_scope const handler(
      SIGUSR2, +[](int, siginfo_t*, void*) { seen.count = unwind_here(bounds, seen.pcs); });
  root_probe(+[] { ::raise(SIGUSR2); });
  EXPECT_THAT(seen.names(), ::testing::Contains(::testing::HasSubstr("pthread_kill")));
  EXPECT_THAT(seen.names(), ::testing::Contains(::testing::HasSubstr("root_probe")));
}

TEST_F(unwind_tables, know_a_library_from_refresh_to_refresh) {
  handler_scope const handler(SIGUSR2, &on_signal);
  std::size_t const bytes_before = unwind_tables_bytes();
  std::string name;
  {
    plugin const library;
    refresh_unwind_tables();
    note_modules();
    EXPECT_GT(unwind_tables_bytes(), bytes_before);
    for (char const* function : {"vole_plugin_call", "vole_plugin_call_aligned"}) {
      library.find(function)(+[] { ::raise(SIGUSR2); });
      EXPECT_THAT(seen.names(), ::testing::Contains(function));
      EXPECT_THAT(seen.names(), ::testing::Contains("main"));
    }
  }
  refresh_unwind_tables();
  EXPECT_EQ(unwind_tables_bytes(), bytes_before);
  // What was sampled in it keeps its name and its place.
  EXPECT_THAT(seen.names(), ::testing::Contains("vole_plugin_call"));
  auto const all = known_modules();
  EXPECT_TRUE(std::ranges::any_of(all, [](module const& m) { return m.path == VOLE_PLUGIN; }));
}

#if defined(__x86_64__)

// Steps through code one instruction at a time and walks at each. The first steps are taken where
// the trap is set; their last frame is that of every whole walk.
struct stepped_walks {
  std::size_t steps = 0;
  std::size_t broken = 0;     // that end elsewhere
  std::size_t differing = 0;  // from the walk that reads in place
  std::uintptr_t outermost = 0;
  std::array<std::uintptr_t, 8> at{};  // the first pcs that are wrong
};
stepped_walks stepped;

void on_step(int, siginfo_t*, void* context) {
  walk by_tables;
  walk in_place;
  registers const from = interrupted(context);
  constexpr std::uintptr_t red_zone_bytes = 128;  // all that the sampler reads below
  stack_bounds const as_sampled{from.sp - red_zone_bytes, bounds.high};
  by_tables.count = unwind_sampled(from, as_sampled, by_tables.pcs);
  in_place.count = unwind_interrupted(from, as_sampled, in_place.pcs);
  if (stepped.steps++ == 0) stepped.outermost = by_tables.pcs[by_tables.count - 1];
  bool const whole = by_tables.pcs[by_tables.count - 1] == stepped.outermost;
  bool const same = std::ranges::equal(by_tables.stack(), in_place.stack());
  std::size_t const wrong = stepped.broken + stepped.differing;
  if ((!whole || !same) && wrong < stepped.at.size()) stepped.at[wrong] = from.pc;
  stepped.broken += whole ? 0 : 1;
  stepped.differing += same ? 0 : 1;
}

template <class Fn>
void expect_whole_at_every_step(std::size_t steps_min, Fn const& fn) {
  fn();  // so that the loader has bound what it calls
  handler_scope const handler(SIGTRAP, &on_step);
  stepped = {};
  asm volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "cc", "memory");
  fn();
  asm volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "cc", "memory");
  EXPECT_GT(stepped.steps, steps_min);
  EXPECT_EQ(stepped.broken, 0U);
  EXPECT_EQ(stepped.differing, 0U);
  for (std::uintptr_t const pc : stepped.at) {
    if (pc != 0) ADD_FAILURE() << "at " << symbol_name(pc);
  }
}

TEST_F(unwind_tables, lead_through_libc_from_every_instruction) {
  expect_whole_at_every_step(1'000, [] {
    char text[64];
    std::snprintf(text, sizeof text, "%d %s %.3f", 4711, "words", 2.5);
    int values[] = {3, 1, 2};
    auto const less = [](void const* a, void const* b) {
      return *static_cast<int const*>(a) - *static_cast<int const*>(b);
    };
    std::qsort(values, 3, sizeof(int), less);
    std::free(std::malloc(values[0] == 1 ? 100 : 200));
  });
}

TEST_F(unwind_tables, lead_through_a_plugin_from_every_instruction) {
  plugin const library;
  refresh_unwind_tables();
  auto* const call = library.find("vole_plugin_call_aligned");
  expect_whole_at_every_step(20, [call] { call(+[] { asm volatile(""); }); });
}

// Hand-written code whose tables name other registers, and addresses in memory.
TEST_F(unwind_tables, lead_through_openssls_assembly_from_every_instruction) {
  void* const library = ::dlopen("libcrypto.so.3", RTLD_NOW);
  if (library == nullptr) GTEST_SKIP() << "no libcrypto.so.3 on this system";
  refresh_unwind_tables();
  alignas(64) static char context[512];
  static char const data[300] = {};
  for (std::string const name : {"SHA1", "SHA256", "SHA512", "MD5"}) {
    auto* const init = reinterpret_cast<int (*)(void*)>(::dlsym(library, (name + "_Init").c_str()));
    auto* const update = reinterpret_cast<int (*)(void*, void const*, std::size_t)>(
        ::dlsym(library, (name + "_Update").c_str()));
    ASSERT_NE(init, nullptr);
    ASSERT_NE(update, nullptr);
    expect_whole_at_every_step(500, [&] {
      init(context);
      update(context, data, sizeof data);
    });
  }
  ::dlclose(library);
}

#endif

extern "C" void _fini();  // the last function of a program

// One that has no room for all of a module must not let its last row speak for the rest.
TEST_F(unwind_tables, that_are_cut_know_nothing_behind_the_cut) {
  constexpr std::size_t too_little = std::size_t{16} << 10;  // for this program, the first module
  // Wherever a row looks for a return address on this stack, it finds one.
  std::array<std::uintptr_t, 4096> stack;
  stack.fill(reinterpret_cast<std::uintptr_t>(&root_probe) + 4);
  auto const low = reinterpret_cast<std::uintptr_t>(stack.data());
  auto const step_from_the_end = [&] {
    registers at{
        .pc = reinterpret_cast<std::uintptr_t>(&_fini) + 1, .sp = low + 64, .fp = low + 64};
    return unwind_tables_view().step(&at, at.pc, {low, low + sizeof stack});
  };
  std::size_t guesses = 0;
  for (std::size_t bytes = too_little; bytes < too_little + 64 * 8; bytes += 8) {
    limit_unwind_tables(bytes);
    refresh_unwind_tables();
    EXPECT_LE(unwind_tables_bytes(), bytes);
    guesses += step_from_the_end() == cfi_step::stepped ? 1 : 0;
  }
  limit_unwind_tables(unwind_tables_bytes_max);
  EXPECT_EQ(guesses, 0U);
}

constinit internal::atomic<bool> stop_walking{false};
constinit internal::atomic<std::uint64_t> walks_done{0};

void* walk_again_and_again(void*) {
  stack_bounds const own = bounds_of_this_thread();
  std::array<std::uintptr_t, frames_max> pcs;
  while (!stop_walking.load(internal::memory_order_relaxed)) {
    auto const here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    registers const from{
        .pc = reinterpret_cast<std::uintptr_t>(&walk_again_and_again) + 64, .sp = here, .fp = here};
    if (unwind_sampled(from, own, pcs) > 0) walks_done.fetch_add(1);
  }
  return nullptr;
}

TEST_F(unwind_tables, may_be_replaced_under_walks) {
  stop_walking.store(false);
  pthread_t threads[2];
  for (pthread_t& thread : threads) {
    ASSERT_EQ(::pthread_create(&thread, nullptr, &walk_again_and_again, nullptr), 0);
  }
  std::uint64_t const before = walks_done.load();
  for (int round = 0; round < 200 || walks_done.load() < before + 1'000; ++round) {
    plugin const library;
    refresh_unwind_tables();
  }
  stop_walking.store(true);
  for (pthread_t const thread : threads) ::pthread_join(thread, nullptr);
  refresh_unwind_tables();
}

}  // namespace
}  // namespace vole::symbol
