// SPDX-License-Identifier: Apache-2.0
#include "symbol/unwind.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <signal.h>
#include <span>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "symbol/cfi_row.h"
#include "symbol/stack_word.h"
#include "symbol/symbolize.h"
#include "symbol/thread_bounds_test.h"
#include "symbol/unwind_tables.h"

namespace vole::symbol {
namespace {

constexpr std::size_t frames_max = 64;

// The functions on a stack, innermost first, without what was inlined.
std::vector<std::string> names_of(std::span<std::uintptr_t const> pcs) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < pcs.size(); ++i)
    names.push_back(symbol_name(i == 0 ? pcs[0] : pcs[i] - 1));
  return names;
}

// The place of the first name that holds `part`, or -1.
std::ptrdiff_t place_of(std::vector<std::string> const& names, std::string_view part) {
  auto const at =
      std::ranges::find_if(names, [&](auto const& n) { return n.find(part) != n.npos; });
  return at == names.end() ? -1 : at - names.begin();
}

std::array<std::uintptr_t, frames_max> seen;
std::size_t seen_count = 0;
stack_bounds seen_bounds;

void record_here() {
  seen_count = unwind_here(seen_bounds, seen);
}

void record_interrupted(int, siginfo_t*, void* context) {
  seen_count = unwind_interrupted(interrupted(context), seen_bounds, seen);
}

[[gnu::noipa]] void leaf_probe(void (*fn)()) {
  fn();
  asm volatile("");
}
[[gnu::noipa]] void middle_probe(void (*fn)()) {
  leaf_probe(fn);
  asm volatile("");
}
[[gnu::noipa]] void root_probe(void (*fn)()) {
  middle_probe(fn);
  asm volatile("");
}

class unwind : public ::testing::Test {
 protected:
  void SetUp() override {
    seen_bounds = bounds_of_this_thread();
    seen_count = 0;
    seen.fill(0);
  }
  std::vector<std::string> names() const { return names_of(std::span(seen).first(seen_count)); }
};

void expect_chain(std::vector<std::string> const& names) {
  std::ptrdiff_t const leaf = place_of(names, "leaf_probe");
  ASSERT_GE(leaf, 0) << ::testing::PrintToString(names);
  EXPECT_EQ(place_of(names, "middle_probe"), leaf + 1);
  EXPECT_EQ(place_of(names, "root_probe"), leaf + 2);
  EXPECT_GT(place_of(names, "main"), leaf + 2) << "the walk ended before main";
}

TEST_F(unwind, here_sees_the_callers_up_to_main) {
  root_probe(&record_here);
  EXPECT_THAT(names().front(), ::testing::HasSubstr("record_here"));
  expect_chain(names());
}

TEST_F(unwind, here_fills_no_more_than_it_is_given) {
  root_probe(+[] { seen_count = unwind_here(seen_bounds, std::span(seen).first(2)); });
  EXPECT_EQ(seen_count, 2U);
  EXPECT_EQ(seen[2], 0U);
  EXPECT_EQ(unwind_here(seen_bounds, {}), 0U);
}

TEST_F(unwind, interrupted_in_libc_finds_its_caller) {
  struct sigaction action{};
  struct sigaction before{};
  action.sa_sigaction = &record_interrupted;
  action.sa_flags = SA_SIGINFO;
  ASSERT_EQ(::sigaction(SIGUSR2, &action, &before), 0);
  root_probe(+[] { ::raise(SIGUSR2); });
  ::sigaction(SIGUSR2, &before, nullptr);
  expect_chain(names());
}

TEST_F(unwind, sees_through_a_library_without_frame_pointers) {
  root_probe(+[] {
    int values[] = {2, 1};
    ::qsort(
        values, 2, sizeof(int), +[](void const* a, void const* b) {
          record_here();
          return *static_cast<int const*>(a) - *static_cast<int const*>(b);
        });
  });
  expect_chain(names());
}

// A leaf that keeps no frame: of aarch64, where it returns to is in a register only.
extern "C" int vole_frameless_leaf(int const* value);
#if defined(__x86_64__)
#define VOLE_LOAD_AND_RETURN "movl (%rdi), %eax\n ret\n"
#else
#define VOLE_LOAD_AND_RETURN "ldr w0, [x0]\n ret\n"
#endif
asm(".text\n"
    ".globl vole_frameless_leaf\n"
    ".type vole_frameless_leaf, %function\n"
    ".balign 16\n"
    "vole_frameless_leaf:\n"
    ".cfi_startproc\n" VOLE_LOAD_AND_RETURN
    ".cfi_endproc\n"
    ".size vole_frameless_leaf, .-vole_frameless_leaf\n");

void* unreadable = nullptr;
std::array<std::uintptr_t, frames_max> sampled;
std::size_t sampled_count = 0;

void record_fault(int, siginfo_t*, void* context) {
  registers const from = interrupted(context);
  seen_count = unwind_interrupted(from, seen_bounds, seen);
  sampled_count = unwind_sampled(from, seen_bounds, sampled);
  ::mprotect(unreadable, static_cast<std::size_t>(::getpagesize()), PROT_READ);
}

TEST_F(unwind, interrupted_in_a_leaf_without_a_frame_finds_its_caller) {
  auto const page = static_cast<std::size_t>(::getpagesize());
  unreadable = ::mmap(nullptr, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(unreadable, MAP_FAILED);
  refresh_unwind_tables();
  struct sigaction action{};
  struct sigaction before{};
  action.sa_sigaction = &record_fault;
  action.sa_flags = SA_SIGINFO;
  ASSERT_EQ(::sigaction(SIGSEGV, &action, &before), 0);
  root_probe(+[] {
    EXPECT_EQ(vole_frameless_leaf(static_cast<int const*>(unreadable)), 0);
    asm volatile("");
  });
  ::sigaction(SIGSEGV, &before, nullptr);
  ::munmap(unreadable, page);
  EXPECT_THAT(names().front(), ::testing::HasSubstr("vole_frameless_leaf"));
  expect_chain(names());
  EXPECT_THAT(names().at(1), ::testing::HasSubstr("interrupted_in_a_leaf")) << "its caller";
  EXPECT_TRUE(std::ranges::equal(std::span(seen).first(seen_count),
                                 std::span(sampled).first(sampled_count)));
}

// What found a frame by its record knows the caller's sp as a lower bound only.
TEST_F(unwind, does_not_count_from_a_stack_pointer_that_is_not_known) {
  cfi_row row;
  row.cfa_register = sp_number;
  row.cfa_offset = 4 * word_size;
  row.return_pc = {-std::int64_t{word_size}, {}, saved_register::place::at_cfa_offset};
  std::array<std::uintptr_t, 8> const stack{0, 0, 0, 0x2000, 0x3000, 0, 0, 0};
  auto const low = reinterpret_cast<std::uintptr_t>(stack.data());
  stack_bounds const bounds{low, low + sizeof stack};
  registers known{.pc = 0x1000, .sp = low};
  EXPECT_EQ(apply(row, &known, bounds), cfi_step::stepped);
  EXPECT_EQ(known.pc, 0x2000U);
  EXPECT_EQ(known.sp, low + 4 * word_size);
  registers bound{.pc = 0x1000, .sp = low, .sp_known = false};
  EXPECT_EQ(apply(row, &bound, bounds), cfi_step::unknown);
  row.cfa_register = fp_number;
  bound.fp = low + word_size;
  EXPECT_EQ(apply(row, &bound, bounds), cfi_step::stepped);
  EXPECT_EQ(bound.pc, 0x3000U);
  EXPECT_TRUE(bound.sp_known);
}

#if defined(__x86_64__)

// Steps through a function one instruction at a time and takes the stack at each: prologue and
// epilogue included.
std::uintptr_t step_pcs[4096];
std::size_t step_depths[4096];
std::size_t steps = 0;

void on_step(int, siginfo_t*, void* context) {
  std::array<std::uintptr_t, frames_max> pcs{};
  std::size_t const count = unwind_interrupted(interrupted(context), seen_bounds, pcs);
  if (steps == std::size(step_pcs)) return;
  step_pcs[steps] = pcs[0];
  step_depths[steps++] = count;
}

void set_trap_flag(bool on) {
  if (on) {
    asm volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "cc", "memory");
  } else {
    asm volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "cc", "memory");
  }
}

[[gnu::noipa]] int stepped_leaf(int n) {
  return n * 3;
}
[[gnu::noipa]] int stepped_root(int n) {
  return stepped_leaf(n) + stepped_leaf(n + 1);
}

TEST_F(unwind, is_whole_at_every_instruction) {
  struct sigaction action{};
  struct sigaction before{};
  action.sa_sigaction = &on_step;
  action.sa_flags = SA_SIGINFO;
  ASSERT_EQ(::sigaction(SIGTRAP, &action, &before), 0);
  steps = 0;
  set_trap_flag(true);
  int const value = stepped_root(2);
  set_trap_flag(false);
  ::sigaction(SIGTRAP, &before, nullptr);
  EXPECT_EQ(value, 15);
  std::size_t in_root = 0;
  std::size_t in_leaf = 0;
  std::size_t const depth = step_depths[0];
  for (std::size_t i = 0; i < steps; ++i) {
    std::string const name = symbol_name(step_pcs[i]);
    if (name.find("stepped_root") != name.npos) {
      ++in_root;
      EXPECT_EQ(step_depths[i], depth + 1) << name << " at step " << i;
    } else if (name.find("stepped_leaf") != name.npos) {
      ++in_leaf;
      EXPECT_EQ(step_depths[i], depth + 2) << name << " at step " << i;
    }
  }
  EXPECT_GT(in_root, 5U);
  EXPECT_GE(in_leaf, 4U);
}

#endif

// A stack of two pages between forbidden ones: a read outside its bounds would end the test.
class fenced_stack {
 public:
  fenced_stack() {
    void* const memory = ::mmap(nullptr, 4 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    low_ = reinterpret_cast<std::uintptr_t>(memory) + page_;
    ::mprotect(reinterpret_cast<void*>(low_), 2 * page_, PROT_READ | PROT_WRITE);
  }
  ~fenced_stack() { ::munmap(reinterpret_cast<void*>(low_ - page_), 4 * page_); }

  stack_bounds bounds() const { return {low_, low_ + 2 * page_}; }
  std::span<std::uintptr_t> words() const {
    return {reinterpret_cast<std::uintptr_t*>(low_), 2 * page_ / sizeof(std::uintptr_t)};
  }

 private:
  std::size_t page_ = static_cast<std::size_t>(::getpagesize());
  std::uintptr_t low_ = 0;
};

TEST_F(unwind, saved_follows_frame_records_to_the_mark) {
  fenced_stack const stack;
  auto const words = stack.words();
  auto const address = [&](std::size_t i) { return reinterpret_cast<std::uintptr_t>(&words[i]); };
  words[10] = address(20);
  words[11] = 0x2000;
  words[20] = address(30);
  words[21] = 0x3000;
  words[30] = 0;
  words[31] = 0;
  std::size_t const count =
      unwind_saved({.pc = 0x1000, .sp = address(4), .fp = address(10)}, stack.bounds(), seen);
  EXPECT_THAT(std::span(seen).first(count), ::testing::ElementsAre(0x1000, 0x2000, 0x3000));
}

TEST_F(unwind, saved_stops_at_a_record_that_lies_below) {
  fenced_stack const stack;
  auto const words = stack.words();
  auto const address = [&](std::size_t i) { return reinterpret_cast<std::uintptr_t>(&words[i]); };
  words[10] = address(10);  // a loop
  words[11] = 0x2000;
  std::size_t const count =
      unwind_saved({.pc = 0x1000, .sp = address(4), .fp = address(10)}, stack.bounds(), seen);
  EXPECT_EQ(count, 2U);
}

TEST_F(unwind, garbage_never_leads_out_of_the_bounds) {
  fenced_stack const stack;
  stack_bounds const bounds = stack.bounds();
  std::mt19937_64 random(1);  // NOLINT(cert-msc51-cpp): the same garbage each time
  auto const code = reinterpret_cast<std::uintptr_t>(&root_probe);
  auto const libc = reinterpret_cast<std::uintptr_t>(&::qsort);
  for (int round = 0; round < 2'000; ++round) {
    auto const any = [&]() -> std::uintptr_t {
      switch (random() % 4) {
        case 0:
          return bounds.low + random() % (bounds.high - bounds.low + 64) - 32;
        case 1:
          return code + random() % 4096;
        case 2:
          return libc + random() % 4096;
        default:
          return random();
      }
    };
    for (auto& word : stack.words()) word = any();
    registers const from{.pc = random() % 2 == 0 ? code + random() % 256 : libc + random() % 256,
                         .sp = bounds.low + random() % (bounds.high - bounds.low),
                         .fp = any()};
    EXPECT_LE(unwind_interrupted(from, bounds, seen), seen.size());
    EXPECT_LE(unwind_saved(from, bounds, seen), seen.size());
  }
}

std::array<std::uintptr_t, 128> deep;

[[gnu::noipa]] std::size_t walk_from_the_depth(int more, too_deep when) {
  std::size_t const depth =
      more == 0 ? unwind_here(seen_bounds, deep, when) : walk_from_the_depth(more - 1, when);
  asm volatile("");
  return depth;
}

TEST_F(unwind, keeps_both_ends_of_a_stack_that_is_too_deep) {
  for (int const more : {130, 131, 161, 162, 500}) {
    std::size_t const depth = walk_from_the_depth(more, too_deep::leave_out_middle);
    ASSERT_EQ(depth, deep.size()) << more;
    std::size_t const cut = deep.size() - root_frames - 1;
    EXPECT_EQ(deep[cut], frames_left_out) << more;
    EXPECT_EQ(std::ranges::count(deep, frames_left_out), 1) << more;
    auto const outermost = std::span(deep).last(root_frames);
    std::array<std::uintptr_t, 4096> all;
    std::size_t const whole = unwind_here(seen_bounds, all);
    // Below this test both stacks are the same.
    std::size_t const shared = std::min<std::size_t>(whole - 1, root_frames - 1);
    EXPECT_TRUE(
        std::ranges::equal(outermost.last(shared), std::span(all).first(whole).last(shared)))
        << more;
  }
}

TEST_F(unwind, ends_where_it_leaves_frames_out_if_the_root_is_too_far) {
  std::size_t const depth = walk_from_the_depth(6'000, too_deep::leave_out_middle);
  ASSERT_EQ(depth, deep.size() - root_frames);
  EXPECT_EQ(deep[depth - 1], frames_left_out);
}

TEST_F(unwind, fills_its_room_with_the_innermost_where_that_is_wanted) {
  EXPECT_EQ(walk_from_the_depth(500, too_deep::leave_out_outermost), deep.size());
  EXPECT_EQ(std::ranges::count(deep, frames_left_out), 0);
  EXPECT_NE(symbol_name(deep.back() - 1).find("walk_from_the_depth"), std::string::npos);
}

}  // namespace
}  // namespace vole::symbol
