// SPDX-License-Identifier: Apache-2.0
// A failing schedule in words: docs/internals/model.md says how to read it.

#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include "engine.h"

namespace vole::model {
namespace {

char const* to_text(op action) noexcept {
  switch (action) {
    case op::load:
      return "load";
    case op::store:
      return "store";
    case op::exchange:
      return "exchange";
    case op::compare_exchange:
      return "compare_exchange";
    case op::fetch_add:
      return "fetch_add";
    case op::fetch_sub:
      return "fetch_sub";
    case op::fetch_and:
      return "fetch_and";
    case op::fetch_or:
      return "fetch_or";
    case op::fetch_xor:
      return "fetch_xor";
    case op::fence:
      return "fence";
    case op::wait:
      return "futex_wait";
    case op::wake:
      return "futex_wake";
  }
  return "?";
}

char const* to_text(memory_order order) noexcept {
  static constexpr char const* names[] = {"relaxed", "consume", "acquire",
                                          "release", "acq_rel", "seq_cst"};
  return names[static_cast<int>(order)];
}

// "run_queue.h:95 push" of a place in the source.
std::string short_place(std::source_location const& where) {
  if (where.line() == 0) return "";
  char const* file = where.file_name();
  if (char const* const slash = std::strrchr(file, '/')) file = slash + 1;
  std::string function = where.function_name();
  function.resize(std::min(function.find('('), function.size()));
  std::size_t const from = function.find_last_of(": >") + 1;
  return fmt::format("{}:{} {}", file, where.line(), function.substr(from));
}

}  // namespace

// "name" or, where there is none in the dynamic table, what addr2line takes.
std::string engine::symbol_of(void const* pc) {
  Dl_info info{};
  if (::dladdr(pc, &info) == 0) return fmt::format("{}", pc);
  if (info.dli_sname == nullptr) {
    return fmt::format("{:#x}",
                       static_cast<char const*>(pc) - static_cast<char const*>(info.dli_fbase));
  }
  int status = 0;
  char* const plain = abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status);
  std::string text = plain == nullptr ? info.dli_sname : plain;
  std::free(plain);
  return text;
}

std::string engine::place_of(void const* at) {
  auto const* const byte = static_cast<char const*>(at);
  for (auto n = names_.rbegin(); n != names_.rend(); ++n) {
    if (byte < n->low || byte >= n->low + n->bytes) continue;
    auto const offset = byte - n->low;
    return offset == 0 ? std::string(n->text) : fmt::format("{}+{}", n->text, offset);
  }
  for (int i = 0; i < used_; ++i) {
    model_thread const& t = thread_at(i);
    if (byte >= t.stack.data() && byte < t.stack.data() + t.stack.size()) {
      return fmt::format("stack of {}-{}", i, t.stack.data() + t.stack.size() - byte);
    }
  }
  return fmt::format("{}", at);
}

std::string engine::blocked_threads() {
  std::string text;
  for (int i = 0; i < used_; ++i) {
    model_thread const& t = thread_at(i);
    char const* how = "";
    switch (t.state) {
      case thread_state::suspended:
        how = "is parked";
        break;
      case thread_state::asleep:
        how = "sleeps in a futex";
        break;
      case thread_state::joining:
        how = "waits for the end of all";
        break;
      case thread_state::yielded:
        how = "spins";
        break;
      default:
        continue;
    }
    text += fmt::format("; {} ({}) {}", i, t.name, how);
  }
  return text;
}

std::string engine::written(step const& s, std::size_t number) {
  std::string text = fmt::format("{:4}  {} {:<12.12} ", number, s.thread, thread_at(s.thread).name);
  if (s.kind == step::what::note) {
    text += fmt::format("-- {}", s.text);
    if (s.other >= 0) text += fmt::format(" {} ({})", s.other, thread_at(s.other).name);
    if (s.where.line() != 0) text += fmt::format("   [{}]", short_place(s.where));
    return text + "\n";
  }
  std::string const what = fmt::format("{} {}", to_text(s.action), to_text(s.order));
  text += fmt::format("{:<38.38} {:<26} ", short_place(s.where), what);
  if (s.action != op::fence) {
    text += place_of(memory_.address_of(s.location));
    text += fmt::format(": {:#x}", s.before);
    bool const changes = s.action != op::load && s.action != op::wait && !s.failed;
    if (changes) text += fmt::format(" -> {:#x}", s.after);
    if (s.failed) text += fmt::format(" is not {:#x}", s.after);
  }
  if (s.stale) text += fmt::format("  STALE, the last is {:#x}", s.latest);
  if (s.faulty) text += "  FAULT SEEDED HERE";
  return text + "\n";
}

std::string engine::written_schedule() {
  constexpr std::size_t alone_max = 10;  // of what main does by itself, before and after
  constexpr std::size_t shown_max = 600;
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < trace_.size(); ++i) {
    if (!trace_[i].alone || i < alone_max || i + alone_max >= trace_.size()) shown.push_back(i);
  }
  std::size_t const from = shown.size() > shown_max ? shown.size() - shown_max : 0;
  std::string text;
  std::size_t next = 0;
  for (std::size_t k = from; k < shown.size(); ++k) {
    if (shown[k] != next) text += "      ...\n";
    text += written(trace_[shown[k]], shown[k]);
    next = shown[k] + 1;
  }
  return text;
}

}  // namespace vole::model
