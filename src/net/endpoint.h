// SPDX-License-Identifier: Apache-2.0
// endpoint: the (network, address) pair of dial and listen, read and checked. No shared state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vole/net.h"

namespace vole::internal {

enum class ip_choice : std::uint8_t { any, only_v4, only_v6 };

struct endpoint {
  bool unix_socket = false;
  std::string path;  // of a unix socket
  ip_choice ips = ip_choice::any;
  std::string host;
  std::uint16_t port = 0;
};

// Errors:  `unknown network "udp"`, what split_host_port and the port's digits have wrong.
result<endpoint> parse_endpoint(std::string_view network, std::string_view address);

// addresses_of looks a host up (an IP address stands for itself, no host for this machine) and
// keeps those of the choice.
result<std::vector<net::ip_address>> addresses_of(context const& ctx, endpoint const& from,
                                                  net::resolver& names);

}  // namespace vole::internal
