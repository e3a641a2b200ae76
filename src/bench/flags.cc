// SPDX-License-Identifier: Apache-2.0
//
// Flags of a benchmark program. No shared state.
// Source: `go help testflag`; time.ParseDuration.

#include "bench/flags.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>

#include "vole/errors.h"

#include "runtime/env.h"

namespace vole::bench {
namespace {

result<std::int64_t> parse_whole(std::string_view text) {
  std::int64_t value = 0;
  auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) {
    return errors::make("'{}' is not a whole number", text);
  }
  return value;
}

result<std::int64_t> parse_positive(std::string_view text) {
  result<std::int64_t> const value = parse_whole(text);
  if (!value || *value < 1) return errors::make("'{}' is not a positive whole number", text);
  return value;
}

result<int> parse_small(std::string_view text) {
  result<std::int64_t> const value = parse_positive(text);
  if (!value) return value.error();
  if (*value > 1'000'000) return errors::make("'{}' is more than 1000000", text);
  return static_cast<int>(*value);
}

template <class T>
error store(T& to, result<T> const& value) {
  if (value) to = *value;
  return value.error();
}

error set_benchtime(flags& to, std::string_view value) {
  if (value.ends_with('x')) {
    to.benchtime_given = false;
    return store(to.benchtime_n, parse_positive(value.substr(0, value.size() - 1)));
  }
  if (error err = store(to.benchtime, parse_duration(value))) return err;
  to.benchtime_given = true;
  if (to.benchtime.count() <= 0) return errors::make("'{}' is not more than zero", value);
  to.benchtime_n = 0;
  return {};
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  std::size_t const from = std::min(text.find_first_not_of(blanks), text.size());
  text.remove_prefix(from);
  return text.substr(0, text.find_last_not_of(blanks) + 1);
}

error set_cpus(flags& to, std::string_view value) {
  to.cpus.clear();
  while (true) {
    std::size_t const comma = std::min(value.find(','), value.size());
    if (std::string_view const one = trimmed(value.substr(0, comma)); !one.empty()) {
      int& cpus = to.cpus.emplace_back();
      if (error err = store(cpus, parse_small(one))) return err;
      if (cpus > internal::procs_max) {
        return errors::make("'{}' is more than the {} that a runtime has at the most", one,
                            internal::procs_max);
      }
    }
    if (comma == value.size()) return {};
    value.remove_prefix(comma + 1);
  }
}

error set_count(flags& to, std::string_view value) {
  if (value != "0") return store(to.count, parse_small(value));
  to.count = 0;
  return {};
}

// Go's words for a switch.
std::optional<bool> parse_switch(std::string_view text) {
  for (char const* yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (char const* no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

error set_shuffle(flags& to, std::string_view value) {
  to.shuffle_seed.reset();
  if (value == "off") return {};
  if (value == "on") {
    to.shuffle_seed =
        static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    return {};
  }
  std::int64_t seed = 0;
  if (error err = store(seed, parse_whole(value))) {
    return errors::make("'{}' is neither on nor off nor a whole number", value);
  }
  to.shuffle_seed = static_cast<std::uint64_t>(seed);
  return {};
}

error set_timeout(flags& to, std::string_view value) {
  if (value == "0") {
    to.timeout = {};
    return {};
  }
  return store(to.timeout, parse_duration(value));
}

error not_empty(std::string_view value) {
  return value.empty() ? errors::make("the value is empty") : error();
}

template <std::int64_t flags::* Rate>
error set_rate(flags& to, std::string_view value) {
  return store(to.*Rate, parse_whole(value));
}

// Of `go test`, without effect: there are no tests in here.
error ignore(flags&, std::string_view) {
  return {};
}

struct text_flag {
  std::string_view name;
  std::string flags::* to;
  bool may_be_empty;
};
constexpr text_flag text_flags[] = {
    {"bench", &flags::bench, true},
    {"skip", &flags::skip, true},
    {"list", &flags::list, false},
    {"run", &flags::run, true},
    {"outputdir", &flags::output_dir, false},
    {"cpuprofile", &flags::cpu_profile, false},
    {"memprofile", &flags::mem_profile, false},
    {"blockprofile", &flags::block_profile, false},
    {"mutexprofile", &flags::mutex_profile, false},
    {"profile-each", &flags::profile_each, false},
    {"child-of", &flags::child_of, false},
    {"callgrind-dir", &flags::callgrind_dir, false},
};

struct switch_flag {
  std::string_view name;
  bool flags::* to;  // null: of `go test`, without effect
};
constexpr switch_flag switch_flags[] = {
    {"benchmem", &flags::benchmem},
    {"counters", &flags::counters},
    {"callgrind", &flags::callgrind},
    {"json", &flags::json},
    {"v", &flags::verbose},
    {"h", &flags::help},
    {"help", &flags::help},
    {"child-labels", &flags::child_labels},
    {"short", nullptr},
    {"failfast", nullptr},
    {"fullpath", nullptr},
    {"paniconexit0", nullptr},
};

struct other_flag {
  std::string_view name;
  error (*set)(flags& to, std::string_view value);
};
constexpr other_flag other_flags[] = {
    {"benchtime", set_benchtime},
    {"cpu", set_cpus},
    {"count", set_count},
    {"memprofilerate", set_rate<&flags::mem_profile_rate>},
    {"blockprofilerate", set_rate<&flags::block_profile_rate>},
    {"mutexprofilefraction", set_rate<&flags::mutex_profile_fraction>},
    {"parallel", ignore},
    {"testlogfile", ignore},
    {"timeout", set_timeout},
    {"shuffle", set_shuffle},
    {"child-name-width",
     [](flags& to, std::string_view v) { return store(to.child_name_width, parse_small(v)); }},
};

template <class Table>
auto const* find_flag(Table const& table, std::string_view name) {
  for (auto const& entry : table) {
    if (entry.name == name) return &entry;
  }
  return static_cast<decltype(&table[0])>(nullptr);
}

bool takes_value(std::string_view name) {
  return find_flag(text_flags, name) != nullptr || find_flag(other_flags, name) != nullptr;
}

error set_value(flags& to, std::string_view name, std::string_view value) {
  if (auto const* const flag = find_flag(text_flags, name)) {
    if (!flag->may_be_empty) {
      if (error err = not_empty(value)) return err;
    }
    to.*flag->to = value;
    return {};
  }
  return find_flag(other_flags, name)->set(to, value);
}

error set_switch(flags& to, switch_flag const& flag, std::string_view value) {
  bool const events = flag.name == "v" && value == "test2json";
  std::optional<bool> const on = events ? true : parse_switch(value);
  if (!on) return errors::make("flag -{}: '{}' is neither true nor false", flag.name, value);
  if (flag.to != nullptr) to.*flag.to = *on;
  if (flag.name == "v") to.test2json = events;
  return {};
}

error check_together(flags const& f) {
  bool const whole_run = !f.cpu_profile.empty() || !f.mem_profile.empty() ||
                         !f.block_profile.empty() || !f.mutex_profile.empty();
  if (f.cpus.size() > 1 && whole_run) {
    return errors::make(
        "a profile of the whole run goes with one value of -cpu, since each runs in a process of "
        "its own; -profile-each goes with all");
  }
  if (f.callgrind && (f.cpus.size() > 1 || (f.cpus.size() == 1 && f.cpus.front() != 1))) {
    return errors::make("-callgrind counts on one processor: leave -cpu out");
  }
  if (f.callgrind && f.benchtime_given) {
    return errors::make(
        "-callgrind counts so many iterations, not those of a time: -benchtime wants the form "
        "100x with it");
  }
  if (f.callgrind && (whole_run || !f.profile_each.empty() || f.counters)) {
    return errors::make("-callgrind goes with no profile and no -counters");
  }
  return {};
}

}  // namespace

result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  struct unit {
    std::string_view name;
    double ns;
  };
  static constexpr unit units[] = {{"ns", 1},  {"us", 1e3}, {"µs", 1e3},  {"ms", 1e6},
                                   {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}};
  std::string_view rest = text;
  double total = 0;
  do {
    double amount = 0;
    auto const [end, failure] =
        std::from_chars(rest.data(), rest.data() + rest.size(), amount, std::chars_format::fixed);
    if (failure != std::errc{} || amount < 0) {
      return errors::make("'{}' is not a duration like 1.5s or 100ms", text);
    }
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    std::string_view const name = rest.substr(0, rest.find_first_of("0123456789."));
    unit const* found = nullptr;
    for (unit const& u : units) {
      if (u.name == name) found = &u;
    }
    if (found == nullptr) {
      return errors::make("'{}' is not a duration like 1.5s or 100ms", text);
    }
    total += amount * found->ns;
    rest.remove_prefix(name.size());
  } while (!rest.empty());
  if (total > 9e18) return errors::make("'{}' is more than 292 years", text);
  return std::chrono::nanoseconds(static_cast<std::int64_t>(total));
}

result<flags> parse_flags(std::vector<std::string_view> const& args) {
  flags parsed;
  for (std::size_t i = 0; i < args.size(); ++i) {
    std::string_view name = args[i];
    if (name == "--") break;
    if (name.size() < 2 || name.front() != '-') {
      return errors::make("'{}' is not a flag; -help lists them", name);
    }
    name.remove_prefix(name.starts_with("--") ? 2 : 1);
    if (name.starts_with("test.")) name.remove_prefix(5);
    std::size_t const equals = name.find('=');
    bool const has_value = equals != std::string_view::npos;
    std::string_view value = has_value ? name.substr(equals + 1) : std::string_view{};
    name = name.substr(0, equals);
    if (auto const* const flag = find_flag(switch_flags, name)) {
      if (error err = set_switch(parsed, *flag, has_value ? value : "true")) return err;
      continue;
    }
    if (!takes_value(name)) return errors::make("unknown flag -{}; -help lists them", name);
    if (!has_value) {
      if (++i == args.size()) return errors::make("flag -{} needs a value", name);
      value = args[i];
    }
    if (error err = set_value(parsed, name, value)) return errors::wrap(err, "flag -{}", name);
  }
  if (error err = check_together(parsed)) return err;
  return parsed;
}

std::string_view usage() {
  return R"(Runs the benchmarks of this program and prints them in Go's benchmark format: results on
standard output, everything else on standard error. Flags may be written as Go's: -test.bench.
  -bench regexp      which ones, by ChanSend or by BenchmarkChanSend; a '/' divides the levels of
                     sub-benchmarks; (?i) in front: capital letters are as small ones (default ".":
                     all; "": none)
  -skip regexp       leave these out
  -list regexp       print the names that match, run nothing
  -benchtime t       measure each for t (1s, 100ms), or run it exactly N times (100x) (default 1s)
  -count n           measure each n times (default 1; benchstat wants 6 or more; 0: none)
  -cpu list          measure each with this many processors: -cpu 1,2,4 (default: all there are;
                     1024 at the most)
  -shuffle on|N      in random order; N repeats the order of an earlier run
  -timeout t         give up after t, with a dump of the goroutines and status 2 (default 0: never)
  -benchmem          print B/op and allocs/op for all
  -counters          print instructions, cycles, branch misses, page faults, context switches and
                     system calls per operation, as far as the kernel counts them
  -callgrind         print exact instructions per operation instead of times (needs valgrind);
                     -benchtime Nx says of how many iterations (default 100x)
  -cpuprofile file   write a CPU profile; likewise -memprofile, -blockprofile, -mutexprofile
  -memprofilerate n  sample a block for every n bytes (default: for every 512 KiB)
  -blockprofilerate n
                     of the two profiles of waits: sample once for n ns of each thread's time, and
                     every wait with 1 (default 1)
  -profile-each dir  write dir/<benchmark>.cpu.pb.gz for each one, and .allocs.pb.gz
  -outputdir dir     where all of these go (default: the working directory)
  -json              one JSON event per line, as `go test -json` prints them
  -v                 print each name when it starts
  -v=test2json       -v with the marks that `go tool test2json` looks for
  -run, -short, -parallel, -failfast, -fullpath
                     accepted and without effect: there are no tests in here
What follows -- is left to the benchmarks.
Status: 0 all well, 1 a benchmark failed or results could not be written, 2 the flags are wrong or
the time is out, 130 Ctrl-C.
)";
}

}  // namespace vole::bench
