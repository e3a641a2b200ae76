// SPDX-License-Identifier: Apache-2.0
// service::health: whether the process lives and whether it should be sent requests. Alive is
// having answered; ready is set_ready(true) and every check passing.
//
// INVARIANTS
//   - A check runs at most once at a time: while one hangs past its timeout, it is reported as
//     failing and not started again, so that probes cannot pile up goroutines.
// LOCKS  the state's mutex guards the list of checks and the flag; it is not held while a check
//        runs.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/internal/clock.h"

namespace vole::service {

class health {
 public:
  // A check returns null when what it looks at can be used, within its context.
  using check = std::function<error(context const& ctx)>;

  struct check_result {
    std::string name;
    error err;      // null: passed
    duration took;  // up to the timeout
  };
  struct report {
    bool ready = false;
    std::string reason;  // why not, when it is not for a check: "starting", "draining"
    std::vector<check_result> checks;
  };

  health();

  // add_readiness adds a check; one that takes longer than timeout has failed.
  // Panics:  a name taken twice (caller's bug).
  void add_readiness(std::string name, check fn, duration timeout = std::chrono::seconds(2));

  // set_ready opens or closes the door: not ready with a reason, whatever the checks say. It begins
  // as "starting".
  void set_ready() { set_door(true, {}); }
  void set_not_ready(std::string reason) { set_door(false, std::move(reason)); }

  // readiness runs all checks side by side.
  // Blocks:  up to the longest timeout.  Cancels: by ctx.
  report readiness(context const& ctx) const;

 private:
  struct state;
  void set_door(bool open, std::string reason);
  std::shared_ptr<state> state_;
};

}  // namespace vole::service
