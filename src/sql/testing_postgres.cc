// SPDX-License-Identifier: Apache-2.0
#include "sql/testing_postgres.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "vole/go.h"
#include "vole/internal/format.h"

extern char** environ;

namespace vole::testing {
namespace {

// $1 folder, $2 where the programs are, $3 "fresh" for a new cluster, $4 options of the server, the
// rest: what runs a program as another user. Says "ready" or what failed; then waits for an order,
// or for the pipe to close.
constexpr char const* keeper_script = R"(
dir=$1 bin=$2 fresh=$3 options=$4
shift 4
if [ "$fresh" = fresh ]; then
  "$@" "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync \
    --no-instructions >"$dir/initdb.log" 2>&1 </dev/null ||
    { echo "initdb failed: see $dir/initdb.log"; exit 1; }
fi
case $options in *ssl=on*)
  [ -e "$dir/data/server.key" ] || "$@" openssl req -new -x509 -nodes -days 2 -subj /CN=localhost \
    -out "$dir/data/server.crt" -keyout "$dir/data/server.key" \
    >"$dir/openssl.log" 2>&1 </dev/null ||
    { echo "openssl failed: see $dir/openssl.log"; exit 1; } ;;
esac
"$@" "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 60 -o "$options" start \
  >"$dir/pg_ctl.log" 2>&1 </dev/null || { echo "pg_ctl start failed: see $dir/server.log"; exit 1; }
echo ready
exec >&-
read -r mode || mode=gone
case $mode in gone) how=immediate ;; *) how=$mode ;; esac
"$@" "$bin/pg_ctl" -D "$dir/data" -m "$how" -w -t 60 stop >>"$dir/pg_ctl.log" 2>&1 </dev/null
status=$?
[ "$mode" = gone ] && rm -rf "$dir"
exit $status
)";

// The folder of the newest installed server's programs; empty: none.
std::string find_programs() {
  std::string best;
  int best_version = -1;
  std::error_code ignored;
  for (auto const& at : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    std::string const name = at.path().filename().string();
    int version = 0;
    std::from_chars(name.data(), name.data() + name.size(), version);
    std::string const bin = at.path().string() + "/bin";
    bool const whole = ::access((bin + "/initdb").c_str(), X_OK) == 0 &&
                       ::access((bin + "/pg_ctl").c_str(), X_OK) == 0 &&
                       ::access((bin + "/postgres").c_str(), X_OK) == 0;
    if (whole && version > best_version) best_version = version, best = bin;
  }
  return best;
}

// Who runs the server when we are root.
struct other_user {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};
bool find_user(other_user& to) {
  for (char const* const name : {"postgres", "nobody"}) {
    if (passwd const* const entry = ::getpwnam(name)) {
      to = {name, entry->pw_uid, entry->pw_gid};
      return true;
    }
  }
  return false;
}

struct held_port {
  int number = 0;
  int holder = -1;  // a socket
};

// hold_port finds a free port and keeps it: bound, not listening, so that the kernel gives it to
// nobody who asks for any port, while the server, which says SO_REUSEADDR as this socket does, can
// listen on it. Connecting while there is no server is refused.
result<held_port> hold_port() {
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errors::from_errno(errno, "find a free port");
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* const address = reinterpret_cast<sockaddr*>(&at);
  int const on = 1;
  bool const found = ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                     ::bind(fd, address, size) == 0 && ::getsockname(fd, address, &size) == 0;
  if (found) return held_port{static_cast<int>(ntohs(at.sin_port)), fd};
  int const failure = errno;
  ::close(fd);
  return errors::from_errno(failure, "find a free port");
}

std::string read_all(int fd) {
  std::string all;
  char part[512];
  for (;;) {
    ssize_t const got = ::read(fd, part, sizeof part);
    if (got > 0) all.append(part, static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR)) return all;
  }
}

struct spawned {
  pid_t pid = -1;
  int orders = -1;   // its standard input
  int answers = -1;  // its standard output
};

result<spawned> spawn_shell(std::vector<std::string> const& words) {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) return errors::from_errno(errno, "pipe");
  if (::pipe2(out, O_CLOEXEC) != 0) {
    int const failure = errno;
    ::close(in[0]), ::close(in[1]);
    return errors::from_errno(failure, "pipe");
  }
  std::vector<char*> argv;
  for (std::string const& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  // Its own process group: a Ctrl-C at the tests is theirs to handle.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  spawned made;
  int const failure =
      ::posix_spawn(&made.pid, "/bin/sh", &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]), ::close(out[1]);
  if (failure != 0) {
    ::close(in[1]), ::close(out[0]);
    return errors::from_errno(failure, "start /bin/sh");
  }
  made.orders = in[1];
  made.answers = out[0];
  return made;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

std::string postgres_server::missing() {
  if (find_programs().empty()) return "PostgreSQL is not installed (no /usr/lib/postgresql/*/bin)";
  other_user user;
  if (::geteuid() == 0 && !find_user(user))
    return "PostgreSQL refuses root, and there is no other user";
  return {};
}

result<std::unique_ptr<postgres_server>> postgres_server::start(std::vector<std::string> settings) {
  if (std::string why = missing(); !why.empty()) return errors::make(why);
  std::unique_ptr<postgres_server> made(new postgres_server);
  std::string folder = (std::filesystem::temp_directory_path() / "vole-pg-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return errors::from_errno(errno, "make {}", folder);
  made->folder_ = folder;
  made->settings_ = std::move(settings);
  held_port const port = VOLE_TRY(hold_port(), "start PostgreSQL");
  made->port_ = port.number;
  made->port_holder_ = port.holder;
  if (other_user user; ::geteuid() == 0 && find_user(user)) {
    if (::chown(folder.c_str(), user.uid, user.gid) != 0) {
      return errors::from_errno(errno, "give {} to {}", folder, user.name);
    }
  }
  VOLE_TRY(made->spawn(true), "start PostgreSQL");
  return made;
}

error postgres_server::spawn(bool fresh) {
  std::string options = fmt::format("-p {} -c listen_addresses=127.0.0.1 -k {}", port_, folder_);
  for (std::string const& setting : settings_) options += " -c " + setting;
  std::vector<std::string> words = {
      "sh",   "-c", keeper_script, "keeper", folder_, find_programs(), fresh ? "fresh" : "again",
      options};
  if (other_user user; ::geteuid() == 0 && find_user(user)) {
    for (std::string const& word :
         {std::string("setpriv"), fmt::format("--reuid={}", user.uid),
          fmt::format("--regid={}", user.gid), std::string("--clear-groups"), std::string("--")}) {
      words.push_back(word);
    }
  } else {
    words.emplace_back("env");
  }
  auto const shell = VOLE_TRY(spawn_shell(words), "start PostgreSQL");
  std::string answer = blocking([&] { return read_all(shell.answers); });
  ::close(shell.answers);
  if (answer == "ready\n") {
    keeper_ = shell.pid;
    orders_ = shell.orders;
    return {};
  }
  std::ifstream log(folder_ + "/server.log");
  std::string const said((std::istreambuf_iterator<char>(log)), {});
  ::close(shell.orders);
  blocking([&] { wait_for(shell.pid); });
  return errors::make("{}\n{}", answer, said);
}

error postgres_server::end(std::string_view mode) {
  if (keeper_ < 0) return {};
  std::string const order = fmt::format("{}\n", mode);
  bool const told =
      ::write(orders_, order.data(), order.size()) == static_cast<ssize_t>(order.size());
  ::close(std::exchange(orders_, -1));
  int const status = blocking([&] { return wait_for(std::exchange(keeper_, -1)); });
  if (told && WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return errors::make("stop PostgreSQL: status {}: see {}/pg_ctl.log", status, folder_);
}

postgres_server::~postgres_server() {
  static_cast<void>(end("immediate"));
  if (port_holder_ >= 0) ::close(port_holder_);
  std::error_code ignored;
  blocking([&] { std::filesystem::remove_all(folder_, ignored); });
}

std::string postgres_server::url(std::string_view database) const {
  return fmt::format("postgres://postgres@127.0.0.1:{}/{}", port_, database);
}

}  // namespace vole::testing
