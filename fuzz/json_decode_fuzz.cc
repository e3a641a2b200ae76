// SPDX-License-Identifier: Apache-2.0
// Fuzz target: json::decode into a type that uses all there is.
//
// Properties: what is accepted is written so that it is accepted again and written the same; what
// is
// refused is refused with a json_error that lies inside the text and can be shown.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "vole/assert.h"
#include "vole/json.h"

namespace fuzz_json {

using namespace vole;

enum class side { buy, sell };
constexpr auto describe(side const*) {
  return json::names(json::name("buy", side::buy), json::name("sell", side::sell));
}

struct word {
  std::string text;
};
constexpr auto describe(word const*) {
  return json::text<word>([](word const& w) { return w.text; },
                          [](std::string_view text) -> result<word> {
                            if (text.size() > 8) return errors::make("longer than 8 bytes");
                            return word{std::string(text)};
                          });
}

struct node {
  std::string name;
  std::optional<side> direction;
  std::optional<word> tag;
  bool flag = false;
  std::int8_t small = 0;
  std::uint64_t large = 0;
  double ratio = 0;
  float narrow = 0;
  std::map<std::string, std::vector<std::optional<std::int64_t>>> lists;
  std::vector<node> below;
};
constexpr auto describe(node const*) {
  return json::object(
      json::field("n", &node::name), json::field("s", &node::direction),
      json::field("t", &node::tag), json::optional_field("f", &node::flag),
      json::optional_field("i", &node::small), json::optional_field("u", &node::large),
      json::optional_field("d", &node::ratio), json::optional_field("e", &node::narrow),
      json::optional_field("m", &node::lists), json::optional_field("b", &node::below));
}

}  // namespace fuzz_json

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace vole;
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  auto const decoded = json::decode<fuzz_json::node>(text);
  if (decoded) {
    std::string const written = json::encode(*decoded);
    auto const again = json::decode<fuzz_json::node>(written);
    VOLE_ASSERT(again, "what was written is refused: {}", again.error());
    VOLE_ASSERT(json::encode(*again) == written, "what was read again is not the same");
    return 0;
  }
  error const err = decoded.error();
  auto const* const why = errors::as<json::json_error>(err);
  VOLE_ASSERT(why != nullptr, "not a json_error: {}", err);
  VOLE_ASSERT(why->offset <= size, "at {} of {}", why->offset, size);
  VOLE_ASSERT(err.message().size() < 16'384, "a message of {} bytes", err.message().size());
  for (char const c : err.message()) {
    VOLE_ASSERT(static_cast<unsigned char>(c) >= 0x20, "a control character in a message");
  }
  return 0;
}
