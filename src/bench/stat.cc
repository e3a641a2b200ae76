// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/stat.h"

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include "vole/internal/format.h"

#include "bench/benchfmt.h"
#include "bench/benchfmt_text.h"
#include "bench/stat_filter.h"
#include "bench/stat_flags.h"
#include "bench/stat_projection.h"
#include "bench/stat_table.h"

namespace vole::benchstat {
namespace {

constexpr int usage_status = 2;
constexpr std::string_view usage = R"(Usage: vole benchstat [flags] [label=]file...

Prints the median of each benchmark in a column for each file, and how it differs from the first
file's: "~" where the difference may be chance. "-" is standard input.

  -alpha number         a difference counts when its p value is at most this (default 0.05)
  -col projection       what makes a column (default .file)
  -confidence number    of the intervals behind ± (default 0.95)
  -filter expression    which results and units are looked at (default *)
  -format text|csv      text is for reading; csv writes its warnings to stderr (default text)
  -ignore projection    what may differ within a row without a warning
  -row projection       what makes a row (default .fullname)
  -table projection     what makes a table (default .config)

A projection is a list of keys: .config .fullname .name .file, /key of a benchmark's name, or a key
of the file's "key: value" lines; key@alpha, key@num and key@(a b c) say in which order.
)";

struct flags {
  std::map<std::string, std::string, std::less<>> words = {
      {"table", ".config"}, {"row", ".fullname"}, {"col", ".file"},
      {"ignore", ""},       {"filter", "*"},      {"format", "text"},
  };
  std::map<std::string, double, std::less<>> numbers = {{"alpha", 0.05}, {"confidence", 0.95}};
};

std::optional<std::string> read_number(std::string_view value, double& to) {
  auto const read = benchfmt::parse_float(value);
  if (read.err == benchfmt::number_error::range) return "value out of range";
  if (read.err == benchfmt::number_error::syntax) return "parse error";
  to = read.value;
  return std::nullopt;
}

go_flags::outcome parse_flags(std::vector<std::string> const& arguments, flags& to) {
  go_flags known;
  for (auto& [name, value] : to.words) known.add(name, value);
  for (auto& [name, value] : to.numbers) {
    known.add(name, [&value](std::string_view text) { return read_number(text, value); });
  }
  auto read = known.parse(arguments, go_flags::placed::before_words);
  read.words.insert(read.words.end(), read.after_dashes.begin(), read.after_dashes.end());
  return read;
}

// What the expressions on the command line say.
struct plan {
  std::optional<filter> which;
  std::unique_ptr<projection> tables, rows, columns, ignored, residue;
};

std::optional<std::string> make_plan(flags const& from, plan& to) {
  auto parsed = filter::parse(from.words.at("filter"));
  if (auto const* wrong = std::get_if<expression_error>(&parsed)) {
    return "parsing -filter: " + wrong->text();
  }
  to.which = std::get<filter>(std::move(parsed));
  projection_set set;
  std::optional<std::string> first_wrong;
  auto const project = [&](std::string const& flag, bool with_unit) {
    auto made = set.parse(from.words.at(flag), *to.which, with_unit);
    if (auto* projected = std::get_if<std::unique_ptr<projection>>(&made)) {
      return std::move(*projected);
    }
    if (!first_wrong) {
      first_wrong = fmt::format("parsing -{}: {}", flag, std::get<expression_error>(made).text());
    }
    return std::unique_ptr<projection>();
  };
  to.tables = project("table", true);
  to.rows = project("row", false);
  to.columns = project("col", false);
  to.ignored = project("ignore", false);
  to.residue = set.residue();
  if (first_wrong) return first_wrong;
  auto const out_of_range = [&](char const* flag) {
    double const value = from.numbers.at(flag);
    return value < 0 || value > 1;
  };
  if (out_of_range("alpha")) return "-alpha must be in range [0, 1]";
  if (out_of_range("confidence")) return "-confidence must be in range [0, 1]";
  std::string const& format = from.words.at("format");
  if (format != "text" && format != "csv") return "-format must be text or csv";
  return std::nullopt;
}

// read_file adds the results of one file; returns what ended it early.
error read_file(benchfmt::input const& from, plan const& by, benchfmt::unit_notes& notes,
                table_builder& to, std::string& errors) {
  benchfmt::content const content = benchfmt::read_input(from.path);
  if (content.open_failure) return content.open_failure;
  benchfmt::reader in(content.text, from.path, from.label, notes);
  for (auto record = in.next(); record != benchfmt::reader::record::end; record = in.next()) {
    if (record == benchfmt::reader::record::syntax_error) {
      errors += in.error().text() + '\n';
    } else if (by.which->apply(in.current())) {
      to.add(in.current());
    }
  }
  if (in.failure()) return in.failure();
  if (!content.read_failure) return nullptr;
  return errors::make("{}:{}: {}", from.path, in.line(), content.read_failure);
}

}  // namespace

outcome run(std::vector<std::string> const& arguments) {
  flags asked;
  auto const read = parse_flags(arguments, asked);
  if (read.wrong) return {usage_status, {}, fmt::format("{}\n{}", *read.wrong, usage)};
  if (read.help) return {0, {}, std::string(usage)};
  if (read.words.empty()) return {usage_status, {}, std::string(usage)};

  outcome made;
  auto const fail = [&](std::string_view what) {
    made.errors += fmt::format("benchstat: {}\n", what);
    return std::move(made);
  };
  plan by;
  if (auto const wrong = make_plan(asked, by)) return fail(*wrong);
  benchfmt::unit_notes notes;
  table_builder builder(*by.tables, *by.rows, *by.columns, *by.residue);
  for (auto const& input : benchfmt::inputs_of(read.words)) {
    if (auto const err = read_file(input, by, notes, builder, made.errors)) {
      return fail(err.message());
    }
  }
  auto const tables =
      builder.finish({asked.numbers.at("confidence"), asked.numbers.at("alpha")}, notes);
  if (asked.words.at("format") == "text") {
    made.output = to_text(tables);
  } else {
    auto [text, warnings] = to_csv(tables);
    made.output = std::move(text);
    made.errors += warnings;
  }
  return made;
}

}  // namespace vole::benchstat
