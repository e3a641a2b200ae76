// SPDX-License-Identifier: Apache-2.0
#include "service/endpoint.h"

#include <cerrno>
#include <utility>

#include "vole/go.h"

namespace vole::service {

result<std::unique_ptr<endpoint>> endpoint::bind(std::string const& address,
                                                 std::string_view flag) {
  auto listener = net::listen("tcp", address);
  if (listener) return std::unique_ptr<endpoint>(new endpoint(*std::move(listener)));
  error err = listener.error();
  if (errors::is(err, errors::from_errno(EADDRINUSE))) {
    return errors::make("{}: stop the other process, or choose another address with --{}", err,
                        flag);
  }
  if (errors::is(err, errors::from_errno(EACCES))) {
    return errors::make("{}: choose a port from 1024 on with --{}, or grant CAP_NET_BIND_SERVICE",
                        err, flag);
  }
  return errors::make("{}: choose another address with --{}", err, flag);
}

endpoint::endpoint(std::unique_ptr<net::listener> listener)
    : listener_(std::move(listener)), address_(listener_->addr().text()) {}

endpoint::~endpoint() {
  if (server_ != nullptr && !stopped_.load(internal::memory_order_relaxed))
    static_cast<void>(stop(context{}));
}

void endpoint::serve(http::server_options options, std::function<void(error)> on_failure) {
  server_ = std::make_unique<http::server>(std::move(options));
  counted_.store(server_.get(), internal::memory_order_release);  // pairs with endpoint.cc:stats
  go([this, on_failure = std::move(on_failure), ended = ended_] {
    error err = server_->serve(context{}, *listener_);
    // After stop() it is stop() that says how the drain went.
    if (err && !stopped_.load(internal::memory_order_relaxed)) {
      on_failure(errors::wrap(std::move(err), "serve {}", address_));
    }
    ended.close();
  });
}

error endpoint::stop(context const& ctx) {
  if (stopped_.exchange(true, internal::memory_order_relaxed)) return nullptr;
  if (server_ == nullptr) return listener_->close();
  error err = server_->shutdown(ctx);
  if (server_->stats().connections_live > 0) {
    static_cast<void>(server_.release());  // its handlers use it for ever
    static_cast<void>(listener_.release());
    return err;
  }
  static_cast<void>(ended_.recv());
  return err;
}

http::server_stats endpoint::stats() const {
  // pairs with endpoint.cc:serve
  http::server const* const serving = counted_.load(internal::memory_order_acquire);
  return serving == nullptr ? http::server_stats() : serving->stats();
}

bool is_loopback(std::string_view address) {
  auto const parts = net::split_host_port(address);
  if (!parts) return false;
  if (parts->host == "localhost") return true;
  auto const ip = net::ip_address::parse(parts->host);
  return ip && ip->is_loopback();
}

}  // namespace vole::service
