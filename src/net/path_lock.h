// SPDX-License-Identifier: Apache-2.0
// path_lock: one at a time makes ready to listen on the path of a unix socket.
//
// A socket that is bound but does not listen yet refuses connections, just as the file of a killed
// process does: who asks meanwhile would take it for stale and remove it. And of two who have found
// the same stale file, the second would remove the first one's fresh one. So bind, the question,
// the removal and listen are one step under a lock: flock(2) of a file beside the socket's, which
// is there only while it is held. One that a crash leaves is locked by nobody, and taken over.
//
// INVARIANTS
//  - Who has the lock has that file open which bears the name, and alone removes it.
// LOCKS  the file's.
// REJECTED  flock of the folder: others hold that for long, to keep it from being cleaned up.
//           Binding to another name and renaming: peers would see that name.
#pragma once

#include <string>

#include "vole/context.h"
#include "vole/errors.h"

namespace vole::internal {

class path_lock {
 public:
  path_lock() = default;
  ~path_lock();
  path_lock(path_lock const&) = delete;
  path_lock& operator=(path_lock const&) = delete;

  // acquire waits while somebody else has the lock of this socket's path.
  // Errors:  ctx's; the system's; after 5 s that the lock does not come free.
  error acquire(context const& ctx, std::string const& path);

 private:
  // try_once returns 0, minus errno, or -EWOULDBLOCK: somebody has it, or has just given it back.
  int try_once();

  std::string name_;
  int fd_ = -1;  // -1: not held
};

}  // namespace vole::internal
