// SPDX-License-Identifier: Apache-2.0
// net: TCP and unix sockets, names and addresses. Calls read as if they blocked, and park only the
// goroutine.
//
// INVARIANTS
//  - Every call that may wait takes a context. A connection also has absolute deadlines, which may
//    be moved while another goroutine waits. A read or accept ended by either has taken nothing.
//  - close() may come from any goroutine at any time: whoever waits in the object gets net::closed.
//  - One goroutine reads and one writes at the same time; further ones wait for their turn.
//  - A connection that waits holds no buffer.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/internal/atomic.h"
#include "vole/internal/clock.h"
#include "vole/internal/hangup_hook.h"
#include "vole/io.h"
#include "vole/result.h"

namespace vole::net {

using io::bytes_span;
using io::bytes_view;

// The connection or listener was closed on this side.
inline constinit errors::sentinel const closed{"use of closed connection"};
// A deadline of the connection has passed (a context's is context::deadline_exceeded).
inline constinit errors::sentinel const timed_out{"i/o timeout"};
// The name does not exist or has no address.
inline constinit errors::sentinel const no_such_host{"no such host"};

// ip_address is an IPv4 or IPv6 address; an IPv6 one may have a zone (the interface it is local
// to).
class ip_address {
 public:
  ip_address() = default;  // 0.0.0.0
  static ip_address v4(std::array<std::uint8_t, 4> const& octets);
  // An IPv4 address in IPv6 form (::ffff:a.b.c.d, no zone) is that IPv4 address: it is_v4().
  static ip_address v6(std::array<std::uint8_t, 16> const& octets, std::uint32_t zone = 0);
  static ip_address loopback_v4() { return v4({127, 0, 0, 1}); }
  static ip_address loopback_v6() { return v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}); }
  // parse reads "127.0.0.1", "::1", "fe80::1%eth0"; it asks no name server.
  static result<ip_address> parse(std::string_view text);

  bool is_v4() const { return v4_; }
  bool is_loopback() const;
  bool is_unspecified() const;                                            // 0.0.0.0 or ::
  std::array<std::uint8_t, 16> const& octets() const { return octets_; }  // v4: the first four
  std::uint32_t zone() const { return zone_; }
  std::string text() const;
  friend bool operator==(ip_address const&, ip_address const&) = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
  std::uint32_t zone_ = 0;
  bool v4_ = true;
};

// address is one end of a connection: an IP address and port, the path of a unix socket, or "pipe".
class address {
 public:
  address() = default;  // of a unix socket without a name: text() is "@"
  static address tcp(ip_address const& ip, std::uint16_t port);
  // '@' in front stands for an abstract name, which has no file.
  static address unix_path(std::string_view path);
  static address in_memory();

  std::string_view network() const;  // "tcp", "unix" or "pipe"
  bool is_tcp() const { return family_ == family::tcp; }
  ip_address const& ip() const { return ip_; }
  std::uint16_t port() const { return port_; }
  std::string const& path() const { return path_; }
  std::string text() const;  // "127.0.0.1:80", "[::1]:80", "/run/x.sock", "@name", "pipe"
  friend bool operator==(address const&, address const&) = default;

 private:
  enum class family : std::uint8_t { unix_socket, tcp, pipe };
  std::string path_;
  ip_address ip_;
  std::uint16_t port_ = 0;
  family family_ = family::unix_socket;
};

struct host_port {
  std::string host;
  std::string port;
};
// split_host_port parts "host:port" and "[v6]:port"; join_host_port puts brackets where needed.
// Errors:  `address "localhost": missing port`, and the like.
result<host_port> split_host_port(std::string_view text);
std::string join_host_port(std::string_view host, std::string_view port);

// op_error is what the calls of this package return: what was done to which end, and why it failed.
//   connect to 127.0.0.1:5432: connection refused
//   listen tcp 127.0.0.1:8080: address already in use
struct op_error final : errors::typed_base {
  enum class operation : std::uint8_t { dial, listen, accept, read, write, wait, lookup };

  op_error(operation op, std::string_view network, std::string address, error cause);
  std::string message() const override;
  error unwrap() const override { return cause; }
  // timeout: a deadline ended the call, be it the connection's, the context's or the system's.
  bool timeout() const;

  operation op;
  std::string network;
  std::string address;
  error cause;
};

// conn is a stream connection: a socket, an end of net::pipe(), or a layer over another conn (TLS).
// read, write, writev and close are those of io; their errors are op_errors. A write to a peer that
// is gone is an error, never a signal.
class conn : public io::reader, public io::writer, public io::closer {
 public:
  // close_write ends the outgoing half: the peer reads the end of the stream; reads here go on.
  virtual error close_write() = 0;

  virtual address local_addr() const = 0;
  virtual address remote_addr() const = 0;

  // A deadline holds for the calls that wait now and for later ones, until it is moved; `never`
  // lifts it. Cost: later than before, as a server does for each request: no system call, no timer.
  virtual void set_read_deadline(time_point when) = 0;
  virtual void set_write_deadline(time_point when) = 0;
  void set_deadline(time_point when) {
    set_read_deadline(when);
    set_write_deadline(when);
  }

  // wait_readable returns when a read would not wait: bytes have come, or the end, or an error.
  // It takes no byte and needs no buffer: for connections that are idle. Ended as a read is.
  virtual error wait_readable(context const& ctx) = 0;

  // wait_peer_closed returns null once the peer has closed, half-closed or reset the connection,
  // also when unread bytes lie before that end. It takes no byte and may run beside read and write,
  // but not beside a peer_watch. Ended by ctx and close; deadlines do not count.
  error wait_peer_closed(context const& ctx);

  // native_handle is the socket's descriptor, to set options on; -1 without a socket. The
  // connection keeps it: do not close it, and do not read or write past the connection.
  virtual int native_handle() const { return -1; }

 protected:
  friend class peer_watch;
  // hangup is raised once the peer is gone, or this side is closed. A layer returns that of the
  // connection below.
  virtual internal::hangup_cell& hangup() = 0;
  static internal::hangup_cell& hangup_of(conn& below) { return below.hangup(); }
};

// peer_watch runs a function, in a goroutine of its own, if the peer goes away while the watch
// lives: an HTTP server so cancels the context of a request whose client has gone. It also runs
// when this side closes the connection. Until then it costs two atomic writes and no goroutine. Its
// destructor disarms it, or parks until the function, if it has begun, has returned. One watch, or
// one wait_peer_closed, per connection at a time.
class peer_watch : private internal::hangup_hook {
 public:
  peer_watch(conn& watched, std::function<void()> on_closed);
  ~peer_watch();
  peer_watch(peer_watch const&) = delete;
  peer_watch& operator=(peer_watch const&) = delete;

 private:
  static void spawn(internal::hangup_hook* self);
  void run();

  internal::hangup_cell* cell_;
  std::function<void()> on_closed_;
  internal::atomic<std::uintptr_t> state_{0};  // as peer_watch.cc says
};

// listener gives the connections that are made to an address. When its first close() returns, the
// address is free to be listened to again; it parks until those in accept have left.
class listener : public io::closer {
 public:
  // accept returns the next connection.
  // Errors:  net::closed after close(). When descriptors or memory have run out, accept first
  // waits,
  //          5 ms and each time twice as long up to 1 s, then returns an error for which
  //          is_resource_limit holds: a loop that goes on serving does not spin.
  virtual result<std::unique_ptr<conn>> accept(context const& ctx) = 0;
  virtual address addr() const = 0;
  virtual int native_handle() const { return -1; }
};

// is_resource_limit: the process or system has no descriptor or no memory left; it may pass.
bool is_resource_limit(error const& err);

struct listen_options {
  int backlog = 0;            // connections that wait to be accepted; 0: as the system allows
  bool reuse_port = false;    // SO_REUSEPORT: several listeners share the port
  bool replace_stale = true;  // a unix socket file to which nobody listens any more is replaced
  duration keep_alive = std::chrono::seconds(15);  // between TCP keep-alive probes; 0: none
};

// listen opens a listener. Networks: "tcp", "tcp4", "tcp6" with "host:port" (no host: all
// addresses; port 0: a free one, see addr()), and "unix" with a path or "@abstract" name. With
// "tcp" the host [::] also means all addresses, of both families; 0.0.0.0 those of IPv4. close()
// removes the file of a unix socket.
// Blocks:  only to look up a host name, or while another process starts on the same path.
result<std::unique_ptr<listener>> listen(std::string_view network, std::string_view address,
                                         listen_options const& options = {});
// With a context, which ends the look-up.
result<std::unique_ptr<listener>> listen(context const& ctx, std::string_view network,
                                         std::string_view address,
                                         listen_options const& options = {});

// resolver turns names into addresses. A test may give its own.
class resolver {
 public:
  virtual ~resolver() = default;
  // lookup returns the addresses of `host`, at least one, in the order in which to try them.
  // Errors:  net::no_such_host, or what the name service says.
  virtual result<std::vector<ip_address>> lookup(context const& ctx, std::string_view host) = 0;
};
// system_resolver asks getaddrinfo: /etc/hosts, DNS, and whatever nsswitch.conf names. At most 64
// look-ups run at once, further ones wait. A canceled caller returns at once.
resolver& system_resolver();

// How many of its look-ups run now, and how many were left by a caller whose context ended.
struct lookup_stats {
  std::int64_t running = 0;
  std::int64_t abandoned_total = 0;
};
lookup_stats system_lookup_stats();

struct dial_options {
  duration timeout = std::chrono::seconds(30);               // for all of it; 0: only the context's
  duration fallback_delay = std::chrono::milliseconds(250);  // before the next address is tried too
  duration keep_alive = std::chrono::seconds(15);  // between TCP keep-alive probes; 0: none
  resolver* names = nullptr;                       // null: system_resolver()
};

// dial connects. Networks and addresses are those of listen. The addresses of a name are tried in
// turn, IPv6 and IPv4 alternating; the next also starts when the last has not answered after
// fallback_delay. The first connection wins; when all fail, the error is the first one's. No host
// is this machine: 127.0.0.1 and ::1, of which "tcp4" and "tcp6" choose.
result<std::unique_ptr<conn>> dial(context const& ctx, std::string_view network,
                                   std::string_view address, dial_options const& options = {});

// pipe returns the ends of a connection in memory, for tests and for services within one process.
// Each direction holds up to `capacity_bytes`; deadlines, contexts, half close and peer_watch work
// as on a socket.
std::pair<std::unique_ptr<conn>, std::unique_ptr<conn>> pipe(std::size_t capacity_bytes = 65536);

// pipe_listener is a listener in memory: accept returns the other end of what dial returns.
class pipe_listener final : public listener {
 public:
  explicit pipe_listener(std::size_t capacity_bytes = 65536);
  ~pipe_listener() override;
  result<std::unique_ptr<conn>> accept(context const& ctx) override;
  // dial returns when the connection has been accepted; closed, it says "connection refused".
  result<std::unique_ptr<conn>> dial(context const& ctx);
  error close() override;
  address addr() const override;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace vole::net
