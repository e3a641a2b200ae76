// SPDX-License-Identifier: Apache-2.0
// The switch itself, below all scheduling. A sanitizer would have to be told of these stacks, and
// has nothing to find in a switch.
#include "runtime/fiber.h"

#include <array>
#include <cfenv>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <unwind.h>

#include "symbol/symbolize.h"
#include "symbol/unwind.h"
#if defined(__aarch64__)
#include "symbol/cfi.h"
#endif

namespace vole::internal {
namespace {

constexpr std::size_t stack_bytes = 64 << 10;

// A fiber beside the test's own thread.
struct other_fiber {
  std::unique_ptr<char[]> stack = std::make_unique<char[]>(stack_bytes);
  void* sp = nullptr;
  void* test_sp = nullptr;

  other_fiber(void (*fn)(void*), void* arg) {
    sp = fiber_prepare(stack.get() + stack_bytes - 8, fn, arg);  // a top that is not aligned
  }
  void enter() { vole_fiber_switch(&test_sp, sp); }
  void leave() { vole_fiber_switch(&sp, test_sp); }
  symbol::stack_bounds bounds() const {
    auto const low = reinterpret_cast<std::uintptr_t>(stack.get());
    return {low, low + stack_bytes};
  }
};

class fiber_switching : public ::testing::Test {
 protected:
  void SetUp() override {
    if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "it would have to be told of these stacks";
  }
};

// What a function must find again after a call by the ABI, but for the stack and frame pointers.
#if defined(__x86_64__)
using kept_registers = std::array<std::uint64_t, 5>;  // rbx, r12 to r15

[[gnu::noinline]] void switch_with(kept_registers& values, void** from, void* to) {
  void* at = values.data();
  asm volatile(
      "subq $128, %%rsp\n\t"  // the red zone
      "pushq %%rax\n\t"
      "movq (%%rax), %%rbx\n\t"
      "movq 8(%%rax), %%r12\n\t"
      "movq 16(%%rax), %%r13\n\t"
      "movq 24(%%rax), %%r14\n\t"
      "movq 32(%%rax), %%r15\n\t"
      "call vole_fiber_switch@PLT\n\t"
      "popq %%rax\n\t"
      "movq %%rbx, (%%rax)\n\t"
      "movq %%r12, 8(%%rax)\n\t"
      "movq %%r13, 16(%%rax)\n\t"
      "movq %%r14, 24(%%rax)\n\t"
      "movq %%r15, 32(%%rax)\n\t"
      "addq $128, %%rsp"
      : "+a"(at), "+D"(from), "+S"(to)
      :
      : "rbx", "r12", "r13", "r14", "r15", "rcx", "rdx", "r8", "r9", "r10", "r11", "xmm0", "xmm1",
        "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "xmm13", "xmm14", "xmm15", "cc", "memory");
}
#else
using kept_registers = std::array<std::uint64_t, 18>;  // x19 to x28, d8 to d15

[[gnu::noinline]] void switch_with(kept_registers& values, void** from, void* to) {
  register void** x0 asm("x0") = from;
  register void* x1 asm("x1") = to;
  register void* x2 asm("x2") = values.data();
  asm volatile(
      "str x2, [sp, #-16]!\n\t"
      "ldp x19, x20, [x2]\n\t"
      "ldp x21, x22, [x2, #16]\n\t"
      "ldp x23, x24, [x2, #32]\n\t"
      "ldp x25, x26, [x2, #48]\n\t"
      "ldp x27, x28, [x2, #64]\n\t"
      "ldp d8, d9, [x2, #80]\n\t"
      "ldp d10, d11, [x2, #96]\n\t"
      "ldp d12, d13, [x2, #112]\n\t"
      "ldp d14, d15, [x2, #128]\n\t"
      "bl vole_fiber_switch\n\t"
      "ldr x2, [sp], #16\n\t"
      "stp x19, x20, [x2]\n\t"
      "stp x21, x22, [x2, #16]\n\t"
      "stp x23, x24, [x2, #32]\n\t"
      "stp x25, x26, [x2, #48]\n\t"
      "stp x27, x28, [x2, #64]\n\t"
      "stp d8, d9, [x2, #80]\n\t"
      "stp d10, d11, [x2, #96]\n\t"
      "stp d12, d13, [x2, #112]\n\t"
      "stp d14, d15, [x2, #128]"
      : "+r"(x0), "+r"(x1), "+r"(x2)
      :
      : "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
        "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "v0",
        "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14",
        "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27",
        "v28", "v29", "v30", "v31", "cc", "memory");
}
#endif

kept_registers pattern(std::uint64_t seed) {
  kept_registers values{};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = seed * 1'000'003 + i + 1;
  return values;
}

struct register_keeper {
  other_fiber* fiber = nullptr;
  int wrong = 0;
};

void keep_registers(void* arg) {
  auto& keeper = *static_cast<register_keeper*>(arg);
  for (std::uint64_t seed = 1;; seed += 2) {
    kept_registers values = pattern(seed);
    switch_with(values, &keeper.fiber->sp, keeper.fiber->test_sp);
    if (values != pattern(seed)) ++keeper.wrong;
  }
}

TEST_F(fiber_switching, keeps_the_registers_of_either_side) {
  register_keeper keeper;
  other_fiber fiber(&keep_registers, &keeper);
  keeper.fiber = &fiber;
  for (std::uint64_t seed = 0; seed < 20; seed += 2) {
    kept_registers values = pattern(seed);
    switch_with(values, &fiber.test_sp, fiber.sp);
    EXPECT_EQ(values, pattern(seed));
  }
  EXPECT_EQ(keeper.wrong, 0);
}

struct entered {
  other_fiber* fiber = nullptr;
  std::uintptr_t frame = 1;
  std::string caught = {};
  std::uintptr_t outermost = 0;
  int frames = 0;
};

[[gnu::noinline]] void throw_below(int depth) {
  if (depth == 0) throw std::runtime_error("thrown in a fiber");
  throw_below(depth - 1);
  asm volatile("" ::: "memory");
}

_Unwind_Reason_Code note_frame(_Unwind_Context* context, void* arg) {
  auto& to = *static_cast<entered*>(arg);
  if (_Unwind_GetIP(context) != 0) to.outermost = _Unwind_GetIP(context);
  return ++to.frames < 100 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

// Nothing is destroyed on a stack that is left for good.
void look_around(void* arg) {
  auto& to = *static_cast<entered*>(arg);
  alignas(16) char volatile local[16];
  local[0] = 0;
  to.frame = reinterpret_cast<std::uintptr_t>(&local[0]) % 16;
  try {
    throw_below(3);
  } catch (std::exception const& e) {
    to.caught = e.what();
  }
  _Unwind_Backtrace(&note_frame, &to);
  to.fiber->leave();
}

TEST_F(fiber_switching, first_enters_a_function_on_an_aligned_stack_that_ends_below_it) {
  entered seen;
  other_fiber fiber(&look_around, &seen);
  seen.fiber = &fiber;
  fiber.enter();
  EXPECT_EQ(seen.frame, 0U);
  EXPECT_EQ(seen.caught, "thrown in a fiber");
  EXPECT_EQ(symbol::symbol_name(seen.outermost - 1), "vole_fiber_entry");
  EXPECT_LT(seen.frames, 10);
}

[[gnu::noinline]] void wait_in_fiber(other_fiber& fiber) {
  fiber.leave();
  asm volatile("" ::: "memory");
}

TEST_F(fiber_switching, what_was_saved_leads_to_who_left) {
  struct args {
    other_fiber* fiber = nullptr;
    std::size_t depth = 0;
    std::array<std::uintptr_t, 16> pcs{};
  } here;
  other_fiber fiber(
      [](void* arg) {
        auto& to = *static_cast<args*>(arg);
        to.depth = symbol::unwind_here(to.fiber->bounds(), to.pcs);
        wait_in_fiber(*to.fiber);
      },
      &here);
  here.fiber = &fiber;
  saved_frame const fresh = fiber_saved_frame(fiber.sp);
  EXPECT_EQ(fresh.pc, reinterpret_cast<void*>(&vole_fiber_entry));
  fiber.enter();
  ASSERT_GE(here.depth, 2U);
  EXPECT_EQ(symbol::symbol_name(here.pcs[here.depth - 1] - 1), "vole_fiber_entry");

  saved_frame const frame = fiber_saved_frame(fiber.sp);
  symbol::registers const from{.pc = reinterpret_cast<std::uintptr_t>(frame.pc),
                               .sp = reinterpret_cast<std::uintptr_t>(frame.sp),
                               .fp = reinterpret_cast<std::uintptr_t>(frame.fp)};
  std::array<std::uintptr_t, 16> pcs{};
  std::size_t const depth = symbol::unwind_saved(from, fiber.bounds(), pcs);
  std::string names;
  for (std::size_t i = 0; i < depth; ++i) names += symbol::symbol_name(pcs[i] - 1) + "\n";
  std::size_t const waiter = names.find("wait_in_fiber");
  EXPECT_NE(waiter, std::string::npos) << names;
  EXPECT_NE(names.find("vole_fiber_entry", waiter), std::string::npos) << names;
}

TEST_F(fiber_switching, leaves_the_rounding_mode_to_the_thread) {
  other_fiber* inside = nullptr;
  other_fiber fiber(
      [](void* arg) {
        std::fesetround(FE_UPWARD);
        (*static_cast<other_fiber**>(arg))->leave();
      },
      &inside);
  inside = &fiber;
  int const before = std::fegetround();
  fiber.enter();
  EXPECT_EQ(std::fegetround(), FE_UPWARD);
  std::fesetround(before);
}

#if defined(__aarch64__)

// No step by step here: the instructions that move the stack pointer or the frame record are
// followed by hand, and the table is asked at each.
TEST_F(fiber_switching, is_described_at_every_instruction) {
  constexpr std::uint32_t make_frame = 0xd10283ff;   // sub sp, sp, #160
  constexpr std::uint32_t drop_frame = 0x910283ff;   // add sp, sp, #160
  constexpr std::uint32_t save_record = 0xa9007bfd;  // stp x29, x30, [sp]
  constexpr std::uint32_t load_record = 0xa9407bfd;  // ldp x29, x30, [sp]
  constexpr std::uint32_t to_caller = 0xd65f03c0;    // ret
  std::array<std::uintptr_t, 64> stack{};
  auto const low = reinterpret_cast<std::uintptr_t>(stack.data());
  symbol::stack_bounds const bounds{low, low + sizeof stack};
  std::uintptr_t const callers_sp = low + sizeof stack / 2;
  std::uintptr_t const callers_fp = low + sizeof stack - 16;
  constexpr std::uintptr_t callers_pc = 0x1000;
  symbol::registers at{.pc = reinterpret_cast<std::uintptr_t>(&vole_fiber_switch),
                       .sp = callers_sp,
                       .fp = callers_fp,
                       .link = callers_pc};
  int instructions = 0;
  for (std::uint32_t code = 0; code != to_caller; at.pc += 4, ++instructions) {
    code = *reinterpret_cast<std::uint32_t const*>(at.pc);
    symbol::registers caller = at;
    ASSERT_EQ(symbol::step_by_cfi(&caller, at.pc, bounds), symbol::cfi_step::stepped)
        << "instruction " << instructions;
    EXPECT_EQ(caller.pc, callers_pc) << "instruction " << instructions;
    EXPECT_EQ(caller.sp, callers_sp) << "instruction " << instructions;
    EXPECT_EQ(caller.fp, callers_fp) << "instruction " << instructions;
    auto* const record = reinterpret_cast<std::uintptr_t*>(at.sp);
    if (code == make_frame) {
      at.sp -= 160;
    } else if (code == drop_frame) {
      at.sp += 160;
    } else if (code == save_record) {
      record[0] = at.fp;
      record[1] = at.link;
      at.fp = at.link = 0;  // other code's from here on
    } else if (code == load_record) {
      at.fp = record[0];
      at.link = record[1];
    }
  }
  EXPECT_GT(instructions, 20);
}

#endif

}  // namespace
}  // namespace vole::internal
