// SPDX-License-Identifier: Apache-2.0
#pragma once
// A command line as Go's package flag reads it: -name value, -name=value, with one dash or two. No
// shared state.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vole::benchstat {

// set_value takes a flag's value, or returns what is wrong with it: "parse error".
using set_value = std::function<std::optional<std::string>(std::string_view)>;

class go_flags {
 public:
  void add(std::string name, set_value set) { flags_[std::move(name)] = std::move(set); }
  void add(std::string name, std::string& to);

  struct outcome {
    std::vector<std::string> words;         // what is no flag
    std::vector<std::string> after_dashes;  // what follows "--"
    std::optional<std::string> wrong = {};  // as Go words it
    bool help = false;                      // -h or -help
  };
  enum class placed : unsigned char { before_words, anywhere };
  // parse reads flags before the first word, or anywhere before "--".
  outcome parse(std::vector<std::string> const& arguments, placed where) const;

 private:
  std::map<std::string, set_value, std::less<>> flags_;
};

}  // namespace vole::benchstat
