// SPDX-License-Identifier: Apache-2.0
// log: structured lines for machines and people. A logger is a value that is passed on explicitly;
// there is no default one. A line is a time, a level, a message and attributes, as text (key=value)
// or as JSON.
//
//   log::logger logger({.form = log::format::json});
//   logger.info(ctx, "order filled", {{"order_id", order.id}, {"qty_micro", order.qty}});
//   auto feed_log = logger.with({{"component", "feed"}});
//   feed_log.error(ctx, "price feed stopped", {{"error", err}});
//
// INVARIANTS
//   - One line is one write to the sink and holds no line break of its own: every key and value is
//     escaped, so that input cannot forge a line or a field.
//   - request_id and trace_id come from the context of the call, if it carries them.
//   - A secret<T> never prints its content.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/attr.h"
#include "vole/context.h"
#include "vole/errors.h"
#include "vole/internal/annotations.h"
#include "vole/internal/atomic.h"
#include "vole/internal/format.h"
#include "vole/internal/raw_mutex.h"
#include "vole/result.h"

namespace vole::log {

// level is how much a line matters; numbers as in Go's slog, so that others may stand between.
enum class level : std::int8_t { debug = -4, info = 0, warn = 4, error = 8 };

// "DEBUG", "INFO", "WARN", "ERROR"; in between "INFO+2".
std::string level_text(level l);
// parse_level reads "debug", "info", "warn", "error" in any case, also "INFO+2".
result<level> parse_level(std::string_view text);

// What a line carries beside its message: vole/attr.h. An error brings its own attributes as
// "<key>_attrs" and its stack as "<key>_stack".
using attr = vole::attr;
using value = vole::attr_value;
inline attr group(std::string_view name, std::initializer_list<attr> attrs) {
  return attr_group(name, attrs);
}

// sink takes finished lines, each with its line feed.
class sink {
 public:
  virtual ~sink() = default;
  // write puts the whole line out, not mixed with another one. It has nobody to report a failure
  // to: it counts it. Safety:  any goroutine or thread.
  virtual void write(std::string_view line) = 0;
  // lines_lost is how many lines could not be written since the start.
  virtual std::uint64_t lines_lost() const = 0;
};

// to_fd writes each line by one write(2) to the descriptor, which must outlive the sink. Lines of
// one sink never mix; when the reader of a pipe stalls, one goroutine waits in write(2) and the
// others are parked behind it.
std::shared_ptr<sink> to_fd(int fd);
std::shared_ptr<sink> to_stderr();

// memory_sink keeps the lines, for tests.
class memory_sink final : public sink {
 public:
  void write(std::string_view line) override;
  std::uint64_t lines_lost() const override { return 0; }
  std::string text() const;
  std::vector<std::string> lines() const;  // without their line feeds
  void clear();

 private:
  mutable internal::raw_mutex mu_;
  std::string text_ VOLE_GUARDED_BY(mu_);
};

enum class format : std::uint8_t { text, json };
// parse_format reads "text" or "json".
result<format> parse_format(std::string_view text);

struct options {
  format form = format::text;
  level minimum = level::info;
  std::shared_ptr<sink> to = nullptr;  // null: to_stderr()
  // Where the time of a line comes from; null: the system clock. For tests and examples.
  std::function<std::chrono::system_clock::time_point()> clock = nullptr;
};

// logger writes lines to a sink; copies and with() share its level and sink. A default-made one
// discards everything.
// Safety:  any goroutine or thread.
// Cost:    below the level: one load and a branch; else one write(2).
class logger {
 public:
  logger() = default;
  explicit logger(options from);

  bool enabled(log::level at) const noexcept {
    return minimum_ != nullptr &&
           static_cast<std::int8_t>(at) >= minimum_->load(internal::memory_order_relaxed);
  }

  // debug, info, warn, error, log write a line, if its level is enabled.
  // Blocks:  parks while another line is being written to the sink.  Cancels: no.
  // Errors:  none; see sink.
  void debug(context const& ctx, std::string_view message,
             std::initializer_list<attr> attrs = {}) const {
    if (enabled(level::debug)) write(ctx, level::debug, message, attrs);
  }
  void info(context const& ctx, std::string_view message,
            std::initializer_list<attr> attrs = {}) const {
    if (enabled(level::info)) write(ctx, level::info, message, attrs);
  }
  void warn(context const& ctx, std::string_view message,
            std::initializer_list<attr> attrs = {}) const {
    if (enabled(level::warn)) write(ctx, level::warn, message, attrs);
  }
  void error(context const& ctx, std::string_view message,
             std::initializer_list<attr> attrs = {}) const {
    if (enabled(level::error)) write(ctx, level::error, message, attrs);
  }
  void log(context const& ctx, log::level at, std::string_view message,
           std::span<attr const> attrs) const {
    if (enabled(at)) write(ctx, at, message, attrs);
  }

  // with returns a logger whose lines also carry attrs, in front of their own. They are formatted
  // once, here.
  logger with(std::initializer_list<attr> attrs) const;
  // with_group returns a logger that puts all further attributes under name.
  logger with_group(std::string_view name) const;

  // The level below which nothing is written, of this logger and of all that share it; may change
  // at any time.
  log::level minimum() const noexcept;
  void set_minimum(log::level at) const noexcept;
  // lines_lost is the sink's.
  std::uint64_t lines_lost() const;

 private:
  struct state;
  struct layer;

  logger(std::shared_ptr<state> shared, std::shared_ptr<layer const> on_top) noexcept;
  void write(context const& ctx, log::level at, std::string_view message,
             std::span<attr const> attrs) const;

  std::shared_ptr<state> state_;                      // null: discards
  internal::atomic<std::int8_t>* minimum_ = nullptr;  // inside *state_
  std::shared_ptr<layer const> layer_;  // what with() and with_group() added; null: nothing
};

// with_request_id returns a context whose lines carry request_id; request_id finds it, or "".
// The view is good while ctx lives.
context with_request_id(context const& parent, std::string id);
std::string_view request_id(context const& ctx) noexcept;

}  // namespace vole::log
