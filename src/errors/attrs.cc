// SPDX-License-Identifier: Apache-2.0
// Attributes of errors. No shared state: a note is written once, then only read.
#include "errors/attrs.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "errors/walk.h"

namespace vole {
namespace internal {
namespace {

// What a note will hold while its texts still grow: places in the text instead of views.
struct packed_attr {
  std::size_t key_at;
  std::size_t key_size;
  std::size_t text_at;
  std::size_t text_size;
  bool is_text;
  attr_value value;  // of what is no text
};

class packer {
 public:
  void put(attr const& a) {
    if (a.value.kind() == attr_value::kind::group) {
      std::size_t const outer = prefix_.size();
      prefix_.append(a.key).push_back('.');
      for (attr const& inner : a.value.as_group()) put(inner);
      prefix_.resize(outer);
      return;
    }
    packed_attr made{.key_at = text_.size(),
                     .key_size = prefix_.size() + a.key.size(),
                     .text_at = 0,
                     .text_size = 0,
                     .is_text = true,
                     .value = {}};
    add(prefix_);
    add(a.key);
    made.text_at = text_.size();
    put_value(made, a.value);
    made.text_size = text_.size() - made.text_at;
    attrs_.push_back(made);
  }

  // finish makes the note around err, which it takes over.
  error finish(error err) const {
    std::size_t const attr_bytes = attrs_.size() * sizeof(attr);
    auto* const node = make_node<cause_node>(attr_bytes + text_.size(), error_kind::attrs,
                                             static_cast<std::uint32_t>(attrs_.size()), err.node());
    static_cast<void>(err.release());
    auto* const at = static_cast<char*>(behind(node));
    char* const text = at + attr_bytes;
    std::memcpy(text, text_.data(), text_.size());
    for (std::size_t i = 0; i < attrs_.size(); ++i) {
      packed_attr const& from = attrs_[i];
      attr_value const value =
          from.is_text ? attr_value(std::string_view(text + from.text_at, from.text_size))
                       : from.value;
      ::new (at + i * sizeof(attr)) attr{{text + from.key_at, from.key_size}, value};
    }
    return error::adopt(node);
  }

 private:
  void add(std::string_view text) { text_.append(text.data(), text.data() + text.size()); }
  void put_value(packed_attr& made, attr_value const& v) {
    switch (v.kind()) {
      case attr_value::kind::text:
        return add(v.as_text());
      case attr_value::kind::error:
        return add(v.as_error().message());
      case attr_value::kind::any:
        return v.print_any(text_);
      default:
        made.is_text = false;
        made.value = v;
        return;
    }
  }

  fmt::memory_buffer text_;
  std::string prefix_;  // the groups around, each with its dot
  std::vector<packed_attr> attrs_;
};

static_assert(std::is_trivially_destructible_v<attr> && alignof(attr) <= alignof(cause_node));

}  // namespace

std::span<attr const> stored_attrs(error_node const& note) noexcept {
  return {static_cast<attr const*>(behind_link(note)), note.size};
}

}  // namespace internal

namespace errors {

error with_attrs(error err, std::initializer_list<attr> attrs) {
  if (!err || attrs.size() == 0) return err;
  internal::packer all;
  for (attr const& a : attrs) all.put(a);
  return all.finish(std::move(err));
}

std::vector<attr> attrs_of(error const& err) {
  std::vector<attr> all;
  if (!err) return all;
  for (internal::error_walk at(err.node()); at.node() != nullptr; at.descend()) {
    if (at.node()->kind != internal::error_kind::attrs) continue;
    for (attr const& a : internal::stored_attrs(*at.node())) {
      if (std::ranges::find(all, a.key, &attr::key) == all.end()) all.push_back(a);
    }
  }
  return all;
}

}  // namespace errors
}  // namespace vole
