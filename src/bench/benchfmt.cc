// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/benchfmt.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "vole/internal/format.h"

#include "base/sys_error.h"
#include "bench/benchfmt_text.h"
#include "bench/benchfmt_unit.h"

namespace vole::benchfmt {
namespace {

constexpr std::size_t line_bytes_max = 64 * 1024;  // with its end
constexpr std::string_view benchmark_prefix = "Benchmark";

// The digits after the last '-' with it: "-8"; empty when name has none.
std::string_view procs_suffix(std::string_view name) {
  auto const dash = name.find_last_not_of("0123456789");
  if (dash == std::string_view::npos || name[dash] != '-' || dash + 1 == name.size()) return {};
  return name.substr(dash);
}

// split_config reads "key: value". The key begins with a lower-case letter and holds neither blank
// nor upper case; a value, if there is one, is parted from the colon by a blank.
bool split_config(std::string_view line, std::string_view& key, std::string_view& value) {
  std::size_t at = 0;
  while (at < line.size()) {
    rune const r = decode_rune(line.substr(at));
    if (at == 0 && !is_lower(r.value)) return false;
    if (is_space(r.value) || is_upper(r.value)) return false;
    if (at > 0 && r.value == ':') break;
    at += r.bytes;
  }
  if (at >= line.size()) return false;
  key = line.substr(0, at);
  value = line.substr(at + 1);
  auto const begin = std::min(value.find_first_not_of(" \t"), value.size());
  bool const parted = value.empty() || begin > 0;
  value.remove_prefix(begin);
  return parted;
}

}  // namespace

name_parts split_name(std::string_view name) {
  name_parts split;
  std::string_view const procs = procs_suffix(name);
  name.remove_suffix(procs.size());
  auto const first = std::min(name.find('/'), name.size());
  split.base = name.substr(0, first);
  for (auto at = first; at < name.size();) {
    auto const next = std::min(name.find('/', at + 1), name.size());
    split.parts.push_back(name.substr(at, next - at));
    at = next;
  }
  if (!procs.empty()) split.parts.push_back(procs);
  return split;
}

std::string_view base_name(std::string_view name) {
  auto const slash = name.find('/');
  if (slash != std::string_view::npos) return name.substr(0, slash);
  return name.substr(0, name.size() - procs_suffix(name).size());
}

std::string_view result::config_value(std::string_view key) const {
  auto const at = std::ranges::find(configs_, key, &config::key);
  return at == configs_.end() ? std::string_view() : at->value;
}

void result::set_config(std::string_view key, std::string_view value, bool from_file) {
  auto const at = std::ranges::find(configs_, key, &config::key);
  if (at != configs_.end() && value.empty()) {
    std::swap(*at, configs_.back());
    configs_.pop_back();
  } else if (at != configs_.end()) {
    at->value = value;
    at->from_file = from_file;
  } else if (!value.empty()) {
    configs_.push_back({std::string(key), std::string(value), from_file});
  }
}

std::string const* unit_notes::add(std::string_view unit, std::string_view key,
                                   std::string_view value) {
  auto const [at, fresh] = notes_.try_emplace({tidy_unit(unit).unit, std::string(key)}, value);
  return fresh || at->second == value ? nullptr : &at->second;
}

std::string_view unit_notes::get(std::string_view unit, std::string_view key) const {
  auto const at = notes_.find({tidy_unit(unit).unit, std::string(key)});
  return at == notes_.end() ? std::string_view() : at->second;
}

std::string syntax_error::text() const {
  return fmt::format("{}:{}: {}", file, line, what);
}

reader::reader(std::string_view text, std::string file, std::string_view label, unit_notes& notes)
    : rest_(text), file_(std::move(file)), notes_(notes) {
  if (file_.empty()) file_ = "<unknown>";
  current_.set_config(".file", label, false);
}

void reader::refuse(std::string what) {
  errors_.push_back({file_, line_, std::move(what)});
}

bool reader::read_line(std::string_view& line) {
  if (rest_.empty() || failure_) return false;
  auto const end = rest_.find('\n');
  bool const ended = end != std::string_view::npos;
  line = rest_.substr(0, end);
  if (line.size() >= line_bytes_max) {
    failure_ = errors::make("{}:{}: bufio.Scanner: token too long", file_, line_);
    return false;
  }
  rest_.remove_prefix(line.size() + (ended ? 1 : 0));
  if (line.ends_with('\r')) line.remove_suffix(1);
  ++line_;
  return true;
}

reader::record reader::next() {
  if (error_shown_) errors_.pop_front();
  error_shown_ = false;
  std::string_view line;
  while (errors_.empty() && read_line(line)) {
    std::string_view key;
    std::string_view value;
    std::string_view rest = line;
    if (line.starts_with(benchmark_prefix)) {
      if (read_benchmark(line.substr(benchmark_prefix.size()))) return record::result;
    } else if (line.starts_with('U') && take_field(rest) == "Unit") {
      read_unit(rest);
    } else if (split_config(line, key, value)) {
      current_.set_config(key, value, true);
    }
  }
  if (errors_.empty()) return record::end;
  error_shown_ = true;
  return record::syntax_error;
}

// Reads what follows "Benchmark". False: the line is no result; an error says why, if it should be
// one.
bool reader::read_benchmark(std::string_view line) {
  std::size_t const whole = line.size();
  current_.name = take_field(line);
  // `go test -v` prints the name alone when the benchmark starts.
  if (current_.name.size() == whole) return false;
  std::string_view const count = take_field(line);
  if (count.empty()) {
    refuse("missing iteration count");
    return false;
  }
  auto const iterations = parse_int(count);
  if (iterations.err != number_error::none) {
    refuse(fmt::format("parsing iteration count: {}", to_text(iterations.err)));
    return false;
  }
  current_.iterations = iterations.value;
  return read_values(line);
}

bool reader::read_values(std::string_view line) {
  current_.values.clear();
  while (true) {
    std::string_view const number = take_field(line);
    if (number.empty() && current_.values.empty()) {
      refuse("missing measurements");
      return false;
    }
    if (number.empty()) return true;
    auto const read = parse_float(number);
    if (read.err != number_error::none) {
      refuse(fmt::format("parsing measurement: {}", to_text(read.err)));
      return false;
    }
    std::string const unit(take_field(line));
    if (unit.empty()) {
      refuse("missing units");
      return false;
    }
    tidied_unit tidied = tidy_unit(unit);
    double const value = read.value * tidied.factor;
    // benchstat compares the values, so that 0 ns/op stays in ns/op.
    bool const as_written = value == read.value;
    current_.values.push_back(as_written ? measurement{value, unit, {}}
                                         : measurement{value, std::move(tidied.unit), unit});
  }
}

// Reads what follows "Unit".
void reader::read_unit(std::string_view line) {
  std::string_view const unit = take_field(line);
  if (unit.empty()) refuse("missing unit");
  for (auto note = take_field(line); !note.empty(); note = take_field(line)) {
    auto const equals = note.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      refuse("expected key=value");
      continue;
    }
    std::string_view const key = note.substr(0, equals);
    if (auto const* other = notes_.add(unit, key, note.substr(equals + 1))) {
      refuse(fmt::format("metadata {} of unit {} already set to {}", key, unit, *other));
    }
  }
}

std::vector<input> inputs_of(std::vector<std::string> const& arguments) {
  std::map<std::string, int> times;
  for (auto const& argument : arguments) {
    if (argument.find('=') == std::string::npos) ++times[argument];
  }
  std::vector<input> inputs;
  std::map<std::string, int> number;
  for (auto const& argument : arguments) {
    auto const equals = argument.find('=');
    if (equals != std::string::npos) {
      inputs.push_back({argument.substr(equals + 1), argument.substr(0, equals)});
    } else if (times[argument] == 1) {
      inputs.push_back({argument, argument});
    } else {
      inputs.push_back({argument, fmt::format("{}#{}", argument, number[argument]++)});
    }
  }
  return inputs;
}

content read_input(std::string const& path) {
  content got;
  bool const is_stdin = path == "-";
  int const file = is_stdin ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    got.open_failure = errors::make("open {}: {}", path, internal::sys_error_text(errno));
    return got;
  }
  std::array<char, 1 << 16> part{};
  while (true) {
    ssize_t const bytes = ::read(file, part.data(), part.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) {
      got.read_failure = errors::make("read {}: {}", is_stdin ? "/dev/stdin" : path,
                                      internal::sys_error_text(errno));
    }
    if (bytes <= 0) break;
    got.text.append(part.data(), static_cast<std::size_t>(bytes));
  }
  if (!is_stdin) ::close(file);
  return got;
}

}  // namespace vole::benchfmt
