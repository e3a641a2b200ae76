// SPDX-License-Identifier: Apache-2.0
// io::pipe: one byte_queue with an object for each end. The queue goes with the second of them; its
// locks are the only ones.

#include <utility>

#include "vole/io.h"

#include "io/byte_queue.h"

namespace vole::io {
namespace {

using internal::byte_queue;

error pipe_error(error const& err) {
  if (err == byte_queue::closed_here || err == byte_queue::closed_there) return closed_pipe;
  return err;
}

class read_end final : public pipe_reader {
 public:
  explicit read_end(std::shared_ptr<byte_queue> queue) : queue_(std::move(queue)) {}
  ~read_end() override { queue_->close_read(); }

  result<std::size_t> read(context const& ctx, bytes_span to) override {
    auto got = queue_->read(ctx, to);
    if (!got) return pipe_error(got.error());
    return got;
  }
  error close() override {
    queue_->close_read();
    return nullptr;
  }
  void close_with(error why) override { queue_->close_read(std::move(why)); }

 private:
  std::shared_ptr<byte_queue> queue_;
};

class write_end final : public pipe_writer {
 public:
  explicit write_end(std::shared_ptr<byte_queue> queue) : queue_(std::move(queue)) {}
  ~write_end() override { queue_->close_write(); }

  error write(context const& ctx, bytes_view from) override {
    return pipe_error(queue_->write(ctx, from));
  }
  error close() override {
    queue_->close_write();
    return nullptr;
  }
  void close_with(error why) override { queue_->close_write(std::move(why)); }

 private:
  std::shared_ptr<byte_queue> queue_;
};

}  // namespace

pipe_ends pipe(std::size_t capacity_bytes) {
  auto queue = std::make_shared<byte_queue>(capacity_bytes);
  return {std::make_unique<read_end>(queue), std::make_unique<write_end>(queue)};
}

}  // namespace vole::io
