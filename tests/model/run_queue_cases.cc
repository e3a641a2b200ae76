// SPDX-License-Identifier: Apache-2.0
// run_queue.h: one owner, thieves.

#include <memory>

#include "cases.h"
#include "crowd.h"
#include "runtime/run_queue.h"

namespace vole::model::cases {
namespace {

using internal::goroutine;
using internal::goroutine_chain;
using internal::run_queue;

void owner_and_thief_body() {
  auto const queue = std::make_unique<run_queue>();
  auto const loot = std::make_unique<run_queue>();
  name(*queue, "queue");
  name(*loot, "loot");
  crowd all(3);
  goroutine_chain overflow;
  thread("owner", [&] {
    for (int i = 0; i < 3; ++i) queue->push(all.prepared(i), overflow);
    all.take(queue->take());
  });
  thread("thief", [&] {
    all.take(queue->steal_into(*loot));
    all.take(loot->take());
  });
  join();
  all.drain(*queue);
  all.drain(*loot);
  all.check_all_taken_once();
}

void two_thieves_body() {
  auto const queue = std::make_unique<run_queue>();
  auto const loot = std::make_unique<run_queue>();
  auto const other = std::make_unique<run_queue>();
  name(*queue, "queue");
  crowd all(3);
  goroutine_chain overflow;
  for (int i = 0; i < 3; ++i) queue->push(all.prepared(i), overflow);
  thread("thief", [&] { all.take(queue->steal_into(*loot)); });
  thread("other", [&] { all.take(queue->steal_into(*other)); });
  thread("owner", [&] { all.take(queue->take()); });
  join();
  all.drain(*queue);
  all.drain(*loot);
  all.drain(*other);
  all.check_all_taken_once();
}

void next_and_thief_body() {
  auto const queue = std::make_unique<run_queue>();
  name(*queue, "queue");
  crowd all(3);
  goroutine_chain overflow;
  thread("owner", [&] {
    for (int i = 0; i < 3; ++i) {
      if (goroutine* const displaced = queue->put_next(all.prepared(i))) {
        queue->push(displaced, overflow);
      }
    }
    all.take(queue->take_next());
  });
  thread("thief", [&] {
    all.take(queue->steal_next());
    all.take(queue->steal_next());
  });
  join();
  all.drain(*queue);
  all.check_all_taken_once();
}

// The ring is all but full of fillers, which nobody counts.
void overflow_and_thief_body() {
  auto const queue = std::make_unique<run_queue>();
  auto const loot = std::make_unique<run_queue>();
  name(*queue, "queue");
  auto const fillers = std::make_unique<goroutine[]>(run_queue::capacity);
  goroutine_chain overflow;
  for (std::uint32_t i = 0; i < run_queue::capacity; ++i) queue->push(&fillers[i], overflow);
  auto const one = std::make_unique<goroutine>();
  std::uint32_t stolen = 0;
  thread("owner", [&] { queue->push(one.get(), overflow); });
  thread("thief", [&] { stolen = queue->steal_into(*loot) != nullptr ? 1 : 0; });
  join();
  std::uint32_t all = stolen + static_cast<std::uint32_t>(overflow.count);
  for (run_queue* const q : {queue.get(), loot.get()}) {
    while (q->take() != nullptr) ++all;
  }
  MODEL_CHECK(all == run_queue::capacity + 1);
}

}  // namespace

model_case const owner_and_thief{
    "run_queue, owner and thief", {.preemptions = 3}, owner_and_thief_body};
model_case const two_thieves{
    "run_queue, two thieves and the owner", {.preemptions = 3}, two_thieves_body};
model_case const next_and_thief{
    "run_queue, next_ and a thief", {.preemptions = 3}, next_and_thief_body};
model_case const overflow_and_thief{
    "run_queue, full, and a thief", {.preemptions = 2}, overflow_and_thief_body};

}  // namespace vole::model::cases
