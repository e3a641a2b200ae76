// SPDX-License-Identifier: Apache-2.0
#include "runtime/escaped.h"

#include <cxxabi.h>
#include <exception>
#include <typeinfo>

#include "vole/assert.h"
#include "vole/internal/format.h"

#include "runtime/goroutine.h"
#include "runtime/scheduler.h"

namespace vole::internal {
namespace {

std::terminate_handler terminate_before = nullptr;  // written once, before any goroutine runs

std::string what_is_thrown() {
  if (std::current_exception() == nullptr) return "called std::terminate";
  try {
    throw;
  } catch (std::exception const& e) {
    int status = 0;
    char* const name = abi::__cxa_demangle(typeid(e).name(), nullptr, nullptr, &status);
    return fmt::format("ended by an exception {}: {}", name == nullptr ? typeid(e).name() : name,
                       e.what());
  } catch (...) {
    return "ended by an exception that is no std::exception";
  }
}

[[noreturn]] void terminated() {
  if (goroutine const* const self = current_goroutine()) {
    panic(fmt::format("goroutine {} {}", self->id.load(memory_order_relaxed), what_is_thrown()));
  }
  if (terminate_before != nullptr) terminate_before();
  std::abort();
}

}  // namespace

void report_termination() noexcept {
  terminate_before = std::set_terminate(&terminated);
}

[[gnu::noinline]] void run_hooked(goroutine& self) {
  try {
    self.invoke(self.closure);
  } catch (...) {
    self.on_exception(std::current_exception());
  }
}

}  // namespace vole::internal
