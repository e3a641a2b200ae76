// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the reader of profile.proto, and what is drawn from what it lets through. What
// stands behind a mark is the base of a difference.
//
// Property: a profile is refused with words, or it can be printed and drawn for each of its types;
// so can its difference from any base that is not refused for its types. No name of it leaves the
// page's data.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vole/assert.h"

#include "pprof/flame.h"
#include "pprof/reader.h"
#include "pprof/top.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace vole::pprof;
  constexpr std::size_t unpacked_bytes_max = 1 << 20;
  constexpr std::string_view mark = "\n--base--\n";
  std::string_view const input(reinterpret_cast<char const*>(data), size);
  std::string_view const bytes = input.substr(0, input.find(mark));
  auto const profile = parse_profile(bytes, unpacked_bytes_max);
  if (!profile) {
    VOLE_ASSERT(!profile.error().message().empty());
    return 0;
  }
  bool const has_base = bytes.size() < input.size();
  auto const other = parse_profile(has_base ? input.substr(bytes.size() + mark.size()) : bytes,
                                   unpacked_bytes_max);
  bool const fits = other && !check_same_types(*profile, *other);
  VOLE_ASSERT(fits || has_base);
  parsed_profile const* const base = fits ? &*other : nullptr;
  for (std::size_t type = 0; type < profile->types.size() && type < 4; ++type) {
    VOLE_ASSERT(!top_text(*profile, {.type = type, .base = type == 0 ? base : nullptr}).empty());
    VOLE_ASSERT(!flame_text(*profile, type).empty());
    std::string const page = flame_page(*profile, bytes, type, base);
    constexpr std::string_view begin = "type=\"application/json\">";
    std::size_t const from = page.find(begin) + begin.size();
    std::size_t const end = page.find('<', from);
    VOLE_ASSERT(page.compare(end, 9, "</script>") == 0);
  }
  return 0;
}
