// SPDX-License-Identifier: Apache-2.0
// op_error: the words of a failed network call. No shared state.

#include <cerrno>
#include <utility>

#include "vole/net.h"

namespace vole::net {

op_error::op_error(operation op_, std::string_view network_, std::string address_, error cause_)
    : op(op_), network(network_), address(std::move(address_)), cause(std::move(cause_)) {}

std::string op_error::message() const {
  std::string_view const why = cause ? ": " : "";
  std::string const text = cause ? cause.message() : std::string();
  switch (op) {
    case operation::dial:
      return fmt::format("connect to {}{}{}", address, why, text);
    case operation::listen:
      return fmt::format("listen {} {}{}{}", network, address, why, text);
    case operation::accept:
      return fmt::format("accept on {}{}{}", address, why, text);
    case operation::read:
      return fmt::format("read from {}{}{}", address, why, text);
    case operation::write:
      return fmt::format("write to {}{}{}", address, why, text);
    case operation::wait:
      return fmt::format("wait for {}{}{}", address, why, text);
    case operation::lookup:
      break;
  }
  return fmt::format("look up {}{}{}", address, why, text);
}

bool op_error::timeout() const {
  return errors::is(cause, timed_out) || errors::is(cause, context::deadline_exceeded) ||
         errors::is(cause, errors::from_errno(ETIMEDOUT));
}

bool is_resource_limit(error const& err) {
  auto const* const failure = errors::as<errors::system_error>(err);
  if (failure == nullptr) return false;
  return failure->code == EMFILE || failure->code == ENFILE || failure->code == ENOBUFS ||
         failure->code == ENOMEM || failure->code == ENOSPC;  // epoll's, of watches
}

}  // namespace vole::net
