// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "vole/trace.h"

using namespace vole;

int main() {
  // [trace]
  auto parent = trace::extract("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "rojo=1");
  auto ctx = trace::with_span(context::background(), trace::start_span(parent));

  auto const* span = trace::from_context(ctx);
  fmt::print("same trace: {}\n", span->trace == parent.trace);
  fmt::print("own span: {}\n", span->span != parent.span);
  fmt::print("to the next hop: {} bytes, tracestate {}\n", trace::format_traceparent(*span).size(),
             *trace::with_member(span->state, "folio", "t61"));

  auto bad = trace::parse_traceparent("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  fmt::print("{}\n", bad.error().message());
  // [trace]
}

// Output:
// same trace: true
// own span: true
// to the next hop: 55 bytes, tracestate folio=t61,rojo=1
// traceparent: byte 4 is not a lower-case hex digit
