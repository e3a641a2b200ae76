// SPDX-License-Identifier: Apache-2.0
// ip_address, address, host_port, and their socket form. No shared state.

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "vole/net.h"

#include "net/sockaddr.h"

namespace vole {
namespace net {

ip_address ip_address::v4(std::array<std::uint8_t, 4> const& octets) {
  ip_address ip;
  std::copy(octets.begin(), octets.end(), ip.octets_.begin());
  return ip;
}

ip_address ip_address::v6(std::array<std::uint8_t, 16> const& octets, std::uint32_t zone) {
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (zone == 0 && std::equal(mapped.begin(), mapped.end(), octets.begin())) {
    return v4({octets[12], octets[13], octets[14], octets[15]});
  }
  ip_address ip;
  ip.octets_ = octets;
  ip.zone_ = zone;
  ip.v4_ = false;
  return ip;
}

result<ip_address> ip_address::parse(std::string_view text) {
  auto const refuse = [&] { return errors::make("\"{}\" is not an IP address", text); };
  if (text.find('\0') != text.npos) return refuse();
  std::string const host(text.substr(0, text.find('%')));
  if (host.size() == text.size()) {
    std::array<std::uint8_t, 4> octets;
    if (::inet_pton(AF_INET, host.c_str(), octets.data()) == 1) return v4(octets);
  }
  std::array<std::uint8_t, 16> octets;
  if (::inet_pton(AF_INET6, host.c_str(), octets.data()) != 1) return refuse();
  if (host.size() == text.size()) return v6(octets);
  std::string const zone(text.substr(host.size() + 1));
  std::uint32_t index = 0;
  auto const [end, failed] = std::from_chars(zone.data(), zone.data() + zone.size(), index);
  if (failed != std::errc{} || end != zone.data() + zone.size()) {
    index = ::if_nametoindex(zone.c_str());
  }
  if (index == 0) return errors::make("\"{}\": no network interface \"{}\"", text, zone);
  return v6(octets, index);
}

bool ip_address::is_loopback() const {
  return v4_ ? octets_[0] == 127 : octets_ == loopback_v6().octets_;
}

bool ip_address::is_unspecified() const {
  return octets_ == std::array<std::uint8_t, 16>{};
}

std::string ip_address::text() const {
  char host[INET6_ADDRSTRLEN];
  ::inet_ntop(v4_ ? AF_INET : AF_INET6, octets_.data(), host, sizeof host);
  if (zone_ == 0) return host;
  char name[IF_NAMESIZE];
  if (::if_indextoname(zone_, name) != nullptr) return fmt::format("{}%{}", host, name);
  return fmt::format("{}%{}", host, zone_);
}

address address::tcp(ip_address const& ip, std::uint16_t port) {
  address made;
  made.family_ = family::tcp;
  made.ip_ = ip;
  made.port_ = port;
  return made;
}

address address::unix_path(std::string_view path) {
  address made;
  made.path_ = path;
  return made;
}

address address::in_memory() {
  address made;
  made.family_ = family::pipe;
  return made;
}

std::string_view address::network() const {
  switch (family_) {
    case family::tcp:
      return "tcp";
    case family::pipe:
      return "pipe";
    case family::unix_socket:
      break;
  }
  return "unix";
}

std::string address::text() const {
  switch (family_) {
    case family::tcp:
      return ip_.is_v4() ? fmt::format("{}:{}", ip_.text(), port_)
                         : fmt::format("[{}]:{}", ip_.text(), port_);
    case family::pipe:
      return "pipe";
    case family::unix_socket:
      break;
  }
  return path_.empty() ? "@" : path_;
}

result<host_port> split_host_port(std::string_view text) {
  auto const refuse = [&](std::string_view why) {
    return errors::make("address \"{}\": {}", text, why);
  };
  std::size_t const colon = text.rfind(':');
  std::size_t const bracket = text.rfind(']');
  bool const no_colon = colon == text.npos || (bracket != text.npos && colon < bracket);
  if (no_colon) return refuse("missing port");
  std::string_view host = text.substr(0, colon);
  std::string_view const port = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return refuse("missing ']'");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != host.npos) {
    return refuse("an IPv6 address with a port needs brackets: [::1]:80");
  }
  if (host.find_first_of("[]") != host.npos) return refuse("unexpected bracket");
  return host_port{std::string(host), std::string(port)};
}

std::string join_host_port(std::string_view host, std::string_view port) {
  return host.find(':') == host.npos ? fmt::format("{}:{}", host, port)
                                     : fmt::format("[{}]:{}", host, port);
}

}  // namespace net

namespace internal {
namespace {

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t path_bytes_max = sizeof(sockaddr_un::sun_path) - 1;

result<sockaddr_buffer> unix_sockaddr(std::string const& path) {
  bool const abstract = path.starts_with('@');
  if (path.empty() || path == "@") return errors::make("the path of a unix socket is empty");
  if (path.size() > path_bytes_max) {
    return errors::make("the path of a unix socket has {} bytes, at most {} fit", path.size(),
                        path_bytes_max);
  }
  if (path.find('\0') != path.npos) {
    return errors::make("the path of a unix socket has a zero byte in it");
  }
  sockaddr_buffer out;
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  if (abstract) un.sun_path[0] = '\0';
  out.size = static_cast<socklen_t>(path_offset + path.size() + (abstract ? 0 : 1));
  std::memcpy(&out.storage, &un, sizeof un);
  return out;
}

net::address from_unix(sockaddr_buffer const& from) {
  sockaddr_un un{};
  std::memcpy(&un, &from.storage, sizeof un);
  if (from.size <= path_offset) return {};
  std::size_t const size = std::min<std::size_t>(from.size - path_offset, sizeof un.sun_path);
  std::string path(un.sun_path, size);
  if (path[0] == '\0') {
    path[0] = '@';
  } else {
    path.resize(std::strlen(path.c_str()));
  }
  return net::address::unix_path(path);
}

net::address from_inet6(sockaddr_in6 const& in6) {
  std::array<std::uint8_t, 16> octets;
  std::memcpy(octets.data(), &in6.sin6_addr, octets.size());
  return net::address::tcp(net::ip_address::v6(octets, in6.sin6_scope_id), ntohs(in6.sin6_port));
}

}  // namespace

result<sockaddr_buffer> to_sockaddr(net::address const& from) {
  if (!from.is_tcp()) return unix_sockaddr(from.path());
  sockaddr_buffer out;
  if (from.ip().is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(from.port());
    std::memcpy(&in.sin_addr, from.ip().octets().data(), sizeof in.sin_addr);
    out.size = sizeof in;
    std::memcpy(&out.storage, &in, sizeof in);
  } else {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(from.port());
    in6.sin6_scope_id = from.ip().zone();
    std::memcpy(&in6.sin6_addr, from.ip().octets().data(), sizeof in6.sin6_addr);
    out.size = sizeof in6;
    std::memcpy(&out.storage, &in6, sizeof in6);
  }
  return out;
}

net::address from_sockaddr(sockaddr_buffer const& from) {
  if (from.size >= sizeof(sockaddr_in) && from.family() == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &from.storage, sizeof in);
    std::array<std::uint8_t, 4> octets;
    std::memcpy(octets.data(), &in.sin_addr, octets.size());
    return net::address::tcp(net::ip_address::v4(octets), ntohs(in.sin_port));
  }
  if (from.size >= sizeof(sockaddr_in6) && from.family() == AF_INET6) {
    sockaddr_in6 in6{};
    std::memcpy(&in6, &from.storage, sizeof in6);
    return from_inet6(in6);
  }
  return from_unix(from);
}

net::address local_address_of(int fd) {
  sockaddr_buffer at;
  if (::getsockname(fd, at.data(), &at.size) != 0) return {};
  return from_sockaddr(at);
}

net::address peer_address_of(int fd) {
  sockaddr_buffer at;
  if (::getpeername(fd, at.data(), &at.size) != 0) return {};
  return from_sockaddr(at);
}

bool is_connected_to_itself(int fd) {
  net::address const here = local_address_of(fd);
  return here.is_tcp() && here == peer_address_of(fd);
}

}  // namespace internal
}  // namespace vole
