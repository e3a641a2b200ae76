// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/stat_table.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "vole/internal/format.h"

namespace vole::benchstat {
namespace {

std::vector<key> sorted(std::set<key> const& keys, projection const& by) {
  std::vector<key> list(keys.begin(), keys.end());
  by.sort(list);
  return list;
}

void set_baselines(table& t) {
  key const first = t.columns.front();
  for (auto& [place, c] : t.cells) {
    if (place.second == first) continue;
    auto const base = t.cells.find({place.first, first});
    if (base != t.cells.end()) c.baseline = &base->second;
  }
}

void summarize_cell(cell& c, assumption what, options const& how) {
  c.summary = summarize(c.values, what, how.confidence);
  if (c.baseline != nullptr) c.comparison = compare(c.baseline->values, c.values, what, how.alpha);
  std::string names;
  for (field const* f : differing({c.residues.begin(), c.residues.end()})) {
    names += (names.empty() ? "" : ", ") + f->name;
  }
  if (!names.empty()) c.warnings.push_back("benchmarks vary in " + names);
}

// The ratio of two centers; 0/0 is 1, and what 0 divides has none.
std::optional<double> ratio_of(double newer, double older) {
  if (newer == older) return 1;
  if (older == 0) return std::nullopt;
  return newer / older;
}

column_summary summarize_column(table const& t, std::size_t column) {
  column_summary made;
  std::vector<double> centers;
  std::vector<double> ratios;
  std::size_t baselines = 0;
  bool all_ratios = true;
  bool const is_base = column == 0;
  for (key const row : t.rows) {
    if (t.find(row, t.columns.front()) != nullptr) ++baselines;
    cell const* c = t.find(row, t.columns[column]);
    if (c == nullptr) continue;
    centers.push_back(c->summary.center);
    if (c->baseline == nullptr) continue;
    auto const ratio = ratio_of(c->summary.center, c->baseline->summary.center);
    all_ratios = all_ratios && ratio.has_value();
    ratios.push_back(ratio.value_or(0));
  }
  if (!is_base && baselines != ratios.size()) {
    made.warnings.emplace_back(
        "benchmark set differs from baseline; geomeans may not be comparable");
  }
  double const mean = geometric_mean(centers);
  if (std::isnan(mean)) {
    made.warnings.emplace_back("summaries must be >0 to compute geomean");
  } else {
    made.mean = mean;
  }
  if (is_base || !all_ratios) return made;
  double const ratio = geometric_mean(ratios);
  if (std::isnan(ratio)) {
    made.warnings.emplace_back("ratios must be >0 to compute geomean");
  } else {
    made.ratio = ratio;
  }
  return made;
}

}  // namespace

cell const* table::find(key row, key column) const {
  auto const at = cells.find({row, column});
  return at == cells.end() ? nullptr : &at->second;
}

void table_builder::add(benchfmt::result const& r) {
  std::vector<key> const tables = tables_.project_each_unit(r);
  key const row = rows_.project(r);
  key const column = columns_.project(r);
  key const residue = residue_.project(r);
  for (std::size_t i = 0; i < tables.size(); ++i) {
    cell& c = made_[tables[i]].cells[{row, column}];
    c.values.push_back(r.values[i].value);
    c.residues.insert(residue);
  }
}

std::vector<table> table_builder::finish(options const& how, benchfmt::unit_notes const& notes) {
  std::set<key> names;
  for (auto const& [name, t] : made_) names.insert(name);
  std::vector<table> tables;
  for (key const name : sorted(names, tables_)) {
    tables.push_back(std::move(made_[name]));
    table& t = tables.back();
    t.name = name;
    t.unit = name->value(*tables_.unit_field());
    std::set<key> rows;
    std::set<key> columns;
    for (auto& [place, c] : t.cells) {
      rows.insert(place.first);
      columns.insert(place.second);
      std::ranges::stable_sort(c.values, ascending);
    }
    t.rows = sorted(rows, rows_);
    t.columns = sorted(columns, columns_);
    set_baselines(t);
    bool const exact = notes.get(t.unit, "assume") == "exact";
    for (auto& [place, c] : t.cells) {
      summarize_cell(c, exact ? assumption::exact : assumption::nothing, how);
    }
    for (std::size_t i = 0; i < t.columns.size(); ++i) {
      t.summaries.push_back(summarize_column(t, i));
    }
  }
  return tables;
}

std::vector<std::string> heading(table const& of, table const* before) {
  std::vector<std::string> lines;
  if (before != nullptr) lines.emplace_back();
  for (field const* f : of.name->of->fields()) {
    if (f->name == ".unit") continue;
    std::string const& value = of.name->value(*f);
    if (before != nullptr && before->name->value(*f) == value) continue;
    lines.push_back(fmt::format("{}: {}", f->name, value));
  }
  return lines;
}

}  // namespace vole::benchstat
