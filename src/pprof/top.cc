// SPDX-License-Identifier: Apache-2.0
//
// Flat and cumulative figures per function.
//
// INVARIANTS
//   - A function is counted once for a sample, however often it stands in the stack.
//   - flat goes to the innermost function; that it is left out of the table does not give its
//     values to another.
// No shared state.
// Source: github.com/google/pprof, internal/graph (newGraph) and internal/report (TextItems).

#include "pprof/top.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fmt/chrono.h>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/internal/format.h"

#include "pprof/call_tree.h"
#include "pprof/measure.h"

namespace vole::pprof {
namespace {

struct function_cost {
  std::int64_t flat = 0;
  std::int64_t cum = 0;
};

// A call from one function to another.
struct edge {
  std::int64_t weight = 0;
  bool inlined = true;  // in every place where it stands
};

using names = std::map<std::string_view, function_cost>;
using name_pair = std::pair<std::string_view, std::string_view>;  // caller, callee

// costs adds samples up. Called twice where something is left out: then edges lead past it.
class costs {
 public:
  explicit costs(names const* kept) : kept_(kept) {}

  void add(parsed_profile const& profile, std::size_t type, int sign) {
    for (parsed_sample const& s : profile.samples) {
      if (s.values[type] != 0) add_sample(profile, s, sign * s.values[type]);
    }
  }

  names functions;
  std::map<name_pair, edge> edges;

 private:
  void add_sample(parsed_profile const& profile, parsed_sample const& s, std::int64_t value) {
    seen_.clear();
    seen_edges_.clear();
    caller_ = {};
    past_other_ = false;
    for (auto l = s.locations.rbegin(); l != s.locations.rend(); ++l) {
      std::size_t const lines = profile.locations[*l].lines.size();
      if (lines == 0) step(shown_name(profile, *l, no_line), value, false);
      for (std::size_t i = lines; i > 0; --i) {
        step(shown_name(profile, *l, i - 1), value, i != lines);
      }
    }
    if (!caller_.empty() && !past_other_) functions[caller_].flat += value;
  }

  // From the outermost function inwards.
  void step(std::string_view name, std::int64_t value, bool inlined) {
    if (kept_ != nullptr && !kept_->contains(name)) {
      past_other_ = true;
      return;
    }
    if (seen_.insert(name).second) functions[name].cum += value;
    if (!caller_.empty() && caller_ != name && seen_edges_.insert({caller_, name}).second) {
      edge& e = edges[{caller_, name}];
      e.weight += value;
      e.inlined = e.inlined && inlined;
    }
    caller_ = name;
    past_other_ = false;
  }

  names const* kept_;
  std::set<std::string_view> seen_;
  std::set<name_pair> seen_edges_;
  std::string_view caller_;
  bool past_other_ = false;  // functions that are left out stand between caller_ and here
};

struct row {
  std::string_view name;
  function_cost cost;
};

class top_report {
 public:
  top_report(parsed_profile const& profile, top_options const& options)
      : profile_(profile), options_(options) {}

  std::string run() {
    names const all = add_up(nullptr).functions;
    std::int64_t flat_sum = 0;
    for (auto const& [name, cost] : all) flat_sum += cost.flat;
    // In this order, for the same rounding as there.
    cutoff_ = std::abs(static_cast<std::int64_t>(static_cast<double>(flat_sum) * 0.005));
    names kept;
    std::size_t known = 0;
    for (auto const& [name, cost] : all) {
      if (cost.flat == 0 && cost.cum == 0) continue;
      ++known;
      if (std::abs(cost.cum) >= cutoff_) kept.emplace(name, cost);
    }
    dropped_ = known - kept.size();
    costs const shown = add_up(&kept);
    for (auto const& [name, cost] : shown.functions) {
      if (cost.flat != 0 || cost.cum != 0) rows_.push_back({name, cost});
    }
    sort_rows();
    found_ = rows_.size();
    if (options_.rows_max != 0 && rows_.size() > options_.rows_max) rows_.resize(options_.rows_max);
    total_ = total();
    choose_unit();
    note_inlined(shown);
    return head() + table();
  }

 private:
  costs add_up(names const* kept) const {
    costs sum(kept);
    sum.add(profile_, options_.type, 1);
    if (options_.base != nullptr) sum.add(*options_.base, options_.type, -1);
    return sum;
  }

  static std::int64_t sum_of(parsed_profile const& p, std::size_t type) {
    std::int64_t sum = 0;
    for (parsed_sample const& s : p.samples) sum += std::abs(s.values[type]);
    return sum;
  }
  // What is 100 %: the base, where there is one.
  std::int64_t total() const {
    std::int64_t const of_base =
        options_.base == nullptr ? 0 : sum_of(*options_.base, options_.type);
    return of_base > 0 ? of_base : sum_of(profile_, options_.type);
  }

  void sort_rows() {
    auto const first = [this](row const& r) {
      return std::abs(options_.by_cum ? r.cost.cum : r.cost.flat);
    };
    std::sort(rows_.begin(), rows_.end(), [&](row const& a, row const& b) {
      return first(a) != first(b) ? first(a) > first(b) : a.name < b.name;
    });
  }

  // The unit of the smallest value; a larger one where the values differ by more than that.
  void choose_unit() {
    std::string_view const unit = profile_.types[options_.type].unit;
    std::int64_t least = 0;
    for (row const& r : rows_) {
      std::int64_t const v = std::abs(r.cost.flat != 0 ? r.cost.flat : r.cost.cum);
      if (v > 0 && (least == 0 || v < least)) least = v;
    }
    if (least == 0) least = total_;
    unit_ = auto_unit(least, unit);
    if (unit_ != auto_unit(total_, unit) &&
        static_cast<double>(least) * 100 < static_cast<double>(total_)) {
      unit_ = auto_unit(100 * least, unit);
    }
    if (unit_.empty()) unit_ = unit;
  }

  // Edges that carry next to nothing are not looked at, as there.
  void note_inlined(costs const& shown) {
    std::int64_t flat_sum = 0;
    for (auto const& [name, cost] : shown.functions) flat_sum += cost.flat;
    auto const least = std::abs(static_cast<std::int64_t>(static_cast<double>(flat_sum) * 0.001));
    for (auto const& [pair, e] : shown.edges) {
      if (std::abs(e.weight) >= least) (e.inlined ? inlined_ : called_).insert(pair.second);
    }
  }

  std::string shown(std::int64_t value) const {
    return measure(value, profile_.types[options_.type].unit, unit_);
  }

  std::string head() const {
    std::string text;
    auto const line = [&text](std::string const& words) { text += words + '\n'; };
    if (!profile_.mappings.empty()) {
      auto const& program = profile_.mappings[0];
      if (!program.file.empty()) line(fmt::format("File: {}", base_name(program.file)));
      if (!program.build_id.empty()) line("Build ID: " + program.build_id);
    }
    for (std::string const& c : profile_.comments) {
      if (!c.starts_with('#')) line(c);
    }
    line("Type: " + profile_.types[options_.type].type);
    if (profile_.time_ns != 0) {
      std::time_t const seconds = profile_.time_ns / 1'000'000'000;
      line(fmt::format("Time: {:%Y-%m-%d %H:%M:%S %Z}", fmt::localtime(seconds)));
    }
    if (profile_.duration_ns != 0) line(duration());
    std::int64_t sum = 0;
    for (row const& r : rows_) sum += r.cost.flat;
    std::string share = percentage(sum, total_);
    share.erase(0, share.find_first_not_of(' '));
    line(fmt::format("Showing nodes accounting for {}, {} of {} total", shown(sum), share,
                     shown(total_)));
    if (total_ != 0 && dropped_ > 0) {
      auto const least = std::abs(static_cast<std::int64_t>(static_cast<double>(total_) * 0.005));
      line(fmt::format("Dropped {} node{} (cum <= {})", dropped_, dropped_ > 1 ? "s" : "",
                       shown(least)));
    }
    if (rows_.size() < found_) {
      line(fmt::format("Showing top {} nodes out of {}", rows_.size(), found_));
    }
    return text;
  }

  std::string duration() const {
    std::string share;
    std::string const in_ns = measure(total_, profile_.types[options_.type].unit, "nanoseconds");
    if (total_ != 0 && in_ns.ends_with("ns")) {
      auto const ns = std::strtoll(in_ns.c_str(), nullptr, 10);
      share = fmt::format("({})", percentage(ns, profile_.duration_ns));
    }
    return fmt::format("Duration: {}, Total samples = {} {}",
                       auto_measure(profile_.duration_ns, "nanoseconds"), shown(total_), share);
  }

  std::string table() const {
    std::string text =
        fmt::format("{:>10} {:>5}% {:>5}% {:>10} {:>5}%\n", "flat", "flat", "sum", "cum", "cum");
    std::int64_t sum = 0;
    for (row const& r : rows_) {
      sum += r.cost.flat;
      bool const inlined = inlined_.contains(r.name);
      std::string_view const note = !inlined                   ? ""
                                    : called_.contains(r.name) ? " (partial-inline)"
                                                               : " (inline)";
      fmt::format_to(std::back_inserter(text), "{:>10} {} {} {:>10} {}  {}{}\n", shown(r.cost.flat),
                     percentage(r.cost.flat, total_), percentage(sum, total_), shown(r.cost.cum),
                     percentage(r.cost.cum, total_), r.name, note);
    }
    return text;
  }

  parsed_profile const& profile_;
  top_options const& options_;
  std::int64_t cutoff_ = 0;
  std::size_t dropped_ = 0;
  std::size_t found_ = 0;
  std::vector<row> rows_;
  std::int64_t total_ = 0;
  std::string unit_;
  std::set<std::string_view> inlined_;
  std::set<std::string_view> called_;
};

}  // namespace

std::string top_text(parsed_profile const& profile, top_options const& options) {
  return top_report(profile, options).run();
}

}  // namespace vole::pprof
