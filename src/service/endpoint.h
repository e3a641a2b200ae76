// SPDX-License-Identifier: Apache-2.0
// endpoint: one server of a service: a bound address, then the http::server behind it.
// INVARIANTS
//   - bound -> serving -> stopped, each once; the owner's goroutine makes the transitions.
//   - The http::server lives until the endpoint is destroyed, so that its numbers can be read; one
//     whose handlers did not return is never destroyed, as they still use it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/errors.h"
#include "vole/http.h"
#include "vole/internal/atomic.h"
#include "vole/net.h"
#include "vole/result.h"

namespace vole::service {

class endpoint {
 public:
  // bind listens on "host:port"; flag is the name of the flag that sets it, for the error.
  // Errors:  "listen tcp 127.0.0.1:8080: address already in use: stop the other process, or choose
  //          another address with --listen".
  static result<std::unique_ptr<endpoint>> bind(std::string const& address, std::string_view flag);

  ~endpoint();

  // serve starts to accept; on_failure is told when that ends before stop().
  void serve(http::server_options options, std::function<void(error)> on_failure);

  // stop closes the listener and drains until ctx ends; see http::server::shutdown.
  error stop(context const& ctx);

  // The address bound, with the real port.
  std::string const& address() const noexcept { return address_; }
  // stats is all zero before serve.
  http::server_stats stats() const;

 private:
  explicit endpoint(std::unique_ptr<net::listener> listener);

  std::unique_ptr<net::listener> listener_;
  std::string const address_;
  std::unique_ptr<http::server> server_;
  internal::atomic<http::server*> counted_{nullptr};  // stats() may come while serve() begins
  chan<unit> ended_{0};                               // closed when serve's goroutine has ended
  internal::atomic<bool> stopped_{false};             // stop() has begun
};

// is_loopback says whether "host:port" can be reached from this machine only; a name other than
// localhost counts as reachable.
bool is_loopback(std::string_view address);

}  // namespace vole::service
