// SPDX-License-Identifier: Apache-2.0
// Failures of the system and of other people's code as errors: errno, std::error_code, exceptions.
// No shared state: the errno errors are constant.
#include <array>
#include <cstddef>
#include <cxxabi.h>
#include <exception>
#include <typeinfo>
#include <utility>

#include "vole/errors.h"
#include "vole/internal/format.h"

#include "base/sys_error.h"
#include "errors/walk.h"
#include "symbol/demangle.h"

namespace vole::errors {
namespace {

constexpr std::size_t errno_values = 134;  // EHWPOISON, Linux's last, and one

using errno_node = internal::typed_node<system_error>;

template <class Indices>
struct errno_table;
template <std::size_t... Code>
struct errno_table<std::index_sequence<Code...>> {
  errno_node nodes[sizeof...(Code)] = {
      errno_node(internal::error_node::immortal_bit, static_cast<int>(Code))...};
};

// One immortal error for each errno value, so that the failing path of a system call allocates
// nothing.
constinit errno_table<std::make_index_sequence<errno_values>> const errno_errors;

bool holds_errno(std::error_code const& code) {
  return code.category() == std::system_category() || code.category() == std::generic_category();
}

// caught_type names the type of the exception that the catch block around the call is handling.
std::string caught_type() {
  std::type_info const* const type = abi::__cxa_current_exception_type();
  return type == nullptr ? "foreign type" : symbol::demangle_type(type->name());
}

}  // namespace

std::string exception_error::message() const {
  if (what_text.empty()) return fmt::format("exception of type {}", type_name);
  // A code's text is in what() already.
  bool const told = !cause || as<exception_error>(cause) == nullptr;
  return told ? fmt::format("{}: {}", type_name, what_text)
              : fmt::format("{}: {}: {}", type_name, what_text, cause);
}

std::string system_error::message() const {
  return internal::sys_error_text(code);
}

bool system_error::is(error const& target) const {
  auto const* const other = internal::itself<system_error>(target);
  return other != nullptr && other->code == code;
}

std::string code_error::message() const {
  return fmt::format("{}: {}", code.category().name(), code.message());
}

bool code_error::is(error const& target) const {
  auto const* const other = internal::itself<code_error>(target);
  return other != nullptr && other->code == code;
}

error from_errno(int code) {
  if (code == 0) return nullptr;
  if (code > 0 && static_cast<std::size_t>(code) < errno_values) {
    return error::adopt(&errno_errors.nodes[code]);
  }
  return make_typed<system_error>(code);
}

error from_error_code(std::error_code code) {
  if (!code) return nullptr;
  if (holds_errno(code)) return from_errno(code.value());
  return make_typed<code_error>(code);
}

error from_exception(std::exception_ptr caught) {
  if (caught == nullptr) return nullptr;
  try {
    std::rethrow_exception(caught);
  } catch (std::system_error const& e) {
    return make_typed<exception_error>(caught, caught_type(), e.what(), from_error_code(e.code()));
  } catch (std::exception const& e) {
    auto const* const nested = dynamic_cast<std::nested_exception const*>(&e);
    error cause = nested == nullptr ? nullptr : from_exception(nested->nested_ptr());
    return make_typed<exception_error>(caught, caught_type(), e.what(), std::move(cause));
  } catch (...) {
    return make_typed<exception_error>(caught, caught_type(), "", nullptr);
  }
}

}  // namespace vole::errors
