// SPDX-License-Identifier: Apache-2.0
//
// Profiles as text. No shared state.
// Source: Go runtime/pprof (writeHeapInternal, writeProfileInternal); pprof's legacy_profile.go.
// Differs: heap values are unsampled already, so the rate behind them is 1; the numbers at the end
// are those of glibc's malloc, as far as it is used.

#include "pprof/text.h"

#include <algorithm>
#include <iterator>
#include <malloc.h>
#include <sys/resource.h>
#include <utility>
#include <vector>

#include "vole/go.h"
#include "vole/internal/format.h"

#include "pprof/counted_text.h"
#include "pprof/goroutine.h"
#include "pprof/source.h"

namespace vole::pprof {
namespace {

// Text holds return addresses: its readers take one off. They would name the creator as a caller,
// so it is left out.
std::vector<std::uintptr_t> return_addresses(stack_sample const& s) {
  std::vector<std::uintptr_t> pcs = s.pcs;
  std::erase_if(pcs, [](std::uintptr_t pc) { return (pc & creator_bit) != 0; });
  for (std::uintptr_t& pc : pcs) ++pc;
  return pcs;
}

void append_stack_of(std::string& to, stack_sample const& s, leading_frames leading) {
  auto const pcs = return_addresses(s);
  for (std::uintptr_t const pc : pcs) fmt::format_to(std::back_inserter(to), " {:#x}", pc);
  to += '\n';
  append_stack(to, pcs, leading);
  to += '\n';
}

// sorted orders the samples by less(values, values), equal ones by their stacks.
template <class Less>
std::vector<stack_sample const*> sorted(profile_data const& data, Less less) {
  std::vector<stack_sample const*> order;
  for (stack_sample const& s : data.samples) order.push_back(&s);
  std::sort(order.begin(), order.end(), [&](stack_sample const* a, stack_sample const* b) {
    if (less(a->values, b->values)) return true;
    return !less(b->values, a->values) && a->pcs < b->pcs;
  });
  return order;
}

using values = std::vector<std::int64_t>;

// Where the values of a heap profile stand in profile.proto.
enum heap_value { alloc_objects, alloc_bytes, inuse_objects, inuse_bytes, heap_values };

void append_heap_values(std::string& to, values const& v) {
  fmt::format_to(std::back_inserter(to), "{}: {} [{}: {}] @", v[inuse_objects], v[inuse_bytes],
                 v[alloc_objects], v[alloc_bytes]);
}

void append_memory(std::string& to) {
  auto const add = [&to](std::string_view name, std::size_t value) {
    fmt::format_to(std::back_inserter(to), "# {} = {}\n", name, value);
  };
  to += "\n# runtime.MemStats\n";
  struct mallinfo2 const heap = mallinfo2();
  if (std::size_t const inuse = heap.uordblks + heap.hblkhd; inuse != 0) {
    add("Alloc", inuse);
    add("Sys", heap.arena + heap.hblkhd);
    add("HeapIdle", heap.fordblks);
  }
  rusage used{};
  constexpr std::size_t unit_bytes = 1024;
  if (getrusage(RUSAGE_SELF, &used) == 0) {
    add("MaxRSS", static_cast<std::size_t>(used.ru_maxrss) * unit_bytes);
  }
}

std::string heap_text(profile_data const& data) {
  values total(heap_values);
  for (stack_sample const& s : data.samples) {
    for (std::size_t i = 0; i < heap_values; ++i) total[i] += s.values[i];
  }
  // Equal totals would tell the reader that there are two columns only.
  if (total[alloc_bytes] == total[inuse_bytes]) ++total[alloc_bytes];
  std::string text = "heap profile: ";
  append_heap_values(text, total);
  text += " heap/2\n";  // readers halve it: a rate of 1, nothing to be multiplied up
  for (std::string const& comment : data.comments) text += "# " + comment + '\n';
  auto const less = [](values const& a, values const& b) {
    return a[inuse_bytes] < b[inuse_bytes];
  };
  for (stack_sample const* const s : sorted(data, less)) {
    append_heap_values(text, s->values);
    append_stack_of(text, *s, leading_frames::hide_allocators);
  }
  append_memory(text);
  return text;
}

std::string contention_text(std::string_view name, profile_data const& data) {
  enum { contentions, delay_ns };
  std::string text = fmt::format("--- {}:\n", name == "block" ? "contention" : name);
  text += "cycles/second=1000000000\n";
  if (name == "mutex") text += "sampling period=1\n";
  auto const longer = [](values const& a, values const& b) { return a[delay_ns] > b[delay_ns]; };
  for (stack_sample const* const s : sorted(data, longer)) {
    fmt::format_to(std::back_inserter(text), "{} {} @", s->values[delay_ns],
                   s->values[contentions]);
    append_stack_of(text, *s, leading_frames::show);
  }
  return text;
}

std::string counts_text(std::string_view name, profile_data const& data) {
  std::vector<counted_stack> stacks;
  for (stack_sample const& s : data.samples) {
    stacks.push_back(
        {.pcs = return_addresses(s), .count = s.values[0], .labels = json_object(s.labels)});
  }
  return to_text(name, std::move(stacks));
}

}  // namespace

std::string text_of(std::string_view name, profile_data const& data) {
  if (data.sample_types.size() == heap_values) return heap_text(data);
  if (data.sample_types[0].type == "contentions") return contention_text(name, data);
  return counts_text(name, data);
}

std::string as_text(profile const& p, int debug) {
  if (debug >= 2 && p.name() == "goroutine") return dump_of_goroutines();
  if (debug >= 2 && p.name() == "goroutineleak") return dump_of_leak_suspects();
  return blocking([&p] { return text_of(p.name(), p.source().collect()); });
}

}  // namespace vole::pprof
