// SPDX-License-Identifier: Apache-2.0
// Status lines and the Date field, as they go over the wire. No shared state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string_view>

namespace vole::http::internal {

// status_line is "HTTP/1.1 200 OK\r\n" for the codes that have a name, else "".
std::string_view status_line(int status);

// date_field keeps "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" and formats it anew once per second.
class date_field {
 public:
  static constexpr std::size_t size = 37;

  // Cost: a coarse clock, 5 ns, and a comparison.
  std::string_view now();
  std::string_view at(std::time_t seconds);

 private:
  std::time_t shown_ = -1;
  std::array<char, size> text_{};
};

}  // namespace vole::http::internal
