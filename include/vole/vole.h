// SPDX-License-Identifier: Apache-2.0
#pragma once
// The language: what Go has built in, in one include.

#include "vole/assert.h"
#include "vole/chan.h"
#include "vole/context.h"
#include "vole/defer.h"
#include "vole/errors.h"
#include "vole/go.h"
#include "vole/result.h"
#include "vole/runtime.h"
#include "vole/select.h"
