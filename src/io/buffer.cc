// SPDX-License-Identifier: Apache-2.0
// buffer: bytes in memory. No shared state.
//
// The content lies at the end of one string. Bytes that were read stay in front until they are as
// many as the content and the next append would have to grow: each byte is then moved at most once
// on the average.

#include <algorithm>

#include "vole/assert.h"
#include "vole/io.h"

namespace vole::io {

void buffer::append(std::string_view from) {
  if (front_ == store_.size()) {
    clear();
  } else if (store_.size() + from.size() > store_.capacity() && front_ >= size()) {
    store_.erase(0, front_);
    front_ = 0;
  }
  store_.append(from);
}

error buffer::write(context const&, bytes_view from) {
  append(from);
  return nullptr;
}

result<std::size_t> buffer::read(context const&, bytes_span to) {
  std::size_t const n = std::min(to.size(), size());
  std::copy_n(view().begin(), n, to.begin());
  consume(n);
  return n;
}

void buffer::consume(std::size_t n) {
  VOLE_REQUIRE(n <= size(), "buffer: consume {} of {} bytes", n, size());
  front_ += n;
}

void buffer::clear() {
  store_.clear();
  front_ = 0;
}

std::string buffer::take() {
  if (front_ != 0) store_.erase(0, front_);
  front_ = 0;
  return std::exchange(store_, {});
}

}  // namespace vole::io
