// SPDX-License-Identifier: Apache-2.0
#include "http/body_stream.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "http/message_access.h"

namespace vole::http::internal {

void body_stream::begin(head_info const& info, input_buffer& in, body_source& source,
                        headers& trailer, std::uint64_t limit) {
  info_ = info;
  in_ = &in;
  source_ = &source;
  trailer_ = &trailer;
  if (info.body == body_kind::chunked) chunks_.reset();
  limit_ = limit;
  received_ = 0;
  done_ = info.body == body_kind::none;
  touched_ = false;
  err_ = nullptr;
}

error body_stream::fail(error err) {
  err_ = err;
  return err;
}

result<std::size_t> body_stream::read(context const& ctx, io::bytes_span to) {
  touched_ = true;
  if (err_) return err_;
  if (done_ || to.empty()) return std::size_t{0};
  if (info_.body == body_kind::length && info_.length > limit_) return fail(body_too_large);
  auto got = read_some(ctx, to);
  if (!got) {
    // A wait that its context ended has lost nothing: the next read goes on.
    if (ctx.err()) return got;
    return fail(std::move(got).error());
  }
  received_ += *got;
  if (received_ > limit_) return fail(body_too_large);
  if (info_.body == body_kind::length && received_ == info_.length) done_ = true;
  return got;
}

result<std::size_t> body_stream::read_some(context const& ctx, io::bytes_span to) {
  return info_.body == body_kind::chunked ? read_chunked(ctx, to) : read_plain(ctx, to);
}

result<std::size_t> body_stream::read_plain(context const& ctx, io::bytes_span to) {
  bool const sized = info_.body == body_kind::length;
  std::uint64_t const left =
      sized ? info_.length - received_ : std::numeric_limits<std::uint64_t>::max();
  std::size_t const want = static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), left));
  if (!in_->empty()) {
    std::size_t const size = std::min(want, in_->size());
    std::memcpy(to.data(), in_->view().data(), size);
    in_->consume(size);
    return size;
  }
  auto got = source_->receive(ctx, to.first(want));
  if (!got) return got;
  if (*got == 0) {
    if (sized) return io::unexpected_end;
    done_ = true;
  }
  return got;
}

result<std::size_t> body_stream::read_chunked(context const& ctx, io::bytes_span to) {
  for (;;) {
    // The middle of a large chunk goes straight to where it is wanted.
    if (in_->empty() && chunks_.data_left() != 0) {
      auto const want =
          static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), chunks_.data_left()));
      auto got = source_->receive(ctx, to.first(want));
      if (!got) return got;
      if (*got == 0) return io::unexpected_end;
      chunks_.skip_data(*got);
      return got;
    }
    std::uint64_t const left = chunks_.data_left();
    std::string_view const bytes =
        left != 0 ? in_->view().substr(0, std::min<std::uint64_t>(left, to.size())) : in_->view();
    auto const piece = chunks_.next(bytes);
    if (piece.what == chunk_decoder::step::data) {
      // The decoder may have passed a chunk's head and shown more than fits: take what fits.
      std::size_t const size = std::min(piece.data.size(), to.size());
      std::memcpy(to.data(), piece.data.data(), size);
      std::size_t const unused = piece.data.size() - size;
      chunks_.unread_data(unused);
      in_->consume(piece.consumed - unused);
      return size;
    }
    if (piece.what == chunk_decoder::step::done) take_trailers(piece.data);
    in_->consume(piece.consumed);
    switch (piece.what) {
      case chunk_decoder::step::done:
        done_ = true;
        return std::size_t{0};
      case chunk_decoder::step::failed:
        return errors::wrap(body_malformed, "{}", chunks_.failure().what);
      default:
        break;
    }
    auto more = receive_more(ctx);
    if (!more) return more;
  }
}

result<std::size_t> body_stream::receive_more(context const& ctx) {
  auto got = source_->receive(ctx, in_->room(512));
  if (!got) return got;
  if (*got == 0) return io::unexpected_end;
  in_->commit(*got);
  return got;
}

void body_stream::take_trailers(std::string_view section) {
  auto& fields = message_access::fields(*trailer_);
  auto& arena = message_access::arena(*trailer_);
  for (field_place const& field : chunks_.trailers()) {
    fields.push_back({arena.copy(field.name.in(section)), arena.copy(field.value.in(section))});
  }
}

result<std::string_view> body_stream::read_all(context const& ctx, std::string& to) {
  bool const whole = !err_ && !done_ && info_.body == body_kind::length && received_ == 0 &&
                     info_.length <= in_->size() && info_.length <= limit_;
  if (whole) {
    touched_ = true;
    std::string_view const body = in_->view().substr(0, info_.length);
    in_->consume(body.size());
    received_ = info_.length;
    done_ = true;
    return body;
  }
  to.clear();
  std::size_t room = 4096;
  for (;;) {
    // Room grows with what has come, never with what was announced.
    std::size_t const size = to.size();
    std::size_t got_bytes = 0;
    error failed;
    to.resize(size + room);
    auto got = read(ctx, std::as_writable_bytes(std::span(to.data() + size, room)));
    if (got) {
      got_bytes = *got;
    } else {
      failed = got.error();
    }
    to.resize(size + got_bytes);
    if (failed) return failed;
    if (got_bytes == 0) return std::string_view(to);
    if (got_bytes == room) room = std::min<std::size_t>(room * 2, 256 * 1024);
  }
}

bool body_stream::drain(context const& ctx, std::uint64_t bytes_max) {
  std::array<std::byte, 4096> dropped;
  std::uint64_t const end = received_ + bytes_max;
  if (info_.body == body_kind::length && info_.length > end) return false;
  limit_ = std::numeric_limits<std::uint64_t>::max();
  while (!done_ && received_ <= end) {
    auto const got = read(ctx, dropped);
    if (!got) return false;
  }
  return done_;
}

}  // namespace vole::http::internal
