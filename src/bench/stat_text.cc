// SPDX-License-Identifier: Apache-2.0
// Tables as text. No shared state.
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "bench/benchfmt_text.h"
#include "bench/benchfmt_unit.h"
#include "bench/stat_layout.h"
#include "bench/stat_table.h"

namespace vole::benchstat {
namespace {

// The columns of the layout: the row's label; for each column of the table the center, its range
// and notes; from the second on the change, its p value and notes, too.
constexpr int label_columns = 1;
constexpr int center_columns = 3;
constexpr int delta_columns = 3;
constexpr std::string_view rule = " │ ";
constexpr std::string_view last_rule = " │";

int first_column(std::size_t i) {
  if (i == 0) return label_columns;
  return label_columns + center_columns +
         (static_cast<int>(i) - 1) * (center_columns + delta_columns);
}

std::string superscript(std::size_t number) {
  static constexpr std::array<std::string_view, 10> digits = {"⁰", "¹", "²", "³", "⁴",
                                                              "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text;
  for (char const c : std::to_string(number)) text += digits[static_cast<std::size_t>(c - '0')];
  return text;
}

// The warnings of one table, each with a number.
class footnotes {
 public:
  std::string marks(std::vector<std::string> const& warnings) {
    std::string text;
    for (auto const& warning : warnings) {
      auto const at = std::ranges::find(list_, warning);
      auto const number = static_cast<std::size_t>(at - list_.begin()) + 1;
      if (at == list_.end()) list_.push_back(warning);
      if (!text.empty()) text += ' ';
      text += superscript(number);
    }
    return text;
  }
  std::string text() const {
    std::string lines;
    for (std::size_t i = 0; i < list_.size(); ++i) {
      lines += superscript(i + 1) + ' ' + list_[i] + '\n';
    }
    return lines;
  }

 private:
  std::vector<std::string> list_;
};

class text_table {
 public:
  explicit text_table(table const& of)
      : of_(of), class_(benchfmt::class_of(of.unit)), edge_(first_column(of.columns.size() + 1)) {}

  std::string text() {
    add_column_names();
    add_units();
    for (key const row : of_.rows) add_row(row);
    if (of_.rows.size() > 1) add_summary();
    return layout_.text() + notes_.text();
  }

 private:
  // Neighbours that share a value, and all values above it, share a cell.
  void add_column_names() {
    std::vector<field const*> const fields = of_.columns.front()->of->fields();
    std::size_t const columns = of_.columns.size();
    std::vector<bool> begins(columns);
    begins[0] = true;
    for (field const* f : fields) {
      for (std::size_t i = 1; i < columns; ++i) {
        if (of_.columns[i]->value(*f) != of_.columns[i - 1]->value(*f)) begins[i] = true;
      }
      layout_.row();
      for (std::size_t i = 0; i < columns;) {
        std::size_t next = i + 1;
        while (next < columns && !begins[next]) ++next;
        layout_.column(first_column(i));
        layout_.span(first_column(next) - first_column(i), of_.columns[i]->value(*f),
                     {align::center, rule});
        i = next;
      }
      end_row();
    }
  }

  void add_units() {
    layout_.row();
    for (std::size_t i = 0; i < of_.columns.size(); ++i) {
      layout_.column(first_column(i));
      layout_.span(center_columns, of_.unit, {align::center, rule});
      if (i > 0) layout_.span(delta_columns, "vs base", {align::left, "  "});
      for (int c = first_column(i) + 1; c < layout_.column(); ++c) layout_.keep_narrow(c);
    }
    end_row();
  }

  void end_row() {
    layout_.column(edge_);
    layout_.cell("", {align::left, last_rule});
  }

  void add_row(key row) {
    layout_.row();
    layout_.cell(row->text());
    std::vector<double> centers;
    for (key const column : of_.columns) {
      if (cell const* c = of_.find(row, column)) centers.push_back(c->summary.center);
    }
    benchfmt::scaler const scale = benchfmt::common_scale(centers, class_);
    for (std::size_t i = 0; i < of_.columns.size(); ++i) {
      cell const* c = of_.find(row, of_.columns[i]);
      if (c == nullptr) continue;
      layout_.column(first_column(i));
      layout_.cell(scale.format(c->summary.center), {align::right});
      layout_.cell(c->summary.range(), {align::right, " ± "});
      std::vector<std::string> warnings = c->warnings;
      warnings.insert(warnings.end(), c->summary.warnings.begin(), c->summary.warnings.end());
      layout_.cell(notes_.marks(warnings));
      if (c->baseline == nullptr) continue;
      comparison const& with = c->comparison;
      layout_.cell(with.delta(c->baseline->summary.center, c->summary.center), {align::right});
      layout_.cell('(' + with.text() + ')');
      layout_.cell(notes_.marks(with.warnings));
    }
  }

  void add_summary() {
    layout_.row();
    layout_.cell("geomean");
    for (std::size_t i = 0; i < of_.columns.size(); ++i) {
      column_summary const& s = of_.summaries[i];
      if (s.mean) {
        layout_.column(first_column(i));
        layout_.cell(benchfmt::common_scale({&*s.mean, 1}, class_).format(*s.mean), {align::right});
      }
      if (i > 0) {
        layout_.column(first_column(i) + center_columns);
        if (s.ratio) {
          layout_.cell(benchfmt::fixed((*s.ratio - 1) * 100, 2, true) + '%', {align::right});
        } else {
          layout_.cell("?");
        }
      }
      layout_.column(first_column(i + 1) - 1);
      layout_.cell(notes_.marks(s.warnings));
    }
  }

  table const& of_;
  benchfmt::unit_class class_;
  int edge_;
  layout layout_;
  footnotes notes_;
};

}  // namespace

std::string to_text(std::vector<table> const& tables) {
  std::string text;
  table const* before = nullptr;
  for (table const& t : tables) {
    for (auto const& line : heading(t, before)) text += line + '\n';
    text += text_table(t).text();
    before = &t;
  }
  return text;
}

}  // namespace vole::benchstat
