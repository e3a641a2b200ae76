// SPDX-License-Identifier: Apache-2.0
// Taking processors away (docs/design/0009): a processor never has two owners, and neither it nor a
// goroutine is lost.

#include <gtest/gtest.h>

#include "cases.h"
#include "expect.h"

namespace vole::model {
namespace {

TEST(eviction_model, processor_has_one_owner_by_exchange) {
  expect_holds(cases::evicted_by_exchange);
}
TEST(eviction_model, processor_has_one_owner_by_membarrier) {
  expect_holds(cases::evicted_by_barrier);
}
TEST(eviction_model, evicted_comes_back_by_exchange) {
  expect_holds(cases::evicted_by_exchange_comes_back);
}
TEST(eviction_model, evicted_comes_back_by_membarrier) {
  expect_holds(cases::evicted_by_barrier_comes_back);
}

}  // namespace
}  // namespace vole::model
