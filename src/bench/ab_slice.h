// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runs one program to its end and says what the machine did meanwhile.
// No shared state; one child at a time. Call from a process without other threads.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "vole/result.h"

#include "bench/ab_plan.h"

namespace vole::ab {

struct command {
  std::string path;
  std::vector<std::string> words;  // argv; the first one need not be path
  std::string folder = {};         // empty: ours
  std::chrono::seconds at_most{600};
  bool cleans_up = false;  // it runs to its end also when somebody presses ctrl-C
};

struct ended {
  int status = 0;  // of exit; 128 + number of the signal that ended it
  std::string output;
  std::string errors;
  disturbance disturbed;
};

// meter reads the kernel's counters before and after a child.
class meter {
 public:
  meter();

  // run waits for the end of the command.
  // Errors: it cannot be started; it took too long; somebody pressed ctrl-C.
  result<ended> run(command const& what);
  // migrations_seen says whether the kernel counts migrations for us; why_not, if it does not.
  std::string const& why_no_migrations() const { return why_no_migrations_; }

 private:
  struct reading {
    double busy_seconds = 0;  // of all processes
    double stolen_seconds = 0;
    std::int64_t throttles = 0;
  };
  reading read() const;

  std::vector<std::string> throttle_files_;  // of numbers
  std::string quota_file_;                   // the control group's cpu.stat
  std::string why_no_migrations_;
};

// interrupted says that somebody wants us to stop: SIGINT or SIGTERM came since listen().
void listen_for_interrupts();
bool interrupted();

}  // namespace vole::ab
