// SPDX-License-Identifier: Apache-2.0
// A debug check: context::background() below a request handler is work that no cancel reaches.
// It is process-wide, as background() is: once switched on it stays on, and the last logger given
// is told.
//
// INVARIANTS  serving holds the requests whose handlers run now; a request's goroutines carry its
//   number in the profile label request_label, which those they start inherit.
// LOCKS  one, a leaf, which guards the table, the places told of and the logger; no line is written
//   under it.
#pragma once

#include <cstdint>
#include <optional>

#include "vole/http.h"
#include "vole/log.h"
#include "vole/pprof.h"

namespace vole::service {

// report_backgrounds switches the check on.
void report_backgrounds(log::logger to);

// serving_request is a handler at work. Without the check it does nothing.
class serving_request {
 public:
  serving_request(http::request& req, bool checked);
  ~serving_request();
  serving_request(serving_request const&) = delete;
  serving_request& operator=(serving_request const&) = delete;

 private:
  std::uint64_t number_ = 0;  // 0: not checked
  std::optional<pprof::label_scope> label_;
};

}  // namespace vole::service
