// SPDX-License-Identifier: Apache-2.0
// The life of a service.
// INVARIANTS
//   - phase only rises: made, starting, serving, stopping, stopped.
//   - Whatever start() has opened is closed by shutdown(), in reverse order, exactly once, also
//     when start() fails half way.
//   - A background task that does not end within stop_timeout is named in the log and left behind;
//     it holds the state alive.
// LOCKS  state::mu guards what goroutines other than the owner's touch: failure, closers, tasks. It
//        is a leaf.
#include <algorithm>
#include <cstdio>
#include <signal.h>
#include <unistd.h>
#include <utility>

#include "vole/assert.h"
#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/annotations.h"
#include "vole/internal/format.h"
#include "vole/internal/raw_mutex.h"
#include "vole/os.h"
#include "vole/select.h"
#include "vole/service.h"
#include "vole/service/problem.h"
#include "vole/task.h"

#include "service/admin.h"
#include "service/endpoint.h"
#include "service/refusal.h"

namespace vole::service {
namespace {

// setting_error is a setting that cannot be used: bad usage, like an unknown flag.
struct setting_error final : errors::typed_base {
  explicit setting_error(std::string what) : text(std::move(what)) {}
  std::string message() const override { return text; }

  std::string text;
};

error check_settings(options const& how) {
  if (how.admin.empty() || is_loopback(how.admin) || !how.admin_token.reveal().empty()) {
    return nullptr;
  }
  return errors::make_typed<setting_error>(fmt::format(
      "--admin {}: an admin server that others can reach needs --admin-token; or choose a loopback "
      "address, or none",
      how.admin));
}

struct closer {
  std::string name;
  std::function<error(context const&)> close;
};

struct background_task {
  explicit background_task(std::string task_name) : name(std::move(task_name)) {}
  std::string const name;
  chan<unit> ended{0};  // closed when it has
};

void answer_unmatched(http::response_writer& res, http::request& req, int status) {
  bool const other_method = status == http::status::method_not_allowed;
  respond(res, req,
          {.status = status,
           .code = other_method ? "method_not_allowed" : "not_found",
           .detail = other_method ? "this path is not for that method" : "there is no such path"});
}

enum class phase : std::uint8_t { made, starting, serving, stopping, stopped };

}  // namespace

struct app::state : std::enable_shared_from_this<app::state> {
  explicit state(options from)
      : how(std::move(from)),
        logger({.form = how.log_format, .minimum = how.log_level, .to = how.log_to}) {
    std::tie(ctx, cancel) = context::with_cancel(context::background());
    std::tie(serving, end_serving) = context::with_cancel(ctx);
    mux.on_unmatched(&answer_unmatched);
  }

  error bind();
  void add_metrics();
  void start_admin();
  void start_public();
  error begin(std::function<error(app&)> const& set_up, app& self);
  void request_stop(std::string_view why);
  void fail(std::string_view what, error err);
  error first_failure();
  error stop_serving(context const& ctx);
  void wait_for_tasks();
  void close_all();
  http::handler guarded(http::handler pages, secret<std::string> const& token) const;

  options how;
  log::logger logger;
  metrics::registry registry;
  service::health health;
  http::mux mux;
  http::mux admin_mux;
  std::vector<http::middleware> layers;
  context::stored ctx;
  cancel_handle cancel;
  context::stored serving;
  cancel_handle end_serving;
  std::unique_ptr<endpoint> main;
  std::unique_ptr<endpoint> admin;
  std::unique_ptr<endpoint> ops;
  internal::atomic<phase> at{phase::made};
  internal::atomic<bool> closing{false};  // shutdown() has begun
  internal::atomic<bool> is_set_up{false};
  chan<std::string> stop_wanted{1};  // why; one is enough, later ones are dropped

  internal::raw_mutex mu;
  error failure VOLE_GUARDED_BY(mu);  // the first one
  std::vector<closer> closers VOLE_GUARDED_BY(mu);
  std::vector<std::shared_ptr<background_task>> tasks VOLE_GUARDED_BY(mu);
  std::function<void()> on_serving;
};

void app::state::request_stop(std::string_view why) {
  static_cast<void>(stop_wanted.try_send(std::string(why)));
  // One step each, here and in start(): either this ends the start, or it has served.
  phase expected = phase::starting;
  if (at.compare_exchange_strong(expected, phase::stopping)) cancel();
}

void app::state::fail(std::string_view what, error err) {
  logger.error(ctx, what, {{"error", err}});
  {
    internal::raw_lock const hold(mu);
    if (!failure) failure = std::move(err);
  }
  request_stop(what);
}

error app::state::first_failure() {
  internal::raw_lock const hold(mu);
  return failure;
}

error app::state::bind() {
  struct {
    std::string const& address;
    std::string_view flag;
    std::unique_ptr<endpoint>& to;
  } const all[] = {
      {how.listen, "listen", main}, {how.admin, "admin", admin}, {how.ops, "ops", ops}};
  for (auto const& one : all) {
    if (one.address.empty()) continue;
    auto bound = endpoint::bind(one.address, one.flag);
    if (!bound) return bound.error();
    one.to = *std::move(bound);
  }
  return nullptr;
}

void app::state::add_metrics() {
  metrics::add_process(registry);
  metrics::add_runtime(registry);
  registry.callback(metrics::callback_type::gauge, "build_info", "Which program this is; always 1.",
                    {{"name", how.name}, {"version", how.version}}, [] { return 1.0; });
  auto const now = std::make_shared<http::server_stats>();
  registry.on_scrape([now, from = weak_from_this()] {
    auto const app = from.lock();
    if (app != nullptr && app->main != nullptr) *now = app->main->stats();
  });
  registry.gauge_func("http_connections_live", "Connections of the public server.",
                      [now] { return static_cast<double>(now->connections_live); });
  registry.gauge_func("http_requests_in_flight", "Requests being answered.",
                      [now] { return static_cast<double>(now->requests_active); });
  registry.counter_func("http_connections_total", "Connections accepted.",
                        [now] { return static_cast<double>(now->connections_total); });
  registry.counter_func("http_connections_refused_total", "Connections over the limit.",
                        [now] { return static_cast<double>(now->connections_refused_total); });
  registry.counter_func("log_lines_lost_total", "Log lines that could not be written.",
                        [lines = logger] { return static_cast<double>(lines.lines_lost()); });
}

http::handler app::state::guarded(http::handler pages, secret<std::string> const& token) const {
  // Requests for pages are no news; a crash in one is.
  auto const recover = http::recover([lines = logger](http::request& req, std::string_view what) {
    lines.error(req.ctx(), "exception from an admin page",
                {{"path", req.url().raw_path()}, {"error", what}});
  });
  return http::chain(std::move(pages), {recover, admin_guard(token)});
}

void app::state::start_admin() {
  admin_pages const pages{how.name, how.version, logger, registry, health, how.config};
  auto const failed = [self = weak_from_this()](error err) {
    if (auto const app = self.lock()) app->fail("admin or ops server ended", std::move(err));
  };
  if (admin != nullptr) {
    // Requests come while set-up still adds pages of its own.
    http::mux without_own;
    for (http::mux* const to : {&without_own, &admin_mux}) add_admin_pages(*to, pages);
    auto const current = [this, early = http::handler(without_own), all = http::handler(admin_mux)](
                             http::response_writer& res, http::request& req) {
      // pairs with app.cc:begin
      (is_set_up.load(internal::memory_order_acquire) ? all : early)(res, req);
    };
    http::server_options with;
    with.handler = guarded(current, how.admin_token);
    admin->serve(std::move(with), failed);
  }
  if (ops != nullptr) {
    http::mux shown;
    add_ops_pages(shown, pages, false);
    http::server_options with;
    with.handler = shown;
    ops->serve(std::move(with), failed);
  }
}

void app::state::start_public() {
  if (main == nullptr) return;
  auto requests = how.requests;
  requests.logger = logger;
  requests.registry = &registry;
  http::handler inner = mux;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) inner = (*layer)(inner);
  auto options = how.http;
  options.handler = observe(std::move(requests))(std::move(inner));
  options.base_context = ctx.get();
  if (!options.refusal) options.refusal = refuse_messages(ctx, logger);
  auto const refused =
      registry.counter("http_messages_refused_total", "Messages that were no valid request.");
  if (!options.hooks.on_connection_error) {
    options.hooks.on_connection_error = [refused, lines = logger, ctx = ctx.get()](
                                            std::string_view remote, error const& err) {
      refused.add();
      if (errors::as<http::refused_message>(err) != nullptr) return;  // told by its refusal
      lines.debug(ctx, "connection broke", {{"remote", remote}, {"error", err}});
    };
  }
  if (!options.hooks.on_accept_error) {
    options.hooks.on_accept_error = [lines = logger, ctx = ctx.get()](error const& err) {
      lines.error(ctx, "accept failed", {{"error", err}});
    };
  }
  main->serve(std::move(options), [self = weak_from_this()](error err) {
    if (auto const app = self.lock()) app->fail("public server ended", std::move(err));
  });
}

error app::state::begin(std::function<error(app&)> const& set_up, app& self) {
  if (error err = check_settings(how)) return err;
  if (error err = bind()) return err;
  add_metrics();
  start_admin();
  if (set_up) {
    if (error err = set_up(self)) return err;
  }
  is_set_up.store(true, internal::memory_order_release);  // pairs with app.cc:start_admin
  start_public();
  return nullptr;
}

error app::state::stop_serving(context const& parent) {
  if (at.load(internal::memory_order_relaxed) == phase::serving) {
    health.set_not_ready("draining");
    static_cast<void>(time::sleep(parent, how.drain_delay));
  }
  at.store(phase::stopping, internal::memory_order_relaxed);
  end_serving();
  if (main == nullptr) return nullptr;
  auto const [limited, cancel_limit] = context::with_timeout(parent, how.drain_timeout);
  return main->stop(limited);
}

void app::state::wait_for_tasks() {
  std::vector<std::shared_ptr<background_task>> all;
  {
    internal::raw_lock const hold(mu);
    all = tasks;
  }
  auto const [limited, cancel_limit] =
      context::with_timeout(context::background(), how.stop_timeout);
  for (auto const& task : all) {
    if (!recv(limited, task->ended)) {
      logger.error(ctx, "background task did not end", {{"task", task->name}});
    }
  }
}

void app::state::close_all() {
  for (;;) {
    closer last;
    {
      internal::raw_lock const hold(mu);
      if (closers.empty()) return;
      last = std::move(closers.back());
      closers.pop_back();
    }
    auto const [limited, cancel_limit] =
        context::with_timeout(context::background(), how.stop_timeout);
    auto running = spawn([close = std::move(last.close), ctx = limited] { return close(ctx); });
    if (error err = running.get(limited)) {
      fail("close failed", errors::wrap(std::move(err), "close {}", last.name));
    }
  }
}

app::app(options from) : state_(std::make_shared<state>(std::move(from))) {
  // off leaves it to the program, which may have switched it on before.
  auto const stacks = state_->how.error_stacks;
  if (stacks != errors::stacks::off) errors::capture_stacks(stacks);
}

app::~app() {
  if (state_->at.load(internal::memory_order_relaxed) != phase::made) {
    static_cast<void>(shutdown(context::background()));
  }
}

log::logger const& app::logger() const noexcept {
  return state_->logger;
}
metrics::registry& app::metrics() noexcept {
  return state_->registry;
}
service::health& app::health() noexcept {
  return state_->health;
}
http::mux& app::mux() noexcept {
  return state_->mux;
}
http::mux& app::admin_mux() noexcept {
  return state_->admin_mux;
}
context const& app::ctx() const noexcept {
  return state_->ctx;
}
context const& app::serving_ctx() const noexcept {
  return state_->serving;
}

void app::wrap(http::middleware with) {
  state_->layers.push_back(std::move(with));
}

void app::on_close(std::string name, std::function<error(context const&)> close) {
  internal::raw_lock const hold(state_->mu);
  state_->closers.push_back({std::move(name), std::move(close)});
}

void app::on_serving(std::function<void()> fn) {
  state_->on_serving = std::move(fn);
}

void app::background(std::string name, std::function<error(context const&)> fn) {
  auto const task = std::make_shared<background_task>(std::move(name));
  {
    internal::raw_lock const hold(state_->mu);
    state_->tasks.push_back(task);
  }
  go([self = state_, task, fn = std::move(fn)] {
    error err = fn(self->ctx);
    bool const asked_to_end = static_cast<bool>(self->ctx.get().err());
    if (err && !asked_to_end) {
      self->fail("background task failed", errors::wrap(std::move(err), "{}", task->name));
    } else if (err && !errors::is(err, context::canceled)) {
      self->logger.warn(self->ctx, "background task ended with an error",
                        {{"task", task->name}, {"error", err}});
    }
    task->ended.close();
  });
}

error app::start(std::function<error(app&)> set_up) {
  auto& s = *state_;
  VOLE_REQUIRE(s.at.load(internal::memory_order_relaxed) == phase::made,
               "service::app is started twice");
  s.at.store(phase::starting);
  if (s.stop_wanted.len() > 0) s.request_stop("");  // it came before there was a start to end
  error err = s.begin(set_up, *this);
  phase expected = phase::starting;
  if (!err && !s.at.compare_exchange_strong(expected, phase::serving)) err = context::canceled;
  if (err) {
    static_cast<void>(shutdown(context::background()));
    return err;
  }
  s.health.set_ready();
  s.logger.info(s.ctx, "serving",
                {{"name", s.how.name},
                 {"version", s.how.version},
                 {"address", address()},
                 {"admin", admin_address()},
                 {"ops", ops_address()},
                 {"pid", ::getpid()}});
  if (s.on_serving) s.on_serving();
  return nullptr;
}

error app::shutdown(context const& ctx) {
  auto& s = *state_;
  if (s.closing.exchange(true, internal::memory_order_relaxed)) return nullptr;
  bool const was_serving = s.at.load(internal::memory_order_relaxed) == phase::serving;
  auto const begun = internal::now();
  if (error err = s.stop_serving(ctx)) {
    s.logger.warn(s.ctx, "requests did not end in time", {{"error", err}});
  }
  s.cancel();
  s.wait_for_tasks();
  s.close_all();
  for (auto* const server : {s.ops.get(), s.admin.get()}) {
    if (server == nullptr) continue;
    auto const [limited, cancel_limit] = context::with_timeout(ctx, std::chrono::seconds(1));
    if (error err = server->stop(limited)) {
      s.logger.debug(s.ctx, "admin pages cut off", {{"error", err}});
    }
  }
  if (was_serving) s.logger.info(s.ctx, "stopped", {{"took", internal::now() - begun}});
  s.at.store(phase::stopped, internal::memory_order_relaxed);
  internal::raw_lock const hold(s.mu);
  return s.failure;
}

void app::stop() {
  state_->request_stop("stop() was called");
}

namespace {

// exit_now ends the process without any clean-up: the user has asked twice.
[[noreturn]] void exit_now(std::string const& name, int signal) {
  fmt::print(stderr, "{}: second signal ({}): exiting at once, without waiting for requests\n",
             name, os::signal_name(signal));
  ::_exit(128 + signal);
}

}  // namespace

int app::run(std::function<error(app&)> set_up) {
  std::optional<os::signals> signals;
  chan<unit> done(0);
  if (state_->how.handle_signals) {
    signals.emplace(std::initializer_list<int>{SIGINT, SIGTERM});
    go([self = state_, from = signals->c(), done] {
      int signal = 0;
      if (select(recv(from, &signal), recv(done)) == 1) return;
      self->request_stop(os::signal_name(signal));
      if (select(recv(from, &signal), recv(done)) == 1) return;
      exit_now(self->how.name, signal);
    });
  }
  int const code = run_until_stopped(std::move(set_up));
  done.close();
  return code;
}

int app::run_until_stopped(std::function<error(app&)> set_up) {
  auto& s = *state_;
  if (error err = start(std::move(set_up))) {
    if (auto const why = s.stop_wanted.try_recv(); why && errors::is(err, context::canceled)) {
      s.logger.info(s.ctx, "stopped while starting", {{"reason", *why}});
      return s.first_failure() ? 1 : 0;  // a part that ended has been logged
    }
    fmt::print(stderr, "{}: {}\n", s.how.name, err);
    return errors::as<setting_error>(err) != nullptr ? 2 : 1;
  }
  auto const why = s.stop_wanted.recv();
  s.logger.info(s.ctx, "stopping", {{"reason", why.value_or("")}});
  return shutdown(context::background()) ? 1 : 0;
}

std::string app::address() const {
  return state_->main == nullptr ? "" : state_->main->address();
}
std::string app::admin_address() const {
  return state_->admin == nullptr ? "" : state_->admin->address();
}
std::string app::ops_address() const {
  return state_->ops == nullptr ? "" : state_->ops->address();
}

void add_flags(flags& to, options& of) {
  to.address("listen", &of.listen, "address of the public server");
  to.address("admin", &of.admin,
             "address of the admin server: profiles, metrics, health, settings; loopback, unless "
             "there is a token",
             true);
  to.secret("admin-token", &of.admin_token, "bearer token that the admin server asks for");
  to.address("ops", &of.ops,
             "address of the ops server: health and metrics only, may be public to the cluster",
             true);
  to.log_level("log-level", &of.log_level, "lines below it are not written");
  to.log_format("log-format", &of.log_format, "how lines are written");
  to.error_stacks(
      "error-stacks", &of.error_stacks,
      "which errors keep the stack of where they began, for the log; sampled: 1 in 100");
  to.duration("drain-delay", &of.drain_delay,
              "from \"not ready\" to closed listeners, for load balancers to notice");
  to.duration("drain-timeout", &of.drain_timeout, "how long running requests may take to end");
}

}  // namespace vole::service
