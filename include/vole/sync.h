// SPDX-License-Identifier: Apache-2.0
#pragma once
// Synchronisation as Go's package sync (and golang.org/x/sync/semaphore), for goroutines and plain
// threads alike.
// Where a value is handed over, or somebody must be told, a channel is the better tool: see
// docs/guide/channels.md.

#include "vole/sync/atomic_value.h"
#include "vole/sync/cond.h"
#include "vole/sync/map.h"
#include "vole/sync/mutex.h"
#include "vole/sync/once.h"
#include "vole/sync/pool.h"
#include "vole/sync/rw_mutex.h"
#include "vole/sync/semaphore.h"
#include "vole/sync/wait_group.h"
