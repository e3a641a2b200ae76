// SPDX-License-Identifier: Apache-2.0
// endpoint.h says what holds here.

#include "net/endpoint.h"

#include <charconv>

namespace vole::internal {
namespace {

result<std::uint16_t> parse_port(std::string_view text) {
  std::uint32_t port = 0;
  auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failed != std::errc{} || end != text.data() + text.size() || port > 65535) {
    return errors::make("port \"{}\" is not a number from 0 to 65535", text);
  }
  return static_cast<std::uint16_t>(port);
}

bool chosen(net::ip_address const& ip, ip_choice ips) {
  return ips == ip_choice::any || ip.is_v4() == (ips == ip_choice::only_v4);
}

}  // namespace

result<endpoint> parse_endpoint(std::string_view network, std::string_view address) {
  endpoint to;
  if (network == "unix") {
    to.unix_socket = true;
    to.path = address;
    return to;
  }
  if (network == "tcp4") {
    to.ips = ip_choice::only_v4;
  } else if (network == "tcp6") {
    to.ips = ip_choice::only_v6;
  } else if (network != "tcp") {
    return errors::make("unknown network \"{}\"; there are tcp, tcp4, tcp6 and unix", network);
  }
  if (address.find('\0') != address.npos) return errors::make("the address has a zero byte in it");
  auto parts = net::split_host_port(address);
  if (!parts) return parts.error();
  auto const port = parse_port(parts->port);
  if (!port) return port.error();
  to.host = std::move(parts->host);
  to.port = *port;
  return to;
}

result<std::vector<net::ip_address>> addresses_of(context const& ctx, endpoint const& from,
                                                  net::resolver& names) {
  std::vector<net::ip_address> all;
  // What has a colon or only digits and dots is meant as an IP address: no name server is asked.
  bool const numeric = from.host.find(':') != std::string::npos ||
                       from.host.find_first_not_of("0123456789.") == std::string::npos;
  if (from.host.empty()) {
    all = {net::ip_address::loopback_v4(), net::ip_address::loopback_v6()};
  } else if (numeric) {
    auto const ip = net::ip_address::parse(from.host);
    if (!ip) return ip.error();
    all.push_back(*ip);
  } else {
    auto found = names.lookup(ctx, from.host);
    if (!found) return found.error();
    all = std::move(*found);
  }
  std::erase_if(all, [&](net::ip_address const& ip) { return !chosen(ip, from.ips); });
  if (all.empty()) {
    return errors::make("{} has no {} address", from.host,
                        from.ips == ip_choice::only_v4 ? "IPv4" : "IPv6");
  }
  return all;
}

}  // namespace vole::internal
