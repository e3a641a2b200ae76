// SPDX-License-Identifier: Apache-2.0
#pragma once
// A PostgreSQL server for tests: a cluster of its own in a temporary folder, on a free loopback
// port. It goes with the object, and also when the test program dies: a shell holds the server and
// watches a pipe. As root it runs under another user, since PostgreSQL refuses root. No shared
// state.

#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "vole/errors.h"
#include "vole/result.h"

namespace vole::testing {

class postgres_server {
 public:
  // Why there is no server to start, for GTEST_SKIP; empty when there is one.
  static std::string missing();

  // start makes a cluster and starts its server. settings: "name=value", as in postgresql.conf.
  // Blocks:  some seconds. The folder's durability settings are PostgreSQL's own: fsync and
  //          synchronous_commit on.
  static result<std::unique_ptr<postgres_server>> start(std::vector<std::string> settings = {});
  ~postgres_server();
  postgres_server(postgres_server const&) = delete;
  postgres_server& operator=(postgres_server const&) = delete;

  // "postgres://postgres@127.0.0.1:5433/postgres"
  std::string url(std::string_view database = "postgres") const;
  int port() const { return port_; }
  std::string const& folder() const { return folder_; }

  // crash ends the server at once, without a checkpoint; stop lets it end its work; resume starts
  // it again.
  error crash() { return end("immediate"); }
  error stop() { return end("fast"); }
  error resume() { return spawn(false); }

 private:
  postgres_server() = default;
  error spawn(bool fresh);
  error end(std::string_view mode);

  std::string folder_;
  std::vector<std::string> settings_;
  int port_ = 0;
  int port_holder_ = -1;  // a socket that keeps the port ours while the server is down
  pid_t keeper_ = -1;     // the shell
  int orders_ = -1;       // the pipe it watches
};

}  // namespace vole::testing
