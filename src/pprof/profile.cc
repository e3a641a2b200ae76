// SPDX-License-Identifier: Apache-2.0
//
// The writer of profile.proto.
//
// INVARIANTS
//   - Ids of mappings, functions and locations start at 1 and are dense; string 0 is empty.
//   - Every mapping says that its locations have functions, files, lines and inlined calls: so
//     pprof neither looks for the program nor asks /symbol.
//   - A C++ function's name differs from its system_name, which is the linker's or empty: pprof
//     leaves such a name as it is, and would else take "(anonymous namespace)" and template
//     arguments out of it.
// No shared state.
// Source: github.com/google/pprof/proto/profile.proto (field numbers and their meaning).

#include "pprof/profile.h"

#include <algorithm>
#include <limits>
#include <map>
#include <protozero/pbf_writer.hpp>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <zlib.h>

#include "vole/assert.h"

#include "base/utf8.h"
#include "runtime/dump.h"
#include "symbol/modules.h"
#include "symbol/symbolize.h"
#include "symbol/unwind.h"

namespace vole::pprof {

static_assert(left_out_pc == symbol::frames_left_out - 1);

namespace {

// Field numbers of the messages.
namespace profile_field {
enum : protozero::pbf_tag_type {
  sample_type = 1,
  sample = 2,
  mapping = 3,
  location = 4,
  function = 5,
  string_table = 6,
  drop_frames = 7,
  time_nanos = 9,
  duration_nanos = 10,
  period_type = 11,
  period = 12,
  comment = 13,
  default_sample_type = 14,
};
}
namespace value_type_field {
enum : protozero::pbf_tag_type { type = 1, unit = 2 };
}
namespace sample_field {
enum : protozero::pbf_tag_type { location_id = 1, value = 2, label = 3 };
}
namespace label_field {
enum : protozero::pbf_tag_type { key = 1, str = 2, num = 3, num_unit = 4 };
}
namespace mapping_field {
enum : protozero::pbf_tag_type {
  id = 1,
  memory_start = 2,
  memory_limit = 3,
  file_offset = 4,
  filename = 5,
  build_id = 6,
  has_functions = 7,
  has_filenames = 8,
  has_line_numbers = 9,
  has_inline_frames = 10,
};
}
namespace location_field {
enum : protozero::pbf_tag_type { id = 1, mapping_id = 2, address = 3, line = 4 };
}
namespace line_field {
enum : protozero::pbf_tag_type { function_id = 1, line = 2 };
}
namespace function_field {
enum : protozero::pbf_tag_type { id = 1, name = 2, system_name = 3, filename = 4 };
}

class encoder {
 public:
  explicit encoder(profile_data const& data) : data_(data), modules_(symbol::known_modules()) {}

  std::string run() {
    string_id("");
    collect_locations();
    write_types();
    for (stack_sample const& s : data_.samples) write_sample(s);
    write_mappings();
    to_.add_int64(profile_field::time_nanos, std::chrono::duration_cast<std::chrono::nanoseconds>(
                                                 data_.begun.time_since_epoch())
                                                 .count());
    if (data_.lasted.count() != 0) {
      to_.add_int64(profile_field::duration_nanos, data_.lasted.count());
    }
    write_value_type(profile_field::period_type, data_.period_type);
    to_.add_int64(profile_field::period, data_.period);
    if (!data_.drop_frames.empty()) {
      std::int64_t const frames = string_id(data_.drop_frames);
      to_.add_int64(profile_field::drop_frames, frames);
    }
    std::vector<std::int64_t> comments;
    for (std::string const& text : data_.comments) comments.push_back(string_id(text));
    if (!comments.empty()) {
      to_.add_packed_int64(profile_field::comment, comments.begin(), comments.end());
    }
    if (!data_.default_sample_type.empty()) {
      std::int64_t const type = string_id(data_.default_sample_type);
      to_.add_int64(profile_field::default_sample_type, type);
    }
    // Readers may refuse a whole profile for one string that is not UTF-8.
    for (std::string const& text : strings_) {
      auto const good = internal::replace_bad_utf8(text);
      to_.add_string(profile_field::string_table, good ? *good : text);
    }
    return std::move(out_);
  }

 private:
  std::int64_t string_id(std::string_view text) {
    auto const [at, fresh] =
        string_ids_.try_emplace(std::string(text), static_cast<std::int64_t>(strings_.size()));
    if (fresh) strings_.emplace_back(text);
    return at->second;
  }

  void write_value_type(protozero::pbf_tag_type field, value_type const& v) {
    std::int64_t const type = string_id(v.type);
    std::int64_t const unit = string_id(v.unit);
    protozero::pbf_writer message(to_, field);
    message.add_int64(value_type_field::type, type);
    message.add_int64(value_type_field::unit, unit);
  }

  void write_types() {
    for (value_type const& v : data_.sample_types) write_value_type(profile_field::sample_type, v);
  }

  void write_sample(stack_sample const& s) {
    VOLE_ASSERT(s.values.size() == data_.sample_types.size());
    protozero::pbf_writer message(to_, profile_field::sample);
    {
      protozero::packed_field_uint64 ids(message, sample_field::location_id);
      for (std::uintptr_t const pc : s.pcs) ids.add_element(location_ids_.at(pc));
    }
    message.add_packed_int64(sample_field::value, s.values.begin(), s.values.end());
    for (text_label const& l : s.labels) {
      std::int64_t const key = string_id(l.key);
      std::int64_t const value = string_id(l.value);
      protozero::pbf_writer label(message, sample_field::label);
      label.add_int64(label_field::key, key);
      label.add_int64(label_field::str, value);
    }
    for (number_label const& l : s.numbers) {
      std::int64_t const key = string_id(l.key);
      std::int64_t const unit = string_id(l.unit);
      protozero::pbf_writer label(message, sample_field::label);
      label.add_int64(label_field::key, key);
      label.add_int64(label_field::num, l.value);
      label.add_int64(label_field::num_unit, unit);
    }
  }

  // collect_locations names every pc once and writes its location and functions.
  void collect_locations() {
    std::vector<std::uintptr_t> pcs;
    for (stack_sample const& s : data_.samples) {
      for (std::uintptr_t const pc : s.pcs) {
        if (location_ids_.try_emplace(pc, location_ids_.size() + 1).second) pcs.push_back(pc);
      }
    }
    std::vector<std::uintptr_t> calls = pcs;
    for (std::uintptr_t& pc : calls) pc &= ~creator_bit;
    std::vector<symbol::symbolized> const named = symbol::symbolize(calls);
    for (std::size_t i = 0; i < pcs.size(); ++i) {
      if (pcs[i] == lost_samples_pc) {
        write_location(pcs[i], stand_in(lost_samples_name));
      } else if (pcs[i] == left_out_pc) {
        write_location(pcs[i], stand_in(left_out_name));
      } else if (pcs[i] != calls[i]) {
        write_location(pcs[i], creator_frames(named[i].frames));
      } else {
        write_location(pcs[i], named[i].frames);
      }
    }
  }

  static std::vector<symbol::source_frame> stand_in(std::string_view for_what) {
    std::string const name(for_what);
    return {{.function = name, .mangled = name, .file = {}, .line = 0, .inlined = false}};
  }

  static std::vector<symbol::source_frame> creator_frames(
      std::vector<symbol::source_frame> const& frames) {
    symbol::source_frame creator = internal::creator_among(frames);
    creator.function.insert(0, "created by ");
    creator.inlined = false;
    return {creator};
  }

  void write_location(std::uintptr_t pc, std::vector<symbol::source_frame> const& frames) {
    std::vector<std::uint64_t> functions;
    for (symbol::source_frame const& f : frames) functions.push_back(function_id(f));
    protozero::pbf_writer message(to_, profile_field::location);
    message.add_uint64(location_field::id, location_ids_.at(pc));
    std::uintptr_t const address = pc & ~creator_bit;
    if (std::uint64_t const mapping = mapping_id(address); mapping != 0) {
      message.add_uint64(location_field::mapping_id, mapping);
    }
    message.add_uint64(location_field::address, address);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      protozero::pbf_writer line(message, location_field::line);
      line.add_uint64(line_field::function_id, functions[i]);
      if (frames[i].line > 0) line.add_int64(line_field::line, frames[i].line);
    }
  }

  // linker_name is empty where there is none: of an inlined call only what people read is known.
  static std::string linker_name(symbol::source_frame const& f) {
    bool const of_c = f.function.find_first_of(":<(") == std::string::npos;
    return f.mangled == f.function && !of_c ? std::string() : f.mangled;
  }

  // function_id writes the function when it is a new one.
  std::uint64_t function_id(symbol::source_frame const& f) {
    std::string const system = linker_name(f);
    std::string const key = system + '\0' + f.function + '\0' + f.file;
    auto const [at, fresh] = function_ids_.try_emplace(key, function_ids_.size() + 1);
    if (fresh) {
      std::int64_t const name = string_id(f.function);
      std::int64_t const system_name = string_id(system);
      std::int64_t const file = string_id(f.file);
      protozero::pbf_writer message(to_, profile_field::function);
      message.add_uint64(function_field::id, at->second);
      message.add_int64(function_field::name, name);
      message.add_int64(function_field::system_name, system_name);
      message.add_int64(function_field::filename, file);
    }
    return at->second;
  }

  // 0: in no module.
  std::uint64_t mapping_id(std::uintptr_t pc) const {
    for (std::size_t i = 0; i < modules_.size(); ++i) {
      if (pc >= modules_[i].start && pc < modules_[i].end) return i + 1;
    }
    return 0;
  }

  // All modules, used or not, the program first: pprof takes the first for the main binary.
  void write_mappings() {
    for (std::size_t i = 0; i < modules_.size(); ++i) {
      symbol::module const& m = modules_[i];
      std::int64_t const file = string_id(m.path);
      std::int64_t const build_id = string_id(m.build_id);
      protozero::pbf_writer message(to_, profile_field::mapping);
      message.add_uint64(mapping_field::id, i + 1);
      message.add_uint64(mapping_field::memory_start, m.start);
      message.add_uint64(mapping_field::memory_limit, m.end);
      message.add_uint64(mapping_field::file_offset, m.file_offset);
      message.add_int64(mapping_field::filename, file);
      message.add_int64(mapping_field::build_id, build_id);
      message.add_bool(mapping_field::has_functions, true);
      message.add_bool(mapping_field::has_filenames, true);
      message.add_bool(mapping_field::has_line_numbers, true);
      message.add_bool(mapping_field::has_inline_frames, true);
    }
  }

  profile_data const& data_;
  std::vector<symbol::module> const modules_;
  std::string out_;
  protozero::pbf_writer to_{out_};
  std::unordered_map<std::string, std::int64_t> string_ids_;
  std::vector<std::string> strings_;
  std::unordered_map<std::uintptr_t, std::uint64_t> location_ids_;
  std::unordered_map<std::string, std::uint64_t> function_ids_;
};

}  // namespace

std::string encode(profile_data const& data) {
  std::string bytes = encoder(data).run();
  symbol::give_back_symbol_memory();
  return bytes;
}

void subtract(profile_data& from, profile_data const& before) {
  using key =
      std::tuple<std::vector<std::uintptr_t>, std::vector<text_label>, std::vector<number_label>>;
  std::map<key, std::vector<std::int64_t>> sums;
  auto const count = [&](profile_data const& all, int sign) {
    for (stack_sample const& s : all.samples) {
      std::vector<std::int64_t>& sum = sums[{s.pcs, s.labels, s.numbers}];
      sum.resize(s.values.size());
      for (std::size_t i = 0; i < s.values.size(); ++i) sum[i] += sign * s.values[i];
    }
  };
  count(from, 1);
  count(before, -1);
  from.samples.clear();
  for (auto const& [place, values] : sums) {
    if (std::ranges::all_of(values, [](auto v) { return v == 0; })) continue;
    auto const& [pcs, labels, numbers] = place;
    from.samples.push_back({.pcs = pcs, .values = values, .labels = labels, .numbers = numbers});
  }
}

void add_up_equal(profile_data& all) {
  subtract(all, profile_data{});
}

std::string gzip(std::string_view bytes) {
  VOLE_ASSERT(bytes.size() < std::numeric_limits<uInt>::max());
  z_stream stream{};
  constexpr int window_with_gzip_header = 15 + 16;
  int const ready = deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, window_with_gzip_header, 8,
                                 Z_DEFAULT_STRATEGY);
  VOLE_ASSERT(ready == Z_OK, "zlib: {}", ready);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  int const done = deflate(&stream, Z_FINISH);
  VOLE_ASSERT(done == Z_STREAM_END, "zlib: {}", done);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::vector<std::uintptr_t> calls_of(std::span<std::uintptr_t const> return_addresses) {
  if (return_addresses.empty()) return {lost_samples_pc};
  std::vector<std::uintptr_t> calls(return_addresses.begin(), return_addresses.end());
  for (std::uintptr_t& pc : calls) --pc;
  return calls;
}

std::uint64_t hash_stack(std::span<std::uintptr_t const> pcs) noexcept {
  std::uint64_t h = 0xcbf29ce484222325;
  for (std::uintptr_t const pc : pcs) {
    h = (h ^ pc) * 0x9e3779b97f4a7c15;
    h ^= h >> 29;
  }
  return h;
}

std::size_t labelled_stack_hash::operator()(labelled_stack const& at) const noexcept {
  std::uint64_t h = hash_stack(at.pcs);
  for (text_label const& l : at.labels) {
    h = (h ^ std::hash<std::string>{}(l.key)) * 0x9e3779b97f4a7c15;
    h = (h ^ std::hash<std::string>{}(l.value)) * 0x9e3779b97f4a7c15;
  }
  return h;
}

}  // namespace vole::pprof
