// SPDX-License-Identifier: Apache-2.0
// The command line of `vole bench ab`. No shared state.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vole/internal/format.h"

#include "bench/ab.h"
#include "bench/benchfmt_text.h"
#include "bench/flags.h"
#include "bench/stat_flags.h"

namespace vole::ab {
namespace {

constexpr int usage_status = 2;
constexpr std::string_view usage =
    R"(Usage: vole bench ab [flags] OLD NEW [-- flags of the programs]

Runs two benchmark programs in turn, in short slices and random order, the old one twice (the A/A
arm, which shows what the machine makes of no difference), and says of each benchmark they share:
faster, slower, no difference, or cannot tell.

  -bench regexp      which benchmarks (default .)
  -time duration     the most a benchmark may take; it ends earlier when it is decided (default 20s)
  -slice duration    how long a program runs at a time (default 20ms)
  -alpha number      the chance of a false "slower" or "faster" among all verdicts (default 0.001)
  -margin percent    what is smaller is no difference (default 3%)
  -gate percent      end with status 1 when a slowdown beyond this is proven, and show what grew;
                     with 3 when a benchmark of the old program has no result in the new one;
                     status 2 means that something could not be compared
  -disturbed word    what becomes of slices that others disturb: discard, or keep, where none would
                     be left (default discard)
  -o folder          where old.txt and new.txt go, for benchstat (default vole-ab; "" for none)
  -seed number       of the order of the slices (default 1)

OLD and NEW are programs; or git revisions, when there is a way to build them:
  -build command     for the shell, run in a worktree of each revision
  -program path      what it builds, from that folder
)";

std::optional<std::string> read_percent(std::string_view text, double& to) {
  std::string_view number = text;
  if (number.ends_with('%')) number.remove_suffix(1);
  auto const read = benchfmt::parse_float(number);
  bool const good = read.err == benchfmt::number_error::none && read.value >= 0 && read.value < 1e4;
  if (!good || number.size() == text.size()) return "want a percentage, such as 5%";
  to = read.value / 100;
  return std::nullopt;
}

// What is wrong with flags for the programs, as far as we know those.
std::optional<std::string> refuse(std::vector<std::string_view> const& theirs) {
  auto const flags = bench::parse_flags(theirs);
  if (!flags) return std::nullopt;
  if (flags->cpus.size() > 1) {
    return "-cpu with one number, please: ab runs one benchmark at a time in one process";
  }
  struct other {
    bool given;
    char const* name;
  };
  for (other const& o : {other{flags->json, "-json"}, other{!flags->list.empty(), "-list"},
                         other{flags->callgrind, "-callgrind"}, other{flags->help, "-help"},
                         other{flags->count == 0, "-count=0"}}) {
    if (!o.given) continue;
    return fmt::format("{} does not go with ab, which reads the programs' times from their text",
                       o.name);
  }
  return std::nullopt;
}

std::optional<std::string> read_duration(std::string_view text, std::chrono::nanoseconds& to) {
  auto const read = bench::parse_duration(text);
  if (!read || *read <= std::chrono::nanoseconds::zero()) {
    return "want a duration above 0, such as 20s or 50ms";
  }
  to = *read;
  return std::nullopt;
}

}  // namespace

std::variant<options, usage_end> parse_options(std::vector<std::string> const& arguments) {
  options made;
  std::string seed = "1";
  benchstat::go_flags known;
  known.add("bench", made.bench);
  known.add("o", made.folder);
  known.add("build", made.how.command);
  known.add("program", made.how.program);
  known.add("time", [&](std::string_view text) { return read_duration(text, made.time); });
  known.add("slice", [&](std::string_view text) { return read_duration(text, made.slice); });
  known.add("margin", [&](std::string_view text) { return read_percent(text, made.by.margin); });
  known.add("gate", [&](std::string_view text) { return read_percent(text, made.by.gate); });
  known.add("disturbed", [&](std::string_view text) -> std::optional<std::string> {
    made.keeps_disturbed = text == "keep";
    if (made.keeps_disturbed || text == "discard") return std::nullopt;
    return "want discard or keep";
  });
  known.add("alpha", [&](std::string_view text) -> std::optional<std::string> {
    auto const read = benchfmt::parse_float(text);
    made.by.alpha = read.value;
    bool const good = read.err == benchfmt::number_error::none && read.value > 0 && read.value < 1;
    if (good) return std::nullopt;
    return "want a number between 0 and 1, such as 0.001";
  });
  known.add("seed", [&](std::string_view text) -> std::optional<std::string> {
    auto const read = benchfmt::parse_int(text);
    made.seed = static_cast<std::uint64_t>(read.value);
    if (read.err == benchfmt::number_error::none) return std::nullopt;
    return "want a whole number";
  });
  auto read = known.parse(arguments, benchstat::go_flags::placed::anywhere);
  if (read.help) return usage_end{0, std::string(usage)};
  auto const wrong = [](std::string_view what) {
    return usage_end{
        usage_status,
        fmt::format("vole bench ab: {}\nRun 'vole bench ab -help' for the flags.\n", what)};
  };
  if (read.wrong) return wrong(*read.wrong);
  if (read.words.size() != 2) {
    return wrong(fmt::format("want two programs, OLD and NEW, got {}", read.words.size()));
  }
  if (made.how.command.empty() != made.how.program.empty()) {
    return wrong("-build and -program go together: how a revision is built, and what comes of it");
  }
  std::vector<std::string_view> const theirs(read.after_dashes.begin(), read.after_dashes.end());
  if (auto const why = refuse(theirs)) return wrong(*why);
  made.older.name = read.words[0];
  made.newer.name = read.words[1];
  made.program_flags = std::move(read.after_dashes);
  return made;
}

}  // namespace vole::ab
