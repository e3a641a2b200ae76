// SPDX-License-Identifier: Apache-2.0
// path_lock.h says what holds here.

#include "net/path_lock.h"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vole/internal/clock.h"

namespace vole::internal {
namespace {

using namespace std::chrono_literals;

// The holder makes a few system calls: who holds it longer has been stopped.
constexpr duration patience = 5s;
constexpr duration pause = 1ms;

bool bears_the_name(int fd, std::string const& name) {
  struct stat ours;
  struct stat named;
  return ::fstat(fd, &ours) == 0 && ::lstat(name.c_str(), &named) == 0 &&
         ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

}  // namespace

path_lock::~path_lock() {
  if (fd_ < 0) return;
  ::unlink(name_.c_str());
  ::close(fd_);
}

// Never inlined: a compiler may keep the address of errno over the sleep of its caller, after which
// that runs on another thread.
[[gnu::noinline]] int path_lock::try_once() {
  int const fd = ::open(name_.c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return -errno;
  int const status = ::flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno;
  // The holder before may have removed the file after it was opened here.
  if (status == 0 && bears_the_name(fd, name_)) {
    fd_ = fd;
    return 0;
  }
  ::close(fd);
  return status == 0 ? -EWOULDBLOCK : status;
}

error path_lock::acquire(context const& ctx, std::string const& path) {
  name_ = path + ".start-lock";
  time_point const until = deadline_after(patience);
  for (;;) {
    int const status = try_once();
    if (status == 0) return nullptr;
    if (status != -EWOULDBLOCK) return errors::from_errno(-status, "make {}", name_);
    if (now() >= until) {
      return errors::make("somebody else has been starting there for 5 s, and holds {}", name_);
    }
    if (error ended = time::sleep(ctx, pause)) return ended;
  }
}

}  // namespace vole::internal
