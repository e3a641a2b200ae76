// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>

#include "vole/bench.h"
#include "vole/http.h"
#include "vole/http/client.h"
#include "vole/http/test.h"

#include "http/chunked.h"
#include "http/framing.h"
#include "http/message_access.h"
#include "http/parse.h"
#include "http/raw_client.h"
#include "http/response_stream.h"
#include "http/route_table.h"

namespace vole::http {
namespace {

constexpr std::string_view small_head =
    "GET /v1/prices?symbols=AAPL HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
constexpr std::string_view browser_head =
    "GET /v1/users/usr_abc123/portfolio HTTP/1.1\r\nHost: folio.example.com\r\n"
    "Connection: keep-alive\r\nCache-Control: max-age=0\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    "\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n";

void parse_heads(bench::benchmark& b, std::string_view head) {
  internal::head_parser parser(internal::head_kind::request);
  internal::head_info info;
  internal::parse_failure why;
  b.set_bytes(static_cast<std::int64_t>(head.size()));
  while (b.loop()) {
    parser.reset();
    bench::keep(parser.parse(head));
    bench::keep(internal::read_request_head(parser, head, info, why));
  }
}

VOLE_BENCH(http_parse_small) {
  parse_heads(b, small_head);
}
VOLE_BENCH(http_parse_browser) {
  parse_heads(b, browser_head);
}

VOLE_BENCH(http_route) {
  internal::route_table routes;
  for (char const* pattern :
       {"POST /v1/users", "POST /v1/users/{id}/deposits", "POST /v1/orders", "GET /v1/orders/{id}",
        "DELETE /v1/orders/{id}", "GET /v1/users/{id}/portfolio", "GET /v1/prices",
        "GET /v1/prices/stream"}) {
    error const err = routes.add(pattern, [](response_writer&, request&) {});
    if (err) b.fail("{}", err);
  }
  internal::route_values values;
  vole::internal::text_arena arena;
  b.report_allocs();
  while (b.loop()) {
    bench::keep(routes.match("h", "GET", "/v1/users/usr_abc123/portfolio", values, arena));
  }
}

class null_sink final : public internal::output_sink {
 public:
  error send(context const&, std::span<io::bytes_view const> parts) override {
    for (auto const part : parts) bytes += part.size();
    return nullptr;
  }
  result<hijacked> hijack() override { return hijacked_connection; }
  bool closing() const override { return false; }
  std::size_t bytes = 0;
};

VOLE_BENCH(http_response_small) {
  null_sink sink;
  internal::response_stream res;
  b.report_allocs();
  while (b.loop()) {
    res.begin(sink, false, 1, true);
    reply(res, status::ok, "Hello, World!\n");
    bench::keep(res.finish());
    bench::keep(res.send_pending());
  }
  bench::keep(sink.bytes);
}

VOLE_BENCH(http_chunk_decode) {
  std::string text;
  for (int i = 0; i < 64; ++i) text += "400\r\n" + std::string(1024, 'x') + "\r\n";
  text += "0\r\n\r\n";
  internal::chunk_decoder decoder;
  b.set_bytes(static_cast<std::int64_t>(text.size()));
  while (b.loop()) {
    decoder.reset();
    std::string_view rest = text;
    for (;;) {
      auto const piece = decoder.next(rest);
      rest.remove_prefix(piece.consumed);
      if (piece.what != internal::chunk_decoder::step::data) break;
    }
  }
}

// One keep-alive connection over an in-memory pipe: everything of the server but the kernel.
VOLE_BENCH(http_server_round_trip) {
  mux m;
  m.handle("GET /v1/prices",
           [](response_writer& res, request&) { reply(res, status::ok, "Hello, World!\n"); });
  test::memory_server server(m);
  raw_client c(server.connect());
  b.report_allocs();
  while (b.loop()) {
    c.send(small_head);
    c.response();
  }
}

VOLE_BENCH(http_client_round_trip) {
  test::memory_server server(
      [](response_writer& res, request&) { reply(res, status::ok, "Hello, World!\n"); });
  context const ctx = context::background();
  while (b.loop()) {
    auto res = server.client().get(ctx, "http://a/");
    if (!res) return b.fail("{}", res.error());
    bench::keep(res->read_all(ctx));
  }
}

}  // namespace
}  // namespace vole::http
