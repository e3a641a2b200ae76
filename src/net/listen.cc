// SPDX-License-Identifier: Apache-2.0
// listen: from a network and an address to a listener. No shared state.

#include <algorithm>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/endpoint.h"
#include "net/path_lock.h"
#include "net/sockaddr.h"
#include "net/socket_listener.h"
#include "net/syscalls.h"
#include "net/tcp_options.h"

namespace vole {
namespace internal {
namespace {

using net::listen_options;

// The kernel cuts a backlog down to net.core.somaxconn: asking for more means "as much as allowed".
constexpr int backlog_max = 65535;

// An open descriptor until it is handed on.
class open_fd {
 public:
  explicit open_fd(int fd) : fd_(fd) {}
  ~open_fd() {
    if (fd_ >= 0) sys::close(fd_);
  }
  open_fd(open_fd const&) = delete;
  open_fd& operator=(open_fd const&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

error failure_of(int status) {
  return status < 0 ? errors::from_errno(-status) : error();
}

// Accepted sockets inherit TCP_NODELAY and the keep-alive settings: no call later.
error set_tcp_options(int fd, net::address const& at, bool both_families,
                      listen_options const& options) {
  int status = sys::set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (status == 0 && options.reuse_port) {
    status = sys::set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  }
  if (status == 0 && !at.ip().is_v4()) {
    status = sys::set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, both_families ? 0 : 1);
  }
  if (status == 0) status = set_tcp_stream_options(fd, options.keep_alive);
  return failure_of(status);
}

result<std::unique_ptr<net::listener>> start(open_fd& fd, bound_file file,
                                             listen_options const& options) {
  int const backlog = options.backlog > 0 ? options.backlog : backlog_max;
  if (error err = failure_of(sys::listen(fd.get(), backlog))) return err;
  net::address at = local_address_of(fd.get());
  int const number = fd.release();
  poll_handle* handle = nullptr;
  if (int const failure = socket::register_fd(number, &handle); failure != 0) {
    return errors::from_errno(failure, "watch the listener");
  }
  return std::make_unique<socket_listener>(number, handle, std::move(at), std::move(file));
}

result<std::unique_ptr<net::listener>> listen_tcp(net::address const& at, bool both_families,
                                                  listen_options const& options) {
  auto to = to_sockaddr(at);
  if (!to) return to.error();
  open_fd fd(sys::socket(to->family()));
  if (error err = failure_of(fd.get())) return err;
  if (error err = set_tcp_options(fd.get(), at, both_families, options)) return err;
  if (error err = failure_of(sys::bind(fd.get(), to->data(), to->size))) return err;
  return start(fd, {}, options);
}

// means_all: no host, or with "tcp" the host [::].
bool means_all(endpoint const& where) {
  if (where.host.empty() || where.ips != ip_choice::any) return where.host.empty();
  auto const ip = net::ip_address::parse(where.host);
  return ip && !ip->is_v4() && ip->is_unspecified() && ip->zone() == 0;
}

// The addresses to try in turn; all addresses are those of both families where there are two.
result<std::unique_ptr<net::listener>> listen_on(context const& ctx, endpoint const& where,
                                                 listen_options const& options) {
  if (!means_all(where)) {
    auto ips = addresses_of(ctx, where, net::system_resolver());
    if (!ips) return ips.error();
    auto const v4 = std::find_if(ips->begin(), ips->end(),
                                 [](net::ip_address const& ip) { return ip.is_v4(); });
    net::ip_address const ip = v4 == ips->end() ? ips->front() : *v4;
    return listen_tcp(net::address::tcp(ip, where.port), false, options);
  }
  if (where.ips != ip_choice::only_v4) {
    auto const all = net::address::tcp(net::ip_address::v6({}), where.port);
    auto made = listen_tcp(all, where.ips == ip_choice::any, options);
    bool const no_v6 = !made && (errors::is(made.error(), errors::from_errno(EAFNOSUPPORT)) ||
                                 errors::is(made.error(), errors::from_errno(EADDRNOTAVAIL)));
    if (!no_v6 || where.ips == ip_choice::only_v6) return made;
  }
  return listen_tcp(net::address::tcp({}, where.port), false, options);
}

// make_way removes a socket file to which nobody listens. True: no file is there now.
// Under the path_lock of the path. Never inlined: a compiler may keep the address of errno over the
// wait for the lock.
[[gnu::noinline]] bool make_way(sockaddr_buffer const& at, std::string const& path) {
  struct stat found;
  if (::lstat(path.c_str(), &found) != 0) return errno == ENOENT;
  if (!S_ISSOCK(found.st_mode)) return false;
  open_fd const probe(sys::socket(AF_UNIX));
  if (probe.get() < 0) return false;
  int const status = sys::connect(probe.get(), at.data(), at.size);
  if (status == -ENOENT) return true;  // its listener has closed since
  return status == -ECONNREFUSED && ::unlink(path.c_str()) == 0;
}

result<std::unique_ptr<net::listener>> listen_unix(context const& ctx, std::string const& path,
                                                   listen_options const& options) {
  auto to = to_sockaddr(net::address::unix_path(path));
  if (!to) return to.error();
  open_fd fd(sys::socket(AF_UNIX));
  if (error err = failure_of(fd.get())) return err;
  bool const has_file = !path.starts_with('@');
  path_lock starting;
  if (has_file) {
    if (error err = starting.acquire(ctx, path)) return err;
  }
  int status = sys::bind(fd.get(), to->data(), to->size);
  if (status == -EADDRINUSE && has_file && options.replace_stale && make_way(*to, path)) {
    status = sys::bind(fd.get(), to->data(), to->size);
  }
  if (error err = failure_of(status)) return err;
  bound_file file;
  if (has_file) file = bound_file::of(path);
  auto made = start(fd, file, options);
  if (!made) file.remove();
  return made;
}

}  // namespace
}  // namespace internal

namespace net {

result<std::unique_ptr<listener>> listen(std::string_view network, std::string_view address,
                                         listen_options const& options) {
  return listen(context{}, network, address, options);
}

result<std::unique_ptr<listener>> listen(context const& ctx, std::string_view network,
                                         std::string_view address, listen_options const& options) {
  auto const where = internal::parse_endpoint(network, address);
  error err;
  if (where) {
    auto made = where->unix_socket ? internal::listen_unix(ctx, where->path, options)
                                   : internal::listen_on(ctx, *where, options);
    if (made) return made;
    err = made.error();
  } else {
    err = where.error();
  }
  return errors::make_typed<op_error>(op_error::operation::listen, network, std::string(address),
                                      std::move(err));
}

}  // namespace net
}  // namespace vole
