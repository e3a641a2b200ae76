// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/stat_layout.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "bench/benchfmt_text.h"

namespace vole::benchstat {
namespace {

using benchfmt::pad;

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

int width_of(std::string_view text) {
  return static_cast<int>(benchfmt::rune_count(text));
}

// aligned puts text into width runes; its right side is not filled up. As in benchstat a width
// below 0, which a cell that outgrew its columns leaves to the next one, aligns the other way.
std::string aligned(std::string const& text, int width, align how) {
  switch (how) {
    case align::left:
      return text;
    case align::center:
      return pad((width - width_of(text)) / 2, "") + text;
    case align::right:
      break;
  }
  return pad(width, text);
}

}  // namespace

void layout::row() {
  if (!cells_.empty()) ++row_;
  column_ = 0;
}

void layout::span(int columns, std::string text, cell_style style) {
  std::string margin(style.margin.value_or(column_ == 0 || text.empty() ? "" : " "));
  cells_.push_back({row_, column_, columns, std::move(text), std::move(margin), style.alignment});
  column_ += columns;
  columns_ = std::max(columns_, column_);
}

void layout::keep_narrow(int column) {
  if (narrow_.size() <= at(column)) narrow_.resize(at(column) + 1);
  narrow_[at(column)] = true;
}

bool layout::is_narrow(int column) const {
  return at(column) < narrow_.size() && narrow_[at(column)];
}

std::vector<int> layout::margins() const {
  std::vector<int> margins(at(columns_));
  for (placed const& c : cells_) {
    margins[at(c.column)] = std::max(margins[at(c.column)], width_of(c.margin));
  }
  return margins;
}

// The widths of the columns with their margins; narrow cells are looked at before those that span
// more columns.
std::vector<int> layout::widths(std::vector<int> const& margins) {
  std::ranges::stable_sort(cells_, {}, &placed::span);
  std::vector<int> widths(at(columns_));
  for (placed const& c : cells_) {
    int const need = width_of(c.text) + margins[at(c.column)];
    if (c.span == 1) {
      widths[at(c.column)] = std::max(widths[at(c.column)], need);
    } else {
      widen(widths, c, need);
    }
  }
  return widths;
}

// Makes room for a cell that spans columns: evenly, where a column is not wide already.
void layout::widen(std::vector<int>& widths, placed const& cell, int need) const {
  auto const first = widths.begin() + cell.column;
  if (std::accumulate(first, first + cell.span, 0) >= need) return;
  std::vector<int> columns;
  for (int column = cell.column; column < cell.column + cell.span; ++column) {
    if (is_narrow(column)) {
      need -= widths[at(column)];
    } else {
      columns.push_back(column);
    }
  }
  std::ranges::stable_sort(columns, std::greater<>(),
                           [&](int column) { return widths[at(column)]; });
  int left = static_cast<int>(columns.size());
  for (int const column : columns) {
    int& width = widths[at(column)];
    width = std::max(width, (need + left - 1) / left);
    need -= width;
    --left;
  }
}

std::string layout::text() {
  std::vector<int> const margins = this->margins();
  std::vector<int> const widths = this->widths(margins);
  std::vector<int> begins(at(columns_) + 1);
  std::partial_sum(widths.begin(), widths.end(), begins.begin() + 1);

  std::ranges::stable_sort(cells_, [](placed const& a, placed const& b) {
    return std::pair(a.row, a.column) < std::pair(b.row, b.column);
  });
  std::string text;
  int row = 0;
  int place = 0;
  for (placed const& c : cells_) {
    if (benchfmt::is_blank(c.text) && benchfmt::is_blank(c.margin)) continue;
    for (; row < c.row; ++row) {
      text += '\n';
      place = 0;
    }
    int const margin = margins[at(c.column)];
    int const blanks = begins[at(c.column)] - place;
    text += pad(blanks, "") + pad(margin, c.margin);
    place += blanks + margin;
    int const width = begins[at(c.column + c.span)] - begins[at(c.column)] - margin;
    std::string const shown = aligned(c.text, width, c.alignment);
    text += shown;
    place += width_of(shown);
  }
  if (!cells_.empty()) text += '\n';
  return text;
}

}  // namespace vole::benchstat
