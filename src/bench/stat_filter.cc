// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/stat_filter.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "bench/benchfmt_text.h"

namespace vole::benchstat {
namespace {

using benchfmt::result;
using verdict = filter::verdict;
using test = filter::test;
using mask = std::vector<bool>;

test negation(test of) {
  return [of = std::move(of)](result const& r) {
    verdict v = of(r);
    if (!v.mask) return verdict{{}, !v.whole};
    v.mask->flip();
    return v;
  };
}

template <class Join>
void join(std::optional<mask>& into, mask const& from, Join how) {
  if (!into) {
    into = from;
    return;
  }
  for (std::size_t i = 0; i < from.size(); ++i) (*into)[i] = how((*into)[i], from[i]);
}

test conjunction(std::vector<test> of) {
  return [of = std::move(of)](result const& r) {
    verdict all{{}, true};
    for (auto const& one : of) {
      verdict const v = one(r);
      if (v.mask) {
        join(all.mask, *v.mask, std::logical_and<>());
      } else if (!v.whole) {
        return verdict{{}, false};
      }
    }
    return all;
  };
}

test disjunction(std::vector<test> of) {
  return [of = std::move(of)](result const& r) {
    verdict any{{}, false};
    for (auto const& one : of) {
      verdict const v = one(r);
      if (v.mask) {
        join(any.mask, *v.mask, std::logical_or<>());
      } else if (v.whole) {
        return verdict{{}, true};
      }
    }
    return any;
  };
}

bool matches(word const& pattern, std::string_view value) {
  if (pattern.kind != word_kind::regexp) return pattern.text == value;
  return re2::RE2::PartialMatch(re2::StringPiece(value.data(), value.size()), *pattern.regexp);
}

// A recursive reader of
//   or := and {OR and}.   and := match {[AND] match}.
//   match := '(' or ')' | '-' match | '*' | key ':' value | key ':' '(' value {OR value} ')'.
// What is refused is remembered by the words; a test that was made on the way is thrown away.
class filter_parser {
 public:
  filter_parser(words& in, std::optional<expression_error>& key_error, std::string_view expression)
      : in_(in), key_error_(key_error), expression_(expression) {}

  test any_of() {
    std::vector<test> terms;
    terms.push_back(all_of());
    while (in_.peek().kind == word_kind::or_word) {
      in_.next();
      terms.push_back(all_of());
    }
    return terms.size() == 1 ? std::move(terms.front()) : disjunction(std::move(terms));
  }

 private:
  test all_of() {
    std::vector<test> terms;
    terms.push_back(match());
    while (true) {
      word const ahead = in_.peek();
      switch (ahead.kind) {
        case word_kind::and_word:
          in_.next();
          continue;
        case word_kind::open:
        case word_kind::minus:
        case word_kind::star:
        case word_kind::bare:
        case word_kind::quoted:
          terms.push_back(match());
          continue;
        case word_kind::close:
        case word_kind::or_word:
        case word_kind::end:
          break;
        default:
          in_.refuse("unexpected " + benchfmt::quote(ahead.text));
          break;
      }
      return terms.size() == 1 ? std::move(terms.front()) : conjunction(std::move(terms));
    }
  }

  test match() {
    word const first = in_.peek();
    switch (first.kind) {
      case word_kind::open: {
        in_.next();
        test inner = any_of();
        if (in_.peek().kind != word_kind::close) {
          in_.refuse("missing \")\"");
        } else {
          in_.next();
        }
        return inner;
      }
      case word_kind::minus:
        in_.next();
        return negation(match());
      case word_kind::star:
        in_.next();
        return conjunction({});
      case word_kind::bare:
      case word_kind::quoted:
        return key_and_value();
      default:
        in_.refuse("expected key:value or subexpression");
        return {};
    }
  }

  test key_and_value() {
    words const start = in_;
    word const key = in_.next();
    bool const colon = in_.next().kind == word_kind::colon;
    word const value = colon ? in_.next(true) : word{};
    if (value.is_plain() || value.kind == word_kind::regexp) return one_value(key, value);
    if (value.kind == word_kind::open) return one_of_values(key);
    in_ = start;
    in_.refuse("expected key:value");
    return {};
  }

  test one_of_values(word const& key) {
    std::vector<test> terms;
    while (true) {
      word const value = in_.peek(true);
      if (!value.is_plain() && value.kind != word_kind::regexp) {
        in_.refuse("expected value");
        return {};
      }
      terms.push_back(one_value(key, in_.next(true)));
      word const after = in_.peek(true);
      if (after.kind != word_kind::close && after.kind != word_kind::or_word) {
        in_.refuse("value list must be separated by OR");
        return {};
      }
      in_.next(true);
      if (after.kind == word_kind::close) return disjunction(std::move(terms));
    }
  }

  test one_value(word const& key, word const& value) {
    if (key.text == ".unit") {
      return [value](result const& r) {
        mask units;
        for (auto const& m : r.values) {
          units.push_back(matches(value, m.unit) ||
                          (!m.written_unit.empty() && matches(value, m.written_unit)));
        }
        return verdict{std::move(units), false};
      };
    }
    if (key.text == ".config") {
      refuse_key(key, ".config is only allowed in projections");
      return {};
    }
    auto made = make_extractor(key.text);
    if (auto const* what = std::get_if<std::string>(&made)) {
      refuse_key(key, *what);
      return {};
    }
    return [value, extract = std::get<extractor>(std::move(made))](result const& r) {
      return verdict{{}, matches(value, extract(r))};
    };
  }

  // A wrong key counts only in an expression that is well formed.
  void refuse_key(word const& key, std::string what) {
    if (!key_error_) key_error_ = {std::string(expression_), key.offset, std::move(what)};
  }

  words& in_;
  std::optional<expression_error>& key_error_;
  std::string_view expression_;
};

std::string_view name_part(result const& r, std::string_view prefix, bool is_procs) {
  auto const [base, parts] = benchfmt::split_name(r.name);
  if (is_procs && !parts.empty() && parts.back().starts_with('-')) return parts.back().substr(1);
  for (std::string_view const part : parts) {
    if (part.starts_with(prefix)) return part.substr(prefix.size());
  }
  return {};
}

}  // namespace

std::variant<extractor, std::string> make_extractor(std::string_view key) {
  if (key.empty()) return "key must not be empty";
  if (key == ".name") return [](result const& r) { return benchfmt::base_name(r.name); };
  if (key == ".fullname") return [](result const& r) { return std::string_view(r.name); };
  if (key.starts_with('/')) {
    return [prefix = std::string(key) + '=', is_procs = key == "/gomaxprocs"](result const& r) {
      return name_part(r, prefix, is_procs);
    };
  }
  return [key = std::string(key)](result const& r) { return r.config_value(key); };
}

std::variant<filter, expression_error> filter::parse(std::string_view expression) {
  words in(expression);
  std::optional<expression_error> key_error;
  test made = filter_parser(in, key_error, expression).any_of();
  in.expect_end();
  if (in.error()) return *in.error();
  if (key_error) return *std::move(key_error);
  return filter(std::move(made));
}

void filter::also(std::vector<test> conditions) {
  conditions.push_back(std::move(test_));
  test_ = conjunction(std::move(conditions));
}

bool filter::apply(result& of) const {
  verdict const v = test_(of);
  if (!v.mask) {
    if (!v.whole) of.values.clear();
    return v.whole;
  }
  std::size_t i = 0;
  std::erase_if(of.values, [&](auto const&) { return !(*v.mask)[i++]; });
  return !of.values.empty();
}

}  // namespace vole::benchstat
