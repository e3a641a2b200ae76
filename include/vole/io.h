// SPDX-License-Identifier: Apache-2.0
// io: streams of bytes. Every call that may wait takes a context; a stream may be a socket, a pipe
// or memory.
//
// INVARIANTS
//  - read returns 0 only at the end of the stream; write sends all bytes or returns an error.
//  - Views (buffered(), view(), text()) live until the next call that is not const.
//  - No locks: a stream belongs to one goroutine at a time, unless its type says otherwise (pipe,
//    net::conn).
// Source: Go's packages io and bufio. Differs: 0 is the end of a stream, not an error; writes
// gather.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/result.h"

namespace vole::io {

using bytes_view = std::span<const std::byte>;
using bytes_span = std::span<std::byte>;

// bytes views the characters of a text as bytes; text views bytes as characters.
inline bytes_view bytes(std::string_view from) {
  return {reinterpret_cast<std::byte const*>(from.data()), from.size()};
}
inline std::string_view text(bytes_view from) {
  return {reinterpret_cast<char const*>(from.data()), from.size()};
}

// The stream ended where more bytes were promised.
inline constinit errors::sentinel const unexpected_end{"unexpected end of stream"};
// The other end of an in-memory pipe is closed, or this one is.
inline constinit errors::sentinel const closed_pipe{"closed pipe"};
// A buffered reader holds as many bytes as it may, and none was consumed.
inline constinit errors::sentinel const buffer_full{"buffer full"};

// limit_error: a stream is longer than the caller allows. errors::as<io::limit_error>(err) finds
// it.
struct limit_error final : errors::typed_base {
  explicit limit_error(std::uint64_t limit) : limit_bytes(limit) {}
  std::string message() const override;  // "longer than the limit of 1024 bytes"

  std::uint64_t limit_bytes;
};

struct reader {
  virtual ~reader() = default;
  // read puts at least one byte into `to`, which must not be empty, and returns how many; 0 is the
  // end of the stream.
  // Blocks:  parks until a byte is there.   Cancels: by ctx; a canceled read has eaten no byte.
  virtual result<std::size_t> read(context const& ctx, bytes_span to) = 0;
};

struct writer {
  virtual ~writer() = default;
  // write sends all of `from`.
  // Blocks:  parks while the stream takes no more.
  // Cancels: by ctx; an unknown number of bytes has gone then, and the stream is of no more use.
  virtual error write(context const& ctx, bytes_view from) = 0;
  // writev sends the parts as if they were one; a socket does so in one system call.
  virtual error writev(context const& ctx, std::span<bytes_view const> parts);
};

struct closer {
  virtual ~closer() = default;
  // close ends the use of the stream and wakes whoever waits in it. A second close does nothing.
  virtual error close() = 0;
};

inline error write(context const& ctx, writer& to, std::string_view from) {
  return to.write(ctx, bytes(from));
}

// read_full fills the whole of `to`.
// Errors:  unexpected_end when the stream ends before, also before the first byte.
error read_full(context const& ctx, reader& from, bytes_span to);

// read_all reads to the end of the stream, at most `limit_bytes`.
// Errors:  limit_error when the stream is longer; what was read is dropped.
result<std::string> read_all(context const& ctx, reader& from, std::uint64_t limit_bytes);

// copy moves bytes until `from` ends and returns how many there were.
// Cost:    one buffer of 32 KiB for the time of the call.
result<std::uint64_t> copy(context const& ctx, writer& to, reader& from);

// discard is a writer that forgets what it is given; it has no state and may be shared.
writer& discard();

// What a limited stream does once the limit is reached and the stream below goes on.
enum class past_limit : std::uint8_t { end, fail };

// limit_reader passes on at most `limit_bytes`, then reports the end of the stream, or, with
// past_limit::fail, a limit_error if the stream has more. It takes no byte past the limit, except
// the one that tells `fail` from the end.
class limit_reader final : public reader {
 public:
  limit_reader(reader& from, std::uint64_t limit_bytes, past_limit then = past_limit::end)
      : from_(&from), limit_(limit_bytes), left_(limit_bytes), then_(then) {}
  result<std::size_t> read(context const& ctx, bytes_span to) override;
  std::uint64_t left() const { return left_; }

 private:
  reader* from_;
  std::uint64_t limit_;
  std::uint64_t left_;
  past_limit then_;
};

// bytes_reader reads bytes that somebody else keeps alive.
class bytes_reader final : public reader {
 public:
  explicit bytes_reader(bytes_view from) : left_(from) {}
  explicit bytes_reader(std::string_view from) : left_(bytes(from)) {}
  result<std::size_t> read(context const& ctx, bytes_span to) override;
  bytes_view left() const { return left_; }

 private:
  bytes_view left_;
};

// buffer is a growing queue of bytes in memory: written at its back, read at its front.
class buffer final : public reader, public writer {
 public:
  buffer() = default;
  explicit buffer(std::string from) : store_(std::move(from)) {}

  result<std::size_t> read(context const& ctx, bytes_span to) override;
  error write(context const& ctx, bytes_view from) override;

  std::size_t size() const { return store_.size() - front_; }
  bool empty() const { return size() == 0; }
  std::string_view text() const { return std::string_view(store_).substr(front_); }
  bytes_view view() const { return bytes(text()); }

  void append(std::string_view from);
  void append(bytes_view from) { append(io::text(from)); }
  // consume drops the first n bytes. Panics: n is more than size() (caller's bug).
  void consume(std::size_t n);
  void clear();
  // take empties the buffer and returns what it held.
  std::string take();

 private:
  std::string store_;      // [0, front_) is read already, [front_, size) is the content
  std::size_t front_ = 0;  // front_ <= store_.size()
};

// buffered_reader reads ahead into one buffer whose content a parser looks at without a copy: look
// at buffered(), fill() when that is not enough, consume() what was understood.
class buffered_reader final : public reader {
 public:
  static constexpr std::size_t default_bytes = 4096;

  explicit buffered_reader(reader& from, std::size_t capacity_bytes = default_bytes);

  // read takes buffered bytes first; with none, a read at least as large as the buffer passes it
  // by.
  result<std::size_t> read(context const& ctx, bytes_span to) override;

  bytes_view buffered() const { return {store_.get() + front_, std::size_t{back_ - front_}}; }
  std::string_view buffered_text() const { return io::text(buffered()); }
  std::size_t capacity() const { return capacity_; }

  // fill reads once from the stream, behind what is buffered: how many bytes came, 0 at its end.
  // Errors:  buffer_full when there is no room: consume, or reserve more.
  result<std::size_t> fill(context const& ctx);

  // consume drops the first n buffered bytes. Panics: n is more than is buffered (caller's bug).
  void consume(std::size_t n);

  // peek returns the next n bytes without consuming them; fewer only when the stream ends before.
  // Errors:  buffer_full when n is more than the capacity.
  result<bytes_view> peek(context const& ctx, std::size_t n);

  // read_line consumes the next line and returns it without its "\n" or "\r\n".
  // Errors:  buffer_full when no line end is within the capacity; unexpected_end when the stream
  //          ends within a line, or before one.
  result<std::string_view> read_line(context const& ctx);

  // reserve makes the capacity at least `capacity_bytes` and keeps what is buffered.
  void reserve(std::size_t capacity_bytes);

  // release gives the memory back if nothing is buffered, and tells whether it did; the next fill
  // takes the first capacity anew. For the time between two messages: idle connections then hold no
  // buffer.
  bool release();

 private:
  void make_room();

  reader* from_;
  std::unique_ptr<std::byte[]> store_;  // null until the first fill
  std::uint32_t first_capacity_;
  std::uint32_t capacity_;
  std::uint32_t front_ = 0;  // front_ <= back_ <= capacity_
  std::uint32_t back_ = 0;
};

// buffered_writer gathers small writes. What does not fit goes out together with what is buffered,
// by one writev. flush sends the rest; the destructor sends nothing.
class buffered_writer final : public writer {
 public:
  static constexpr std::size_t default_bytes = 4096;

  explicit buffered_writer(writer& to, std::size_t capacity_bytes = default_bytes);

  error write(context const& ctx, bytes_view from) override;
  error writev(context const& ctx, std::span<bytes_view const> parts) override;
  error flush(context const& ctx);

  bytes_view buffered() const { return {store_.get(), std::size_t{size_}}; }
  // room is the free space behind what is buffered, to format into; commit(n) makes its first n
  // bytes part of the output. Panics: n is more than that room (caller's bug).
  bytes_span room();
  void commit(std::size_t n);
  // clear drops what is buffered; release gives the memory back if nothing is buffered.
  void clear() { size_ = 0; }
  bool release();

 private:
  writer* to_;
  std::unique_ptr<std::byte[]> store_;  // null until the first write
  std::uint32_t capacity_;
  std::uint32_t size_ = 0;  // size_ <= capacity_
};

// multi_writer writes the same bytes to each of its writers in turn and stops at the first error.
class multi_writer final : public writer {
 public:
  explicit multi_writer(std::vector<writer*> to) : to_(std::move(to)) {}
  error write(context const& ctx, bytes_view from) override;
  error writev(context const& ctx, std::span<bytes_view const> parts) override;

 private:
  std::vector<writer*> to_;
};

// tee_reader writes to `copy_to` all that is read through it.
class tee_reader final : public reader {
 public:
  tee_reader(reader& from, writer& copy_to) : from_(&from), copy_to_(&copy_to) {}
  result<std::size_t> read(context const& ctx, bytes_span to) override;

 private:
  reader* from_;
  writer* copy_to_;
};

// The ends of an in-memory pipe: what is written to one is read from the other, in order, through a
// bounded buffer. The destructor of an end closes it.
// Safety:  any goroutine; reads, and writes, take turns.
class pipe_reader : public reader, public closer {
 public:
  // close makes writes fail with closed_pipe; close_with gives them this error instead.
  virtual void close_with(error why) = 0;
};
class pipe_writer : public writer, public closer {
 public:
  // close lets the reader take what is buffered and then see the end; close_with shows it this
  // error in the place of the end.
  virtual void close_with(error why) = 0;
};

struct pipe_ends {
  std::unique_ptr<pipe_reader> read_end;
  std::unique_ptr<pipe_writer> write_end;
};

pipe_ends pipe(std::size_t capacity_bytes = 16 * 1024);

}  // namespace vole::io
