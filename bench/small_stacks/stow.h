// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ways to hold a fiber that waits. To stow one is to copy the live part of its stack to the heap
// and to give the page back; the copy goes back to the same address.
// LOCKS  none: one thread stows, restores and touches; the thread that serves the faults works only
//        while that one waits for it, and lets it go on as its last step.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "parked.h"

namespace small_stacks {

enum class way {
  page,           // not at all: as today
  dontneed_each,  // MADV_DONTNEED for each
  dontneed,       // the same for many in one call
  guard,          // MADV_GUARD_INSTALL for many in one call; who touches it gets SIGSEGV
  // userfaultfd, the stacks registered for missing pages; a thread serves the faults. The page is
  // moved away in one step, and one write loses nothing to the copy.
  uffd_thread,
  // userfaultfd, the stacks not registered for missing pages, so that new ones come as ever. A page
  // is registered while it is moved away and poisoned; who touches it gets SIGBUS.
  uffd_poison,
};

way way_named(std::string_view name);

// store holds the copies: sizes in steps of 64 bytes, and what was given back is used again.
class store {
 public:
  store();
  char* take(std::size_t bytes);
  void give(char* at, std::size_t bytes);

 private:
  char* next_;
  char* end_;
  std::vector<char*> free_;  // by size / 64; linked by their first word
};

class stower {
 public:
  static constexpr std::size_t batch_max = 64;

  stower(way how, stacks& all);
  ~stower();
  stower(stower const&) = delete;
  stower& operator=(stower const&) = delete;

  // prepare gives the i-th stack its first page, where the kernel would not.
  void prepare(std::size_t i);
  void stow(std::span<block* const> batch);
  void restore(block& b);
  bool traps() const { return how_ >= way::guard; }

 private:
  static void on_signal(int signal, void* info, void* context);
  static void* serve(void* self);

  void keep(block& b, char const* page);
  void advise(std::span<block* const> batch, int advice);
  void take_out(block const& b, char* to);
  void put_page(char* page, char const* image);
  void touched(char* page);
  void listen();
  void watch(char* at, std::size_t bytes, std::uint64_t mode);

  way const how_;
  stacks& all_;
  store store_;
  int self_ = -1;             // a pidfd
  int faults_ = -1;           // the userfaultfd
  char* scratch_ = nullptr;   // batch_max pages, where stacks are moved to
  char image_[page_bytes]{};  // what is put back; below the stack pointer anything may stand
  int stop_[2] = {-1, -1};
  unsigned long server_ = 0;
};

}  // namespace small_stacks
