// SPDX-License-Identifier: Apache-2.0
#pragma once
// A reader of Go's benchmark text format: configuration lines, results, and what is said of units.
// No shared state.
//
// INVARIANTS
//   - What a line says holds for the lines after it in the same file; what is said of a unit holds
//     for all files.
//   - Values stand in base units ("sec", not "ns"); what was written is kept beside them.
// Source: the Go benchmark data format (design 14313), golang.org/x/perf/benchfmt.

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/errors.h"

namespace vole::benchfmt {

struct config {
  std::string key;
  std::string value;
  bool from_file;  // a line of the file said so; else the program that read it
};

struct measurement {
  double value;
  std::string unit;
  std::string written_unit;  // empty: as unit
};

// A benchmark's name, "Sort/n=10-8", without "Benchmark".
struct name_parts {
  std::string_view base;                // "Sort"
  std::vector<std::string_view> parts;  // "/n=10", "-8"
};
name_parts split_name(std::string_view name);
std::string_view base_name(std::string_view name);

// result is one line of measurements, and the configuration it was made under.
class result {
 public:
  std::string name;
  std::int64_t iterations = 0;
  std::vector<measurement> values;

  // In the order in which the keys came; a key that goes gives its place to the last one.
  std::vector<config> const& configs() const { return configs_; }
  std::string_view config_value(std::string_view key) const;  // empty: not set
  // set_config with an empty value takes the key away.
  void set_config(std::string_view key, std::string_view value, bool from_file);

 private:
  std::vector<config> configs_;
};

// unit_notes is what Unit lines say: (unit, key) -> value.
class unit_notes {
 public:
  // add refuses a second value for a key, and returns the one that stands.
  std::string const* add(std::string_view unit, std::string_view key, std::string_view value);
  // get looks the base form of unit up; empty when nothing was said.
  std::string_view get(std::string_view unit, std::string_view key) const;

 private:
  std::map<std::pair<std::string, std::string>, std::string> notes_;
};

struct syntax_error {
  std::string file;
  int line;
  std::string what;

  std::string text() const;  // "old.txt:3: missing units"
};

// reader goes over the records of one file.
class reader {
 public:
  enum class record { result, syntax_error, end };

  // text and notes stay the caller's. label is what `.file` says of each result.
  reader(std::string_view text, std::string file, std::string_view label, unit_notes& notes);

  record next();
  // current is the result that next() spoke of, and stays good until the next call.
  result& current() { return current_; }
  benchfmt::syntax_error const& error() const { return errors_.front(); }
  // failure is what ended the file early: a line too long to be one.
  vole::error failure() const { return failure_; }
  int line() const { return line_; }

 private:
  bool read_line(std::string_view& line);
  bool read_benchmark(std::string_view line);
  bool read_values(std::string_view line);
  void read_unit(std::string_view line);
  void refuse(std::string what);

  std::string_view rest_;
  std::string file_;
  unit_notes& notes_;
  int line_ = 0;
  result current_;
  std::deque<benchfmt::syntax_error> errors_;
  bool error_shown_ = false;
  vole::error failure_;
};

// input is one file on a command line: "new.txt", "label=path", "-" for stdin.
struct input {
  std::string path;
  std::string label;
};
// inputs_of gives each path a label; a path that is named twice gets "path#0" and "path#1".
std::vector<input> inputs_of(std::vector<std::string> const& arguments);

// read_input is what could be read of the file, and what ended it early: an error that says
// "open path: no such file or directory" or "read path: is a directory".
struct content {
  std::string text;
  vole::error open_failure;
  vole::error read_failure;
};
content read_input(std::string const& path);

}  // namespace vole::benchfmt
