// SPDX-License-Identifier: Apache-2.0
// service: a program that serves, from start to end: configuration, logger, metrics, health, the
// public server, the admin and ops servers, and the order in which they start and stop.
//
//   int main(int argc, char** argv) {
//     service::options options{.name = "hello"};
//     service::flags flags("hello", "Greets.");
//     service::add_flags(flags, options);
//     if (auto code = flags.parse(argc, argv)) return *code;
//     return vole::run([&] {
//       service::app app(options);
//       return app.run([&](service::app& app) -> error {
//         app.mux().handle("GET /hello", hello);
//         return nullptr;
//       });
//     });
//   }
//
// Order of start: listeners bound (a port that is taken is found before anything is opened), admin
// and ops serve, set-up runs, the public server serves, ready.
// Order of stop, at SIGTERM, SIGINT, stop() or a failed background task: not ready, drain_delay, no
// new connections and "Connection: close", running requests have drain_timeout, then their contexts
// end; ctx() ends and background tasks are awaited; closers in reverse order; admin and ops last. A
// second signal ends the process at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/http.h"
#include "vole/http/mux.h"
#include "vole/log.h"
#include "vole/metrics.h"
#include "vole/service/flags.h"
#include "vole/service/health.h"
#include "vole/service/problem.h"
#include "vole/service/request.h"

namespace vole::service {

struct options {
  std::string name = "service";
  std::string version = "unknown";

  std::string listen = "127.0.0.1:8080";  // the public server
  // Everything about the process: /metrics, health, /debug/pprof/, /debug/config, /debug/log-level.
  // "": none. An address other than loopback is refused unless admin_token is set.
  std::string admin = "127.0.0.1:6060";
  secret<std::string> admin_token =
      {};  // "Authorization: Bearer <token>" asked for by admin; "": none
  // Health and metrics only; may be public to the cluster. "": none.
  std::string ops = {};

  log::format log_format = log::format::text;
  log::level log_level = log::level::info;
  std::shared_ptr<log::sink> log_to = nullptr;        // null: stderr
  errors::stacks error_stacks = errors::stacks::off;  // which errors keep a stack, for the log

  duration drain_delay = {};                          // from "not ready" to closed listeners
  duration drain_timeout = std::chrono::seconds(20);  // for running requests
  duration stop_timeout =
      std::chrono::seconds(5);  // for background tasks and each closer, after that

  http::server_options http = {};  // of the public server: limits and time-outs
  observe_options requests = {};   // logger and registry are filled in by app
  bool handle_signals = true;      // false in tests, where several apps may live in one process
  std::vector<config_entry> config = {};  // what /debug/config shows: flags.entries()
};

// add_flags adds listen, admin, admin-token, ops, log-level, log-format, error-stacks, drain-delay
// and drain-timeout.
void add_flags(flags& to, options& of);

class app {
 public:
  explicit app(options from);
  ~app();
  app(app const&) = delete;
  app& operator=(app const&) = delete;

  log::logger const& logger() const noexcept;
  metrics::registry& metrics() noexcept;
  service::health& health() noexcept;
  // mux routes the public server; add routes in set-up. admin_mux is for pages of your own on the
  // admin server, which has its standard pages before set-up begins and yours once it has ended.
  http::mux& mux() noexcept;
  http::mux& admin_mux() noexcept;
  // ctx ends when running requests have been drained: the context of what lives as long as the
  // service.
  context const& ctx() const noexcept;
  // serving_ctx ends when the listeners close: what a stream that would never end by itself
  // (server-sent events) watches, so that it does not hold the drain up.
  context const& serving_ctx() const noexcept;

  // wrap puts a middleware around the public mux, inside observe; the first one added is the
  // outermost.
  void wrap(http::middleware with);

  // on_close adds what is to be closed at the end: last added, first closed, each within
  // stop_timeout.
  void on_close(std::string name, std::function<error(context const& ctx)> close);
  // on_serving is called once, when the service is ready; from then on the addresses are known.
  void on_serving(std::function<void()> fn);
  // background runs fn in a goroutine until ctx ends. One that returns an error, other than the end
  // of ctx, stops the service, whose run() then returns 1.
  void background(std::string name, std::function<error(context const& ctx)> fn);

  // run starts, calls set_up, serves until a signal or stop(), stops, and returns the exit code: 0
  // after a clean stop; 1 when a part failed, as the log says, or when it could not start, 2 when
  // that was for a bad setting: then one line on stderr says why.
  int run(std::function<error(app&)> set_up);

  // start and shutdown are the two halves of run, for tests: start returns when the service is
  // ready.
  error start(std::function<error(app&)> set_up);
  error shutdown(context const& ctx);

  // stop begins the stop that run() waits for.
  // Safety:  any goroutine.
  void stop();

  // The address bound ("127.0.0.1:41523" for a listen address with port 0), or "" if there is no
  // such server.
  std::string address() const;
  std::string admin_address() const;
  std::string ops_address() const;

 private:
  struct state;
  int run_until_stopped(std::function<error(app&)> set_up);
  std::shared_ptr<state> state_;
};

}  // namespace vole::service
