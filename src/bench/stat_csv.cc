// SPDX-License-Identifier: Apache-2.0
// Tables as comma-separated values. No shared state.
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "vole/internal/format.h"

#include "bench/benchfmt_text.h"
#include "bench/stat_table.h"

namespace vole::benchstat {
namespace {

// A row's label; for each column center and range; from the second on the change and its p value,
// too.
constexpr std::size_t label_columns = 1;
constexpr std::size_t center_columns = 2;
constexpr std::size_t delta_columns = 2;

std::size_t first_column(std::size_t i) {
  if (i == 0) return label_columns;
  return label_columns + center_columns + (i - 1) * (center_columns + delta_columns);
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return false;
  if (text == "\\." || text.find_first_of(",\"\r\n") != std::string_view::npos) return true;
  return benchfmt::is_space(benchfmt::decode_rune(text).value);
}

std::string quoted(std::string_view text) {
  if (!needs_quotes(text)) return std::string(text);
  std::string made = "\"";
  for (char const c : text) {
    if (c == '"') made += '"';
    made += c;
  }
  return made + '"';
}

// column_name is how benchstat names a column; not quite as spreadsheets do past Z.
std::string column_name(std::size_t column) {
  std::string name;
  do {
    name.insert(name.begin(), static_cast<char>('A' + column % 26));
    column /= 26;
  } while (column > 0);
  return name;
}

class csv_writer {
 public:
  void add(table const& of, table const* before) {
    for (auto const& line : heading(of, before)) {
      row_.push_back(line);
      end_row();
    }
    add_heads(of);
    for (key const row : of.rows) add_row(of, row);
    add_summary(of);
  }

  csv made;

 private:
  void add_heads(table const& of) {
    for (field const* f : of.columns.front()->of->fields()) {
      for (std::size_t i = 0; i < of.columns.size(); ++i) {
        fill(first_column(i));
        row_.push_back(of.columns[i]->value(*f));
      }
      fill(first_column(of.columns.size()));
      end_row();
    }
    for (std::size_t i = 0; i < of.columns.size(); ++i) {
      fill(first_column(i));
      row_.insert(row_.end(), {of.unit, "CI"});
      if (i > 0) row_.insert(row_.end(), {"vs base", "P"});
    }
    end_row();
  }

  void add_row(table const& of, key row) {
    row_.push_back(row->text());
    for (std::size_t i = 0; i < of.columns.size(); ++i) {
      cell const* c = of.find(row, of.columns[i]);
      if (c == nullptr) continue;
      fill(first_column(i));
      warn(c->warnings);
      warn(c->summary.warnings);
      row_.insert(row_.end(), {benchfmt::shortest(c->summary.center), c->summary.range()});
      if (c->baseline == nullptr) continue;
      warn(c->comparison.warnings);
      row_.insert(row_.end(), {c->comparison.delta(c->baseline->summary.center, c->summary.center),
                               c->comparison.text()});
    }
    end_row();
  }

  void add_summary(table const& of) {
    row_.emplace_back("geomean");
    for (std::size_t i = 0; i < of.columns.size(); ++i) {
      column_summary const& s = of.summaries[i];
      fill(first_column(i));
      warn(s.warnings);
      if (s.mean) row_.push_back(benchfmt::shortest(*s.mean));
      if (i == 0) continue;
      fill(first_column(i) + center_columns);
      row_.push_back(s.ratio ? benchfmt::fixed((*s.ratio - 1) * 100, 2, true) + '%' : "?");
    }
    fill(first_column(of.columns.size()));
    end_row();
  }

  void fill(std::size_t columns) { row_.resize(std::max(row_.size(), columns)); }

  // Warns about the cell that comes next.
  void warn(std::vector<std::string> const& warnings) {
    for (auto const& warning : warnings) {
      made.warnings += fmt::format("{}{}: {}\n", column_name(row_.size()), rows_, warning);
    }
  }

  void end_row() {
    for (std::size_t i = 0; i < row_.size(); ++i) made.text += (i > 0 ? "," : "") + quoted(row_[i]);
    made.text += '\n';
    row_.clear();
    ++rows_;
  }

  std::vector<std::string> row_;
  int rows_ = 1;
};

}  // namespace

csv to_csv(std::vector<table> const& tables) {
  csv_writer writer;
  table const* before = nullptr;
  for (table const& t : tables) {
    writer.add(t, before);
    before = &t;
  }
  return std::move(writer.made);
}

}  // namespace vole::benchstat
