// SPDX-License-Identifier: Apache-2.0
// blocking_resolver: a resolver over a function that stops its thread, as getaddrinfo does.
//
// INVARIANTS
//  - At most `at_once` look-ups run; each holds a unit of the semaphore until it ends.
//  - A look-up whose caller has gone ends on its own, and its answer goes nowhere.
// LOCKS  none besides those of semaphore and channel.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "vole/net.h"
#include "vole/sync/semaphore.h"

namespace vole::internal {

class blocking_resolver final : public net::resolver {
 public:
  using answer = result<std::vector<net::ip_address>>;
  using question = std::function<answer(std::string const& host)>;

  blocking_resolver(question ask, std::int64_t at_once);
  answer lookup(context const& ctx, std::string_view host) override;

 private:
  struct shared {
    question ask;
    sync::semaphore running;
  };
  std::shared_ptr<shared> shared_;  // also the running look-ups'
};

// ask_system is getaddrinfo.
blocking_resolver::answer ask_system(std::string const& host);

}  // namespace vole::internal
