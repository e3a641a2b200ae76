// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a test asks of a case: that it holds as the product stands, and that it finds a fault.

#include <iosfwd>

#include "model_case.h"

namespace vole::model {

// expect_holds explores the case and fails the running test when anything is found.
// VOLE_MODEL_PREEMPTIONS, VOLE_MODEL_STALE_READS and VOLE_MODEL_EXECUTIONS in the environment take
// the place of its bounds.
void expect_holds(model_case const& c);

// A fault, and the case that is there to find it.
struct seeded {
  char const* name;
  model_case const* in;
  fault broken;
  char const* found_as;  // part of the failure
};

void PrintTo(seeded const& s, std::ostream* to);

// expect_found explores the case with the fault in it and fails the running test when it is not
// found.
void expect_found(seeded const& s);

}  // namespace vole::model
