// SPDX-License-Identifier: Apache-2.0
#include "vole/service/health.h"

#include "vole/assert.h"
#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/annotations.h"
#include "vole/internal/raw_mutex.h"

namespace vole::service {
namespace {

// run is one run of a check: err is written before finished is closed, and read after.
struct run {
  chan<unit> finished{0};
  error err;
};

// one_check joins the callers that come while it runs to one run.
struct one_check {
  one_check(std::string check_name, health::check check_fn, duration check_timeout)
      : name(std::move(check_name)), fn(std::move(check_fn)), timeout(check_timeout) {}

  std::string const name;
  health::check const fn;
  duration const timeout;
  internal::raw_mutex mu;
  std::shared_ptr<run> current VOLE_GUARDED_BY(mu);  // null: not running
};

// start returns the run that is going on, or begins one. Its context has the values of ctx and not
// its end: another caller may join.
std::shared_ptr<run> start(std::shared_ptr<one_check> const& of, context const& ctx) {
  std::shared_ptr<run> started;
  {
    internal::raw_lock const hold(of->mu);
    if (of->current != nullptr) return of->current;
    started = of->current = std::make_shared<run>();
  }
  go({.scheduling = scheduling_class::foreground},
     [of, started, values = context::without_cancel(ctx)] {
       auto const [limited, cancel] = context::with_timeout(values, of->timeout);
       started->err = of->fn(limited);
       {
         internal::raw_lock const hold(of->mu);
         of->current = nullptr;
       }
       started->finished.close();
     });
  return started;
}

health::check_result wait(one_check const& of, std::shared_ptr<run> const& started,
                          context const& ctx, time_point begun) {
  auto const [limited, cancel] = context::with_deadline(ctx, begun + of.timeout);
  auto const got = recv(limited, started->finished);
  auto const took = internal::now() - begun;
  if (got) return {of.name, started->err, took};
  if (error err = ctx.err()) return {of.name, err, took};
  return {of.name,
          errors::make("no answer within {} ms", of.timeout / std::chrono::milliseconds(1)), took};
}

}  // namespace

struct health::state {
  mutable internal::raw_mutex mu;
  bool open VOLE_GUARDED_BY(mu) = false;
  std::string reason VOLE_GUARDED_BY(mu) = "starting";
  std::vector<std::shared_ptr<one_check>> checks VOLE_GUARDED_BY(mu);
};

health::health() : state_(std::make_shared<state>()) {}

void health::add_readiness(std::string name, check fn, duration timeout) {
  internal::raw_lock const hold(state_->mu);
  for (auto const& other : state_->checks) {
    VOLE_REQUIRE(other->name != name, "readiness check {:?} is added twice", name);
  }
  state_->checks.push_back(std::make_shared<one_check>(std::move(name), std::move(fn), timeout));
}

void health::set_door(bool open, std::string reason) {
  internal::raw_lock const hold(state_->mu);
  state_->open = open;
  state_->reason = std::move(reason);
}

health::report health::readiness(context const& ctx) const {
  report out;
  std::vector<std::shared_ptr<one_check>> checks;
  {
    internal::raw_lock const hold(state_->mu);
    out.ready = state_->open;
    out.reason = state_->reason;
    checks = state_->checks;
  }
  auto const begun = internal::now();
  std::vector<std::shared_ptr<run>> started;
  for (auto const& check : checks) started.push_back(start(check, ctx));
  for (std::size_t i = 0; i < checks.size(); ++i) {
    out.checks.push_back(wait(*checks[i], started[i], ctx, begun));
    if (out.checks.back().err) out.ready = false;
  }
  return out;
}

}  // namespace vole::service
