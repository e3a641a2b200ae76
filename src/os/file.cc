// SPDX-License-Identifier: Apache-2.0
// No shared state but the calls that run with a context.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vole/go.h"
#include "vole/os.h"
#include "vole/uncancelable.h"

#include "base/rand.h"
#include "os/descriptor.h"

namespace vole::os {
namespace {

constexpr std::int64_t disk_calls_at_once = 16;

error zero_byte_in_path(std::string_view what, std::string const& path) {
  return errors::from_errno(EINVAL, "{} {}: the path has a zero byte in it", what, path);
}

result<std::string> read_rest(int fd, std::string const& path, std::size_t bytes_max) {
  struct stat about{};
  if (::fstat(fd, &about) != 0) return errors::from_errno(errno, "read {}", path);
  // One byte more than the size: the read that fills it all would need another one to see the end.
  std::size_t room = std::min<std::size_t>(static_cast<std::size_t>(about.st_size), bytes_max) + 1;
  std::string content;
  while (true) {
    std::size_t const have = content.size();
    content.resize(have + room);
    ssize_t const got = ::read(fd, content.data() + have, room);
    if (got < 0 && errno != EINTR) return errors::from_errno(errno, "read {}", path);
    content.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return content;
    if (content.size() > bytes_max)
      return errors::make("read {}: more than {} bytes", path, bytes_max);
    room = std::max<std::size_t>(content.size(), 4096);
  }
}

error write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    ssize_t const sent = ::write(fd, data.data(), data.size());
    if (sent < 0 && errno != EINTR) return errors::from_errno(errno);
    if (sent > 0) data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return nullptr;
}

// fill writes, and makes sure of, the content of a fresh file.
error fill(int fd, std::string_view data, std::optional<unsigned> mode) {
  if (error err = write_all(fd, data)) return err;
  if (mode && ::fchmod(fd, *mode) != 0) return errors::from_errno(errno);
  if (::fsync(fd) != 0) return errors::from_errno(errno);
  return nullptr;
}

// The permissions of what is at path; none: nothing is.
std::optional<unsigned> mode_of(std::string const& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0) return std::nullopt;
  return about.st_mode & 0777U;
}

// open_beside makes a file of an unused name beside path, and says which. One that will be given
// its mode is nobody else's until then; any other has the mode that the umask leaves it.
descriptor open_beside(std::string const& path, bool will_get_mode, std::string* name) {
  constexpr int attempts = 100;
  for (int i = 0; i < attempts; ++i) {
    *name = fmt::format("{}.new-{:016x}", path, internal::fast_rand());
    descriptor made(::open(name->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                           will_get_mode ? 0600 : 0644));
    if (made.good() || errno != EEXIST) return made;
  }
  return {};
}

std::string folder_of(std::string const& path) {
  std::size_t const slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

error sync_folder(std::string const& path) {
  descriptor const folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.good() || ::fsync(folder.fd()) != 0) {
    return errors::from_errno(errno, "write {}: sync its folder", path);
  }
  return nullptr;
}

error write_atomic(std::string const& path, std::string_view data, std::optional<unsigned> mode) {
  if (has_zero_byte(path)) return zero_byte_in_path("write", path);
  if (!mode) mode = mode_of(path);
  std::string beside;
  descriptor const file = open_beside(path, mode.has_value(), &beside);
  if (!file.good()) return errors::from_errno(errno, "write {}", path);
  error err = fill(file.fd(), data, mode);
  if (!err && ::rename(beside.c_str(), path.c_str()) != 0) err = errors::from_errno(errno);
  if (err) {
    ::unlink(beside.c_str());
    return errors::wrap(err, "write {}", path);
  }
  return sync_folder(path);
}

}  // namespace

result<std::string> read_file(std::string const& path, std::size_t bytes_max) {
  if (has_zero_byte(path)) return zero_byte_in_path("open", path);
  return blocking([&]() -> result<std::string> {
    descriptor const file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.good()) return errors::from_errno(errno, "open {}", path);
    return read_rest(file.fd(), path, bytes_max);
  });
}

error write_file_atomic(std::string const& path, std::string_view data,
                        std::optional<unsigned> mode) {
  return blocking([&] { return write_atomic(path, data, mode); });
}

namespace {

uncancelable& disk() {
  // Never destroyed: a call may still run when the process ends.
  static auto& calls = *new uncancelable(disk_calls_at_once);
  return calls;
}

}  // namespace

result<std::string> read_file(context const& ctx, std::string const& path, std::size_t bytes_max) {
  if (error ended = ctx.err()) return errors::wrap(std::move(ended), "read {}", path);
  auto got = disk().run(ctx, [path, bytes_max] { return read_file(path, bytes_max); });
  bool const left = !got && errors::is(got.error(), ctx.err());
  return left ? errors::wrap(got.error(), "read {}", path) : std::move(got);
}

error write_file_atomic(context const& ctx, std::string const& path, std::string data,
                        std::optional<unsigned> mode) {
  if (error ended = ctx.err()) return errors::wrap(std::move(ended), "write {}", path);
  error err = disk()
                  .run(ctx, [path, data = std::move(data),
                             mode] { return write_file_atomic(path, data, mode); })
                  .error();
  bool const left = err && errors::is(err, ctx.err());
  return left ? errors::wrap(std::move(err), "write {}", path) : err;
}

file_stats read_file_stats() {
  auto const now = disk().read_stats();
  return {now.running, now.abandoned_total};
}

std::optional<std::string> env(std::string const& name) {
  char const* const value = has_zero_byte(name) ? nullptr : std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::string env_or(std::string const& name, std::string_view otherwise) {
  return env(name).value_or(std::string(otherwise));
}

}  // namespace vole::os
