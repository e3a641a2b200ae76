// SPDX-License-Identifier: Apache-2.0
#pragma once
// benchstat's tables: cells of measurements by row and column, each compared with the first column.
// No shared state.
//
// INVARIANTS
//   - A table holds one unit; its cells' values are sorted once the tables are made.
//   - A cell's baseline stands in the same row, in the first column; the first column has none.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bench/benchfmt.h"
#include "bench/stat_math.h"
#include "bench/stat_projection.h"

namespace vole::benchstat {

struct cell {
  std::vector<double> values;
  std::set<key> residues;  // what the measurements differ in besides
  std::vector<std::string> warnings;
  benchstat::summary summary;
  cell const* baseline = nullptr;
  benchstat::comparison comparison;  // with the baseline, if there is one
};

// The last row: geometric means of a column.
struct column_summary {
  std::optional<double> mean;
  std::optional<double> ratio;
  std::vector<std::string> warnings;
};

struct table {
  key name;
  std::string unit;
  std::vector<key> rows;
  std::vector<key> columns;
  std::map<std::pair<key, key>, cell> cells;  // by row and column
  std::vector<column_summary> summaries;      // by column

  cell const* find(key row, key column) const;
};

struct options {
  double confidence = 0.95;
  double alpha = 0.05;
};

class table_builder {
 public:
  // The projections stay the caller's; tables points to one with units.
  table_builder(projection& tables, projection& rows, projection& columns, projection& residue)
      : tables_(tables), rows_(rows), columns_(columns), residue_(residue) {}

  void add(benchfmt::result const& r);
  std::vector<table> finish(options const& how, benchfmt::unit_notes const& notes);

 private:
  projection& tables_;
  projection& rows_;
  projection& columns_;
  projection& residue_;
  std::map<key, table> made_;
};

// to_text is for reading: aligned columns, warnings as footnotes below each table.
std::string to_text(std::vector<table> const& tables);

// to_csv is for other programs; its warnings, which name cells as spreadsheets do, go to stderr.
struct csv {
  std::string text;
  std::string warnings;
};
csv to_csv(std::vector<table> const& tables);

// heading is the lines above a table: what has changed since the one before, which may be null.
std::vector<std::string> heading(table const& of, table const* before);

}  // namespace vole::benchstat
