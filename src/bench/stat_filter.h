// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which results, and which of their measurements, are looked at: benchstat's -filter. No shared
// state.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bench/benchfmt.h"
#include "bench/stat_words.h"

namespace vole::benchstat {

// extractor finds what a key names in a result: ".name", ".fullname", "/size" of the name's parts
// ("/gomaxprocs" is its "-8" too), and any other key in the configuration. The view lives as long
// as the result is not changed.
using extractor = std::function<std::string_view(benchfmt::result const&)>;
// Errors: an empty key; the text says so.
std::variant<extractor, std::string> make_extractor(std::string_view key);

class filter {
 public:
  // verdict is about the whole result, or about each measurement when mask is set.
  struct verdict {
    std::optional<std::vector<bool>> mask;
    bool whole;
  };
  using test = std::function<verdict(benchfmt::result const&)>;

  static std::variant<filter, expression_error> parse(std::string_view expression);

  // also requires another condition.
  void also(std::vector<test> conditions);
  // apply leaves the measurements that match, and says whether there are any.
  bool apply(benchfmt::result& of) const;

 private:
  explicit filter(test made) : test_(std::move(made)) {}

  test test_;
};

}  // namespace vole::benchstat
