// SPDX-License-Identifier: Apache-2.0
// The router against Go's documented rules: patterns, precedence, conflicts, redirects, 405.
#include "vole/http/mux.h"

#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "vole/http/test.h"
#include "vole/internal/format.h"

#include "http/pattern.h"

namespace vole::http {
namespace {

using internal::compare_paths;
using internal::parse_pattern;
using internal::relation;

handler say(std::string text) {
  return [text = std::move(text)](response_writer& res, request&) { reply(res, 200, text); };
}

struct answer {
  int status;
  std::string pattern;
  std::string location;
  std::string allow;
};

// ask sends "METHOD [host]/path" to the mux.
answer ask(mux const& m, std::string const& method, std::string const& target) {
  test::recorder res;
  std::size_t const slash = target.find('/');
  std::string const host = target.substr(0, slash);
  std::string const path = target.substr(slash);
  auto const req = test::make_request(method, host.empty() ? path : "http://" + host + path);
  m.serve(res, *req);
  return {res.status(), std::string(req->pattern()), std::string(res.sent_header().get("Location")),
          std::string(res.sent_header().get("Allow"))};
}

mux make_mux(std::vector<std::string> const& patterns) {
  mux m;
  for (auto const& p : patterns) m.handle(p, say(p));
  return m;
}

TEST(http_mux, parses_patterns) {
  auto const p = parse_pattern("GET  example.COM/a%20b/{id}/x/{rest...}");
  ASSERT_TRUE(p) << p.error().message();
  EXPECT_EQ(p->method, "GET");
  EXPECT_EQ(p->host, "example.com");
  ASSERT_EQ(p->segments.size(), 4u);
  EXPECT_EQ(p->segments[0].text, "a b");
  EXPECT_EQ(p->segments[1].text, "id");
  EXPECT_EQ(p->segments[3].text, "rest");
}

TEST(http_mux, refuses_malformed_patterns) {
  struct {
    char const* pattern;
    char const* message;
  } const table[] = {
      {"", "empty pattern"},
      {"A=B /", "pattern \"A=B /\": invalid method \"A=B\""},
      {" /", "pattern \" /\": invalid method \"\""},
      {"GET ", "pattern \"GET \": no '/' in host/path"},
      {"x", "pattern \"x\": no '/' in host/path"},
      {"{a}/x", "pattern \"{a}/x\": host with '{': is the first '/' missing?"},
      {"/{w}x", "pattern \"/{w}x\": a wildcard must be a whole segment"},
      {"/x{w}", "pattern \"/x{w}\": a wildcard must be a whole segment"},
      {"/{w", "pattern \"/{w\": a wildcard must be a whole segment"},
      {"/w}", "pattern \"/w}\": a wildcard must be a whole segment"},
      {"/{}", "pattern \"/{}\": bad wildcard name \"\""},
      {"/{a b}", nullptr},
      {"/{1a}", "pattern \"/{1a}\": bad wildcard name \"1a\""},
      {"/{a.b}", "pattern \"/{a.b}\": bad wildcard name \"a.b\""},
      {"/{$}/a", "pattern \"/{$}/a\": {$} is not at the end"},
      {"/{a...}/b", "pattern \"/{a...}/b\": {...} is not at the end"},
      {"/{a...}/", "pattern \"/{a...}/\": {...} is not at the end"},
      {"/{...}", "pattern \"/{...}\": bad wildcard name \"\""},
      {"/{a}/{a}", "pattern \"/{a}/{a}\": duplicate wildcard \"a\""},
      {"/{a}/{a...}", "pattern \"/{a}/{a...}\": duplicate wildcard \"a\""},
      {"/a//b", "pattern \"/a//b\": unclean path: requests are cleaned before they are matched"},
      {"/a/../b",
       "pattern \"/a/../b\": unclean path: requests are cleaned before they are matched"},
  };
  for (auto const& t : table) {
    auto const p = parse_pattern(t.pattern);
    ASSERT_FALSE(p) << t.pattern;
    if (t.message != nullptr) {
      EXPECT_EQ(p.error().message(), t.message);
    }
  }
}

TEST(http_mux, knows_how_paths_relate) {
  struct {
    char const* a;
    char const* b;
    relation want;
  } const table[] = {
      {"/a", "/a", relation::equal},
      {"/a", "/b", relation::disjoint},
      {"/a/{x}", "/a/{y}", relation::equal},
      {"/a/{x...}", "/a/", relation::equal},
      {"/", "/a", relation::more_general},
      {"/{x}", "/a", relation::more_general},
      {"/a/", "/a", relation::disjoint},
      {"/a/{$}", "/a/", relation::more_specific},
      {"/a/{$}", "/a/{x}", relation::disjoint},
      {"/a/{$}", "/a/{$}", relation::equal},
      {"/a/{x}", "/a/b/c", relation::disjoint},
      {"/a/{x}/c", "/a/b/{y}", relation::overlapping},
      {"/{x}/b", "/a/{y}", relation::overlapping},
      {"/{x}/b", "/a/{y...}", relation::overlapping},
      {"/{x}/", "/a/{$}", relation::more_general},
      {"/{x}/{$}", "/a/", relation::overlapping},
      {"/b/{x}/c", "/b/{x...}", relation::more_specific},
      {"/{x...}", "/{$}", relation::more_general},
      {"/a/{x}/{y...}", "/a/{x}", relation::disjoint},
      {"/%61", "/a", relation::equal},
      {"/a%2Fb", "/a/b", relation::disjoint},
  };
  auto const mirrored = [](relation r) {
    if (r == relation::more_general) return relation::more_specific;
    if (r == relation::more_specific) return relation::more_general;
    return r;
  };
  for (auto const& t : table) {
    auto const a = parse_pattern(t.a);
    auto const b = parse_pattern(t.b);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(compare_paths(*a, *b), t.want) << t.a << " " << t.b;
    EXPECT_EQ(compare_paths(*b, *a), mirrored(t.want)) << t.b << " " << t.a;
  }
}

TEST(http_mux, refuses_conflicts_and_names_both) {
  struct {
    char const* a;
    char const* b;
    bool conflict;
  } const table[] = {
      {"/a", "/a", true},
      {"GET /a", "/a", false},
      {"GET /a", "POST /a", false},
      {"GET /a", "HEAD /a", false},
      {"GET /a", "GET /a", true},
      {"/a/{x}", "/a/{y}", true},
      {"/{x}/b", "/a/{y}", true},
      {"GET /{x}/b", "POST /a/{y}", false},
      {"GET /{x}", "/a", true},
      {"GET /{x}/b", "HEAD /a/b", false},
      {"GET /a", "HEAD /{x}", true},
      {"example.com/a", "/a", false},
      {"example.com/{x}", "/a", false},
      {"example.com/a", "EXAMPLE.com/a", true},
      {"a.com/{x}/b", "b.com/a/{y}", false},
      {"/a/{x...}", "/a/", true},
      {"/", "/{x...}", true},
  };
  for (auto const& t : table) {
    for (bool const swapped : {false, true}) {
      mux m;
      std::string_view const first = swapped ? t.b : t.a;
      std::string_view const second = swapped ? t.a : t.b;
      ASSERT_FALSE(m.try_handle(first, say("")));
      error const err = m.try_handle(second, say(""));
      EXPECT_EQ(static_cast<bool>(err), t.conflict) << t.a << " " << t.b;
    }
  }
  mux m;
  ASSERT_FALSE(m.try_handle("GET /{user}/orders", say("")));
  EXPECT_EQ(m.try_handle("GET /admin/{page}", say("")).message(),
            "pattern \"GET /admin/{page}\" conflicts with \"GET /{user}/orders\": both match paths "
            "like \"/admin/orders\", and neither is more specific");
  EXPECT_EQ(m.try_handle("GET /{id}/orders", say("")).message(),
            "pattern \"GET /{id}/orders\" conflicts with \"GET /{user}/orders\": both match the "
            "same requests");
}

TEST(http_mux, panics_at_a_conflict) {
  EXPECT_DEATH(
      {
        mux m;
        m.handle("GET /a", say(""));
        m.handle("GET /a", say(""));
      },
      "pattern \"GET /a\" conflicts with \"GET /a\"");
}

TEST(http_mux, the_most_specific_pattern_wins) {
  mux const m = make_mux({
      "/",
      "/{x}",
      "/item/",
      "POST /item/{user}",
      "GET /item/{user}",
      "/item/{user}",
      "/item/{user}/{id}",
      "/item/{user}/new",
      "/item/{$}",
      "POST alt.com/item/{user}",
      "GET /headwins",
      "HEAD /headwins",
      "/path/{p...}",
      "/a/b/{$}",
      "/a/{x}/{$}",
      "GET /m/{x}",
      "/static/js/",
      "/static/js/app.js",
  });
  struct {
    char const* method;
    char const* target;
    char const* pattern;
  } const table[] = {
      {"GET", "/", "/"},
      {"GET", "/x", "/{x}"},
      {"GET", "/x/y/z", "/"},
      {"GET", "/item/jba", "GET /item/{user}"},
      {"HEAD", "/item/jba", "GET /item/{user}"},
      {"POST", "/item/jba", "POST /item/{user}"},
      {"DELETE", "/item/jba", "/item/{user}"},
      {"POST", "alt.com/item/jba", "POST alt.com/item/{user}"},
      {"POST", "ALT.com:8080/item/jba", "POST alt.com/item/{user}"},
      {"GET", "alt.com/item/jba", "GET /item/{user}"},
      {"GET", "/item/", "/item/{$}"},
      {"GET", "/item/jba/17", "/item/{user}/{id}"},
      {"GET", "/item/jba/new", "/item/{user}/new"},
      {"GET", "/item/jba/17/line2", "/item/"},
      {"HEAD", "/headwins", "HEAD /headwins"},
      {"GET", "/headwins", "GET /headwins"},
      {"GET", "/path/to/file", "/path/{p...}"},
      {"GET", "/path/", "/path/{p...}"},
      {"GET", "/a/b/", "/a/b/{$}"},
      {"GET", "/a/c/", "/a/{x}/{$}"},
      {"GET", "/static/js/app.js", "/static/js/app.js"},
      {"GET", "/static/js/lib/x.js", "/static/js/"},
  };
  for (auto const& t : table) {
    answer const a = ask(m, t.method, t.target);
    EXPECT_EQ(a.status, 200) << t.method << " " << t.target;
    EXPECT_EQ(a.pattern, t.pattern) << t.method << " " << t.target;
  }
}

TEST(http_mux, goes_back_when_a_literal_leads_nowhere) {
  mux const m = make_mux({"/a/b/c", "/a/{x}/d", "/{y}/{z}/e", "/{w...}"});
  EXPECT_EQ(ask(m, "GET", "/a/b/c").pattern, "/a/b/c");
  EXPECT_EQ(ask(m, "GET", "/a/b/d").pattern, "/a/{x}/d");
  EXPECT_EQ(ask(m, "GET", "/a/b/e").pattern, "/{y}/{z}/e");
  EXPECT_EQ(ask(m, "GET", "/a/b/f").pattern, "/{w...}");
}

TEST(http_mux, gives_wildcards_their_decoded_values) {
  mux m;
  std::string got;
  m.handle("/u/{user}/f/{path...}", [&](response_writer&, request& req) {
    got = fmt::format("{}|{}|{}", req.path_value("user"), req.path_value("path"),
                      req.path_value("none"));
  });
  auto const run = [&](std::string_view target) {
    test::recorder res;
    m.serve(res, *test::make_request("GET", target));
    return got;
  };
  EXPECT_EQ(run("/u/ann/f/a/b.txt"), "ann|a/b.txt|");
  EXPECT_EQ(run("/u/a%2Fb/f/c%20d/e"), "a/b|c d/e|");
  EXPECT_EQ(run("/u/%2e%2e/f/"), "..||");
}

TEST(http_mux, matches_encoded_literals_by_segment) {
  mux const m = make_mux({"/a%2Fb/c", "/x%20y/{z}"});
  EXPECT_EQ(ask(m, "GET", "/a%2fb/c").pattern, "/a%2Fb/c");
  EXPECT_EQ(ask(m, "GET", "/a/b/c").status, 404);
  EXPECT_EQ(ask(m, "GET", "/x%20y/1").pattern, "/x%20y/{z}");
}

TEST(http_mux, redirects_to_the_subtree) {
  mux const m = make_mux({"/tree/", "/both/", "/both", "/leaf/{x}/{$}", "POST /only/"});
  EXPECT_EQ(ask(m, "GET", "/tree").location, "/tree/");
  EXPECT_EQ(ask(m, "GET", "/tree").status, 307);
  EXPECT_EQ(ask(m, "GET", "/tree?a=b").location, "/tree/?a=b");
  EXPECT_EQ(ask(m, "GET", "/both").pattern, "/both");
  EXPECT_EQ(ask(m, "GET", "/leaf/q").location, "/leaf/q/");
  EXPECT_EQ(ask(m, "GET", "/only").status, 405);
  EXPECT_EQ(ask(m, "POST", "/only").location, "/only/");
  EXPECT_EQ(ask(m, "GET", "/tree/x").pattern, "/tree/");
}

TEST(http_mux, redirects_to_clean_paths) {
  mux const m = make_mux({"/"});
  EXPECT_EQ(ask(m, "GET", "/a//b/../c?q=1").location, "/a/c?q=1");
  EXPECT_EQ(ask(m, "GET", "//evil.com/..").location, "/");
  EXPECT_EQ(ask(m, "GET", "/\\evil.com//").location, "/%5Cevil.com/");
  EXPECT_EQ(ask(m, "GET", "/a/%2e%2e/b").status, 200);
}

TEST(http_mux, answers_405_with_the_methods_there_are) {
  mux const m = make_mux({"GET /a", "POST /a", "DELETE /{x}", "/b/c", "PUT /c/"});
  EXPECT_EQ(ask(m, "PUT", "/a").status, 405);
  EXPECT_EQ(ask(m, "PUT", "/a").allow, "DELETE, GET, HEAD, POST");
  EXPECT_EQ(ask(m, "GET", "/z").allow, "DELETE");
  EXPECT_EQ(ask(m, "GET", "/b/c").status, 200);
  EXPECT_EQ(ask(m, "GET", "/c").allow, "DELETE, PUT");
  EXPECT_EQ(ask(m, "GET", "/no/such").status, 404);
}

TEST(http_mux, lets_the_owner_word_404_and_405) {
  mux m = make_mux({"GET /a"});
  m.on_unmatched([](response_writer& res, request&, int status) {
    reply(res, status, fmt::format("{{\"status\":{}}}", status), "application/problem+json");
  });
  test::recorder res;
  m.serve(res, *test::make_request("PUT", "/a"));
  EXPECT_EQ(res.status(), 405);
  EXPECT_EQ(res.body(), "{\"status\":405}");
  EXPECT_EQ(res.sent_header().get("Allow"), "GET, HEAD");
}

TEST(http_mux, answers_options_star) {
  mux const m = make_mux({"/"});
  test::recorder res;
  m.serve(res, *test::make_request("OPTIONS", "*"));
  EXPECT_EQ(res.status(), 200);
}

}  // namespace
}  // namespace vole::http
