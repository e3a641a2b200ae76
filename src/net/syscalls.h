// SPDX-License-Identifier: Apache-2.0
// syscalls: the socket calls, each one call of the kernel, never waiting; a failure is minus errno.
// They are functions of another file on purpose: a compiler may keep the address of errno over a
// park, after which the goroutine runs on another thread. No shared state.
#pragma once

#include <cstddef>
#include <span>
#include <sys/socket.h>
#include <sys/uio.h>

namespace vole::internal::sys {

// Interrupted calls (EINTR) are made again.
ssize_t recv(int fd, std::span<std::byte> to);
// peek tells how recv of one byte would end, and takes none.
ssize_t peek(int fd);
// The two for writing raise no SIGPIPE.
ssize_t send(int fd, std::span<std::byte const> from);
ssize_t send(int fd, std::span<iovec> from);

// socket, accept: non-blocking and close-on-exec; they return the descriptor.
int socket(int family);
int accept(int fd, sockaddr* from, socklen_t* size);
int connect(int fd, sockaddr const* to, socklen_t size);
int bind(int fd, sockaddr const* to, socklen_t size);
int listen(int fd, int backlog);
int shutdown_write(int fd);
int close(int fd);
int set_option(int fd, int level, int option, int value);
// take_error is SO_ERROR: 0, or the errno of what failed in the background.
int take_error(int fd);
// 0 when connected, -ENOTCONN when not (yet).
int connected(int fd);

}  // namespace vole::internal::sys
