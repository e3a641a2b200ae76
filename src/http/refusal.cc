// SPDX-License-Identifier: Apache-2.0
#include "http/refusal.h"

#include <array>
#include <chrono>

#include "vole/defer.h"

namespace vole::http {

std::string refused_message::message() const {
  return fmt::format("http: {} (byte {} of the message, answered {})", reason, at, status);
}

}  // namespace vole::http

namespace vole::http::internal {
namespace {

constexpr duration refuse_timeout = std::chrono::milliseconds(100);
constexpr duration linger_timeout = std::chrono::milliseconds(500);
constexpr std::size_t linger_bytes_max = 256 * 1024;

class plain_sink final : public output_sink {
 public:
  explicit plain_sink(net::conn& to) : to_(to) {}
  error send(context const& ctx, std::span<io::bytes_view const> parts) override {
    return to_.writev(ctx, parts);
  }
  result<hijacked> hijack() override {
    return errors::make("http: a connection too many is not to be hijacked");
  }
  bool closing() const override { return true; }

 private:
  net::conn& to_;
};

}  // namespace

bool answer_refused(server_options const& options, response_stream& res,
                    refused_message const& why) {
  bool threw = false;
  try {
    if (options.refusal) options.refusal(res, why);
  } catch (...) {
    threw = true;
    if (!res.restart()) res.abort(errors::make("http: server_options::refusal threw"));
  }
  if (!res.was_hijacked() && !res.started()) reply_error(res, why.status, why.reason);
  return !threw;
}

void turn_away(server_options const& options, net::conn& conn, bool linger) {
  defer closed = [&conn] { static_cast<void>(conn.close()); };
  conn.set_write_deadline(vole::internal::now() + refuse_timeout);
  plain_sink sink(conn);
  response_stream res;
  res.begin(sink, false, 1, false);
  res.header().set("Retry-After", "1");
  refused_message const why(status::service_unavailable, "too many connections", 0,
                            conn.remote_addr().text());
  answer_refused(options, res, why);
  if (res.finish() || res.send_pending() || conn.close_write() || !linger) return;
  conn.set_read_deadline(vole::internal::now() + linger_timeout);
  std::array<std::byte, 1024> dropped;
  for (std::size_t total = 0; total < linger_bytes_max;) {
    auto const got = conn.read(context{}, dropped);
    if (!got || *got == 0) return;
    total += *got;
  }
}

}  // namespace vole::http::internal
