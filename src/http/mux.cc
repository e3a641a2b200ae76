// SPDX-License-Identifier: Apache-2.0
#include "vole/http/mux.h"

#include <algorithm>

#include "vole/assert.h"

#include "http/message_access.h"
#include "http/route_table.h"
#include "http/url.h"

namespace vole::http {

using internal::message_access;
using internal::pattern_segment;
using internal::route_entry;

struct mux::table {
  internal::route_table routes;
  std::function<void(response_writer&, request&, int)> unmatched;

  void serve(response_writer& res, request& req) const;
  void refuse(response_writer& res, request& req, int status) const;
};

namespace {

std::string_view without_port(std::string_view host) {
  if (!host.empty() && host.front() == '[') return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

// An exact match is one in which no {rest...} stands for anything.
bool exact(route_entry const* entry, std::string_view path) {
  if (entry == nullptr) return false;
  auto const& segments = entry->route.segments;
  if (segments.back().what != pattern_segment::kind::rest) return true;
  return path.ends_with('/') &&
         segments.size() == static_cast<std::size_t>(std::ranges::count(path, '/'));
}

void redirect_to_path(response_writer& res, request& req, std::string_view path) {
  std::string location(path);
  if (!req.url().raw_query().empty()) {
    location += '?';
    location += req.url().raw_query();
  }
  redirect(res, req, location, status::temporary_redirect);
}

// bind gives the request what its pattern found: names beside the values.
void bind(request& req, route_entry const& entry) {
  message_access::pattern(req) = entry.route.text;
  auto& values = message_access::path_values(req);
  std::size_t next = 0;
  for (auto const& segment : entry.route.segments) {
    bool const named = segment.what != pattern_segment::kind::literal && !segment.text.empty();
    if (named) values[next++].first = segment.text;
  }
}

}  // namespace

void mux::table::serve(response_writer& res, request& req) const {
  if (req.target() == "*") {  // OPTIONS *: is anybody there?
    reply(res, status::ok, "");
    return;
  }
  bool const connect = req.method() == "CONNECT";
  std::string_view const host = without_port(req.host());
  std::string_view const path = req.url().raw_path();
  if (!connect && !internal::is_clean_path(path)) {
    redirect_to_path(res, req, internal::clean_path(path));
    return;
  }
  auto& values = message_access::path_values(req);
  auto& arena = message_access::arena(req.header());
  route_entry const* entry = routes.match(host, req.method(), path, values, arena);
  if (!connect && !exact(entry, path) && !path.ends_with('/')) {
    std::string const directory = std::string(path) + "/";
    internal::route_values ignored;
    if (exact(routes.match(host, req.method(), directory, ignored, arena), directory)) {
      redirect_to_path(res, req, directory);
      return;
    }
  }
  if (entry != nullptr) {
    bind(req, *entry);
    entry->run(res, req);
    return;
  }
  std::string const allowed = routes.allowed(host, path);
  if (!allowed.empty()) res.header().set("Allow", allowed);
  refuse(res, req, allowed.empty() ? status::not_found : status::method_not_allowed);
}

void mux::table::refuse(response_writer& res, request& req, int status) const {
  if (unmatched) {
    unmatched(res, req, status);
  } else if (status == status::not_found) {
    not_found(res, req);
  } else {
    reply_error(res, status, "405 method not allowed");
  }
}

mux::mux() : table_(std::make_shared<table>()) {}
mux::~mux() = default;
mux::mux(mux&&) noexcept = default;
mux& mux::operator=(mux&&) noexcept = default;

void mux::handle(std::string_view pattern, handler h) {
  if (error err = try_handle(pattern, std::move(h))) panic("http::mux: " + err.message());
}

error mux::try_handle(std::string_view pattern, handler h) {
  return table_->routes.add(pattern, std::move(h));
}

void mux::on_unmatched(std::function<void(response_writer&, request&, int status)> answer) {
  table_->unmatched = std::move(answer);
}

void mux::serve(response_writer& res, request& req) const {
  table_->serve(res, req);
}

mux::operator handler() const {
  return [table = table_](response_writer& res, request& req) { table->serve(res, req); };
}

}  // namespace vole::http
