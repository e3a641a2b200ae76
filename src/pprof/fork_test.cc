// SPDX-License-Identifier: Apache-2.0
// A child that is forked while others allocate, wait for each other and change labels.

#include <cstdlib>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/pprof.h"
#include "vole/runtime.h"
#include "vole/sync.h"

namespace vole::pprof {
namespace {

class busy_process : public ::testing::Test {
 protected:
  static constexpr int goroutines_each = 2;

  void SetUp() override {
    set_heap_rate(1);
    set_contention_rate(1'000'000'000);
    for (int i = 0; i < goroutines_each; ++i) {
      busy([] {
        void* const block = std::malloc(100);
        asm volatile("" : : "r"(block) : "memory");
        std::free(block);
      });
      busy([this] {
        mu_.lock();
        runtime::yield();
        mu_.unlock();
      });
      busy([] { label_scope const labels{{"who", "nobody"}}; });
    }
  }
  void TearDown() override {
    stop_.store(true);
    ended_.wait();
    set_heap_rate(heap_rate_before_);
    set_contention_rate(1000);
  }

 private:
  template <class Fn>
  void busy(Fn fn) {
    ended_.go([this, fn] {
      while (!stop_.load()) {
        for (int i = 0; i < 50; ++i) fn();
        runtime::yield();
      }
    });
  }

  std::size_t const heap_rate_before_ = heap_rate();
  internal::atomic<bool> stop_{false};
  sync::mutex mu_;
  sync::wait_group ended_;
};

// Uses everything whose lock another thread may have held. Ends by SIGALRM if one is never let go.
[[noreturn]] void child_main() {
  ::alarm(20);
  for (int i = 0; i < 20; ++i) {
    void* const block = std::malloc(100);
    asm volatile("" : : "r"(block) : "memory");
    std::free(block);
    for (char const* const name : {"heap", "block", "mutex"}) {
      if (lookup(name)->count() > 1'000'000) ::_exit(1);
    }
    label_scope const labels{{"who", "child"}};
    if (label_value("who") != "child") ::_exit(2);
  }
  ::_exit(0);
}

TEST_F(busy_process, its_children_find_no_lock_held) {
  for (int i = 0; i < 50; ++i) {
    pid_t const child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) child_main();
    int status = 0;
    ASSERT_EQ(blocking([&] { return ::waitpid(child, &status, 0); }), child);
    ASSERT_EQ(status, 0) << "child number " << i;
  }
}

}  // namespace
}  // namespace vole::pprof
