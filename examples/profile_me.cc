// SPDX-License-Identifier: Apache-2.0
// profile_me: a shop with a fault that docs/guide/profiling.md finds; its customers come by
// themselves. --fault heap has it from the start; PUT /fault/heap or /fault/none changes it.
#include <algorithm>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "vole/http/client.h"
#include "vole/pprof.h"
#include "vole/service.h"
#include "vole/sync.h"
#include "vole/time.h"
#include "vole/vole.h"

using namespace vole;

sync::mutex till;
std::list<std::string> receipts;  // guarded by till; a list frees nothing as it grows
chan<unit> confirmations(0);

[[gnu::noinline]] void sort_all_prices() {
  std::vector<unsigned> prices(20'000);
  for (unsigned i = 0; i < prices.size(); ++i) prices[i] = i * 2'654'435'761U;
  std::sort(prices.begin(), prices.end());
}
[[gnu::noinline]] void print_catalogue() {
  std::string page;
  for (int article = 0; article < 200; ++article) page = page + "a line about it\n";
}
[[gnu::noinline]] void keep_receipt() {
  std::lock_guard const held(till);
  receipts.emplace_back(4096, 'r');
}
[[gnu::noinline]] void wait_for_confirmation() {
  confirmations.recv();  // nobody sends one
}
[[gnu::noinline]] void count_money() {
  std::lock_guard const held(till);
  for (int drawer = 0; drawer < 3; ++drawer) sort_all_prices();
}
[[gnu::noinline]] void ask_the_warehouse() {
  time::after(std::chrono::milliseconds(50)).recv();  // it takes its time
}

std::map<std::string, void (*)(), std::less<>> const faults = {
    {"none", [] {}},
    {"cpu", sort_all_prices},
    {"churn", print_catalogue},
    {"heap", keep_receipt},
    {"goroutines", [] { go(wait_for_confirmation); }},
    {"lock", count_money},
    {"wait", ask_the_warehouse},
};
sync::atomic_value<void (*)()> fault;

void buy(http::response_writer& res, http::request& req) {
  pprof::label_scope const label({{"customer", req.path_value("customer")}});
  (*fault.load())();
  http::reply(res, http::status::ok, "thank you\n");
}

void choose_fault(http::response_writer& res, http::request& req) {
  auto const chosen = faults.find(req.path_value("name"));
  if (chosen == faults.end()) return http::reply_error(res, 404, "there is no such fault");
  fault.store(chosen->second);
  http::reply(res, http::status::ok, chosen->first + "\n");
}

error shop_again_and_again(context const& ctx, std::string const& url) {
  http::client client;
  while (!time::sleep(ctx, std::chrono::milliseconds(5))) {
    if (auto answer = client.get(ctx, url)) static_cast<void>(answer->read_all(ctx));
  }
  return nullptr;
}

int main(int argc, char** argv) {
  service::options options{.name = "profile_me"};
  options.requests.log_all = false;
  std::string first = "none";
  service::flags flags("profile_me", "A shop with a fault to find.");
  service::add_flags(flags, options);
  flags.choice("fault", &first, {"none", "cpu", "churn", "heap", "goroutines", "lock", "wait"},
               "what is bad; PUT /fault/NAME changes it");
  if (auto const code = flags.parse(argc, argv)) return *code;
  fault.store(faults.at(first));
  return run([&] {
    return service::app(options).run([](service::app& app) -> error {
      app.mux().handle("GET /buy/{customer}", buy);
      app.mux().handle("PUT /fault/{name}", choose_fault);
      for (auto const* const name : {"ann", "ben", "cid", "dot"}) {
        app.background(name, [url = "http://" + app.address() + "/buy/" + name](
                                 context const& ctx) { return shop_again_and_again(ctx, url); });
      }
      return nullptr;
    });
  });
}
