// SPDX-License-Identifier: Apache-2.0
#include "parked.h"

#include <cstdio>
#include <cstdlib>
#include <new>
#include <sys/mman.h>
#include <ucontext.h>

namespace small_stacks {
namespace {

constexpr int calls = 4;
constexpr std::size_t frame_words = 25;  // 200 bytes
constexpr std::size_t wait_words = 62;

void* thread_resume[5];
block* entering;
ucontext_t entry_context;

[[gnu::noinline, noreturn]] void jump(void** to) {
  __builtin_longjmp(to, 1);
}

[[gnu::noinline]] void save_and_jump(void** from, void** to) {
  if (__builtin_setjmp(from) == 0) jump(to);
}

// By a pointer that the compiler cannot see through: registers that it leaves alone by itself, the
// other fiber uses.
void (*volatile exchange)(void** from, void** to) = save_and_jump;

[[gnu::noinline]] std::uint64_t wait(block& b) {
  std::uint64_t volatile held[wait_words];
  for (auto& word : held) word = 0;
  b.received = held;
  exchange(b.resume, thread_resume);
  return held[0] + held[1];
}

[[gnu::noinline]] std::uint64_t wait_deep(block& b, std::uint64_t seed, int depth) {
  std::uint64_t volatile frame[frame_words];
  for (auto& word : frame) word = seed;
  b.written = frame;
  std::uint64_t sum = depth > 1 ? wait_deep(b, seed, depth - 1) : wait(b);
  for (auto const& word : frame) sum += word;
  return sum;
}

[[noreturn]] void run() {
  block& b = *entering;
  for (;;) b.sum += wait_deep(b, b.seed, calls);
}

[[gnu::noinline]] void enter(block& b, std::size_t bytes) {
  entering = &b;
  if (::getcontext(&entry_context) != 0) die("getcontext");
  entry_context.uc_stack.ss_sp = b.top - bytes;
  entry_context.uc_stack.ss_size = bytes;
  ::makecontext(&entry_context, run, 0);
  ::setcontext(&entry_context);
  die("setcontext");
}

}  // namespace

void die(char const* what) {
  std::perror(what);
  std::exit(2);
}

void unable(char const* what) {
  std::perror(what);
  std::exit(77);
}

char* reserve(std::size_t bytes) {
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) die("no address space");
  ::madvise(at, bytes, MADV_NOHUGEPAGE);
  return static_cast<char*>(at);
}

stacks::stacks(std::size_t count, std::size_t stride, blocks where)
    : count_(count), stride_(stride), low_(reserve(count * stride)) {
  if (where == blocks::apart) apart_ = reinterpret_cast<block*>(reserve(count * sizeof(block)));
}

block& stacks::at(std::size_t i) const {
  return apart_ != nullptr ? apart_[i] : *reinterpret_cast<block*>(frames_top(i));
}

char* stacks::frames_top(std::size_t i) const {
  return apart_ != nullptr ? top(i) : top(i) - sizeof(block);
}

std::optional<std::size_t> stacks::find(void const* address) const {
  auto const* const at = static_cast<char const*>(address);
  if (at < low_ || at >= low_ + bytes()) return std::nullopt;
  return static_cast<std::size_t>(at - low_) / stride_;
}

void start(stacks const& all, std::size_t i) {
  block& b = *::new (&all.at(i)) block;
  if (::madvise(all.low(i), page_bytes, madv_guard_install) != 0)
    unable("no guards in one mapping (Linux 6.13)");
  b.top = all.frames_top(i);
  b.seed = i + 1;
  if (__builtin_setjmp(thread_resume) == 0)
    enter(b, static_cast<std::size_t>(b.top - all.low(i)) - page_bytes);
}

void resume(block& b) {
  exchange(thread_resume, b.resume);
}

std::uint64_t sum_of_frames(std::uint64_t seed) {
  return calls * frame_words * seed;
}

}  // namespace small_stacks
