// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lays a table out as text of fixed width: cells that may span columns, each with a margin on its
// left. No shared state.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vole::benchstat {

enum class align : unsigned char { left, center, right };

// margin is what stands before a cell; by default a blank, except before the first column and
// before an empty cell.
struct cell_style {
  align alignment = align::left;
  std::optional<std::string_view> margin = {};
};

class layout {
 public:
  // row begins the next line; column moves to the right within it.
  void row();
  void column(int at) { column_ = at; }
  int column() const { return column_; }
  void cell(std::string text, cell_style style = {}) { span(1, std::move(text), style); }
  void span(int columns, std::string text, cell_style style = {});
  // keep_narrow keeps a column as narrow as its own cells let it be when a cell that spans it needs
  // room.
  void keep_narrow(int column);

  std::string text();

 private:
  struct placed {
    int row, column, span;
    std::string text;
    std::string margin;
    align alignment;
  };

  bool is_narrow(int column) const;
  std::vector<int> margins() const;
  std::vector<int> widths(std::vector<int> const& margins);
  void widen(std::vector<int>& widths, placed const& cell, int need) const;

  std::vector<placed> cells_;
  std::vector<bool> narrow_;
  int columns_ = 0;
  int row_ = 0;
  int column_ = 0;
};

}  // namespace vole::benchstat
