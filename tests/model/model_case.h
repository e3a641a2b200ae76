// SPDX-License-Identifier: Apache-2.0
#pragma once
// A case: a program of a few lines, and how far it is explored.

#include "explorer.h"

namespace vole::model {

struct model_case {
  char const* name;
  options bounds;
  void (*body)();
};

}  // namespace vole::model
