// SPDX-License-Identifier: Apache-2.0
// buffered_reader and buffered_writer. No shared state.

#include <algorithm>
#include <cstring>
#include <limits>

#include "vole/assert.h"
#include "vole/io.h"

namespace vole::io {
namespace {

std::uint32_t checked_capacity(std::size_t bytes) {
  VOLE_REQUIRE(bytes > 0 && bytes <= std::numeric_limits<std::uint32_t>::max(),
               "buffer capacity of {} bytes", bytes);
  return static_cast<std::uint32_t>(bytes);
}

}  // namespace

buffered_reader::buffered_reader(reader& from, std::size_t capacity_bytes)
    : from_(&from), first_capacity_(checked_capacity(capacity_bytes)), capacity_(first_capacity_) {}

// make_room leaves free space behind what is buffered, if the capacity has any.
void buffered_reader::make_room() {
  if (store_ == nullptr) store_ = std::make_unique_for_overwrite<std::byte[]>(capacity_);
  if (front_ == 0) return;
  // Moving is cheap when little is left; a half-read message stays where it is while there is room.
  if (front_ == back_ || back_ == capacity_) {
    std::memmove(store_.get(), store_.get() + front_, back_ - front_);
    back_ -= front_;
    front_ = 0;
  }
}

result<std::size_t> buffered_reader::fill(context const& ctx) {
  make_room();
  if (back_ == capacity_) return buffer_full;
  auto const got = from_->read(ctx, {store_.get() + back_, std::size_t{capacity_ - back_}});
  if (got) back_ += static_cast<std::uint32_t>(*got);
  return got;
}

result<std::size_t> buffered_reader::read(context const& ctx, bytes_span to) {
  if (front_ == back_) {
    if (to.size() >= capacity_) return from_->read(ctx, to);
    auto const got = fill(ctx);
    if (!got || *got == 0) return got;
  }
  std::size_t const n = std::min(to.size(), buffered().size());
  std::memcpy(to.data(), store_.get() + front_, n);
  consume(n);
  return n;
}

void buffered_reader::consume(std::size_t n) {
  VOLE_REQUIRE(n <= buffered().size(), "buffered_reader: consume {} of {} bytes", n,
               buffered().size());
  front_ += static_cast<std::uint32_t>(n);
}

result<bytes_view> buffered_reader::peek(context const& ctx, std::size_t n) {
  if (n > capacity_) return buffer_full;
  while (buffered().size() < n) {
    auto const got = fill(ctx);
    if (!got) return got.error();
    if (*got == 0) break;
  }
  return buffered().first(std::min(n, buffered().size()));
}

result<std::string_view> buffered_reader::read_line(context const& ctx) {
  std::size_t searched = 0;
  for (;;) {
    std::size_t const end = buffered_text().find('\n', searched);
    if (end != std::string_view::npos) {
      std::string_view line = buffered_text().substr(0, end);
      if (line.ends_with('\r')) line.remove_suffix(1);
      consume(end + 1);
      return line;
    }
    searched = buffered().size();
    auto const got = fill(ctx);
    if (!got) return got.error();
    if (*got == 0) return unexpected_end;
  }
}

void buffered_reader::reserve(std::size_t capacity_bytes) {
  if (capacity_bytes <= capacity_) return;
  std::uint32_t const capacity = checked_capacity(capacity_bytes);
  if (store_ != nullptr) {
    auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
    std::memcpy(larger.get(), store_.get() + front_, back_ - front_);
    store_ = std::move(larger);
    back_ -= front_;
    front_ = 0;
  }
  capacity_ = capacity;
}

bool buffered_reader::release() {
  if (front_ != back_) return false;
  store_.reset();
  front_ = back_ = 0;
  capacity_ = first_capacity_;
  return true;
}

buffered_writer::buffered_writer(writer& to, std::size_t capacity_bytes)
    : to_(&to), capacity_(checked_capacity(capacity_bytes)) {}

error buffered_writer::write(context const& ctx, bytes_view from) {
  return writev(ctx, {&from, 1});
}

error buffered_writer::writev(context const& ctx, std::span<bytes_view const> parts) {
  std::size_t total = 0;
  for (bytes_view const part : parts) total += part.size();
  if (total <= std::size_t{capacity_ - size_}) {
    bytes_span to = room();
    for (bytes_view const part : parts) {
      std::copy(part.begin(), part.end(), to.begin());
      to = to.subspan(part.size());
    }
    size_ += static_cast<std::uint32_t>(total);
    return nullptr;
  }
  // All at once, past the buffer. Three parts of a message and what is buffered need no memory.
  constexpr std::size_t parts_inline = 4;
  bytes_view few[parts_inline];
  std::vector<bytes_view> many;
  std::span<bytes_view> all = few;
  if (parts.size() >= parts_inline) {
    many.resize(parts.size() + 1);
    all = many;
  }
  all[0] = buffered();
  std::copy(parts.begin(), parts.end(), all.begin() + 1);
  size_ = 0;
  return to_->writev(ctx, all.first(parts.size() + 1));
}

error buffered_writer::flush(context const& ctx) {
  if (size_ == 0) return nullptr;
  bytes_view const out = buffered();
  size_ = 0;
  return to_->write(ctx, out);
}

bytes_span buffered_writer::room() {
  if (store_ == nullptr) store_ = std::make_unique_for_overwrite<std::byte[]>(capacity_);
  return {store_.get() + size_, std::size_t{capacity_ - size_}};
}

void buffered_writer::commit(std::size_t n) {
  VOLE_REQUIRE(n <= std::size_t{capacity_ - size_}, "buffered_writer: commit {} of {} bytes", n,
               std::size_t{capacity_ - size_});
  size_ += static_cast<std::uint32_t>(n);
}

bool buffered_writer::release() {
  if (size_ != 0) return false;
  store_.reset();
  return true;
}

}  // namespace vole::io
