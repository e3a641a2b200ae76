// SPDX-License-Identifier: Apache-2.0
// Children: started by posix_spawn, watched through a pidfd on the netpoller.
//
// INVARIANTS
//   - Until `reaped` is set the child, or what is left of it, exists: pid and pidfd name it, and
//     nobody else.
// No shared state: a process belongs to one goroutine at a time; only signal() may come from
// others.
#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vole/assert.h"
#include "vole/errgroup.h"
#include "vole/go.h"
#include "vole/os.h"

#include "os/descriptor.h"
#include "os/polled.h"

namespace vole::os {
namespace {

// System calls beside which the goroutine waits, a failure minus errno. Never inlined: a compiler
// may keep the address of errno over a wait, after which the goroutine runs on another thread.
// glibc 2.36 declares the first two without extern "C".
[[gnu::noinline]] int open_pidfd(pid_t pid) {
  auto const fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  return fd < 0 ? -errno : fd;
}
[[gnu::noinline]] int send_signal(int pidfd, int which) {
  return ::syscall(SYS_pidfd_send_signal, pidfd, which, nullptr, 0) < 0 ? -errno : 0;
}
[[gnu::noinline]] int wait_id(int pidfd, siginfo_t* info) {
  return ::waitid(P_PIDFD, static_cast<id_t>(pidfd), info, WEXITED | WNOHANG) < 0 ? -errno : 0;
}

// A pipe, or /dev/null, for one stream of a child.
struct child_stream {
  descriptor ours;    // pipe: our end
  descriptor theirs;  // what the child gets; none: it inherits
};

// above_standard moves a descriptor out of the way of those that the child will have as 0, 1 and 2.
descriptor above_standard(descriptor fd) {
  if (!fd.good() || fd.fd() > STDERR_FILENO) return fd;
  return descriptor(::fcntl(fd.fd(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

[[gnu::noinline]] result<child_stream> open_stream(stream kind, bool child_reads) {
  child_stream made;
  if (kind == stream::inherit) return made;
  if (kind == stream::null) {
    made.theirs = above_standard(descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC)));
  } else {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return errors::from_errno(errno, "make a pipe");
    made.theirs = above_standard(descriptor(ends[child_reads ? 0 : 1]));
    made.ours = descriptor(ends[child_reads ? 1 : 0]);
    if (::fcntl(made.ours.fd(), F_SETFL, O_NONBLOCK) != 0)
      return errors::from_errno(errno, "make a pipe");
  }
  if (!made.theirs.good()) return errors::from_errno(errno, "open a stream of a child");
  return made;
}

// The C arrays of posix_spawn; the strings stay where they are.
std::vector<char*> c_strings(std::vector<std::string> const& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string const& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

bool command_has_zero_byte(command const& what) {
  auto const in = [](std::vector<std::string> const& texts) {
    return std::ranges::any_of(texts, [](std::string const& text) { return has_zero_byte(text); });
  };
  return in(what.argv) || has_zero_byte(what.dir) || (what.env && in(*what.env));
}

class spawn_plan {
 public:
  spawn_plan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  spawn_plan(spawn_plan const&) = delete;
  spawn_plan& operator=(spawn_plan const&) = delete;
  ~spawn_plan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  // prepare returns 0 or an errno.
  int prepare(command const& what, std::span<child_stream const, 3> streams);
  int spawn(command const& what, pid_t* pid);

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

int spawn_plan::prepare(command const& what, std::span<child_stream const, 3> streams) {
  int code = 0;
  for (int fd = 0; fd < 3 && code == 0; ++fd) {
    descriptor const& theirs = streams[static_cast<std::size_t>(fd)].theirs;
    if (theirs.good()) code = ::posix_spawn_file_actions_adddup2(&actions_, theirs.fd(), fd);
  }
  if (code == 0 && !what.dir.empty()) {
    code = ::posix_spawn_file_actions_addchdir_np(&actions_, what.dir.c_str());
  }
  // A child starts with the signals as a shell would give them, whatever this process made of its
  // own.
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  unsigned flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (what.own_group) flags |= POSIX_SPAWN_SETPGROUP;
  if (code == 0) code = ::posix_spawnattr_setsigmask(&attributes_, &none);
  if (code == 0) code = ::posix_spawnattr_setsigdefault(&attributes_, &all);
  if (code == 0) code = ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  return code;
}

int spawn_plan::spawn(command const& what, pid_t* pid) {
  std::vector<char*> const argv = c_strings(what.argv);
  std::vector<char*> const envp = what.env ? c_strings(*what.env) : std::vector<char*>();
  // It returns when the child has loaded the program, which may take the disk: not on a worker that
  // others need.
  return blocking([&] {
    return ::posix_spawnp(pid, argv[0], &actions_, &attributes_, argv.data(),
                          what.env ? envp.data() : environ);
  });
}

error open_end(descriptor fd, pipe_end& to) {
  if (!fd.good()) return nullptr;
  auto end = std::make_unique<polled>();
  if (error err = end->open(std::move(fd))) return err;
  to = pipe_end(std::move(end));
  return nullptr;
}

exit_status status_of(siginfo_t const& info) {
  exit_status status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
    status.core_dumped = info.si_code == CLD_DUMPED;
  }
  return status;
}

}  // namespace

struct process::state {
  pid_t pid = -1;
  polled pidfd;
  std::array<pipe_end, 3> ends;
  bool reaped = false;
  exit_status status;
  error lost;  // why there is no status although the child is gone

  // reap takes the status of a child that has ended; false: it runs.
  bool reap() {
    siginfo_t info{};
    if (int const status = wait_id(pidfd.fd(), &info); status != 0) {
      // ECHILD: somebody had SIGCHLD ignored, or waited for whatever child there was.
      lost = errors::from_errno(-status, "wait for process {}", pid);
      return true;
    }
    if (info.si_pid == 0) return false;
    status = status_of(info);
    return true;
  }
};

std::string exit_status::text() const {
  if (signal != 0) {
    return fmt::format("killed by {}{}", signal_name(signal), core_dumped ? " (core dumped)" : "");
  }
  return fmt::format("exit status {}", code);
}

process::process(std::unique_ptr<state> made) noexcept : state_(std::move(made)) {}
process::process(process&&) noexcept = default;

process& process::operator=(process&& other) noexcept {
  process old(std::move(*this));
  state_ = std::move(other.state_);
  return *this;
}

process::~process() {
  if (state_ == nullptr || state_->reaped) return;
  static_cast<void>(signal(SIGKILL));
  static_cast<void>(wait(context{}));
}

result<process> process::start(command const& what) {
  VOLE_REQUIRE(!what.argv.empty(), "os::process: no program is named");
  std::string const& program = what.argv.front();
  if (command_has_zero_byte(what)) {
    return errors::from_errno(EINVAL, "start {}: its command has a zero byte in it", program);
  }
  std::array<child_stream, 3> streams;
  streams[0] = VOLE_TRY(open_stream(what.input, true), "start {}", program);
  streams[1] = VOLE_TRY(open_stream(what.output, false), "start {}", program);
  streams[2] = VOLE_TRY(open_stream(what.errors, false), "start {}", program);
  auto made = std::make_unique<state>();
  spawn_plan plan;
  int code = plan.prepare(what, streams);
  if (code == 0) code = plan.spawn(what, &made->pid);
  if (code != 0) {
    return what.dir.empty() ? errors::from_errno(code, "start {}", program)
                            : errors::from_errno(code, "start {} in {}", program, what.dir);
  }
  int const pidfd = open_pidfd(made->pid);
  error err = pidfd >= 0 ? made->pidfd.open(descriptor(pidfd)) : errors::from_errno(-pidfd);
  for (std::size_t i = 0; i < 3 && !err; ++i)
    err = open_end(std::move(streams[i].ours), made->ends[i]);
  if (!err) return process(std::move(made));
  ::kill(made->pid, SIGKILL);
  blocking([&] { return ::waitpid(made->pid, nullptr, 0); });
  return errors::wrap(err, "watch {}", program);
}

int process::pid() const noexcept {
  return state_->pid;
}
pipe_end& process::input() noexcept {
  return state_->ends[0];
}
pipe_end& process::output() noexcept {
  return state_->ends[1];
}
pipe_end& process::errors() noexcept {
  return state_->ends[2];
}

result<exit_status> process::wait(context const& ctx) {
  while (!state_->reaped && !(state_->reaped = state_->reap())) {
    VOLE_TRY(state_->pidfd.wait(internal::poll_mode::read, ctx), "wait for process {}",
             state_->pid);
  }
  if (state_->lost) return state_->lost;
  return state_->status;
}

error process::signal(int which) {
  int const status = send_signal(state_->pidfd.fd(), which);
  if (status == 0 || status == -ESRCH) return nullptr;
  return errors::from_errno(-status, "send {} to process {}", signal_name(which), state_->pid);
}

namespace {

error feed(context const& ctx, pipe_end& to, std::string_view input) {
  error err = to.write(ctx, input);
  to.close();
  // A child need not read what it is given.
  return errors::is(err, errors::from_errno(EPIPE)) ? error() : err;
}

error collect(context const& ctx, pipe_end& from, std::size_t bytes_max, std::string* to) {
  result<std::string> all = from.read_all(ctx, bytes_max);
  if (!all) return all.error();
  *to = *std::move(all);
  return nullptr;
}

// put_down ends a child that is not wanted any more.
void put_down(process& child, duration kill_after) {
  if (kill_after > duration::zero()) {
    static_cast<void>(child.signal(SIGTERM));
    auto const [patience, cancel] = context::with_timeout(context{}, kill_after);
    if (child.wait(patience)) return;
  }
  static_cast<void>(child.signal(SIGKILL));
  static_cast<void>(child.wait(context{}));
}

}  // namespace

result<run_result> run(context const& ctx, command what, run_options const& options) {
  what.input = what.output = what.errors = stream::pipe;
  process child = VOLE_TRY(process::start(what), "run");
  run_result done;
  errgroup::group streams(ctx);
  streams.go([&](context const& inner) { return feed(inner, child.input(), options.input); });
  streams.go([&](context const& inner) {
    return collect(inner, child.output(), options.bytes_max, &done.output);
  });
  streams.go([&](context const& inner) {
    return collect(inner, child.errors(), options.bytes_max, &done.errors);
  });
  result<exit_status> const status = child.wait(streams.ctx());
  if (!status) put_down(child, options.kill_after);
  error err = streams.wait();
  // Everybody says that the context has ended; once is enough.
  if (!status && ctx.err()) err = ctx.err();
  if (!err && !status) err = status.error();
  if (err) return errors::wrap(err, "run {}", what.argv.front());
  done.status = *status;
  return done;
}

}  // namespace vole::os
