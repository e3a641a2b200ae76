// SPDX-License-Identifier: Apache-2.0
#pragma once
// A reader of profile.proto for tests, as strict as pprof's own. No shared state.

#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <protozero/pbf_reader.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <zlib.h>

namespace vole::pprof {

inline std::string gunzip(std::string_view packed) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out;
  char piece[1 << 16];
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  int status = Z_OK;
  while (status == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    status = inflate(&stream, Z_NO_FLUSH);
    out.append(piece, sizeof piece - stream.avail_out);
  }
  EXPECT_EQ(status, Z_STREAM_END);
  inflateEnd(&stream);
  return out;
}

struct read_function {
  std::int64_t name = 0;
  std::int64_t system_name = 0;
  std::int64_t file = 0;
};
struct read_location {
  std::uint64_t mapping = 0;
  std::uint64_t address = 0;
  std::vector<std::pair<std::uint64_t, std::int64_t>> lines;
};
struct read_mapping {
  std::uint64_t start = 0;
  std::uint64_t limit = 0;
  std::int64_t file = 0;
  std::int64_t build_id = 0;
  int flags = 0;
};
struct read_sample {
  std::vector<std::uint64_t> locations;
  std::vector<std::int64_t> values;
  std::vector<std::pair<std::int64_t, std::int64_t>> labels;  // those with text
  std::vector<std::pair<std::int64_t, std::int64_t>> numbers;
};

struct read_profile {
  explicit read_profile(std::string const& bytes) {
    protozero::pbf_reader message(bytes);
    while (message.next()) {
      switch (message.tag()) {
        case 1:
          types.push_back(pair_of(message.get_message()));
          break;
        case 2:
          samples.push_back(sample_of(message.get_message()));
          break;
        case 3:
          read_mapping_of(message.get_message());
          break;
        case 4:
          read_location_of(message.get_message());
          break;
        case 5:
          read_function_of(message.get_message());
          break;
        case 6:
          strings.push_back(message.get_string());
          break;
        case 9:
          time_nanos = message.get_int64();
          break;
        case 10:
          duration_nanos = message.get_int64();
          break;
        case 11:
          period_type = pair_of(message.get_message());
          break;
        case 12:
          period = message.get_int64();
          break;
        case 7:
          drop_frames = message.get_int64();
          break;
        case 13:
          for (std::int64_t const c : message.get_packed_int64()) comments.push_back(c);
          break;
        case 14:
          default_sample_type = message.get_int64();
          break;
        default:
          ADD_FAILURE() << "field " << message.tag();
          message.skip();
      }
    }
  }

  bool has_comment(std::string_view part) const {
    return std::ranges::any_of(
        comments, [&](std::int64_t const c) { return text(c).find(part) != std::string::npos; });
  }

  static std::pair<std::int64_t, std::int64_t> pair_of(protozero::pbf_reader m) {
    std::pair<std::int64_t, std::int64_t> p;
    while (m.next()) (m.tag() == 1 ? p.first : p.second) = m.get_int64();
    return p;
  }
  static void read_label_of(protozero::pbf_reader m, read_sample& s) {
    std::int64_t key = 0;
    std::int64_t text = 0;
    std::int64_t number = 0;
    while (m.next()) {
      if (m.tag() == 1) {
        key = m.get_int64();
      } else if (m.tag() == 2) {
        text = m.get_int64();
      } else if (m.tag() == 3) {
        number = m.get_int64();
      } else {
        m.skip();
      }
    }
    (text != 0 ? s.labels : s.numbers).emplace_back(key, text != 0 ? text : number);
  }
  static read_sample sample_of(protozero::pbf_reader m) {
    read_sample s;
    while (m.next()) {
      if (m.tag() == 1) {
        for (auto const id : m.get_packed_uint64()) s.locations.push_back(id);
      } else if (m.tag() == 2) {
        for (auto const v : m.get_packed_int64()) s.values.push_back(v);
      } else {
        read_label_of(m.get_message(), s);
      }
    }
    return s;
  }
  void read_mapping_of(protozero::pbf_reader m) {
    read_mapping at;
    std::uint64_t id = 0;
    while (m.next()) {
      switch (m.tag()) {
        case 1:
          id = m.get_uint64();
          break;
        case 2:
          at.start = m.get_uint64();
          break;
        case 3:
          at.limit = m.get_uint64();
          break;
        case 5:
          at.file = m.get_int64();
          break;
        case 6:
          at.build_id = m.get_int64();
          break;
        case 7:
        case 8:
        case 9:
        case 10:
          at.flags += m.get_bool() ? 1 : 0;
          break;
        default:
          m.skip();
      }
    }
    EXPECT_TRUE(mappings.emplace(id, at).second);
    if (first_mapping == 0) first_mapping = id;
  }
  void read_location_of(protozero::pbf_reader m) {
    read_location at;
    std::uint64_t id = 0;
    while (m.next()) {
      switch (m.tag()) {
        case 1:
          id = m.get_uint64();
          break;
        case 2:
          at.mapping = m.get_uint64();
          break;
        case 3:
          at.address = m.get_uint64();
          break;
        case 4: {
          auto const [function, line] = pair_of(m.get_message());
          at.lines.emplace_back(static_cast<std::uint64_t>(function), line);
          break;
        }
        default:
          m.skip();
      }
    }
    EXPECT_TRUE(locations.emplace(id, at).second);
  }
  void read_function_of(protozero::pbf_reader m) {
    read_function f;
    std::uint64_t id = 0;
    while (m.next()) {
      switch (m.tag()) {
        case 1:
          id = m.get_uint64();
          break;
        case 2:
          f.name = m.get_int64();
          break;
        case 3:
          f.system_name = m.get_int64();
          break;
        case 4:
          f.file = m.get_int64();
          break;
        default:
          m.skip();
      }
    }
    EXPECT_TRUE(functions.emplace(id, f).second);
  }

  std::string const& text(std::int64_t id) const {
    return strings.at(static_cast<std::size_t>(id));
  }

  // check holds the profile to what pprof refuses to read otherwise.
  void check() const {
    ASSERT_FALSE(strings.empty());
    EXPECT_EQ(strings[0], "");
    EXPECT_EQ(std::set(strings.begin(), strings.end()).size(), strings.size());
    EXPECT_FALSE(functions.contains(0));
    EXPECT_FALSE(locations.contains(0));
    EXPECT_FALSE(mappings.contains(0));
    for (read_sample const& s : samples) {
      EXPECT_EQ(s.values.size(), types.size());
      for (std::uint64_t const id : s.locations) EXPECT_TRUE(locations.contains(id));
    }
    for (auto const& [id, at] : locations) {
      EXPECT_FALSE(at.lines.empty());
      for (auto const& [function, line] : at.lines) EXPECT_TRUE(functions.contains(function));
      if (at.mapping == 0) continue;
      EXPECT_GE(at.address, mappings.at(at.mapping).start);
      EXPECT_LT(at.address, mappings.at(at.mapping).limit);
    }
    for (auto const& [id, m] : mappings) EXPECT_EQ(m.flags, 4);
  }

  // value_of sums value number `which` of all samples with that function in their stack.
  std::int64_t value_of(std::string const& function, std::size_t which) const {
    std::int64_t sum = 0;
    for (read_sample const& s : samples) {
      bool const has = std::any_of(s.locations.begin(), s.locations.end(), [&](std::uint64_t id) {
        auto const& lines = locations.at(id).lines;
        return std::any_of(lines.begin(), lines.end(), [&](auto const& l) {
          return text(functions.at(l.first).name).find(function) != std::string::npos;
        });
      });
      if (has) sum += s.values.at(which);
    }
    return sum;
  }

  std::vector<std::pair<std::int64_t, std::int64_t>> types;
  std::vector<read_sample> samples;
  std::map<std::uint64_t, read_mapping> mappings;
  std::map<std::uint64_t, read_location> locations;
  std::map<std::uint64_t, read_function> functions;
  std::vector<std::string> strings;
  std::pair<std::int64_t, std::int64_t> period_type;
  std::uint64_t first_mapping = 0;
  std::int64_t time_nanos = 0;
  std::int64_t duration_nanos = 0;
  std::int64_t period = 0;
  std::vector<std::int64_t> comments;
  std::int64_t drop_frames = 0;
  std::int64_t default_sample_type = 0;
};

}  // namespace vole::pprof
