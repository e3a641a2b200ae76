// SPDX-License-Identifier: Apache-2.0
#pragma once
// A profile in memory and its form as profile.proto. No shared state.

#include <chrono>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vole::pprof {

struct value_type {
  std::string_view type;  // "cpu"
  std::string_view unit;  // "nanoseconds"
};

struct text_label {
  std::string key;
  std::string value;

  auto operator<=>(text_label const&) const = default;
};

struct number_label {
  std::string_view key;  // static text
  std::int64_t value = 0;
  std::string_view unit;  // static text

  auto operator<=>(number_label const&) const = default;
};

// One stack with its values. The pcs are leaf first, each inside the call it stands for (a return
// address minus one).
struct stack_sample {
  std::vector<std::uintptr_t> pcs;
  std::vector<std::int64_t> values;  // one for each of profile_data::sample_types
  std::vector<text_label> labels;    // at most one value for a key
  std::vector<number_label> numbers = {};
};

struct profile_data {
  std::vector<value_type> sample_types;
  value_type period_type;
  std::int64_t period = 0;
  std::chrono::system_clock::time_point begun;
  std::chrono::nanoseconds lasted{0};  // 0: a moment
  std::vector<stack_sample> samples;
  std::string_view default_sample_type = {};  // what pprof shows first; empty: the last
  // A regular expression of functions that pprof hides at the end of a stack, with all they call.
  std::string_view drop_frames = {};
  // What whoever reads the values must know: pprof -comments shows them.
  std::vector<std::string> comments = {};
};

// A pc that stands for "samples were lost here"; shown under Go's name for that.
inline constexpr std::uintptr_t lost_samples_pc = 1;
inline constexpr std::string_view lost_samples_name = "runtime/pprof.lostProfileEvent";

// A pc that stands for the middle of a stack that is too deep: symbol::frames_left_out, moved as
// return addresses are.
inline constexpr std::uintptr_t left_out_pc = 2;
inline constexpr std::string_view left_out_name = "[frames left out]";

// creator_pc stands, at the end of a goroutine's stack, for the go() that started it: pprof shows
// "created by" and the function that called it. created_by is where that go() returned to.
inline constexpr std::uintptr_t creator_bit = std::uintptr_t{1} << 63;  // no pc has it
constexpr std::uintptr_t creator_pc(std::uintptr_t created_by) noexcept {
  return (created_by - 1) | creator_bit;
}

// encode symbolizes the pcs and writes profile.proto.
// Blocks: the thread, while symbols are read: call it inside blocking().
std::string encode(profile_data const& data);

// subtract takes the values of `before`, a profile of the same kind, from those of `from` that have
// the same stack and labels; what stands at zero then is left out.
void subtract(profile_data& from, profile_data const& before);

// add_up_equal makes one sample of those that have the same stack and labels: goroutines may have
// equal labels without sharing a set, as requests do.
void add_up_equal(profile_data& all);

// gzip compresses, fast rather than small.
std::string gzip(std::string_view bytes);

// labelled_stack is what a capture counts by. Equal labels are one, whosever set they are: a long
// capture does not grow by the goroutines that it saw.
struct labelled_stack {
  std::vector<std::uintptr_t> pcs;
  std::vector<text_label> labels;

  bool operator==(labelled_stack const&) const = default;
};
struct labelled_stack_hash {
  std::size_t operator()(labelled_stack const& at) const noexcept;
};

// labels_of is what a goroutine's labels_id means, or meant lately.
std::vector<text_label> labels_of(std::uint64_t id);

// calls_of moves return addresses into the calls that they belong to; lost_samples_pc where there
// are none, since a sample without any is malformed to pprof's readers of text.
std::vector<std::uintptr_t> calls_of(std::span<std::uintptr_t const> return_addresses);

// hash_stack is a hash of a stack, for tables of stacks.
std::uint64_t hash_stack(std::span<std::uintptr_t const> pcs) noexcept;

}  // namespace vole::pprof
