// SPDX-License-Identifier: Apache-2.0
//
// Flags of a benchmark program. No shared state.
// Source: `go help testflag`; time.ParseDuration.

#include "bench/flags.h"

#include <charconv>
#include <cstddef>
#include <system_error>

#include "vole/errors.h"

namespace vole::bench {
namespace {

result<std::int64_t> parse_positive(std::string_view text) {
  std::int64_t value = 0;
  auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value < 1) {
    return errors::make("'{}' is not a positive whole number", text);
  }
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
    return store(to.benchtime_n, parse_positive(value.substr(0, value.size() - 1)));
  }
  if (error err = store(to.benchtime, parse_duration(value))) return err;
  if (to.benchtime.count() <= 0) return errors::make("'{}' is not more than zero", value);
  return {};
}

error set_cpus(flags& to, std::string_view value) {
  to.cpus.clear();
  while (true) {
    std::size_t const comma = value.find(',');
    if (error err = store(to.cpus.emplace_back(), parse_small(value.substr(0, comma)))) return err;
    if (comma == std::string_view::npos) return {};
    value.remove_prefix(comma + 1);
  }
}

error set_value(flags& to, std::string_view name, std::string_view value) {
  if (name == "bench") {
    to.bench = value;
  } else if (name == "list") {
    to.list = value;
  } else if (name == "benchtime") {
    return set_benchtime(to, value);
  } else if (name == "cpu") {
    return set_cpus(to, value);
  } else if (name == "count") {
    return store(to.count, parse_small(value));
  } else if (name == "child-of") {
    to.child_of = value;
  } else {
    return store(to.child_name_width, parse_small(value));
  }
  return {};
}

bool* find_switch(flags& to, std::string_view name) {
  if (name == "benchmem") return &to.benchmem;
  if (name == "v") return &to.verbose;
  if (name == "h" || name == "help") return &to.help;
  if (name == "child-labels") return &to.child_labels;
  return nullptr;
}

bool takes_value(std::string_view name) {
  return name == "bench" || name == "list" || name == "benchtime" || name == "cpu" ||
         name == "count" || name == "child-of" || name == "child-name-width";
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
    if (name.size() < 2 || name.front() != '-') {
      return errors::make("'{}' is not a flag; -help lists them", name);
    }
    name.remove_prefix(name.starts_with("--") ? 2 : 1);
    if (name.starts_with("test.")) name.remove_prefix(5);
    std::size_t const equals = name.find('=');
    bool const has_value = equals != std::string_view::npos;
    std::string_view value = has_value ? name.substr(equals + 1) : std::string_view{};
    name = name.substr(0, equals);
    if (bool* const flag = find_switch(parsed, name)) {
      if (has_value && value != "true" && value != "false") {
        return errors::make("flag -{}: '{}' is neither true nor false", name, value);
      }
      *flag = value != "false";
      continue;
    }
    if (!takes_value(name)) return errors::make("unknown flag -{}; -help lists them", name);
    if (!has_value) {
      if (++i == args.size()) return errors::make("flag -{} needs a value", name);
      value = args[i];
    }
    if (error err = set_value(parsed, name, value)) return errors::wrap(err, "flag -{}", name);
  }
  return parsed;
}

std::string_view usage() {
  return R"(Runs the benchmarks of this program and prints them in Go's benchmark format.
  -bench regexp      which ones; a '/' divides the levels of sub-benchmarks (default ".": all)
  -benchtime t       measure each for t (1s, 100ms), or run it exactly N times (100x) (default 1s)
  -count n           measure each n times (default 1)
  -cpu list          measure each with this many processors: -cpu 1,2,4 (default: all there are)
  -benchmem          print B/op and allocs/op for all
  -list regexp       print the names that match, run nothing
  -v                 print each name when it starts, and what benchmarks log (to stderr)
)";
}

}  // namespace vole::bench
