// SPDX-License-Identifier: Apache-2.0
//
// The reader of profile.proto.
//
// INVARIANTS
//   - What parse_profile returns has only indices that exist: its users need not check.
//   - The sizes of all values of a type add up to less than 2^62: sums and differences of two
//     profiles cannot overflow.
//   - What is kept of a message is counted before it is kept (spend): a byte of it may stand for a
//     hundred in memory. Samples are read last, each once what it refers to is there.
// No shared state.
// Source: github.com/google/pprof/proto/profile.proto; the checks are those of pprof's CheckValid.

#include "pprof/reader.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <protozero/pbf_reader.hpp>
#include <unordered_map>
#include <utility>
#include <zlib.h>

#include "vole/errors.h"
#include "vole/internal/format.h"

namespace vole::pprof {
namespace {

using protozero::pbf_reader;

constexpr std::string_view gzip_mark = "\x1f\x8b";

error not_a_profile(std::string_view why) {
  return errors::make("not a profile: {}", why);
}

// inflater owns zlib's state.
class inflater {
 public:
  inflater() = default;
  inflater(inflater const&) = delete;
  inflater& operator=(inflater const&) = delete;
  ~inflater() { inflateEnd(&stream_); }

  result<std::string> run(std::string_view packed, std::size_t bytes_max) {
    constexpr int window_with_gzip_header = 15 + 16;
    if (inflateInit2(&stream_, window_with_gzip_header) != Z_OK) {
      return not_a_profile("zlib has no memory");
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    std::string out;
    for (;;) {
      std::size_t const before = out.size();
      out.resize(before + piece_bytes);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = static_cast<uInt>(piece_bytes);
      int const status = inflate(&stream_, Z_NO_FLUSH);
      out.resize(before + piece_bytes - stream_.avail_out);
      if (out.size() > bytes_max) {
        return errors::make("not a profile: unpacks to more than {} bytes", bytes_max);
      }
      if (status == Z_STREAM_END) {
        if (stream_.avail_in == 0) return out;
        // Files of several members, as `cat` and some compressors make them.
        std::string_view const rest = packed.substr(packed.size() - stream_.avail_in);
        if (!rest.starts_with(gzip_mark)) {
          return not_a_profile("bytes behind the end of the gzip data");
        }
        inflateReset(&stream_);
        continue;
      }
      if (status != Z_OK) {
        return not_a_profile(stream_.avail_in == 0 ? "the gzip data ends too early"
                                                   : "broken gzip data");
      }
    }
  }

 private:
  static constexpr std::size_t piece_bytes = 256 << 10;
  z_stream stream_{};
};

// As in the message: references are ids, texts are places in the string table.
struct raw_pair {
  std::int64_t first = 0;
  std::int64_t second = 0;
};
struct raw_function {
  std::int64_t name = 0;
  std::int64_t system_name = 0;
  std::int64_t file = 0;
};
struct raw_mapping {
  std::int64_t file = 0;
  std::int64_t build_id = 0;
};
struct raw_location {
  std::uint64_t mapping = 0;
  std::uint64_t address = 0;
  std::vector<std::pair<std::uint64_t, std::int64_t>> lines;
};
struct raw_sample {
  std::vector<std::uint64_t> locations;
  std::vector<std::int64_t> values;
  bool is_small = true;  // no more locations and values than there may be
};

// by_id keeps the entries of a message in order and finds them by their ids.
template <class T>
class by_id {
 public:
  // add says why the entry is refused; "" when it is not.
  std::string_view add(std::uint64_t id, T entry) {
    if (id == 0) return "an id is 0";
    if (!places_.try_emplace(id, entries_.size()).second) return "two entries have one id";
    entries_.push_back(std::move(entry));
    return {};
  }
  std::size_t const* find(std::uint64_t id) const {
    auto const at = places_.find(id);
    return at == places_.end() ? nullptr : &at->second;
  }
  std::vector<T> const& entries() const { return entries_; }

 private:
  std::unordered_map<std::uint64_t, std::size_t> places_;
  std::vector<T> entries_;
};

// Repeated numbers come packed or one by one. False: they are more than `most`.
template <class T>
bool append_numbers(std::vector<T>& to, pbf_reader& m, std::size_t most) {
  if (m.wire_type() != protozero::pbf_wire_type::length_delimited) {
    to.push_back(static_cast<T>(m.get_uint64()));
    return to.size() <= most;
  }
  for (auto const v : m.get_packed_uint64()) {
    if (to.size() == most) return false;
    to.push_back(static_cast<T>(v));
  }
  return true;
}

raw_pair pair_of(pbf_reader m) {
  raw_pair p;
  while (m.next()) {
    if (m.tag() == 1) {
      p.first = m.get_int64();
    } else if (m.tag() == 2) {
      p.second = m.get_int64();
    } else {
      m.skip();
    }
  }
  return p;
}

raw_sample sample_of(pbf_reader m, std::size_t types) {
  raw_sample s;
  while (s.is_small && m.next()) {
    if (m.tag() == 1) {
      s.is_small = append_numbers(s.locations, m, frames_max);
    } else if (m.tag() == 2) {
      s.is_small = append_numbers(s.values, m, types + 1);
    } else {
      m.skip();  // labels are not shown
    }
  }
  return s;
}

// parser collects what the message holds, then resolves it. It throws nothing but protozero's
// exceptions, which parse_profile catches.
class parser {
 public:
  explicit parser(std::size_t memory_max) : memory_left_(memory_max) {}

  result<parsed_profile> run(std::string_view bytes) {
    pbf_reader message(bytes.data(), bytes.size());
    while (wrong_.empty() && message.next()) take(message);
    if (wrong_.empty()) resolve();
    pbf_reader again(bytes.data(), bytes.size());
    while (wrong_.empty() && again.next(sample_tag)) {
      resolve(sample_of(again.get_message(), out_.types.size()));
    }
    if (!wrong_.empty()) return not_a_profile(wrong_);
    return std::move(out_);
  }

 private:
  static constexpr protozero::pbf_tag_type sample_tag = 2;

  void take(pbf_reader& m) {
    switch (m.tag()) {
      case 1:
        spend(sizeof(raw_pair) + sizeof(parsed_type));
        types_.push_back(pair_of(m.get_message()));
        break;
      case 3:
        take_mapping(m.get_message());
        break;
      case 4:
        take_location(m.get_message());
        break;
      case 5:
        take_function(m.get_message());
        break;
      case 6:
        spend(sizeof(protozero::data_view));
        strings_.push_back(m.get_view());
        break;
      case 7:
        drop_frames_ = m.get_int64();
        break;
      case 8:
        keep_frames_ = m.get_int64();
        break;
      case 9:
        out_.time_ns = m.get_int64();
        break;
      case 10:
        out_.duration_ns = m.get_int64();
        break;
      case 13:
        take_comments(m);
        break;
      case 14:
        default_type_ = m.get_int64();
        break;
      default:
        m.skip();
    }
  }
  void take_mapping(pbf_reader m) {
    raw_mapping one;
    std::uint64_t id = 0;
    while (m.next()) {
      switch (m.tag()) {
        case 1:
          id = m.get_uint64();
          break;
        case 5:
          one.file = m.get_int64();
          break;
        case 6:
          one.build_id = m.get_int64();
          break;
        default:
          m.skip();
      }
    }
    spend(entry_bytes + sizeof(raw_mapping) + sizeof(parsed_mapping));
    note(mappings_.add(id, one));
  }
  void take_location(pbf_reader m) {
    raw_location one;
    std::uint64_t id = 0;
    while (m.next()) {
      switch (m.tag()) {
        case 1:
          id = m.get_uint64();
          break;
        case 2:
          one.mapping = m.get_uint64();
          break;
        case 3:
          one.address = m.get_uint64();
          break;
        case 4: {
          raw_pair const line = pair_of(m.get_message());
          spend(sizeof one.lines[0] + sizeof(parsed_line));
          if (!wrong_.empty()) return;
          one.lines.emplace_back(static_cast<std::uint64_t>(line.first), line.second);
          break;
        }
        default:
          m.skip();
      }
    }
    spend(entry_bytes + sizeof(raw_location) + sizeof(parsed_location));
    note(locations_.add(id, std::move(one)));
  }
  void take_function(pbf_reader m) {
    raw_function one;
    std::uint64_t id = 0;
    while (m.next()) {
      switch (m.tag()) {
        case 1:
          id = m.get_uint64();
          break;
        case 2:
          one.name = m.get_int64();
          break;
        case 3:
          one.system_name = m.get_int64();
          break;
        case 4:
          one.file = m.get_int64();
          break;
        default:
          m.skip();
      }
    }
    spend(entry_bytes + sizeof(raw_function) + sizeof(parsed_function));
    note(functions_.add(id, one));
  }
  void take_comments(pbf_reader& m) {
    std::size_t const before = comments_.size();
    std::size_t const most = memory_left_ / (sizeof comments_[0] + sizeof(std::string));
    if (!append_numbers(comments_, m, before + most)) return note(too_large);
    spend((comments_.size() - before) * (sizeof comments_[0] + sizeof(std::string)));
  }

  void resolve() {
    if (strings_.empty() || !strings_[0].empty()) {
      return note("its string table does not begin with an empty string");
    }
    if (types_.empty()) return note("it has no sample type");
    for (raw_pair const& t : types_) out_.types.push_back({text(t.first), text(t.second)});
    for (raw_mapping const& m : mappings_.entries()) {
      std::string file = text(m.file);
      std::string const base = file.substr(file.rfind('/') + 1);
      out_.mappings.push_back(
          {std::move(file), base.empty() ? "" : '[' + base + ']', text(m.build_id)});
    }
    for (raw_function const& f : functions_.entries()) {
      out_.functions.push_back({text(f.name), text(f.system_name), text(f.file)});
    }
    for (raw_location const& l : locations_.entries()) resolve(l);
    sums_.resize(out_.types.size());
    for (std::int64_t const c : comments_) out_.comments.push_back(text(c));
    out_.drop_frames = text(drop_frames_);
    out_.keep_frames = text(keep_frames_);
    out_.default_type = out_.types.size() - 1;
    std::string const wanted = text(default_type_);
    for (std::size_t i = 0; i < out_.types.size() && !wanted.empty(); ++i) {
      if (out_.types[i].type == wanted) out_.default_type = i;
    }
  }
  void resolve(raw_location const& l) {
    parsed_location to{.address = l.address, .mapping = no_mapping, .lines = {}};
    if (l.mapping != 0) {
      std::size_t const* const at = mappings_.find(l.mapping);
      if (at == nullptr) return note("a location has a mapping that is not there");
      to.mapping = *at;
    }
    for (auto const& [function, line] : l.lines) {
      std::size_t const* const at = functions_.find(function);
      if (at == nullptr) return note("a location has a function that is not there");
      to.lines.push_back({.function = *at, .line = line});
    }
    out_.locations.push_back(std::move(to));
  }
  void resolve(raw_sample s) {
    if (!s.is_small && s.locations.size() >= frames_max) return note(too_deep);
    if (s.values.size() != out_.types.size()) {
      return note("a sample has not as many values as there are types");
    }
    spend(entry_bytes + sizeof(parsed_sample) + s.locations.size() * sizeof(std::size_t) +
          s.values.size() * sizeof(std::int64_t));
    parsed_sample to;
    to.locations.reserve(s.locations.size());
    std::size_t frames = 0;
    for (std::uint64_t const id : s.locations) {
      std::size_t const* const at = locations_.find(id);
      if (at == nullptr) return note("a sample has a location that is not there");
      to.locations.push_back(*at);
      frames += std::max<std::size_t>(out_.locations[*at].lines.size(), 1);
    }
    if (frames > frames_max) return note(too_deep);
    for (std::size_t i = 0; i < s.values.size(); ++i) {
      std::int64_t const v = s.values[i];
      // The least number has no size of its own sign.
      bool const fits = v >= -sum_max && v <= sum_max && std::abs(v) <= sum_max - sums_[i];
      if (!fits) return note("its values add up to more than 2^62");
      sums_[i] += std::abs(v);
    }
    to.values = std::move(s.values);
    out_.samples.push_back(std::move(to));
  }

  std::string text(std::int64_t place) {
    if (place < 0 || static_cast<std::uint64_t>(place) >= strings_.size()) {
      note("a text is not in the string table");
      return {};
    }
    protozero::data_view const view = strings_[static_cast<std::size_t>(place)];
    spend(view.size());
    if (!wrong_.empty()) return {};
    return std::string(view.data(), view.size());
  }
  void note(std::string_view wrong) {
    if (wrong_.empty()) wrong_ = wrong;
  }

  // spend notes that so much memory is about to be taken.
  void spend(std::size_t bytes) {
    if (bytes > memory_left_) return note(too_large);
    memory_left_ -= bytes;
  }

  static constexpr std::string_view too_deep = "a sample has more than 4096 frames";
  static_assert(frames_max == 4096);
  static constexpr std::string_view too_large = "it takes too much memory for its size";
  // What an entry costs beside itself: its place among the ids, what malloc adds.
  static constexpr std::size_t entry_bytes = 64;

  parsed_profile out_;
  std::size_t memory_left_;
  std::string_view wrong_;  // the first reason to refuse it; static text
  std::vector<raw_pair> types_;
  by_id<raw_mapping> mappings_;
  by_id<raw_location> locations_;
  by_id<raw_function> functions_;
  std::vector<protozero::data_view> strings_;
  std::vector<std::int64_t> comments_;
  std::int64_t default_type_ = 0;
  std::int64_t drop_frames_ = 0;
  std::int64_t keep_frames_ = 0;
  static constexpr std::int64_t sum_max = (std::int64_t{1} << 62) - 1;
  std::vector<std::int64_t> sums_;  // of the sizes of all values, for each type
};

// What a person who asked for a profile and got something else wants to see of it.
std::string beginning_of(std::string_view bytes) {
  constexpr std::size_t shown_max = 60;
  std::string out;
  for (char const c : bytes.substr(0, shown_max)) out += c >= ' ' && c < 0x7f ? c : '.';
  return out;
}

}  // namespace

result<parsed_profile> parse_profile(std::string_view bytes, std::size_t bytes_max) {
  if (bytes.empty()) return not_a_profile("it is empty");
  if (bytes.size() > std::numeric_limits<uInt>::max()) return not_a_profile("4 GiB or more");
  std::string unpacked;
  std::string_view message = bytes;
  if (bytes.starts_with(gzip_mark)) {
    unpacked = VOLE_TRY(inflater().run(bytes, bytes_max), "unpack {} bytes", bytes.size());
    message = unpacked;
  }
  try {
    return parser(bytes_max).run(message);
  } catch (protozero::exception const&) {
    return errors::make("not a profile: neither gzip nor profile.proto; it begins with \"{}\"",
                        beginning_of(message));
  }
}

error check_same_types(parsed_profile const& profile, parsed_profile const& base) {
  auto const same = [](parsed_type const& a, parsed_type const& b) {
    return a.type == b.type && a.unit == b.unit;
  };
  if (std::ranges::equal(profile.types, base.types, same)) return nullptr;
  auto const list = [](parsed_profile const& p, bool with_units) {
    std::string text;
    for (parsed_type const& t : p.types) {
      text += (text.empty() ? "" : ", ") + t.type;
      if (with_units) text += fmt::format(" in \"{}\"", t.unit);
    }
    return text;
  };
  bool const names_differ = list(profile, false) != list(base, false);
  return errors::make("the base has other values ({}) than the profile ({})",
                      list(base, !names_differ), list(profile, !names_differ));
}

result<std::size_t> type_index(parsed_profile const& profile, std::string_view name) {
  if (name.empty()) return profile.default_type;
  std::string there;
  for (std::size_t i = 0; i < profile.types.size(); ++i) {
    if (profile.types[i].type == name) return i;
    there += (there.empty() ? "" : ", ") + profile.types[i].type;
  }
  return errors::make("no sample type '{}': there are {}", name, there);
}

}  // namespace vole::pprof
