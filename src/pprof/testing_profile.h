// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes profile.proto by hand, for tests of what reads it. No shared state.

#include <cstdint>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <utility>
#include <vector>

namespace vole::pprof {

// testing_profile makes a message; each add_* returns the id of what it has added. What is wrong in
// it is the test's wish.
class testing_profile {
 public:
  testing_profile() { text(""); }

  std::int64_t text(std::string words) {
    texts_.push_back(std::move(words));
    return static_cast<std::int64_t>(texts_.size()) - 1;
  }
  void type(std::string name, std::string unit) {
    std::int64_t const a = text(std::move(name));
    std::int64_t const b = text(std::move(unit));
    protozero::pbf_writer m(to_, 1);
    m.add_int64(1, a);
    m.add_int64(2, b);
  }
  std::uint64_t mapping(std::string file) {
    std::int64_t const a = text(std::move(file));
    protozero::pbf_writer m(to_, 3);
    m.add_uint64(1, ++mappings_);
    m.add_int64(5, a);
    return mappings_;
  }
  std::uint64_t function(std::string name, std::string file = "") {
    std::int64_t const a = text(std::move(name));
    std::int64_t const b = text(std::move(file));
    protozero::pbf_writer m(to_, 5);
    m.add_uint64(1, ++functions_);
    m.add_int64(2, a);
    m.add_int64(4, b);
    return functions_;
  }
  // functions: innermost first, all but the last inlined.
  std::uint64_t location(std::vector<std::uint64_t> functions, std::uint64_t mapping = 0) {
    protozero::pbf_writer m(to_, 4);
    m.add_uint64(1, ++locations_);
    if (mapping != 0) m.add_uint64(2, mapping);
    m.add_uint64(3, 0x1000 + locations_);
    for (std::uint64_t const f : functions) {
      protozero::pbf_writer line(m, 4);
      line.add_uint64(1, f);
      line.add_int64(2, 7);
    }
    return locations_;
  }
  // A location of one function of that name.
  std::uint64_t call(std::string name) { return location({function(std::move(name))}); }
  void sample(std::vector<std::uint64_t> locations, std::vector<std::int64_t> values) {
    protozero::pbf_writer m(to_, 2);
    m.add_packed_uint64(1, locations.begin(), locations.end());
    m.add_packed_int64(2, values.begin(), values.end());
  }
  void number(protozero::pbf_tag_type field, std::int64_t value) { to_.add_int64(field, value); }

  std::string bytes() const {
    std::string out = out_;
    protozero::pbf_writer to(out);
    for (std::string const& t : texts_) to.add_string(6, t);
    return out;
  }

 private:
  std::string out_;
  protozero::pbf_writer to_{out_};
  std::vector<std::string> texts_;
  std::uint64_t mappings_ = 0;
  std::uint64_t functions_ = 0;
  std::uint64_t locations_ = 0;
};

}  // namespace vole::pprof
