// SPDX-License-Identifier: Apache-2.0
//
// pprof.h: profiles of this process in the format of `go tool pprof`, as Go's runtime/pprof makes
// them. Over HTTP they are served by vole/http/pprof.h.
//
//   result<pprof::cpu_profile> cpu = pprof::start_cpu();
//   work();
//   std::string const bytes = cpu->stop();  // write it to cpu.pb.gz; go tool pprof -top cpu.pb.gz
//
//   result<pprof::wall_profile> wall = pprof::start_wall();  // waiting included
//
//   std::string const dump = pprof::lookup("goroutine")->write(2);
//
//   pprof::do_with_labels({{"tenant", tenant}}, [&] { serve(req); });
//
// Names, files and lines, inlined calls included, are in the profile: pprof needs neither the
// program nor its debug files. Any number of profiles may be taken at the same time. Stacks of
// goroutines end, in CPU and wall profiles, with "created by" and the function that called go().
// Source: Go runtime/pprof. Differs: write returns the bytes; profiles overlap where Go refuses the
//   second.

#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/result.h"

namespace vole::pprof {

// --- captures: what happens between start and stop ---

// cpu_profile is a capture that runs. Dropping it ends the capture.
// Safety: one goroutine or thread at a time.
class [[nodiscard]] cpu_profile {
 public:
  cpu_profile(cpu_profile&&) noexcept;
  cpu_profile& operator=(cpu_profile&&) noexcept;
  ~cpu_profile();

  // stop ends the capture and returns the profile: profile.proto, gzipped; empty when it was
  // stopped before.
  // Blocks:  while symbols are read; the goroutine's processor is handed over.
  // Cost:    the first one reads the debug information of the functions that were seen; it is kept.
  //          Measured on a program of folio's size: 0.8 s for 2,000 places, 1.3 s for 10,000.
  std::string stop();

 private:
  struct state;
  friend result<cpu_profile> start_cpu();
  explicit cpu_profile(std::unique_ptr<state> own) noexcept;

  std::unique_ptr<state> state_;
};

// start_cpu begins to capture where processor time is spent: every thread is looked at for each 10
// ms that it uses.
// What could not be seen is a comment of the profile (go tool pprof -comments): threads without a
// timer, a handler of SIGPROF that somebody had put in.
// Blocks:  until the first look; the goroutine's processor is handed over.
// Errors:  the system gives no timer or no thread (system_error).  Safety: any goroutine or thread.
// Cost:    a signal and 20 ns a frame for each sample, 100 samples a second for each busy core. The
//          first capture reads the unwind tables of all modules, which are kept: 20 ms and 2.5 MB
//          for a program of folio's size.
result<cpu_profile> start_cpu();

// wall_profile is the same for time that passes, waiting included. Dropping it ends the capture.
// Safety: one goroutine or thread at a time.
class [[nodiscard]] wall_profile {
 public:
  wall_profile(wall_profile&&) noexcept;
  wall_profile& operator=(wall_profile&&) noexcept;
  ~wall_profile();

  // stop ends the capture and returns the profile: debug 0: profile.proto, gzipped; 1: text with
  // counts per stack. Empty when it was stopped before.
  // Blocks, Cost: as cpu_profile::stop.
  std::string stop(int debug = 0);

 private:
  struct state;
  friend result<wall_profile> start_wall();
  explicit wall_profile(std::unique_ptr<state> own) noexcept;

  std::unique_ptr<state> state_;
};

// start_wall begins to capture what goroutines do and wait for, 99 times a second: each counts for
// the time that passes, on a processor or not; what it waits for is its label wait_reason. Threads
// that are not vole's are not seen. Goroutines that wait are not interrupted.
// Errors:  the system gives no thread (system_error).  Safety: any goroutine or thread.
// Cost:    1.4 % of one processor with 10 goroutines, 2.5 % with 100,000, and no more with more: a
//          part of them is looked at each time, in turn, and counts for all.
// Source:  github.com/felixge/fgprof. Differs: bounded cost; labels; a thread in a system call is
//   not interrupted again and again.
result<wall_profile> start_wall();

// delta is a profile of what changes between begin_delta and finish.
class [[nodiscard]] delta {
 public:
  delta(delta&&) noexcept;
  delta& operator=(delta&&) noexcept;
  ~delta();

  // finish renders the difference as profile.proto, gzipped; values may be negative.
  // Blocks: as cpu_profile::stop.
  std::string finish();
  // next is finish, and watches on from the moment up to which it has rendered: what a scraper
  // calls again and again.
  std::string next();

 private:
  struct state;
  friend class profile;
  explicit delta(std::unique_ptr<state> own) noexcept;

  std::unique_ptr<state> state_;
};

// --- profiles: what is there now, or has added up since the start ---

class profile_source;  // where a profile's entries come from; src/pprof/source.h

// profile is one of the profiles that always exist, or one of the program's own (new_profile).
// Safety: any goroutine or thread. None is ever destroyed.
class profile {
 public:
  profile(std::string name, std::string description, std::unique_ptr<profile_source> source);
  ~profile();
  profile(profile const&) = delete;
  profile& operator=(profile const&) = delete;

  std::string_view name() const noexcept { return name_; }
  // What it counts, in a few words.
  std::string_view description() const noexcept { return description_; }
  // count is how many entries it has now, cheaply.
  std::size_t count() const;
  // write renders it. debug 0: profile.proto, gzipped; 1: text with counts per stack; 2, where the
  // profile has such a form: every entry by itself (goroutine: as a dump).
  // Blocks: as cpu_profile::stop.
  std::string write(int debug) const;

  // has_delta: begin_delta makes sense. Not for the program's own profiles, as in Go.
  bool has_delta() const noexcept;
  // begin_delta starts to watch how it changes.
  delta begin_delta() const;

  // add enters value, with the caller's stack, into a profile of new_profile: one entry for each
  // that lives. skip leaves out so many of the innermost callers.
  // Panics: value is in it already, or the profile is one of vole's own (caller's bug).
  void add(void const* value, int skip = 0);
  // remove takes it out; no effect when it is not in it.
  void remove(void const* value);

  profile_source const& source() const noexcept { return *source_; }

 private:
  std::string name_;
  std::string description_;
  std::unique_ptr<profile_source> source_;
};

// lookup finds "allocs", "block", "goroutine", "heap", "mutex", "threadcreate" or one of the
// program's own; null for another name.
profile* lookup(std::string_view name) noexcept;

// profiles lists all, sorted by name.
std::vector<profile const*> profiles();

// new_profile makes a profile of the program's own, say of open connections; it stays for ever.
// The customary name has the package in front: "folio.connections".
// Panics: the name is empty or taken (caller's bug).     Source: Go pprof.NewProfile.
profile& new_profile(std::string_view name);

// set_heap_rate sets how many bytes are allocated between two samples of "heap" and "allocs", on
// average: 512 KiB at the start, 1 samples every block, 0 none. What was sampled before keeps its
// weight. Without effect under a sanitizer, which has a malloc of its own.
void set_heap_rate(std::size_t bytes) noexcept;
std::size_t heap_rate() noexcept;

// set_contention_rate bounds how many waits and unlocks each thread samples in a second for "block"
// and "mutex": 1000 at the start; 0 turns both off. What is sampled counts for what is not, so the
// sums stay true. A sample costs about 2 us for a stack of 16 frames.
void set_contention_rate(int samples_per_second) noexcept;

// --- labels ---

struct label {
  std::string_view key;
  std::string_view value;
};

// label_scope labels the goroutine until the scope ends: CPU, wall and goroutine profiles show the
// labels with its samples, and goroutines started meanwhile inherit them. Inner labels add to the
// outer ones; an equal key hides the outer value. No effect on a plain thread.
// Safety: made and ended by the same goroutine.     Cost: an allocation or two, about 200 ns.
class [[nodiscard]] label_scope {
 public:
  explicit label_scope(std::span<label const> labels);
  explicit label_scope(std::initializer_list<label> labels)
      : label_scope(std::span(labels.begin(), labels.size())) {}
  ~label_scope();
  label_scope(label_scope const&) = delete;
  label_scope& operator=(label_scope const&) = delete;

 private:
  void* outer_ = nullptr;
};

// do_with_labels calls fn with the labels and returns its result.  Source: Go pprof.Do. Differs:
// the labels are the goroutine's, not a context's.
template <class Fn>
decltype(auto) do_with_labels(std::span<label const> labels, Fn&& fn) {
  label_scope const scope(labels);
  return std::forward<Fn>(fn)();
}
template <class Fn>
decltype(auto) do_with_labels(std::initializer_list<label> labels, Fn&& fn) {
  label_scope const scope(labels);
  return std::forward<Fn>(fn)();
}

// label_value is the caller's value for key, if it has that label.
std::optional<std::string> label_value(std::string_view key);

// current_labels are all that the caller has, sorted by key.  Source: Go pprof.ForLabels.
std::vector<std::pair<std::string, std::string>> current_labels();

}  // namespace vole::pprof
