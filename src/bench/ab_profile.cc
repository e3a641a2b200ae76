// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/ab_profile.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <protozero/pbf_reader.hpp>
#include <span>
#include <zlib.h>

#include "bench/benchfmt.h"

namespace vole::ab {
namespace {

result<std::string> inflated(std::string const& packed) {
  constexpr int gzip_window = 16 + MAX_WBITS;
  constexpr std::size_t bytes_max = std::size_t{1} << 28;
  z_stream stream{};
  if (inflateInit2(&stream, gzip_window) != Z_OK) return errors::make("zlib does not start");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string text;
  std::array<char, 1 << 15> part{};
  int state = Z_OK;
  while (state == Z_OK && text.size() < bytes_max) {
    stream.next_out = reinterpret_cast<Bytef*>(part.data());
    stream.avail_out = part.size();
    state = inflate(&stream, Z_NO_FLUSH);
    text.append(part.data(), part.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END) return errors::make("not in gzip format, or cut off");
  return text;
}

// What of a profile.proto is needed here, as it lies in the file.
struct raw_profile {
  struct sample {
    std::uint64_t leaf = 0;
    std::vector<std::int64_t> values;
  };
  std::vector<std::uint64_t> value_types;  // strings
  std::vector<sample> samples;
  std::map<std::uint64_t, std::uint64_t> functions_of;  // location -> innermost function
  std::map<std::uint64_t, std::uint64_t> names;         // function -> string
  std::vector<std::string> strings;
};

std::uint64_t number_field(protozero::pbf_reader message, std::uint32_t tag) {
  std::uint64_t number = 0;
  while (message.next()) {
    if (message.tag() == tag && message.wire_type() == protozero::pbf_wire_type::varint) {
      number = message.get_uint64();
    } else {
      message.skip();
    }
  }
  return number;
}

// A repeated number is packed, or not.
template <class Take>
void take_numbers(protozero::pbf_reader& message, Take take) {
  if (message.wire_type() == protozero::pbf_wire_type::varint) {
    take(message.get_uint64());
    return;
  }
  for (std::uint64_t const number : message.get_packed_uint64()) take(number);
}

raw_profile::sample read_sample(protozero::pbf_reader message) {
  raw_profile::sample made;
  bool leaf_seen = false;
  while (message.next()) {
    if (message.tag() == 1) {
      take_numbers(message, [&](std::uint64_t location) {
        if (!std::exchange(leaf_seen, true)) made.leaf = location;
      });
    } else if (message.tag() == 2) {
      take_numbers(message, [&](std::uint64_t value) {
        made.values.push_back(static_cast<std::int64_t>(value));
      });
    } else {
      message.skip();
    }
  }
  return made;
}

void read_location(protozero::pbf_reader message, raw_profile& to) {
  std::uint64_t id = 0;
  std::uint64_t function = 0;
  bool innermost_seen = false;
  while (message.next()) {
    if (message.tag() == 1) {
      id = message.get_uint64();
    } else if (message.tag() == 4 && !std::exchange(innermost_seen, true)) {
      function = number_field(message.get_message(), 1);
    } else {
      message.skip();
    }
  }
  to.functions_of[id] = function;
}

raw_profile read_raw(std::string const& text) {
  raw_profile made;
  protozero::pbf_reader profile(text);
  while (profile.next()) {
    switch (profile.tag()) {
      case 1:
        made.value_types.push_back(number_field(profile.get_message(), 1));
        break;
      case 2:
        made.samples.push_back(read_sample(profile.get_message()));
        break;
      case 4:
        read_location(profile.get_message(), made);
        break;
      case 5: {
        auto const function = profile.get_message();
        made.names[number_field(function, 1)] = number_field(function, 2);
        break;
      }
      case 6:
        made.strings.push_back(profile.get_string());
        break;
      default:
        profile.skip();
    }
  }
  return made;
}

std::string string_at(raw_profile const& in, std::uint64_t at) {
  return at < in.strings.size() ? in.strings[at] : "";
}

}  // namespace

result<self_seconds> read_profile(std::string const& path) {
  benchfmt::content const content = benchfmt::read_input(path);
  if (content.open_failure) return content.open_failure;
  if (content.read_failure) return content.read_failure;
  std::string const text = VOLE_TRY(inflated(content.text), "read the profile {}", path);
  raw_profile raw;
  try {
    raw = read_raw(text);
  } catch (std::exception const& bad) {
    return errors::make("read the profile {}: {}", path, bad.what());
  }
  auto const cpu = std::ranges::find_if(
      raw.value_types, [&](std::uint64_t type) { return string_at(raw, type) == "cpu"; });
  if (cpu == raw.value_types.end()) {
    return errors::make("read the profile {}: it holds no processor time", path);
  }
  auto const column = static_cast<std::size_t>(cpu - raw.value_types.begin());
  self_seconds made;
  for (auto const& sample : raw.samples) {
    if (column >= sample.values.size()) continue;
    std::string name = string_at(raw, raw.names[raw.functions_of[sample.leaf]]);
    if (name.empty()) name = "(unknown)";
    made[std::move(name)] += static_cast<double>(sample.values[column]) / 1e9;
  }
  return made;
}

std::vector<growth> grown(self_seconds const& older, double older_operations,
                          self_seconds const& newer, double newer_operations) {
  std::vector<growth> made;
  for (auto const& [function, seconds] : newer) {
    auto const before = older.find(function);
    growth const g{function, before == older.end() ? 0 : before->second / older_operations,
                   seconds / newer_operations};
    if (g.newer > g.older) made.push_back(g);
  }
  std::ranges::stable_sort(made, std::ranges::greater(),
                           [](growth const& g) { return g.newer - g.older; });
  return made;
}

}  // namespace vole::ab
