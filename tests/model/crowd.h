// SPDX-License-Identifier: Apache-2.0
#pragma once
// Goroutines that are put into queues, and how often each was taken. What is written into one
// before it is put there is read by who takes it. No shared state: a case makes its own.

#include "explorer.h"
#include "runtime/run_queue.h"

namespace vole::model {

struct crowd {
  explicit crowd(int n) : made(n), g(new internal::goroutine[static_cast<std::size_t>(n)]) {
    for (int i = 0; i < n; ++i) taken[i] = 0;
  }
  ~crowd() { delete[] g; }
  crowd(crowd const&) = delete;
  crowd& operator=(crowd const&) = delete;

  internal::goroutine* prepared(int i) {
    g[i].ready_at = i + 1;
    return &g[i];
  }
  void take(internal::goroutine* one) {
    if (one == nullptr) return;
    MODEL_CHECK(one >= g && one < g + made);
    auto const i = static_cast<int>(one - g);
    MODEL_CHECK(one->ready_at == i + 1);
    ++taken[i];  // a plain word: that two take the same one is a race, too
  }
  void drain(internal::run_queue& queue) {
    take(queue.take_next());
    while (internal::goroutine* const one = queue.take()) take(one);
  }
  void check_all_taken_once() const {
    for (int i = 0; i < made; ++i) MODEL_CHECK(taken[i] == 1);
  }

  int const made;
  internal::goroutine* const g;
  int taken[4];
};

}  // namespace vole::model
