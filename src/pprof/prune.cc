// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "pprof/prune.h"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace vole::pprof {
namespace {

// without_arguments cuts a name at the first '(' that begins neither a nameless namespace nor ends
// the name of an operator.
std::string_view without_arguments(std::string_view name) {
  constexpr std::string_view space = "(anonymous namespace)";
  constexpr std::string_view call = "operator()";
  if (name.starts_with('.')) name.remove_prefix(1);  // of PowerPC's function descriptors
  for (std::size_t at = 0; at < name.size();) {
    std::string_view const left = name.substr(at);
    if (left.starts_with(space)) {
      at += space.size();
    } else if (left.starts_with(call)) {
      at += call.size();
    } else if (left.starts_with('(')) {
      return name.substr(0, at);
    } else {
      ++at;
    }
  }
  return name;
}

enum class cut : char {
  none,
  below,  // the location stays, what it calls goes
  here,   // the location goes as well
};

class pruner {
 public:
  pruner(parsed_profile& profile, std::function<bool(std::string_view)> const& is_hidden)
      : profile_(profile), is_hidden_(is_hidden) {}

  void run() {
    for (parsed_location& l : profile_.locations) cuts_.push_back(cut_location(l));
    for (parsed_sample& s : profile_.samples) cut_stack(s.locations);
  }

 private:
  bool hidden(std::string const& name) {
    if (name.empty()) return false;
    auto const [at, fresh] = known_.try_emplace(name);
    if (fresh) at->second = is_hidden_(without_arguments(name));
    return at->second;
  }

  // Of inlined calls those go that the outermost hidden one has made, and it itself.
  cut cut_location(parsed_location& l) {
    for (std::size_t i = l.lines.size(); i > 0; --i) {
      if (!hidden(profile_.functions[l.lines[i - 1].function].name)) continue;
      if (i == l.lines.size()) return cut::here;
      l.lines.erase(l.lines.begin(), l.lines.begin() + static_cast<std::ptrdiff_t>(i));
      return cut::below;
    }
    return cut::none;
  }

  void cut_stack(std::vector<std::size_t>& stack) const {
    bool found_user = false;
    for (std::size_t i = stack.size(); i > 0; --i) {
      cut const what = cuts_[stack[i - 1]];
      if (what == cut::none) found_user = true;
      if (what == cut::none || !found_user) continue;
      std::size_t const gone = what == cut::here ? i : i - 1;
      stack.erase(stack.begin(), stack.begin() + static_cast<std::ptrdiff_t>(gone));
      return;
    }
  }

  parsed_profile& profile_;
  std::function<bool(std::string_view)> const& is_hidden_;
  std::map<std::string, bool, std::less<>> known_;
  std::vector<cut> cuts_;  // one for each location
};

}  // namespace

void prune(parsed_profile& profile, std::function<bool(std::string_view)> const& is_hidden) {
  pruner(profile, is_hidden).run();
}

void prune_own(parsed_profile& profile) {
  if (profile.drop_frames != allocator_frames) return;
  prune(profile,
        [](std::string_view name) { return name == "operator new" || name == "operator new[]"; });
}

}  // namespace vole::pprof
