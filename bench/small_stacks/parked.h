// SPDX-License-Identifier: Apache-2.0
#pragma once
// Fibers that wait, on stacks as the runtime lays them out: reservations of equal size, the lowest
// page of each a guard, the frames from the top. Their control blocks lie on top of the stacks, as
// the runtime's do, or apart from them.
//
// Each fiber waits four calls of 200 bytes deep. The innermost one keeps there what a channel
// receive does (its size is chosen so that a fiber has as many live bytes as vole's goroutine in
// bench/start_parked_1m), and adds what it was given there to its sum when it goes on.
// LOCKS  none: fibers run on the thread that starts and resumes them.

#include <cstddef>
#include <cstdint>
#include <optional>

namespace small_stacks {

inline constexpr std::size_t page_bytes = 4096;
inline constexpr int madv_guard_install = 102;  // Linux 6.13; the C library here does not name them
inline constexpr int madv_guard_remove = 103;

[[noreturn]] void die(char const* what);
// unable ends with 77: this kernel has no such thing, or does not permit it.
[[noreturn]] void unable(char const* what);

// Address space for the life of the process, committed as it is touched, without huge pages.
char* reserve(std::size_t bytes);

// As large as the runtime's.
struct alignas(64) block {
  // __builtin_setjmp's: the frame pointer, the resume address, the stack pointer, two to spare.
  void* resume[5] = {};
  char* top = nullptr;  // where frames start
  std::uint64_t seed = 0;
  std::uint64_t sum = 0;  // of what it found when it went on
  // On its stack: two words that it reads when it goes on, and one that holds its seed.
  std::uint64_t volatile* received = nullptr;
  std::uint64_t const volatile* written = nullptr;
  char* copy = nullptr;  // while it is stowed
  char rest[136] = {};

  char* sp() const { return static_cast<char*>(resume[2]); }
  std::size_t live_bytes() const { return static_cast<std::size_t>(top - sp()); }
  char* page() const {
    return reinterpret_cast<char*>(reinterpret_cast<std::uintptr_t>(sp()) & ~(page_bytes - 1));
  }
};
static_assert(sizeof(block) == 256);

class stacks {
 public:
  enum class blocks { on_the_stacks, apart };

  stacks(std::size_t count, std::size_t stride, blocks where);

  char* low() const { return low_; }
  std::size_t bytes() const { return count_ * stride_; }
  // The lowest byte of the i-th, which is its guard's, and where its frames start.
  char* low(std::size_t i) const { return low_ + i * stride_; }
  char* frames_top(std::size_t i) const;
  // The page that its frames start in.
  char* top_page(std::size_t i) const { return low(i + 1) - page_bytes; }
  block& at(std::size_t i) const;
  // The stack that holds this address.
  std::optional<std::size_t> find(void const* address) const;

 private:
  char* top(std::size_t i) const { return low(i + 1) - i % 8 * 64; }  // as the runtime colours them

  std::size_t count_;
  std::size_t stride_;
  char* low_;
  block* apart_ = nullptr;
};

// start builds the fiber's control block and runs it until it waits.
void start(stacks const& all, std::size_t i);

// resume runs a fiber that waits until it waits again.
void resume(block& b);

// What a fiber adds to its sum each time, besides what it was given.
std::uint64_t sum_of_frames(std::uint64_t seed);

}  // namespace small_stacks
