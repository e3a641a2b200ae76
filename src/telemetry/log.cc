// SPDX-License-Identifier: Apache-2.0
// INVARIANTS
//   - state and layer are shared by loggers; a layer is immutable, of a state only the level
//     changes (relaxed: a change of level orders nothing).
//   - layer::fixed is formatted text that can be copied into any line behind its message; in JSON
//     it begins with ','.
#include "vole/log.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>

#include "telemetry/encode.h"
#include "telemetry/scope.h"

namespace vole::log {

using internal::append;
using internal::line_buffer;

struct logger::state {
  internal::atomic<std::int8_t> minimum;
  format form;
  std::shared_ptr<sink> to;
  std::function<std::chrono::system_clock::time_point()> clock;
};

struct logger::layer {
  std::string fixed;                 // what with() formatted
  std::string prefix;                // text: the names of all groups, each with a '.'
  std::vector<std::string> pending;  // JSON: groups that have no attribute yet, so are not opened
  std::size_t open = 0;              // JSON: objects that fixed opens
};

namespace {

// put_notes puts what an error brings along besides its text: its attributes and its stack.
template <class Out>
void put_notes(Out& out, attr const& a) {
  if (a.value.kind() != value::kind::error) return;
  vole::error const& err = a.value.as_error();
  if (auto const attrs = errors::attrs_of(err); !attrs.empty()) {
    out.put(attr_group(fmt::format("{}_attrs", a.key), attrs));
  }
  if (auto const frames = errors::stack_of(err); !frames.empty()) {
    out.put({fmt::format("{}_stack", a.key), fmt::format("{}", fmt::join(frames, " < "))});
  }
}

// Attributes in text form: " key=value", each key behind its groups' names.
class text_attrs {
 public:
  text_attrs(line_buffer& to, std::string_view prefix) : to_(to), prefix_(prefix) {}

  void put(attr const& a) {
    if (a.value.kind() == value::kind::group) {
      std::size_t const size = prefix_.size();
      prefix_.append(a.key).push_back('.');
      for (auto const& inner : a.value.as_group()) put(inner);
      prefix_.resize(size);
      return;
    }
    to_.push_back(' ');
    if (prefix_.empty()) {
      internal::append_text_value(to_, a.key);
    } else {
      internal::append_text_value(to_, prefix_ + std::string(a.key));
    }
    to_.push_back('=');
    put_value(a.value);
    put_notes(*this, a);
  }

 private:
  void put_value(value const& v) {
    auto out = fmt::appender(to_);
    switch (v.kind()) {
      case value::kind::null:
        return append(to_, "null");
      case value::kind::boolean:
        return append(to_, v.as_bool() ? "true" : "false");
      case value::kind::int64:
        fmt::format_to(out, "{}", v.as_int64());
        return;
      case value::kind::uint64:
        fmt::format_to(out, "{}", v.as_uint64());
        return;
      case value::kind::float64:
        fmt::format_to(out, "{}", v.as_float64());
        return;
      case value::kind::text:
        return internal::append_text_value(to_, v.as_text());
      case value::kind::duration:
        return internal::append_duration(to_, v.as_duration());
      case value::kind::time:
        return internal::append_time(to_, v.as_time());
      case value::kind::error:
        return put_error(v.as_error());
      case value::kind::any:
        return put_any(v);
      case value::kind::group:
        return;  // put() has taken it
    }
  }
  void put_error(vole::error const& err) {
    if (!err) return append(to_, "null");
    internal::append_text_value(to_, err.message());
  }
  void put_any(value const& v) {
    fmt::memory_buffer printed;
    v.print_any(printed);
    internal::append_text_value(to_, {printed.data(), printed.size()});
  }

  line_buffer& to_;
  std::string prefix_;
};

// Attributes in JSON form: ,"key":value
class json_attrs {
 public:
  explicit json_attrs(line_buffer& to) : to_(to) {}

  void put(attr const& a) {
    if (a.value.kind() == value::kind::group) {
      if (a.value.as_group().empty()) return;
      open(a.key);
      for (auto const& inner : a.value.as_group()) put(inner);
      to_.push_back('}');
      return;
    }
    put_key(a.key);
    put_value(a.value);
    put_notes(*this, a);
  }
  void open(std::string_view name) {
    put_key(name);
    to_.push_back('{');
  }

 private:
  void put_key(std::string_view key) {
    if (to_.size() > 0 && to_[to_.size() - 1] == '{') {
      internal::append_json_string(to_, key);
    } else {
      to_.push_back(',');
      internal::append_json_string(to_, key);
    }
    to_.push_back(':');
  }
  void put_value(value const& v) {
    auto out = fmt::appender(to_);
    switch (v.kind()) {
      case value::kind::null:
        return append(to_, "null");
      case value::kind::boolean:
        return append(to_, v.as_bool() ? "true" : "false");
      case value::kind::int64:
        fmt::format_to(out, "{}", v.as_int64());
        return;
      case value::kind::uint64:
        fmt::format_to(out, "{}", v.as_uint64());
        return;
      case value::kind::float64:
        return put_float(v.as_float64());
      case value::kind::text:
        return internal::append_json_string(to_, v.as_text());
      case value::kind::duration:
        return put_quoted([&](auto& to) { internal::append_duration(to, v.as_duration()); });
      case value::kind::time:
        return put_quoted([&](auto& to) { internal::append_time(to, v.as_time()); });
      case value::kind::error:
        return put_error(v.as_error());
      case value::kind::any:
        return put_any(v);
      case value::kind::group:
        return;  // put() has taken it
    }
  }
  template <class Fn>
  void put_quoted(Fn fn) {
    to_.push_back('"');
    fn(to_);
    to_.push_back('"');
  }
  void put_float(double f) {
    if (std::isfinite(f)) {
      fmt::format_to(fmt::appender(to_), "{}", f);
    } else {
      put_quoted([f](auto& to) {
        fmt::format_to(fmt::appender(to), "{}", f);
      });  // JSON has no number for it
    }
  }
  void put_error(vole::error const& err) {
    if (!err) return append(to_, "null");
    internal::append_json_string(to_, err.message());
  }
  void put_any(value const& v) {
    fmt::memory_buffer printed;
    v.print_any(printed);
    internal::append_json_string(to_, {printed.data(), printed.size()});
  }

  line_buffer& to_;
};

void put_text_head(line_buffer& to, std::chrono::nanoseconds when, level at,
                   std::string_view message, internal::telemetry_scope const* scope) {
  append(to, "time=");
  internal::append_time(to, when);
  append(to, " level=");
  append(to, level_text(at));
  append(to, " msg=");
  internal::append_text_value(to, message);
  if (scope == nullptr) return;
  if (!scope->request_id.empty()) {
    append(to, " request_id=");
    internal::append_text_value(to, scope->request_id);
  }
  if (scope->span.valid()) {
    append(to, " trace_id=");
    internal::append_hex(to, scope->span.trace.bytes);
  }
}

void put_json_head(line_buffer& to, std::chrono::nanoseconds when, level at,
                   std::string_view message, internal::telemetry_scope const* scope) {
  append(to, "{\"time\":\"");
  internal::append_time(to, when);
  append(to, "\",\"level\":\"");
  append(to, level_text(at));
  append(to, "\",\"msg\":");
  internal::append_json_string(to, message);
  if (scope == nullptr) return;
  if (!scope->request_id.empty()) {
    append(to, ",\"request_id\":");
    internal::append_json_string(to, scope->request_id);
  }
  if (scope->span.valid()) {
    append(to, ",\"trace_id\":\"");
    internal::append_hex(to, scope->span.trace.bytes);
    append(to, "\"");
  }
}

struct named_level {
  level value;
  std::string_view name;
};
constexpr named_level levels[] = {
    {level::error, "ERROR"}, {level::warn, "WARN"}, {level::info, "INFO"}, {level::debug, "DEBUG"}};

bool equal_fold(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

}  // namespace

std::string level_text(level l) {
  int const number = static_cast<int>(l);
  for (auto const& named : levels) {
    int const over = number - static_cast<int>(named.value);
    if (over == 0) return std::string(named.name);
    if (over > 0) return fmt::format("{}+{}", named.name, over);
  }
  return fmt::format("DEBUG{}", number - static_cast<int>(level::debug));
}

result<level> parse_level(std::string_view text) {
  auto const sign = text.find_first_of("+-");
  int offset = 0;
  if (sign != std::string_view::npos) {
    auto const digits = text.substr(sign + 1);
    bool const number = !digits.empty() && digits.size() <= 2 &&
                        std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
    if (!number) return errors::make("log level {:?}: want debug, info, warn or error", text);
    for (char const c : digits) offset = offset * 10 + (c - '0');
    if (text[sign] == '-') offset = -offset;
  }
  for (auto const& named : levels) {
    if (equal_fold(text.substr(0, sign), named.name)) {
      return static_cast<level>(static_cast<int>(named.value) + offset);
    }
  }
  return errors::make("log level {:?}: want debug, info, warn or error", text);
}

result<format> parse_format(std::string_view text) {
  if (text == "text") return format::text;
  if (text == "json") return format::json;
  return errors::make("log format {:?}: want text or json", text);
}

logger::logger(options from)
    : state_(new state{static_cast<std::int8_t>(from.minimum), from.form,
                       from.to != nullptr ? std::move(from.to) : to_stderr(),
                       std::move(from.clock)}),
      minimum_(&state_->minimum) {}

logger::logger(std::shared_ptr<state> shared, std::shared_ptr<layer const> on_top) noexcept
    : state_(std::move(shared)), minimum_(&state_->minimum), layer_(std::move(on_top)) {}

void logger::write(context const& ctx, log::level at, std::string_view message,
                   std::span<attr const> attrs) const {
  auto const now = state_->clock ? state_->clock() : std::chrono::system_clock::now();
  auto const* scope = internal::scope_of(ctx);
  line_buffer line;
  if (state_->form == format::text) {
    put_text_head(line, now.time_since_epoch(), at, message, scope);
    if (layer_ != nullptr) append(line, layer_->fixed);
    text_attrs out(line, layer_ != nullptr ? std::string_view(layer_->prefix) : std::string_view());
    for (auto const& a : attrs) out.put(a);
  } else {
    put_json_head(line, now.time_since_epoch(), at, message, scope);
    std::size_t open = 1;
    json_attrs out(line);
    if (layer_ != nullptr) {
      append(line, layer_->fixed);
      open += layer_->open;
      if (!attrs.empty()) {
        for (auto const& name : layer_->pending) out.open(name);
        open += layer_->pending.size();
      }
    }
    for (auto const& a : attrs) out.put(a);
    for (; open > 0; --open) line.push_back('}');
  }
  line.push_back('\n');
  state_->to->write({line.data(), line.size()});
}

logger logger::with(std::initializer_list<attr> attrs) const {
  if (state_ == nullptr || attrs.size() == 0) return *this;
  auto next = std::make_shared<layer>(layer_ != nullptr ? *layer_ : layer());
  line_buffer added;
  if (state_->form == format::text) {
    text_attrs out(added, next->prefix);
    for (auto const& a : attrs) out.put(a);
  } else {
    append(added, next->fixed);  // put() looks at what stands in front of a key
    json_attrs out(added);
    for (auto const& name : next->pending) out.open(name);
    next->open += next->pending.size();
    next->pending.clear();
    for (auto const& a : attrs) out.put(a);
    next->fixed.clear();
  }
  next->fixed.append(added.data(), added.size());
  return logger(state_, std::move(next));
}

logger logger::with_group(std::string_view name) const {
  if (state_ == nullptr || name.empty()) return *this;
  auto next = std::make_shared<layer>(layer_ != nullptr ? *layer_ : layer());
  if (state_->form == format::text) {
    next->prefix.append(name).push_back('.');
  } else {
    next->pending.emplace_back(name);
  }
  return logger(state_, std::move(next));
}

log::level logger::minimum() const noexcept {
  if (minimum_ == nullptr) return level::error;
  return static_cast<log::level>(minimum_->load(internal::memory_order_relaxed));
}

void logger::set_minimum(log::level at) const noexcept {
  if (minimum_ != nullptr)
    minimum_->store(static_cast<std::int8_t>(at), internal::memory_order_relaxed);
}

std::uint64_t logger::lines_lost() const {
  return state_ == nullptr ? 0 : state_->to->lines_lost();
}

context with_request_id(context const& parent, std::string id) {
  auto const* outer = internal::scope_of(parent);
  return internal::with_scope(
      parent, {std::move(id), outer == nullptr ? trace::span_context() : outer->span});
}

std::string_view request_id(context const& ctx) noexcept {
  auto const* scope = internal::scope_of(ctx);
  return scope == nullptr ? std::string_view() : std::string_view(scope->request_id);
}

}  // namespace vole::log
