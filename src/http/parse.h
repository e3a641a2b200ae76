// SPDX-License-Identifier: Apache-2.0
// The head parser: start line and fields of HTTP/1 messages, and the trailers of chunked bodies.
// It does no I/O and copies nothing; it goes on where it stopped, so however the bytes are cut, it
// looks at each once. No shared state.
//
// There is no lenient mode. Refused, for requests and responses alike: bare CR, bare LF, NUL and
// other control characters, folded lines, white space around a field name, empty names, anything
// but one space between the parts of the start line, empty lines in front of it.
//
// INVARIANTS
//  - parse() is given the same bytes again, with more behind them. Results are places in them, so
//    the buffer may move between the calls.
//  - Limits are counted while bytes come in: nobody can make the owner buffer more than
//    line_bytes_max + header_bytes_max before it is told to stop.
// Source: RFC 9112 sections 2 to 5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace vole::http::internal {

struct parse_limits {
  std::size_t line_bytes_max = 8 * 1024;
  std::size_t header_bytes_max = 64 * 1024;
  std::size_t header_fields_max = 100;
};

// A place in the parsed bytes.
struct text_place {
  std::uint32_t at = 0;
  std::uint32_t size = 0;

  std::string_view in(std::string_view bytes) const { return bytes.substr(at, size); }
};

struct field_place {
  text_place name;
  text_place value;
};

// parse_failure says what is wrong with a message, where, and which status says so to the sender.
struct parse_failure {
  int status = 400;
  char const* what = "";  // static text: "bare LF in a field value"
  std::size_t at = 0;     // the place in the message
};

enum class parse_state : std::uint8_t { more, done, failed };
enum class head_kind : std::uint8_t { request, response, trailer };

class head_parser {
 public:
  explicit head_parser(head_kind kind, parse_limits const& limits = {});

  // reset makes it ready for another head; it keeps its memory.
  void reset();

  // parse looks at what is new in bytes, which start with the head's first byte.
  // more: the head is not complete; done: size() bytes of head; failed: failure() says why, and the
  // connection has no future.
  [[nodiscard]] parse_state parse(std::string_view bytes);

  // When done:
  std::size_t size() const { return at_; }
  text_place method() const { return method_; }
  text_place target() const { return target_; }
  int version_minor() const { return version_minor_; }
  int status() const { return status_; }
  text_place reason() const { return reason_; }
  std::span<field_place const> fields() const { return fields_; }

  parse_failure const& failure() const { return failure_; }
  // started: some bytes of a head have been seen.
  bool started() const { return at_ > 0 || step_ != first_step(); }

 private:
  enum class step : std::uint8_t {
    method,
    target,
    version,
    status,
    reason,
    field,
    name,
    value,
    done,
    failed
  };
  enum class outcome : std::uint8_t { next, wait, end };

  step first_step() const;
  outcome take_method(std::string_view in);
  outcome take_target(std::string_view in);
  outcome take_version(std::string_view in);
  outcome take_status(std::string_view in);
  outcome take_reason(std::string_view in);
  outcome take_field(std::string_view in);
  outcome take_name(std::string_view in);
  outcome take_value(std::string_view in);
  outcome go(step to, std::size_t consumed);
  outcome fail(int status, char const* what);
  bool line_too_long() const { return at_ > limits_.line_bytes_max; }
  bool header_too_large() const { return at_ - header_at_ > limits_.header_bytes_max; }

  head_kind kind_;
  step step_;
  parse_limits limits_;
  std::size_t at_ = 0;         // everything before it has been looked at
  std::size_t mark_ = 0;       // where the part under way began
  std::size_t header_at_ = 0;  // where the fields began
  text_place method_;
  text_place target_;
  text_place reason_;
  text_place name_;
  int version_minor_ = 0;
  int status_ = 0;
  std::vector<field_place> fields_;
  parse_failure failure_;
};

}  // namespace vole::http::internal
