// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the reader of profile.proto, and what is drawn from what it lets through.
//
// Property: a profile is refused with words, or it can be printed and drawn for each of its types;
// no name of it leaves the page's data.
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
  std::string_view const bytes(reinterpret_cast<char const*>(data), size);
  auto const profile = parse_profile(bytes, unpacked_bytes_max);
  if (!profile) {
    VOLE_ASSERT(!profile.error().message().empty());
    return 0;
  }
  for (std::size_t type = 0; type < profile->types.size() && type < 4; ++type) {
    VOLE_ASSERT(
        !top_text(*profile, {.type = type, .base = type == 0 ? &*profile : nullptr}).empty());
    VOLE_ASSERT(!flame_text(*profile, type).empty());
    std::string const page = flame_page(*profile, bytes, type, &*profile);
    constexpr std::string_view begin = "type=\"application/json\">";
    std::size_t const from = page.find(begin) + begin.size();
    std::size_t const end = page.find('<', from);
    VOLE_ASSERT(page.compare(end, 9, "</script>") == 0);
  }
  return 0;
}
