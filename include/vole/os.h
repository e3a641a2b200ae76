// SPDX-License-Identifier: Apache-2.0
// os: signals, processes, files and the environment, such that no call of it stops a worker thread.
//
// INVARIANTS
//   - A signal has our handler exactly while somebody listens to it; else what it did before.
//   - A process is reaped exactly once, by wait() or by the destructor of its handle.
// LOCKS none here; see src/os/signals.cc.
#pragma once

#include <csignal>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/errors.h"
#include "vole/internal/clock.h"
#include "vole/result.h"

namespace vole::os {

class polled;

// --- signals

// signal_name is "SIGTERM" for 15; "signal 99" for one without a name.
std::string signal_name(int signal);

// signal_error is the cause of a context that signal_context has ended: "received SIGTERM".
struct signal_error final : errors::typed_base {
  explicit signal_error(int received) : signal(received) {}
  std::string message() const override;

  int signal;
};

// signals receives the process's signals as values while it lives. Two may listen to the same one:
// both get it.
// A signal that comes while 16 lie unread in the channel is dropped for it.
// Workers hold signals off: raise() in a goroutine reaches nobody, kill(getpid(), ...) does.
// Panics: a signal that cannot be caught, or does not exist (caller's bug).
// Source: Go os/signal.Notify. Differs: ends with its scope.
class signals {
 public:
  explicit signals(std::initializer_list<int> which);
  signals(signals const&) = delete;
  signals& operator=(signals const&) = delete;
  ~signals();

  recv_chan<int> c() const noexcept { return c_; }

 private:
  chan<int> c_;
};

// signal_context is a child of parent that ends when one of these signals comes; its cause is a
// signal_error.
// It listens once: the second SIGINT does what it did before, so that an impatient user can end a
// slow drain.
// Source: Go os/signal.NotifyContext. Differs: the above, and the cause.
std::pair<context, cancel_handle> signal_context(context const& parent,
                                                 std::initializer_list<int> which = {SIGINT,
                                                                                     SIGTERM});

// --- environment

// env is the variable's value, or nothing if it is not set. Nobody may change the environment
// meanwhile (POSIX).
std::optional<std::string> env(std::string const& name);
std::string env_or(std::string const& name, std::string_view otherwise);

// --- files; each runs in blocking()

// read_file is the whole content.
// Errors: the system's, with the path (EINVAL: the path has a zero byte in it); a file of more than
//         bytes_max.
result<std::string> read_file(std::string const& path,
                              std::size_t bytes_max = std::size_t{1} << 30);

// write_file_atomic puts data in place of what is at path: a reader, or the next start after a
// crash at any moment, finds the old content or the new one. It writes a file beside it, syncs
// that, renames it and syncs the folder. The new file has exactly this mode; without one that of
// the file whose place it takes, and where there is none 0644 less the umask.
// Errors: the system's, with the path (EINVAL: the path has a zero byte in it).
error write_file_atomic(std::string const& path, std::string_view data,
                        std::optional<unsigned> mode = std::nullopt);

// With a context, the caller leaves when it ends: a disk that does not answer cannot be canceled,
// so the call ends alone. At most 16 run at once, further ones wait.
result<std::string> read_file(context const& ctx, std::string const& path,
                              std::size_t bytes_max = std::size_t{1} << 30);
// Errors: also ctx's; then the new content may yet come to be there.
error write_file_atomic(context const& ctx, std::string const& path, std::string data,
                        std::optional<unsigned> mode = std::nullopt);

// How many file calls with a context run now, and how many were left by their caller.
struct file_stats {
  std::int64_t running = 0;
  std::int64_t abandoned_total = 0;
};
file_stats read_file_stats();

// --- processes

// exit_status is how a process ended.
struct exit_status {
  int code = 0;    // of exit(); meaningless when a signal ended it
  int signal = 0;  // 0: it exited

  bool ok() const noexcept { return code == 0 && signal == 0; }
  std::string text() const;  // "exit status 2", "killed by SIGKILL (core dumped)"
  bool core_dumped = false;
};

// What a stream of a child is connected to.
enum class stream : unsigned char {
  null,     // /dev/null
  inherit,  // ours
  pipe,     // the process object's end
};

struct command {
  std::vector<std::string> argv = {};  // argv[0] is looked up in PATH unless it has a slash
  std::string dir = {};                // empty: ours
  std::optional<std::vector<std::string>> env = {};  // "NAME=value"; none: ours
  stream input = stream::null;
  stream output = stream::inherit;
  stream errors = stream::inherit;
  bool own_group = false;  // a process group of its own: a Ctrl-C at our terminal does not reach it
};

// pipe_end is our end of a pipe to a child. One reader and one writer at a time.
class pipe_end {
 public:
  // read takes what is there, waiting for something; 0: the end.   Cancels: when ctx ends.
  result<std::size_t> read(context const& ctx, std::span<std::byte> to);
  // read_all reads to the end.   Errors: more than bytes_max.
  result<std::string> read_all(context const& ctx, std::size_t bytes_max = std::size_t{64} << 20);
  // write sends all of it.       Cancels: when ctx ends; part may have been sent.
  error write(context const& ctx, std::span<std::byte const> from);
  error write(context const& ctx, std::string_view from) {
    return write(ctx, std::as_bytes(std::span(from)));
  }
  // close gives the descriptor up; the child reads the end. Idempotent.
  void close();

  pipe_end() noexcept;
  explicit pipe_end(std::unique_ptr<polled> end) noexcept;  // process makes them
  pipe_end(pipe_end&&) noexcept;
  pipe_end& operator=(pipe_end&&) noexcept;
  ~pipe_end();

 private:
  std::unique_ptr<polled> end_;  // null: closed
};

// process is a running child. Its destructor kills it, if it still runs, and reaps it.
class process {
 public:
  // start runs the command. It returns when the program has been found and loaded, or why it was
  // not.   Errors: the system's; EINVAL: a text of the command has a zero byte in it.
  static result<process> start(command const& what);

  process(process&&) noexcept;
  process& operator=(process&&) noexcept;
  ~process();

  int pid() const noexcept;

  // Our ends of the streams that are pipes.
  pipe_end& input() noexcept;
  pipe_end& output() noexcept;
  pipe_end& errors() noexcept;

  // wait waits for the end of the process and reaps it; asked again, it says the same again.
  // Cancels: when ctx ends; the process goes on.
  result<exit_status> wait(context const& ctx);

  // signal sends one; no error when the process has ended already.
  error signal(int which);

 private:
  struct state;
  explicit process(std::unique_ptr<state> made) noexcept;

  std::unique_ptr<state> state_;
};

struct run_result {
  exit_status status;
  std::string output;
  std::string errors;
};

struct run_options {
  std::string input = {};              // what the child reads
  std::size_t bytes_max = 64UL << 20;  // of each stream
  duration kill_after =
      duration::zero();  // from SIGTERM, sent when ctx ends, to SIGKILL; zero: SIGKILL at once
};

// run starts the command with pipes, feeds it, collects what it writes and waits for its end.
// Errors: it could not be started; ctx ended (the child is dead then). A bad exit status is no
//         error: see status.
result<run_result> run(context const& ctx, command what, run_options const& options = {});

}  // namespace vole::os
