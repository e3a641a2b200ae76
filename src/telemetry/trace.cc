// SPDX-License-Identifier: Apache-2.0
// No shared state but the process key of the ids, written once.
#include "vole/trace.h"

#include <cstring>
#include <span>
#include <sys/random.h>
#include <utility>
#include <vector>

#include "vole/internal/format.h"

#include "base/rand.h"
#include "telemetry/encode.h"
#include "telemetry/scope.h"

namespace vole::trace {
namespace {

constexpr std::size_t members_max = 32;
constexpr std::size_t state_bytes_max = 512;        // what everybody must pass on, at least
constexpr std::size_t long_member_bytes_min = 129;  // such members are left out first
constexpr std::size_t traceparent_bytes = 55;

std::string to_hex(std::span<std::uint8_t const> bytes) {
  internal::line_buffer out;
  internal::append_hex(out, bytes);
  return fmt::to_string(out);
}

// The value of a lower-case hex digit, or -1: the standard allows no capitals.
int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

error read_hex(std::string_view text, std::size_t at, std::span<std::uint8_t> to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    int const high = digit_of(text[at + 2 * i]);
    int const low = digit_of(text[at + 2 * i + 1]);
    if (high < 0 || low < 0) {
      return errors::make("traceparent: byte {} is not a lower-case hex digit",
                          at + 2 * i + (high < 0 ? 0 : 1));
    }
    to[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return nullptr;
}

error read_dash(std::string_view text, std::size_t at) {
  if (text[at] == '-') return nullptr;
  return errors::make("traceparent: byte {} is not '-'", at);
}

bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_key_rest(std::string_view text) noexcept {
  for (char const c : text) {
    if (!is_lower(c) && !is_digit(c) && c != '_' && c != '-' && c != '*' && c != '/') return false;
  }
  return true;
}

// simple-key, or tenant-id "@" system-id.
bool is_key(std::string_view key) noexcept {
  auto const at = key.find('@');
  if (at == std::string_view::npos) {
    return !key.empty() && key.size() <= 256 && is_lower(key[0]) && is_key_rest(key.substr(1));
  }
  auto const tenant = key.substr(0, at);
  auto const system = key.substr(at + 1);
  return !tenant.empty() && tenant.size() <= 241 && (is_lower(tenant[0]) || is_digit(tenant[0])) &&
         is_key_rest(tenant.substr(1)) && !system.empty() && system.size() <= 14 &&
         is_lower(system[0]) && is_key_rest(system.substr(1));
}

// Printable ASCII without ',' and '='; no blank at the end.
bool is_value(std::string_view value) noexcept {
  if (value.empty() || value.size() > 256 || value.back() == ' ') return false;
  for (char const c : value) {
    if (c < 0x20 || c > 0x7e || c == ',' || c == '=') return false;
  }
  return true;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

struct member {
  std::string_view key;
  std::string_view whole;  // "key=value"
};

result<std::vector<member>> read_members(std::string_view text) {
  std::vector<member> members;
  while (!text.empty()) {
    auto const comma = text.find(',');
    auto const whole = trim(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    if (whole.empty()) continue;
    auto const number = members.size() + 1;
    if (number > members_max) return errors::make("tracestate: more than {} members", members_max);
    auto const equals = whole.find('=');
    if (equals == std::string_view::npos)
      return errors::make("tracestate: member {} has no '='", number);
    auto const key = whole.substr(0, equals);
    if (!is_key(key)) return errors::make("tracestate: member {} has a malformed key", number);
    if (!is_value(whole.substr(equals + 1)))
      return errors::make("tracestate: member {} has a malformed value", number);
    for (auto const& earlier : members) {
      if (earlier.key == key)
        return errors::make("tracestate: member {} repeats the key {}", number, key);
    }
    members.push_back({key, whole});
  }
  return members;
}

// shorten leaves members out until the list has at most state_bytes_max characters: first the long
// ones, the last of them first, then whatever stands last.
void shorten(std::vector<member>& members) {
  std::size_t bytes = 0;
  for (auto const& m : members) bytes += m.whole.size() + 1;
  auto const fits = [&] { return bytes <= state_bytes_max + 1; };  // no comma behind the last one
  for (std::size_t i = members.size(); i-- > 0 && !fits();) {
    if (members[i].whole.size() < long_member_bytes_min) continue;
    bytes -= members[i].whole.size() + 1;
    members.erase(members.begin() + static_cast<std::ptrdiff_t>(i));
  }
  while (!fits()) {
    bytes -= members.back().whole.size() + 1;
    members.pop_back();
  }
}

std::string join_members(std::vector<member> members) {
  shorten(members);
  std::string out;
  for (auto const& m : members) {
    if (!out.empty()) out += ',';
    out += m.whole;
  }
  return out;
}

// The generator of a thread has 64 bits of state; xor with a key of the process makes ids of two
// processes differ even where their generators meet.
struct id_key {
  std::uint64_t words[2];
};

id_key const& process_key() {
  static id_key const key = [] {
    id_key made{{internal::fast_rand(), internal::fast_rand()}};
    id_key random;
    if (::getrandom(&random, sizeof random, GRND_NONBLOCK) == sizeof random) made = random;
    return made;
  }();
  return key;
}

template <class Id>
Id new_id() {
  static_assert(sizeof(Id) == 8 || sizeof(Id) == 16);
  Id made;
  do {
    for (std::size_t i = 0; i < sizeof(Id) / 8; ++i) {
      std::uint64_t const word = internal::fast_rand() ^ process_key().words[i];
      std::memcpy(made.bytes.data() + 8 * i, &word, sizeof word);
    }
  } while (!made.valid());
  return made;
}

}  // namespace

std::string trace_id::hex() const {
  return to_hex(bytes);
}
std::string span_id::hex() const {
  return to_hex(bytes);
}

result<span_context> parse_traceparent(std::string_view text) {
  if (text.size() < traceparent_bytes) {
    return errors::make("traceparent: {} bytes, want at least {}", text.size(), traceparent_bytes);
  }
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  span_context span;
  if (auto err = read_hex(text, 0, version)) return err;
  if (version[0] == 0xff) return errors::make("traceparent: version ff is forbidden");
  if (version[0] == 0 && text.size() != traceparent_bytes) {
    return errors::make("traceparent: {} bytes, want {} in version 00", text.size(),
                        traceparent_bytes);
  }
  if (auto err = read_dash(text, 2)) return err;
  if (auto err = read_hex(text, 3, span.trace.bytes)) return err;
  if (auto err = read_dash(text, 35)) return err;
  if (auto err = read_hex(text, 36, span.span.bytes)) return err;
  if (auto err = read_dash(text, 52)) return err;
  if (auto err = read_hex(text, 53, flags)) return err;
  if (text.size() > traceparent_bytes) {
    if (auto err = read_dash(text, traceparent_bytes)) return err;
  }
  if (!span.trace.valid()) return errors::make("traceparent: the trace id is all zero");
  if (!span.span.valid()) return errors::make("traceparent: the parent id is all zero");
  span.flags =
      flags[0] & span_context::sampled_flag;  // the others are reserved and must be sent as zero
  return span;
}

std::string format_traceparent(span_context const& span) {
  return fmt::format("00-{}-{}-{:02x}", span.trace.hex(), span.span.hex(), span.flags);
}

result<std::string> parse_tracestate(std::string_view text) {
  auto members = read_members(text);
  if (!members) return members.error();
  return join_members(*std::move(members));
}

result<std::string> with_member(std::string_view state, std::string_view key,
                                std::string_view value) {
  if (!is_key(key)) return errors::make("tracestate: malformed key {:?}", key);
  if (!is_value(value)) return errors::make("tracestate: malformed value for the key {}", key);
  auto members = read_members(state);
  if (!members) return members.error();
  std::erase_if(*members, [&](member const& m) { return m.key == key; });
  if (members->size() == members_max) members->pop_back();
  std::string const added = fmt::format("{}={}", key, value);
  members->insert(members->begin(), member{key, added});
  return join_members(*std::move(members));
}

span_context extract(std::span<std::string_view const> traceparents,
                     std::span<std::string_view const> tracestates) {
  if (traceparents.size() != 1) return {};
  auto span = parse_traceparent(traceparents[0]);
  if (!span) return {};
  std::string const all = fmt::format("{}", fmt::join(tracestates, ","));
  if (auto state = parse_tracestate(all)) span->state = *std::move(state);
  return *std::move(span);
}

span_context extract(std::string_view traceparent, std::string_view tracestate) {
  return extract(std::span(&traceparent, 1), std::span(&tracestate, 1));
}

trace_id new_trace_id() {
  return new_id<trace_id>();
}
span_id new_span_id() {
  return new_id<span_id>();
}

span_context start_span(span_context const& parent) {
  span_context made =
      parent.valid() ? parent
                     : span_context{.trace = new_trace_id(), .span = {}, .flags = 0, .state = {}};
  made.span = new_span_id();
  return made;
}

context with_span(context const& parent, span_context span) {
  auto const* outer = internal::scope_of(parent);
  return internal::with_scope(
      parent, {outer == nullptr ? std::string() : outer->request_id, std::move(span)});
}

span_context const* from_context(context const& ctx) noexcept {
  auto const* scope = internal::scope_of(ctx);
  return scope != nullptr && scope->span.valid() ? &scope->span : nullptr;
}

}  // namespace vole::trace
