// SPDX-License-Identifier: Apache-2.0
// The private side of the message classes: how the server, the client, the router and the test kit
// fill what handlers only read. No shared state.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/http/message.h"
#include "vole/result.h"

namespace vole::http::internal {

// request_source is what stands behind a request while its handler runs.
class request_source {
 public:
  virtual ~request_source() = default;
  virtual std::string_view remote_addr() = 0;
  virtual context make_ctx() = 0;
  virtual io::reader& body() = 0;
  virtual result<std::string_view> read_body() = 0;
  virtual void set_body_limit(std::uint64_t bytes) = 0;
};

struct message_access {
  using path_values_type = std::vector<std::pair<std::string_view, std::string_view>>;

  static std::vector<headers::field>& fields(headers& header) { return header.fields_; }
  static vole::internal::text_arena& arena(headers& header) { return header.text_; }

  static std::string_view& method(request& req) { return req.method_; }
  static std::string_view& target(request& req) { return req.target_; }
  static std::string_view& host(request& req) { return req.host_; }
  static std::string_view& pattern(request& req) { return req.pattern_; }
  static int& version_minor(request& req) { return req.version_minor_; }
  static std::optional<std::uint64_t>& content_length(request& req) { return req.content_length_; }
  static headers& trailer(request& req) { return req.trailer_; }
  static path_values_type& path_values(request& req) { return req.path_values_; }
  static std::optional<context::stored>& ctx(request& req) { return req.ctx_; }
  static request_source*& source(request& req) { return req.source_; }

  static void set_url(request& req, std::string_view path, std::string_view raw_path,
                      std::string_view raw_query) {
    req.url_.path_ = path;
    req.url_.raw_path_ = raw_path;
    req.url_.raw_query_ = raw_query;
  }
};

}  // namespace vole::http::internal
