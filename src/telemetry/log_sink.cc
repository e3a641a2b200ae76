// SPDX-License-Identifier: Apache-2.0
// Where lines go.
// INVARIANTS  the lines of one sink never mix: a line is written whole under mu_, in one write(2)
//             unless the kernel takes less. After one that was cut off, by a full disk say, the
//             next begins a line of its own.
// LOCKS       fd_sink::mu_ is held over write(2), so it is a sync::mutex: when the reader of a pipe
//             stalls, one thread waits in the kernel and the other goroutines park.
// REJECTED    writing without a lock: a stalled reader then stops a thread for each line, and lines
//             longer than PIPE_BUF mix.
#include <cerrno>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <unistd.h>

#include "vole/log.h"
#include "vole/sync.h"

namespace vole::log {
namespace {

// write_all writes the whole text, and returns how much of it could be written.
std::size_t write_all(int fd, std::string_view text) noexcept {
  std::size_t done = 0;
  while (done < text.size()) {
    ssize_t const n = ::write(fd, text.data() + done, text.size() - done);
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {  // somebody made the terminal or pipe non-blocking
      pollfd wait{fd, POLLOUT, 0};
      if (::poll(&wait, 1, -1) < 0 && errno != EINTR) break;
      if ((wait.revents & (POLLERR | POLLNVAL)) != 0) break;
    } else if (errno != EINTR) {
      break;
    }
  }
  return done;
}

class fd_sink final : public sink {
 public:
  explicit fd_sink(int fd) noexcept : fd_(fd) {}

  void write(std::string_view line) override {
    std::lock_guard const hold(mu_);
    if (!write_line(line)) lines_lost_.fetch_add(1, internal::memory_order_relaxed);
  }
  std::uint64_t lines_lost() const override {
    return lines_lost_.load(internal::memory_order_relaxed);
  }

 private:
  // False: the line is lost, but perhaps for its beginning. Under mu_.
  bool write_line(std::string_view line) {
    if (torn_ && write_all(fd_, "\n") == 0) return false;
    std::size_t const done = write_all(fd_, line);
    torn_ = done != 0 && done != line.size();
    return done == line.size();
  }

  int const fd_;
  sync::mutex mu_;
  bool torn_ = false;  // the last line has no end; guarded by mu_
  internal::atomic<std::uint64_t> lines_lost_{0};
};

}  // namespace

std::shared_ptr<sink> to_fd(int fd) {
  return std::make_shared<fd_sink>(fd);
}
std::shared_ptr<sink> to_stderr() {
  return to_fd(STDERR_FILENO);
}

void memory_sink::write(std::string_view line) {
  internal::raw_lock const hold(mu_);
  text_ += line;
}

std::string memory_sink::text() const {
  internal::raw_lock const hold(mu_);
  return text_;
}

std::vector<std::string> memory_sink::lines() const {
  std::vector<std::string> out;
  std::string const all = text();
  for (std::size_t at = 0; at < all.size();) {
    std::size_t const end = all.find('\n', at);
    out.push_back(all.substr(at, end - at));
    at = end == std::string::npos ? all.size() : end + 1;
  }
  return out;
}

void memory_sink::clear() {
  internal::raw_lock const hold(mu_);
  text_.clear();
}

}  // namespace vole::log
