// SPDX-License-Identifier: Apache-2.0
// blocking_resolver: a resolver over a function that stops its thread, as getaddrinfo does.
//
// INVARIANTS
//  - What vole/uncancelable.h says of its calls: at most `at_once` run, and one whose caller has
//    gone ends on its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "vole/net.h"
#include "vole/uncancelable.h"

namespace vole::internal {

class blocking_resolver final : public net::resolver {
 public:
  using answer = result<std::vector<net::ip_address>>;
  using question = std::function<answer(std::string const& host)>;

  blocking_resolver(question ask, std::int64_t at_once);
  answer lookup(context const& ctx, std::string_view host) override;
  uncancelable::stats read_stats() const noexcept { return lookups_.read_stats(); }

 private:
  std::shared_ptr<question const> ask_;  // also the running look-ups'
  uncancelable lookups_;
};

// ask_system is getaddrinfo.
blocking_resolver::answer ask_system(std::string const& host);

}  // namespace vole::internal
