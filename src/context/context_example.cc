// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <string>
#include <utility>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/go.h"
#include "vole/result.h"
#include "vole/select.h"
#include "vole/sync/mutex.h"
#include "vole/time.h"
#include "vole/uncancelable.h"

using namespace vole;
using namespace std::chrono_literals;

struct request_id {
  using value_type = std::string;
};

// The context is the first parameter, and goes on to every wait.
result<int> next_price(context const& ctx, chan<int> const& feed) {
  std::optional<int> const price = VOLE_TRY(recv(ctx, feed), "read the feed");
  if (!price) return errors::make("the feed has ended");
  return *price;
}

void deadline() {
  chan<int> const feed(0);  // nobody sends
  auto [ctx, cancel] = context::with_timeout(context::background(), 10ms);
  result<int> const price = next_price(ctx, feed);
  if (errors::is(price.error(), context::deadline_exceeded)) {
    fmt::print("{}\n", price.error());
  }
}

void cancel_with_cause() {
  auto [ctx, cancel] = context::with_cancel(context::background());
  chan<error> const ended(0);
  go([ctx = ctx, ended] { ended.send(time::sleep(ctx, 1h)); });
  cancel(errors::make("the client went away"));
  fmt::print("{}, since {}\n", ended.recv().value(), ctx.cause());
}

void values() {
  auto const ctx = context::with_value<request_id>(context::background(), "req-17");
  if (auto const* id = ctx.value<request_id>()) fmt::print("request {}\n", *id);
}

error transfer(context const& ctx, sync::mutex& accounts) {
  auto const held = VOLE_TRY(hold(ctx, accounts), "lock the accounts");
  fmt::print("moved\n");
  return nullptr;
}

void locks() {
  auto [ctx, cancel] = context::with_timeout(context::background(), 10ms);
  sync::mutex accounts;
  sync::lock_guard const lock(accounts);
  fmt::print("{}\n", transfer(ctx, accounts));
}

// Where a select has cases of its own, the end of the context is one of them, or the context goes
// in front.
void selects() {
  chan<int> const orders(1);
  orders.send(5);
  auto [ctx, cancel] = context::with_timeout(context::background(), 200ms);
  int order = 0;
  switch (select(recv(orders, &order), recv(ctx.done()))) {
    case 0:
      fmt::print("order {}\n", order);
      break;
    case 1:
      fmt::print("{}\n", ctx.err());
  }
  result<int> const taken = select(ctx, recv(orders, &order));
  fmt::print("{}\n", taken.error());
}

// What must be done after the answer, whatever becomes of the request, still carries the request's
// values.
void audit(context const& request) {
  auto [ctx, cancel] = context::with_timeout(context::without_cancel(request), 5s);
  fmt::print("audit of {}: {}\n", *ctx.value<request_id>(), ctx.err());
}

// Work for two: it ends when either of them does.
void merged() {
  auto [request, cancel_request] = context::with_cancel(context::background());
  auto [shutdown, cancel_shutdown] = context::with_cancel(context::background());
  auto [ctx, cancel] = context::merge(request, shutdown);
  cancel_shutdown(errors::make("the service stops"));
  fmt::print("{}, since {}\n", ctx.err(), ctx.cause());
}

// The object's own life is a context; a request's context never is one.
class feed {
 public:
  explicit feed(context const& life) : feed(context::with_cancel(life)) {}
  void stop() const { stop_(); }
  error run() const { return time::sleep(life_, 1h); }

 private:
  explicit feed(std::pair<context, cancel_handle> made)
      : life_(std::move(made.first)), stop_(std::move(made.second)) {}

  context::stored const life_;
  cancel_handle const stop_;
};

void stored() {
  feed const prices(context::background());
  prices.stop();
  fmt::print("{}\n", prices.run());
}

// A name service, a disk: what cannot be stopped is left.
void leaving() {
  static uncancelable lookups(4);
  auto [ctx, cancel] = context::with_timeout(context::background(), 200ms);
  chan<int> const answer(0);
  result<int> const got = lookups.run(ctx, [answer] { return answer.recv().value(); });
  fmt::print("{}; running: {}\n", got.error(), lookups.read_stats().running);
  answer.send(7);
}

void hooks() {
  auto [ctx, cancel] = context::with_cancel(context::background());
  chan<std::string> const closed(0);
  auto stop = context::after_func(ctx, [closed] { closed.send("connection closed"); });
  cancel();
  fmt::print("{}\n", closed.recv().value());
  fmt::print("disarmed: {}\n", stop());
}

int main() {
  return run([] {
    deadline();
    cancel_with_cause();
    values();
    locks();
    selects();
    auto [request, cancel] =
        context::with_cancel(context::with_value<request_id>(context::background(), "req-18"));
    cancel();
    audit(request);
    merged();
    stored();
    leaving();
    hooks();
  });
}

// Output:
// read the feed: context deadline exceeded
// context canceled, since the client went away
// request req-17
// lock the accounts: context deadline exceeded
// order 5
// context deadline exceeded
// audit of req-18: no error
// context canceled, since the service stops
// context canceled
// context deadline exceeded; running: 1
// connection closed
// disarmed: false
