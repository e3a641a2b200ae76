// SPDX-License-Identifier: Apache-2.0
// The functions over any reader and writer. No shared state.

#include "vole/io.h"

#include <algorithm>
#include <memory>

namespace vole::io {
namespace {

constexpr std::size_t copy_bytes = 32 * 1024;
constexpr std::size_t read_all_first_bytes = 4096;

class discard_writer final : public writer {
 public:
  error write(context const&, bytes_view) override { return nullptr; }
  error writev(context const&, std::span<bytes_view const>) override { return nullptr; }
};

}  // namespace

std::string limit_error::message() const {
  return fmt::format("longer than the limit of {} bytes", limit_bytes);
}

error writer::writev(context const& ctx, std::span<bytes_view const> parts) {
  for (bytes_view const part : parts) {
    if (part.empty()) continue;
    if (error err = write(ctx, part)) return err;
  }
  return nullptr;
}

error read_full(context const& ctx, reader& from, bytes_span to) {
  while (!to.empty()) {
    auto const got = from.read(ctx, to);
    if (!got) return got.error();
    if (*got == 0) return unexpected_end;
    to = to.subspan(*got);
  }
  return nullptr;
}

result<std::string> read_all(context const& ctx, reader& from, std::uint64_t limit_bytes) {
  std::string all;
  std::size_t size = 0;
  for (;;) {
    // One byte more than the limit is asked for, so that a stream of that length is seen to end.
    std::uint64_t const left = limit_bytes - size;
    std::size_t const wanted = std::max(read_all_first_bytes, size);
    std::size_t const step = left >= wanted ? wanted : static_cast<std::size_t>(left) + 1;
    error failed;
    bool end = false;
    all.resize_and_overwrite(size + step, [&](char* data, std::size_t) {
      auto const got = from.read(ctx, std::as_writable_bytes(std::span(data + size, step)));
      if (!got) {
        failed = got.error();
      } else {
        end = *got == 0;
        size += *got;
      }
      return size;
    });
    if (failed) return failed;
    if (end) return all;
    if (size > limit_bytes) return errors::make_typed<limit_error>(limit_bytes);
  }
}

result<std::uint64_t> copy(context const& ctx, writer& to, reader& from) {
  auto const store = std::make_unique_for_overwrite<std::byte[]>(copy_bytes);
  std::uint64_t total = 0;
  for (;;) {
    auto const got = from.read(ctx, {store.get(), copy_bytes});
    if (!got) return got.error();
    if (*got == 0) return total;
    if (error err = to.write(ctx, {store.get(), *got})) return err;
    total += *got;
  }
}

writer& discard() {
  static discard_writer instance;
  return instance;
}

result<std::size_t> limit_reader::read(context const& ctx, bytes_span to) {
  if (left_ == 0) {
    if (then_ == past_limit::end) return std::size_t{0};
    std::byte beyond;
    auto const got = from_->read(ctx, {&beyond, 1});
    if (!got || *got == 0) return got;
    return errors::make_typed<limit_error>(limit_);
  }
  auto const got = from_->read(ctx, to.first(std::min<std::uint64_t>(to.size(), left_)));
  if (got) left_ -= *got;
  return got;
}

result<std::size_t> bytes_reader::read(context const&, bytes_span to) {
  std::size_t const n = std::min(to.size(), left_.size());
  std::copy_n(left_.begin(), n, to.begin());
  left_ = left_.subspan(n);
  return n;
}

error multi_writer::write(context const& ctx, bytes_view from) {
  for (writer* const to : to_) {
    if (error err = to->write(ctx, from)) return err;
  }
  return nullptr;
}

error multi_writer::writev(context const& ctx, std::span<bytes_view const> parts) {
  for (writer* const to : to_) {
    if (error err = to->writev(ctx, parts)) return err;
  }
  return nullptr;
}

result<std::size_t> tee_reader::read(context const& ctx, bytes_span to) {
  auto const got = from_->read(ctx, to);
  if (!got || *got == 0) return got;
  if (error err = copy_to_->write(ctx, to.first(*got))) return err;
  return got;
}

}  // namespace vole::io
