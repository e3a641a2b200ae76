// SPDX-License-Identifier: Apache-2.0
// resolver.h says what holds here.

#include "net/resolver.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <utility>

#include "net/sockaddr.h"

namespace vole {
namespace internal {
namespace {

constexpr std::int64_t lookups_at_once = 64;
constexpr std::size_t lookup_stack_bytes = 1024 * 1024;  // name service modules are not frugal

error lookup_failure(int code, int system_errno) {
  switch (code) {
    case EAI_NONAME:
    case EAI_NODATA:
      return net::no_such_host;
    case EAI_SYSTEM:
      return errors::from_errno(system_errno);
    default:
      break;
  }
  std::string text = ::gai_strerror(code);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return errors::make(text);
}

}  // namespace

blocking_resolver::answer ask_system(std::string const& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int const code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (code != 0) return lookup_failure(code, errno);
  std::vector<net::ip_address> ips;
  for (addrinfo const* at = found; at != nullptr; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    sockaddr_buffer raw;
    raw.size = at->ai_addrlen;
    std::memcpy(&raw.storage, at->ai_addr, at->ai_addrlen);
    net::ip_address const ip = from_sockaddr(raw).ip();
    if (std::find(ips.begin(), ips.end(), ip) == ips.end()) ips.push_back(ip);
  }
  ::freeaddrinfo(found);
  if (ips.empty()) return net::no_such_host;
  return ips;
}

blocking_resolver::blocking_resolver(question ask, std::int64_t at_once)
    : ask_(std::make_shared<question const>(std::move(ask))),
      lookups_(at_once, lookup_stack_bytes) {}

blocking_resolver::answer blocking_resolver::lookup(context const& ctx, std::string_view host) {
  auto const failed = [host](error cause) {
    return errors::make_typed<net::op_error>(net::op_error::operation::lookup, "ip",
                                             std::string(host), std::move(cause));
  };
  // The system would take a zero byte for the end of the name, and find another one.
  if (host.find('\0') != host.npos) return failed(net::no_such_host);
  answer found = lookups_.run(ctx, [ask = ask_, name = std::string(host)] { return (*ask)(name); });
  if (found) return found;
  return failed(std::move(found).error());
}

}  // namespace internal

namespace net {
namespace {

internal::blocking_resolver& system_lookups() {
  // Never destroyed: look-ups may still run when the process ends.
  static auto& instance =
      *new internal::blocking_resolver(&internal::ask_system, internal::lookups_at_once);
  return instance;
}

}  // namespace

resolver& system_resolver() {
  return system_lookups();
}

lookup_stats system_lookup_stats() {
  auto const now = system_lookups().read_stats();
  return {now.running, now.abandoned_total};
}

}  // namespace net
}  // namespace vole
