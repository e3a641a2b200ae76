// SPDX-License-Identifier: Apache-2.0
//
// pprof.h: profiles of this process in the format of `go tool pprof`, as Go's runtime/pprof makes
// them. Over HTTP they are served by vole/http/pprof.h.
//
//   result<pprof::cpu_profile> cpu = pprof::start_cpu();
//   work();
//   std::string const bytes = cpu->stop();  // write it to cpu.pb.gz; go tool pprof -top cpu.pb.gz
//
//   std::string const dump = pprof::lookup("goroutine")->write(2);
//
// Names, files and lines, inlined calls included, are in the profile: pprof needs neither the
// program nor its debug files. Any number of CPU profiles may be taken at the same time.
// Source: Go runtime/pprof. Differs: write returns the bytes; profiles overlap where Go refuses the
//   second.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vole/result.h"

namespace vole::pprof {

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
  // Cost:  the first one reads the debug information of the functions that were seen (up to a
  //          second for a large program); it is kept.
  std::string stop();

 private:
  struct state;
  friend result<cpu_profile> start_cpu();
  explicit cpu_profile(std::unique_ptr<state> own) noexcept;

  std::unique_ptr<state> state_;
};

// start_cpu begins to capture where processor time is spent: every thread is looked at for each 10
// ms that it uses.
// Errors:  the system gives no timer or no thread (system_error).  Safety: any goroutine or thread.
// Cost:    a few us per sample, 100 samples a second for each busy processor.
result<cpu_profile> start_cpu();

// delta is a profile of what changes between begin_delta and finish.
class [[nodiscard]] delta {
 public:
  delta(delta&&) noexcept;
  delta& operator=(delta&&) noexcept;
  ~delta();

  // finish renders the difference as profile.proto, gzipped; values may be negative.
  // Blocks: as cpu_profile::stop.
  std::string finish();

 private:
  struct state;
  friend class profile;
  explicit delta(std::unique_ptr<state> own) noexcept;

  std::unique_ptr<state> state_;
};

struct profile_data;

// profile is one of the profiles that always exist.
class profile {
 public:
  std::string_view name() const noexcept { return name_; }
  // What it counts, in a few words.
  std::string_view description() const noexcept { return description_; }
  // count is how many entries it has now, cheaply.
  std::size_t count() const;
  // write renders it. debug 0: profile.proto, gzipped; 1: text with counts per stack; 2, where the
  // profile has such a form: every entry by itself (goroutine: as a dump).
  // Blocks: as cpu_profile::stop.
  std::string write(int debug) const;
  // begin_delta starts to watch how it changes.
  delta begin_delta() const;

 private:
  friend struct profile_list;
  friend class delta;
  using count_fn = std::size_t (*)();
  using collect_fn = profile_data (*)();
  using text_fn = std::string (*)(int debug);
  constexpr profile(std::string_view name, std::string_view description, count_fn count,
                    collect_fn collect, text_fn text) noexcept
      : name_(name), description_(description), count_(count), collect_(collect), text_(text) {}

  std::string_view name_;
  std::string_view description_;
  count_fn count_;
  collect_fn collect_;
  text_fn text_;  // debug 1 and 2
};

// lookup finds "goroutine" or "threadcreate"; null for another name.
profile const* lookup(std::string_view name) noexcept;

// profiles lists all, sorted by name.
std::vector<profile const*> profiles();

}  // namespace vole::pprof
