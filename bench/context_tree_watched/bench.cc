// SPDX-License-Identifier: Apache-2.0
// Make a tree of 10,000 contexts, ten below each, cancel its root after done() of every one
// was asked for, and look that each is closed.

#include "vole/bench.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "vole/chan.h"
#include "vole/context.h"

using namespace vole;

namespace {

constexpr std::size_t tree_size = 10'000;

VOLE_BENCH(context_tree_watched) {
  std::int64_t ended = 0;
  std::vector<std::pair<context, cancel_handle>> tree;
  tree.reserve(tree_size);
  while (b.loop()) {
    tree.push_back(context::with_cancel(context::background()));
    for (std::size_t i = 0; tree.size() < tree_size; ++i) {
      for (int child = 0; child < 10 && tree.size() < tree_size; ++child) {
        tree.push_back(context::with_cancel(tree[i].first));
      }
    }
    for (auto const& [ctx, cancel] : tree) bench::keep(ctx.done());
    tree.front().second();
    for (auto const& [ctx, cancel] : tree) ended += ctx.done().recv() ? 0 : 1;
    tree.clear();
  }
  b.report_metric(static_cast<double>(ended) / static_cast<double>(b.n), "check/op");
}

}  // namespace
