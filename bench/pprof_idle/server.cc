// SPDX-License-Identifier: Apache-2.0
// A service that allocates and takes a lock for each request, so that the heap and contention
// profiles have something to watch. See run.sh.
//   bench_pprof_idle ADDRESS off                nothing is sampled
//   bench_pprof_idle ADDRESS on PPROF_ADDRESS   as every vole program, and the pages on their port
#include <cstdio>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <vector>

#include "vole/context.h"
#include "vole/go.h"
#include "vole/http.h"
#include "vole/http/pprof.h"
#include "vole/net.h"
#include "vole/pprof.h"
#include "vole/sync.h"

using namespace vole;

namespace {

constexpr int lines_per_page = 50;

class shop {
 public:
  void page(http::response_writer& res, http::request&) {
    std::vector<std::string> lines;
    for (int i = 0; i < lines_per_page; ++i) {
      lines.push_back(fmt::format("article {} costs {} cents, seen by many\n", i, 100 * i));
    }
    std::string text;
    for (auto const& line : lines) text += line;
    {
      std::lock_guard const held(mu_);
      ++visits_;
      last_ = text.size();
    }
    http::reply(res, http::status::ok, text);
  }

 private:
  sync::mutex mu_;
  std::uint64_t visits_ = 0;  // guarded by mu_
  std::size_t last_ = 0;      // guarded by mu_
};

int serve(char const* address, http::mux const& pages) {
  http::server server({.handler = pages});
  auto listener = net::listen("tcp", address);
  error const err = listener ? server.serve(context::background(), **listener) : listener.error();
  fmt::print(stderr, "{}\n", err);
  return 1;
}

int run_shop(char const* address, char const* pprof_address) {
  shop here;
  http::mux pages;
  pages.handle("GET /page", [&here](auto& res, auto& req) { here.page(res, req); });
  if (pprof_address == nullptr) {
    pprof::set_heap_rate(0);
    pprof::set_contention_rate(0);
    return serve(address, pages);
  }
  go([pprof_address] {
    http::mux profiles;
    http::handle_pprof(profiles);
    static_cast<void>(serve(pprof_address, profiles));
  });
  return serve(address, pages);
}

}  // namespace

int main(int argc, char** argv) {
  bool const off = argc == 3 && std::string_view(argv[2]) == "off";
  bool const on = argc == 4 && std::string_view(argv[2]) == "on";
  if (!off && !on) {
    fmt::print(stderr, "usage: {} ADDRESS off | ADDRESS on PPROF_ADDRESS\n", argv[0]);
    return 2;
  }
  return run([&] { return run_shop(argv[1], on ? argv[3] : nullptr); });
}
