// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/stat_projection.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "vole/internal/format.h"

#include "bench/benchfmt_text.h"

namespace vole::benchstat {
namespace {

using benchfmt::result;

// number_of reads "8", "4k", "1MiB".
std::optional<double> number_of(std::string_view text) {
  if (auto const plain = benchfmt::parse_float(text); plain.err == benchfmt::number_error::none) {
    return plain.value;
  }
  auto const digits = std::min(
      text.find_first_not_of("0123456789.", text.starts_with('+') || text.starts_with('-') ? 1 : 0),
      text.size());
  auto const plain = benchfmt::parse_float(text.substr(0, digits));
  if (plain.err != benchfmt::number_error::none) return std::nullopt;
  std::string_view rest = text.substr(digits);
  double base = 1000;
  int power = 0;
  static constexpr std::string_view prefixes = "KMGTPEZY";
  if (!rest.empty()) {
    auto const at = prefixes.find(rest.front() == 'k' ? 'K' : rest.front());
    if (at != std::string_view::npos) {
      power = static_cast<int>(at) + 1;
      rest.remove_prefix(1);
      if (rest.starts_with('i')) {
        base = 1024;
        rest.remove_prefix(1);
      }
    }
  }
  if (!rest.empty() && rest != "b" && rest != "B") return std::nullopt;
  return plain.value * std::pow(base, power);
}

// Numbers before other values, NaN last among them.
int compare_numbers(std::string_view a, std::string_view b) {
  auto const x = number_of(a);
  auto const y = number_of(b);
  if (!x && !y) return 0;
  if (!x || !y) return x ? -1 : 1;
  if (*x < *y || (!std::isnan(*x) && std::isnan(*y))) return -1;
  if (*x > *y || (std::isnan(*x) && !std::isnan(*y))) return 1;
  return 0;
}

int appearance(field const& f, std::string_view value) {
  auto const at = f.appeared.find(value);
  return at == f.appeared.end() ? 0 : at->second;
}

void order_by_appearance(field& f) {
  f.ordered_by_appearance = true;
  f.compare = [&f](std::string_view a, std::string_view b) {
    return appearance(f, a) - appearance(f, b);
  };
}

void add_leaves(field const& f, std::vector<field const*>& to) {
  if (f.place != field::is_group) {
    to.push_back(&f);
    return;
  }
  for (auto const& sub : f.sub) add_leaves(*sub, to);
}

}  // namespace

std::string const& key_node::value(field const& f) const {
  static std::string const unset;
  return f.place < values.size() ? values[f.place] : unset;
}

std::string key_node::text() const {
  std::string joined;
  for (field const* f : of->fields()) {
    std::string const& one = value(*f);
    if (one.empty()) continue;
    if (!joined.empty()) joined += ' ';
    joined += one;
  }
  return joined;
}

field& projection::add_field(field& group, std::string name) {
  group.sub.push_back(std::make_unique<field>(field{std::move(name), places_++}));
  return *group.sub.back();
}

std::vector<field const*> projection::fields() const {
  std::vector<field const*> leaves;
  add_leaves(root_, leaves);
  return leaves;
}

projection::row projection::row_of(result const& of) {
  row values(places_);
  for (auto const& part : parts_) part(of, values);
  return values;
}

key projection::intern(row values) {
  while (!values.empty() && values.back().empty()) values.pop_back();
  auto const [at, fresh] = nodes_.try_emplace(std::move(values));
  if (!fresh) return at->second.get();
  at->second = std::make_unique<key_node>(key_node{this, at->first});
  // Only what stands in the expression itself has an order of appearance; the keys within .config
  // are left to their names.
  for (auto const& f : root_.sub) {
    if (!f->ordered_by_appearance) continue;
    int const next = static_cast<int>(f->appeared.size());
    f->appeared.try_emplace(at->second->value(*f), next);
  }
  return at->second.get();
}

key projection::project(result const& of) {
  return intern(row_of(of));
}

std::vector<key> projection::project_each_unit(result const& of) {
  row values = row_of(of);
  std::vector<key> keys;
  for (auto const& m : of.values) {
    values[unit_->place] = m.unit;
    keys.push_back(intern(values));
  }
  return keys;
}

bool projection::less(key a, key b) const {
  for (field const* f : fields()) {
    std::string const& x = a->value(*f);
    std::string const& y = b->value(*f);
    if (x == y) continue;
    int const order = f->compare(x, y);
    return order != 0 ? order < 0 : x < y;
  }
  return false;
}

void projection::sort(std::vector<key>& keys) const {
  std::ranges::stable_sort(keys, [&](key a, key b) { return less(a, b); });
}

// One field of an expression: key[@order].
struct projection_set::part {
  std::string name;
  std::size_t name_offset = 0;
  std::string order = "first";
  std::size_t order_offset = 0;
  std::vector<std::string> fixed = {};
};

std::vector<projection_set::part> projection_set::read_parts(words& in) {
  std::vector<part> parts;
  while (true) {
    word ahead = in.peek();
    if (ahead.kind == word_kind::end) return parts;
    if (ahead.kind == word_kind::comma && !parts.empty()) in.next();
    ahead = in.peek();
    if (!ahead.is_plain()) {
      in.refuse("expected key");
      return parts;
    }
    word const name = in.next();
    part p{name.text, name.offset};
    p.order_offset = name.offset + name.text.size();
    if (in.peek().kind == word_kind::at) {
      in.next();
      word const order = in.peek();
      p.order_offset = order.offset;
      if (order.is_plain()) {
        p.order = in.next().text;
      } else if (order.kind == word_kind::open) {
        in.next();
        p.order = "fixed";
        while (in.peek().is_plain()) p.fixed.push_back(in.next().text);
        if (in.peek().kind != word_kind::close) {
          in.refuse("missing )");
        } else if (p.fixed.empty()) {
          in.refuse("nothing to match");
        } else {
          in.next();
        }
      } else {
        in.refuse("expected named sort order or parenthesized list");
      }
    }
    parts.push_back(std::move(p));
  }
}

std::variant<std::unique_ptr<projection>, expression_error> projection_set::parse(
    std::string_view expression, filter& which, bool with_unit) {
  words in(expression);
  std::vector<part> const parts = read_parts(in);
  in.expect_end();
  if (in.error()) return *in.error();
  auto made = std::make_unique<projection>();
  std::vector<filter::test> conditions;
  for (part const& p : parts) {
    if (auto err = add(*made, expression, p, conditions)) return *std::move(err);
  }
  if (!conditions.empty()) which.also(std::move(conditions));
  if (with_unit) {
    made->unit_ = &made->add_field(made->root_, ".unit");
    order_by_appearance(*made->unit_);
  }
  return made;
}

std::unique_ptr<projection> projection_set::residue() {
  auto made = std::make_unique<projection>();
  if (!have_config_) add_config(*made, order_by_appearance);
  if (!have_full_name_) add_full_name(*made, order_by_appearance);
  return made;
}

std::optional<expression_error> projection_set::add(projection& to, std::string_view expression,
                                                    part const& p,
                                                    std::vector<filter::test>& conditions) {
  auto const wrong = [&](std::size_t offset, std::string what) {
    return expression_error{std::string(expression), offset, std::move(what)};
  };
  build set_order = order_by_appearance;
  std::map<std::string, int, std::less<>> fixed;
  for (std::size_t i = 0; i < p.fixed.size(); ++i) fixed[p.fixed[i]] = static_cast<int>(i);
  // A quoted "fixed" without a list is an order that takes no value.
  bool const is_fixed = p.order == "fixed";
  if (is_fixed) {
    set_order = [fixed](field& f) {
      f.compare = [fixed](std::string_view a, std::string_view b) {
        auto const at = [&](std::string_view v) {
          auto const found = fixed.find(v);
          return found == fixed.end() ? 0 : found->second;
        };
        return at(a) - at(b);
      };
    };
  } else if (p.order == "alpha") {
    set_order = [](field& f) {
      f.compare = [](std::string_view a, std::string_view b) { return a.compare(b); };
    };
  } else if (p.order == "num") {
    set_order = [](field& f) { f.compare = compare_numbers; };
  } else if (p.order != "first") {
    return wrong(p.order_offset, "unknown order " + benchfmt::quote(p.order));
  }
  auto const take_only = [&](extractor extract) {
    if (!is_fixed) return;
    conditions.push_back([fixed, extract = std::move(extract)](result const& r) {
      return filter::verdict{{}, fixed.contains(extract(r))};
    });
  };
  if (p.name == ".config") {
    if (is_fixed) return wrong(p.order_offset, "fixed order not allowed for .config");
    have_config_ = true;
    add_config(to, set_order);
    return std::nullopt;
  }
  if (p.name == ".unit") return wrong(p.name_offset, ".unit is only allowed in filters");
  if (p.name == ".fullname") {
    have_full_name_ = true;
    add_full_name(to, set_order);
    take_only([](result const& r) { return std::string_view(r.name); });
    return std::nullopt;
  }
  auto made = make_extractor(p.name);
  if (auto* what = std::get_if<std::string>(&made)) return wrong(p.name_offset, std::move(*what));
  auto const& extract = std::get<extractor>(made);
  add_key(to, p.name, extract, set_order);
  take_only(extract);
  return std::nullopt;
}

void projection_set::add_key(projection& to, std::string const& name, extractor extract,
                             build const& set_order) {
  if (name == ".name" || name.starts_with('/')) {
    taken_->name_keys.push_back(name);
  } else {
    taken_->config_keys.insert(name);
  }
  field& f = to.add_field(to.root_, name);
  set_order(f);
  to.parts_.push_back(
      [place = f.place, extract = std::move(extract)](result const& r, projection::row& values) {
        values[place] = extract(r);
      });
}

// A group of a field for each key that no projection names; the fields come as keys are seen.
void projection_set::add_config(projection& to, build const& set_order) {
  to.root_.sub.push_back(std::make_unique<field>(field{".config"}));
  field& group = *to.root_.sub.back();
  to.parts_.push_back(
      [&to, &group, set_order, taken = taken_, seen = std::map<std::string, field*, std::less<>>()](
          result const& r, projection::row& values) mutable {
        for (auto const& c : r.configs()) {
          if (!c.from_file) continue;
          auto at = seen.find(c.key);
          if (at == seen.end()) {
            if (taken->config_keys.contains(c.key)) continue;
            field& f = to.add_field(group, c.key);
            set_order(f);
            values.resize(to.places_);
            at = seen.emplace(c.key, &f).first;
          }
          values[at->second->place] = c.value;
        }
      });
}

void projection_set::add_full_name(projection& to, build const& set_order) {
  field& f = to.add_field(to.root_, ".fullname");
  set_order(f);
  to.parts_.push_back([place = f.place, taken = taken_](result const& r, projection::row& values) {
    values[place] = full_name(r, taken->name_keys);
  });
}

// The name without the parts that projections name; "*" for a base name that one of them names.
std::string projection_set::full_name(result const& of, std::vector<std::string> const& without) {
  auto const [base, parts] = benchfmt::split_name(of.name);
  std::string name(std::ranges::find(without, ".name") != without.end() ? "*" : base);
  for (std::string_view const part : parts) {
    bool const named = std::ranges::any_of(without, [&](std::string const& k) {
      if (k == "/gomaxprocs" && part.starts_with('-')) return true;
      return k.starts_with('/') && part.starts_with(k) && part.substr(k.size()).starts_with('=');
    });
    if (!named) name += part;
  }
  return name;
}

std::vector<field const*> differing(std::vector<key> const& keys) {
  std::vector<field const*> found;
  if (keys.size() < 2) return found;
  for (field const* f : keys.front()->of->fields()) {
    std::string const& first = keys.front()->value(*f);
    bool const alike = std::ranges::all_of(keys, [&](key k) { return k->value(*f) == first; });
    if (!alike) found.push_back(f);
  }
  return found;
}

}  // namespace vole::benchstat
