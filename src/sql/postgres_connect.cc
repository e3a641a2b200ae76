// SPDX-License-Identifier: Apache-2.0
#include "sql/postgres_connect.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "vole/go.h"
#include "vole/net.h"

namespace vole::internal {
namespace {

struct free_options {
  void operator()(PQconninfoOption* o) const noexcept { PQconninfoFree(o); }
};
using option_list = std::unique_ptr<PQconninfoOption, free_options>;

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  for (;;) {
    auto const comma = list.find(',');
    parts.emplace_back(list.substr(0, comma));
    if (comma == list.npos) return parts;
    list.remove_prefix(comma + 1);
  }
}

// The message of a malformed URL may quote it: the password must not get into a log.
std::string without_secrets(char const* message, std::string_view url) {
  std::string text = first_line_of(message);
  auto const secret = url.find_first_of(":@=", url.find("//") == url.npos ? 0 : url.find("//") + 2);
  bool const quotes = text.find('"') != text.npos;
  if (secret != url.npos && quotes)
    text = text.substr(0, text.find('"')) + "(the URL is not shown)";
  return text;
}

// Words that libpq takes from strerror, as the errno they came from.
error reason_error(std::string_view reason) {
  for (int const code : {ECONNREFUSED, ENOENT, EACCES, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH,
                         ECONNRESET, ENETDOWN, EADDRNOTAVAIL, EMFILE, ENFILE, EPIPE}) {
    if (reason == std::strerror(code)) return errors::from_errno(code);
  }
  return errors::make(first_line_of(std::string(reason).c_str()));
}

// "FATAL:  28P01: password authentication failed": what PQERRORS_VERBOSE prints.
bool parse_server_error(std::string_view reason, postgres::pg_error& to) {
  auto const colon = reason.find(":  ");
  if (colon == reason.npos || reason.size() < colon + 10) return false;
  std::string_view const code = reason.substr(colon + 3, 5);
  bool const is_code = std::all_of(code.begin(), code.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
  });
  if (!is_code || reason.substr(colon + 8, 2) != ": ") return false;
  to.severity = reason.substr(0, colon);
  to.code = code;
  to.text = reason.substr(colon + 10);
  return true;
}

// `"localhost" (127.0.0.1), port 5432` -> 127.0.0.1:5432; `on socket "/tmp/.s"` -> /tmp/.s
std::string target_in(std::string_view words) {
  auto const between = [&](char open, char close) -> std::string_view {
    auto const from = words.find(open);
    if (from == words.npos) return {};
    auto const to = words.find(close, from + 1);
    return to == words.npos ? std::string_view() : words.substr(from + 1, to - from - 1);
  };
  std::string_view host = between('(', ')');
  if (host.empty()) host = between('"', '"');
  auto const port = words.find("port ");
  if (port == words.npos) return std::string(host);
  return net::join_host_port(host, words.substr(port + 5));
}

}  // namespace

error pg_connect_error(std::string_view account, std::string_view target) {
  std::vector<error> all;
  std::string where(target);
  postgres::pg_error server;
  std::string other;
  auto const close = [&] {
    error cause;
    if (!server.code.empty()) cause = errors::make_typed<postgres::pg_error>(std::move(server));
    if (!cause && !other.empty()) cause = reason_error(other);
    if (cause) all.push_back(errors::wrap(std::move(cause), "connect to {}", where));
    server = {};
    other.clear();
  };
  while (!account.empty()) {
    std::string_view line = account.substr(0, account.find('\n'));
    account.remove_prefix(std::min(account.size(), line.size() + 1));
    constexpr std::string_view opening = "connection to server ";
    auto const failed = line.find(" failed: ");
    if (line.starts_with(opening) && failed != line.npos) {
      close();
      where = target_in(line.substr(opening.size(), failed - opening.size()));
      line.remove_prefix(failed + 9);
    }
    if (line.starts_with("DETAIL:  ")) {
      server.detail = line.substr(9);
    } else if (line.starts_with("HINT:  ")) {
      server.hint = line.substr(7);
    } else if (!line.empty() && line[0] != '\t' && !line.starts_with("LOCATION:") &&
               server.code.empty() && !parse_server_error(line, server) && other.empty()) {
      other = line;
    }
  }
  close();
  if (all.empty()) return errors::make("connect to {}: the connection failed", target);
  return errors::join(all);
}

result<pg_target> pg_target::parse(std::string_view url, std::string_view application_name) {
  if (url.find('\0') != url.npos) return errors::make("the database URL has a NUL byte");
  std::string const text(url);
  char* message = nullptr;
  option_list const given(PQconninfoParse(text.c_str(), &message));
  if (given == nullptr) {
    error err = errors::make("the database URL is malformed: {}", without_secrets(message, url));
    PQfreemem(message);
    return err;
  }
  option_list const defaults(PQconndefaults());
  pg_target made;
  std::string host, address, port;
  auto const has = [&](std::string_view key) {
    return std::any_of(made.options_.begin(), made.options_.end(),
                       [&](auto const& option) { return option.first == key; });
  };
  PQconninfoOption const* fallback = defaults.get();
  for (auto const* o = given.get(); o->keyword != nullptr; ++o) {
    std::string_view const key = o->keyword;
    char const* const preset = fallback ? (fallback++)->val : nullptr;
    bool const place = key == "host" || key == "hostaddr" || key == "port";
    char const* const value = o->val ? o->val : (place ? preset : nullptr);
    if (value == nullptr || *value == '\0') continue;
    if (place) {
      (key == "host" ? host : key == "port" ? port : address) = value;
    } else {
      made.options_.emplace_back(key, value);
    }
  }
  if (!application_name.empty()) {
    std::erase_if(made.options_, [](auto const& o) { return o.first == "application_name"; });
    made.options_.emplace_back("application_name", application_name);
  }
  // Kerberos would read files and look names up inside libpq: who wants it says so. A peer that is
  // gone without a word is noticed in time.
  for (auto const& [key, value] :
       {std::pair{"client_encoding", "UTF8"}, std::pair{"gssencmode", "disable"},
        std::pair{"fallback_application_name", "vole"}, std::pair{"keepalives_idle", "30"},
        std::pair{"keepalives_interval", "10"}, std::pair{"keepalives_count", "3"},
        std::pair{"tcp_user_timeout", "30000"}}) {
    if (!has(key)) made.options_.emplace_back(key, value);
  }
  made.port_given_ = !port.empty();
  auto const hosts = split(host);
  auto const addresses = split(address);
  auto const ports = split(port.empty() ? "5432" : port);
  std::size_t const count = address.empty() ? hosts.size() : addresses.size();
  bool const fits =
      (host.empty() || hosts.size() == count) && (ports.size() == 1 || ports.size() == count);
  if (!fits) {
    return errors::make("the database URL is malformed: {} hosts, {} addresses and {} ports",
                        hosts.size(), address.empty() ? 0 : addresses.size(), ports.size());
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::string const& given_port = ports.size() == 1 ? ports[0] : ports[i];
    made.servers_.push_back({.host = host.empty() ? "" : hosts[i],
                             .address = address.empty() ? "" : addresses[i],
                             .port = given_port.empty() ? "5432" : given_port});
  }
  return made;
}

std::string pg_target::server::name() const {
  std::string const& at = host.empty() ? address : host;
  bool const local = at.empty() || at[0] == '/' || at[0] == '@';
  return local ? fmt::format("{}/.s.PGSQL.{}", at, port) : net::join_host_port(at, port);
}

std::string pg_target::name() const {
  std::string all;
  for (server const& s : servers_) {
    if (!all.empty()) all += ", ";
    all += s.name();
  }
  return all;
}

// One entry for each address, in the order to try them.
result<std::vector<pg_target::server>> pg_target::resolve(context const& ctx) const {
  std::vector<server> all;
  error failed;
  for (server const& s : servers_) {
    bool const local = s.host.empty() || s.host[0] == '/' || s.host[0] == '@';
    if (local || !s.address.empty()) {
      all.push_back(s);
      continue;
    }
    auto found = net::system_resolver().lookup(ctx, s.host);
    if (!found) {
      failed = errors::wrap(std::move(found).error(), "connect to {}",
                            net::join_host_port(s.host, s.port));
      continue;
    }
    for (net::ip_address const& ip : *found) {
      all.push_back({.host = s.host, .address = ip.text(), .port = s.port});
    }
  }
  if (all.empty()) return failed;
  return all;
}

namespace {

error wait_for_socket(context const& ctx, PGconn* pg, PostgresPollingStatusType wanted) {
  // A handle for each wait: libpq goes to another server with another socket, which may have the
  // same number.
  poll_handle* poll = nullptr;
  if (int const code = poll_handle::open(PQsocket(pg), &poll); code != 0) {
    return errors::from_errno(code);
  }
  poll_result const woken =
      poll->wait(wanted == PGRES_POLLING_READING ? poll_mode::read : poll_mode::write, ctx);
  poll->close();
  poll->release();
  return woken == poll_result::ready ? error{} : context_error(ctx);
}

std::pair<context, cancel_handle> share_of(context const& ctx, std::size_t servers) {
  auto const deadline = ctx.deadline();
  if (!deadline) return context::with_cancel(ctx);
  time_point const now = vole::internal::now();
  return context::with_deadline(ctx, now + left_until(*deadline, now) / static_cast<int>(servers));
}

}  // namespace

result<pg_handle> pg_target::connect(context const& ctx) const {
  auto servers = resolve(ctx);
  if (!servers) return std::move(servers).error();
  // libpq waits for one server as long as it is let: each gets its share of the time, and the
  // others are tried without it.
  std::vector<error> silent;
  for (;;) {
    auto const [share, cancel] = share_of(ctx, servers->size());
    std::size_t waited_for = 0;
    auto connected = connect_to(share, *servers, waited_for);
    if (connected) return connected;
    silent.push_back(std::move(connected).error());
    bool const try_others = share.err() && !ctx.err() && servers->size() > 1;
    if (!try_others) return errors::join(silent);
    servers->erase(servers->begin() + static_cast<std::ptrdiff_t>(waited_for));
  }
}

result<pg_handle> pg_target::connect_to(context const& ctx, std::vector<server> const& servers,
                                        std::size_t& waited_for) const {
  pg_handle pg = start(servers);
  if (pg == nullptr) return errors::from_errno(ENOMEM, "connect to {}", name());
  PQsetErrorVerbosity(pg.get(), PQERRORS_VERBOSE);  // with the SQLSTATE
  PostgresPollingStatusType status =
      PQstatus(pg.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
    if (error ended = wait_for_socket(ctx, pg.get(), status)) {
      waited_for = place_of(servers, pg.get());
      blocking([&] { pg.reset(); });
      // The deadline is the dial's own; whoever waits for it has another.
      if (errors::is(ended, context::deadline_exceeded)) ended = errors::from_errno(ETIMEDOUT);
      return errors::wrap(std::move(ended), "connect to {}", servers[waited_for].name());
    }
    status = blocking([&] { return PQconnectPoll(pg.get()); });
  }
  if (status == PGRES_POLLING_OK) return pg;
  error failed = pg_connect_error(PQerrorMessage(pg.get()), name());
  blocking([&] { pg.reset(); });
  return failed;
}

pg_handle pg_target::start(std::vector<server> const& servers) const {
  std::string hosts, addresses, ports;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    server const& s = servers[i];
    char const* const comma = i == 0 ? "" : ",";
    hosts += comma + s.host;
    addresses += comma + s.address;
    ports += comma + s.port;
  }
  std::vector<char const*> keys, values;
  auto const add = [&](char const* key, std::string const& value) {
    keys.push_back(key);
    values.push_back(value.c_str());
  };
  for (auto const& [key, value] : options_) add(key.c_str(), value);
  if (hosts.find_first_not_of(',') != hosts.npos) add("host", hosts);
  if (addresses.find_first_not_of(',') != addresses.npos) add("hostaddr", addresses);
  if (port_given_) add("port", ports);
  keys.push_back(nullptr);
  values.push_back(nullptr);
  // libpq reads files (passwords, certificates) and computes hashes while it connects.
  pg_handle pg;
  blocking([&] { pg.reset(PQconnectStartParams(keys.data(), values.data(), 0)); });
  return pg;
}

// place_of is the server that libpq is at.
std::size_t pg_target::place_of(std::vector<server> const& servers, PGconn* pg) {
  std::string_view const host = PQhost(pg), address = PQhostaddr(pg), port = PQport(pg);
  auto const at = std::ranges::find_if(servers, [&](server const& s) {
    return s.port == port && (s.address.empty() ? s.host == host : s.address == address);
  });
  return at == servers.end() ? 0 : static_cast<std::size_t>(at - servers.begin());
}

}  // namespace vole::internal
