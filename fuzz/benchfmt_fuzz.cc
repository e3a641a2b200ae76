// SPDX-License-Identifier: Apache-2.0
// Benchmark results, and benchstat's filters and projections, from anybody. The first line is an
// expression, the rest a file. What is read must be sound: every result has a value and a unit, and
// reading what was accepted as one line never fails as another.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <variant>

#include "bench/benchfmt.h"
#include "bench/benchfmt_text.h"
#include "bench/stat_filter.h"
#include "bench/stat_projection.h"
#include "bench/stat_table.h"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace vole;
  std::string_view const all(reinterpret_cast<char const*>(data), size);
  auto const line_end = all.find('\n');
  std::string_view const expression = all.substr(0, line_end);
  std::string_view const file =
      line_end == std::string_view::npos ? std::string_view() : all.substr(line_end + 1);

  auto which = benchstat::filter::parse(expression);
  auto everything = std::get<benchstat::filter>(benchstat::filter::parse("*"));
  benchstat::projection_set set;
  auto rows = set.parse(expression, everything, false);
  auto tables = set.parse(".config", everything, true);
  auto columns = set.parse(".file", everything, false);
  auto const residue = set.residue();
  check(!benchfmt::quote(expression).empty());

  benchfmt::unit_notes notes;
  benchfmt::reader in(file, "input", "label", notes);
  auto* by_table = std::get_if<0>(&tables);
  auto* by_row = std::get_if<0>(&rows);
  benchstat::projection none;
  benchstat::table_builder builder(**by_table, by_row != nullptr ? **by_row : none,
                                   *std::get<0>(columns), *residue);
  for (auto record = in.next(); record != benchfmt::reader::record::end; record = in.next()) {
    if (record == benchfmt::reader::record::syntax_error) {
      check(!in.error().what.empty());
      continue;
    }
    check(!in.current().values.empty());
    for (auto const& m : in.current().values) check(!m.unit.empty());
    auto* test = std::get_if<benchstat::filter>(&which);
    if (test == nullptr || test->apply(in.current())) builder.add(in.current());
  }
  auto const made = builder.finish({}, notes);
  check(benchstat::to_text(made).empty() == made.empty());
  check(benchstat::to_csv(made).text.empty() == made.empty());
  return 0;
}
