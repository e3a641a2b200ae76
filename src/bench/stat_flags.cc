// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/stat_flags.h"

#include <cstddef>
#include <utility>

#include "vole/internal/format.h"

#include "bench/benchfmt_text.h"

namespace vole::benchstat {

void go_flags::add(std::string name, std::string& to) {
  add(std::move(name), [&to](std::string_view value) -> std::optional<std::string> {
    to = value;
    return std::nullopt;
  });
}

go_flags::outcome go_flags::parse(std::vector<std::string> const& arguments, placed where) const {
  outcome made;
  auto const rest_from = [&](std::size_t i) {
    return std::vector<std::string>(arguments.begin() + static_cast<std::ptrdiff_t>(i),
                                    arguments.end());
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view const argument = arguments[i];
    if (argument == "--") {
      made.after_dashes = rest_from(i + 1);
      return made;
    }
    if (argument.size() < 2 || argument[0] != '-') {
      if (where == placed::before_words) {
        made.words = rest_from(i);
        return made;
      }
      made.words.emplace_back(argument);
      continue;
    }
    std::string_view name = argument.substr(argument[1] == '-' ? 2 : 1);
    if (name.starts_with('-') || name.starts_with('=')) {
      made.wrong = fmt::format("bad flag syntax: {}", argument);
      return made;
    }
    std::optional<std::string_view> value;
    if (auto const equals = name.find('='); equals != std::string_view::npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    }
    auto const flag = flags_.find(name);
    if (flag == flags_.end()) {
      made.help = name == "help" || name == "h";
      if (!made.help) made.wrong = fmt::format("flag provided but not defined: -{}", name);
      return made;
    }
    if (!value && i + 1 == arguments.size()) {
      made.wrong = fmt::format("flag needs an argument: -{}", name);
      return made;
    }
    if (!value) value = arguments[++i];
    if (auto const wrong = flag->second(*value)) {
      made.wrong =
          fmt::format("invalid value {} for flag -{}: {}", benchfmt::quote(*value), name, *wrong);
      return made;
    }
  }
  return made;
}

}  // namespace vole::benchstat
