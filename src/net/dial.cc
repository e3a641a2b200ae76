// SPDX-License-Identifier: Apache-2.0
// dial: one connection out of several addresses.
//
// The addresses race: each attempt is a goroutine that answers once, in the context of the race;
// dial_any starts the next when the last has failed or had its head start, takes the first
// connection, cancels the others and waits for their answers, so that none outlives the call.
// No shared state but the channel of answers.
// Source: RFC 8305, sections 4 and 5. Differs: one head start for all, no look-ups in parallel.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/net.h"

#include "net/endpoint.h"
#include "net/sockaddr.h"
#include "net/socket_conn.h"
#include "net/syscalls.h"
#include "net/tcp_options.h"

namespace vole {
namespace internal {
namespace {

using namespace std::chrono_literals;
using net::dial_options;
using connection = result<std::unique_ptr<net::conn>>;

connection connect_one(context const& ctx, net::address const& to, dial_options const& options) {
  if (error err = ctx.err()) return err;
  auto const raw = to_sockaddr(to);
  if (!raw) return raw.error();
  int const fd = sys::socket(raw->family());
  if (fd < 0) return errors::from_errno(-fd);
  int status = to.is_tcp() ? set_tcp_stream_options(fd, options.keep_alive) : 0;
  if (status == 0) status = sys::connect(fd, raw->data(), raw->size);
  if (status != 0 && status != -EINPROGRESS) {
    sys::close(fd);
    return errors::from_errno(-status);
  }
  poll_handle* handle = nullptr;
  if (int const failure = socket::register_fd(fd, &handle); failure != 0) {
    return errors::from_errno(failure, "watch the new connection");
  }
  auto made = std::make_unique<socket_conn>(fd, handle, to);
  if (status != 0) {
    if (error err = made->finish_connect(ctx)) return err;
  }
  if (to.is_tcp() && is_connected_to_itself(fd)) return errors::from_errno(ECONNREFUSED);
  return made;
}

// A unix socket whose queue of connections is full says EAGAIN; no event tells when it has room.
connection dial_unix(context const& ctx, std::string const& path, dial_options const& options) {
  duration pause = 1ms;
  for (;;) {
    auto made = connect_one(ctx, net::address::unix_path(path), options);
    if (made || !errors::is(made.error(), errors::from_errno(EAGAIN))) return made;
    if (error err = time::sleep(ctx, pause)) return err;
    pause = std::min<duration>(2 * pause, 50ms);
  }
}

// The families take turns, beginning with the one that the resolver put first.
std::vector<net::address> in_order(std::vector<net::ip_address> const& ips, std::uint16_t port) {
  std::vector<net::address> first;
  std::vector<net::address> second;
  for (net::ip_address const& ip : ips) {
    (ip.is_v4() == ips.front().is_v4() ? first : second).push_back(net::address::tcp(ip, port));
  }
  std::vector<net::address> all;
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) all.push_back(std::move(first[i]));
    if (i < second.size()) all.push_back(std::move(second[i]));
  }
  return all;
}

class race {
 public:
  race(std::vector<net::address> const& to, dial_options const& options)
      : to_(to), options_(options), answers_(to.size()) {}

  connection run(context const& ctx) {
    auto const [racing, cancel] = context::with_cancel(ctx);
    std::unique_ptr<net::conn> won;
    start_next(racing);
    while (won == nullptr && running_ > 0) {
      auto got = answers_.recv_until({next_start(), nullptr});
      if (!got.value) {
        start_next(racing);
        continue;
      }
      --running_;
      if (got.value->made) {
        won = *std::move(got.value->made);
      } else {
        note_failure(*got.value);
        start_next(racing);
      }
    }
    cancel();
    for (; running_ > 0; --running_) answers_.recv();
    if (won != nullptr) return won;
    return errors::wrap(failure_, "{}", to_[failed_].text());
  }

 private:
  struct answer {
    std::size_t index;
    connection made;
  };

  time_point next_start() const {
    return started_ < to_.size() ? deadline_after(options_.fallback_delay) : never;
  }

  void start_next(context const& racing) {
    if (started_ == to_.size()) return;
    go([answers = answers_, ctx = racing, index = started_, to = to_[started_],
        options = options_] { answers.send(answer{index, connect_one(ctx, to, options)}); });
    ++started_;
    ++running_;
  }

  void note_failure(answer const& failed) {
    if (failure_ && failed.index > failed_) return;
    failure_ = failed.made.error();
    failed_ = failed.index;
  }

  std::vector<net::address> const& to_;
  dial_options const& options_;
  chan<answer> answers_;
  std::size_t started_ = 0;
  std::size_t running_ = 0;
  error failure_;  // of the foremost address that has failed
  std::size_t failed_ = 0;
};

connection dial_tcp(context const& ctx, endpoint const& where, dial_options const& options) {
  net::resolver& names = options.names != nullptr ? *options.names : net::system_resolver();
  auto const ips = addresses_of(ctx, where, names);
  if (!ips) return ips.error();
  auto const to = in_order(*ips, where.port);
  if (to.size() > 1) return race(to, options).run(ctx);
  auto made = connect_one(ctx, to.front(), options);
  if (made || to.front().ip().text() == where.host) return made;
  return errors::wrap(made.error(), "{}", to.front().text());
}

}  // namespace
}  // namespace internal

namespace net {

result<std::unique_ptr<conn>> dial(context const& ctx, std::string_view network,
                                   std::string_view address, dial_options const& options) {
  auto const where = internal::parse_endpoint(network, address);
  error err = where.error();
  if (where) {
    time_point const deadline =
        options.timeout > duration::zero() ? internal::deadline_after(options.timeout) : never;
    auto const [bounded, cancel] = context::with_deadline(ctx, deadline);
    auto made = where->unix_socket ? internal::dial_unix(bounded, where->path, options)
                                   : internal::dial_tcp(bounded, *where, options);
    if (made) return made;
    err = made.error();
    // The caller's context has not ended: it was the timeout of the options.
    if (errors::is(err, context::deadline_exceeded) && !ctx.err()) err = timed_out;
  }
  return errors::make_typed<op_error>(op_error::operation::dial, network, std::string(address),
                                      std::move(err));
}

}  // namespace net
}  // namespace vole
