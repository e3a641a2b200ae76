// SPDX-License-Identifier: Apache-2.0
#pragma once
// What of a result names its table, its row and its column: benchstat's -table, -row and -col.
//
// INVARIANTS
//   - A projection and its fields stay where they are made; keys point into it.
//   - Two keys of one projection with the same values are the same node.
//   - A field's place in a node never changes; a node is as long as its last value that is set.
// LOCKS: none; no shared state.
// Source: golang.org/x/perf/benchproc/syntax.

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bench/benchfmt.h"
#include "bench/stat_filter.h"
#include "bench/stat_words.h"

namespace vole::benchstat {

class projection;

struct field {
  static constexpr std::size_t is_group = static_cast<std::size_t>(-1);

  std::string name;
  std::size_t place = is_group;  // in a key's values
  std::vector<std::unique_ptr<field>> sub = {};
  // Less than 0, 0 (no order between them) or greater.
  std::function<int(std::string_view, std::string_view)> compare = {};
  // Ordered by first appearance: which value came when.
  bool ordered_by_appearance = false;
  std::map<std::string, int, std::less<>> appeared = {};
};

struct key_node {
  projection const* of;
  std::vector<std::string> values;

  std::string const& value(field const& f) const;
  // text is the values that are set, parted by blanks.
  std::string text() const;
};
using key = key_node const*;

class projection {
 public:
  projection() = default;
  projection(projection const&) = delete;
  projection& operator=(projection const&) = delete;

  // project finds the key of a result; each_unit one for each of its measurements.
  key project(benchfmt::result const& of);
  std::vector<key> project_each_unit(benchfmt::result const& of);

  // fields are the leaves, in the order in which keys are compared.
  std::vector<field const*> fields() const;
  field const* unit_field() const { return unit_; }

  void sort(std::vector<key>& keys) const;

 private:
  friend class projection_set;
  using row = std::vector<std::string>;

  field& add_field(field& group, std::string name);
  row row_of(benchfmt::result const& of);
  key intern(row values);
  bool less(key a, key b) const;

  field root_;
  std::size_t places_ = 0;
  field* unit_ = nullptr;
  std::vector<std::function<void(benchfmt::result const&, row&)>> parts_;
  std::map<row, std::unique_ptr<key_node>> nodes_;
};

// projection_set makes projections that share the results' fields among them: a key that one of
// them names is left out of the .config and .fullname of the others.
class projection_set {
 public:
  // parse may add conditions to `which`: a fixed order takes only the values it lists.
  std::variant<std::unique_ptr<projection>, expression_error> parse(std::string_view expression,
                                                                    filter& which, bool with_unit);
  // residue is all that no projection has taken.
  std::unique_ptr<projection> residue();

 private:
  struct part;
  using build = std::function<void(field&)>;

  std::optional<expression_error> add(projection& to, std::string_view expression, part const& p,
                                      std::vector<filter::test>& conditions);
  void add_config(projection& to, build const& set_order);
  void add_full_name(projection& to, build const& set_order);
  void add_key(projection& to, std::string const& name, extractor extract, build const& set_order);
  static std::string full_name(benchfmt::result const& of, std::vector<std::string> const& without);
  static std::vector<part> read_parts(words& in);

  // Shared with the projections, which look at them when the first result comes.
  struct taken {
    std::set<std::string, std::less<>> config_keys;
    std::vector<std::string> name_keys;
  };
  std::shared_ptr<taken> taken_ = std::make_shared<taken>();
  bool have_config_ = false;
  bool have_full_name_ = false;
};

// differing are the fields in which the keys are not all alike.
std::vector<field const*> differing(std::vector<key> const& keys);

}  // namespace vole::benchstat
