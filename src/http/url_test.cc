// SPDX-License-Identifier: Apache-2.0
#include "http/url.h"

#include <gtest/gtest.h>

#include "http/message_access.h"

namespace vole::http {
namespace {

using internal::clean_path;
using internal::is_clean_path;
using internal::parse_url;
using internal::resolve_url;

TEST(http_url, decodes_a_path_once) {
  vole::internal::text_arena arena;
  EXPECT_EQ(internal::decode_path("/a/b", arena), "/a/b");
  EXPECT_EQ(internal::decode_path("/a%2Fb%20c%C3%A4", arena), "/a/b c\xc3\xa4");
  EXPECT_EQ(internal::decode_path("/%2541", arena), "/%41");
  EXPECT_EQ(internal::decode_path("/a+b", arena), "/a+b");
  for (char const* bad : {"/%", "/%4", "/%zz", "/%4g", "/a%00b", "/%-1"}) {
    EXPECT_EQ(internal::decode_path(bad, arena), std::nullopt) << bad;
  }
}

TEST(http_url, cleans_paths_as_go_does) {
  struct {
    char const* path;
    char const* clean;
  } const table[] = {
      {"/", "/"},
      {"/a", "/a"},
      {"/a/", "/a/"},
      {"//a", "/a"},
      {"/a//b", "/a/b"},
      {"/a/./b", "/a/b"},
      {"/a/.", "/a"},
      {"/a/..", "/"},
      {"/a/../b", "/b"},
      {"/../a", "/a"},
      {"/..", "/"},
      {"/a/b/..", "/a"},
      {"/a/b/../", "/a/"},
      {"/a/b/../../", "/"},
      {"a", "/a"},
      {"", "/"},
      {"/...", "/..."},
      {"/.a", "/.a"},
      {"/a/..b/", "/a/..b/"},
      {"///", "/"},
      {"/%2e%2e/a", "/%2e%2e/a"},
  };
  for (auto const& t : table) {
    EXPECT_EQ(clean_path(t.path), t.clean) << t.path;
    EXPECT_TRUE(is_clean_path(t.clean)) << t.clean;
    EXPECT_EQ(is_clean_path(t.path), std::string_view(t.path) == t.clean) << t.path;
  }
}

http::url query_url(std::string_view query) {
  http::request req;
  internal::message_access::set_url(req, "/", "/", query);
  return req.url();
}

TEST(http_url, finds_query_parameters) {
  http::url const u = query_url("symbols=AAPL,MSFT&a=1&a=2&b&c=&x%20y=%26+z&bad=%zz&s;t=1&&=v");
  EXPECT_EQ(u.query("symbols"), "AAPL,MSFT");
  EXPECT_EQ(u.query("a"), "1");
  EXPECT_EQ(u.query("b"), "");
  EXPECT_EQ(u.query("c"), "");
  EXPECT_EQ(u.query("x y"), "& z");
  EXPECT_EQ(u.query(""), "v");
  EXPECT_EQ(u.query("bad"), std::nullopt);
  EXPECT_EQ(u.query("s;t"), std::nullopt);
  EXPECT_EQ(u.query("absent"), std::nullopt);
  EXPECT_EQ(query_url("a=1&b=x&a=&%61=2+3").query_all("a").value(),
            (std::vector<std::string>{"1", "", "2 3"}));
  EXPECT_TRUE(query_url("b=1").query_all("a").value().empty());
  EXPECT_EQ(query_url("a=1&a=%zz").query_all("a").error().message(),
            "the query has a '%' that no two hexadecimal digits follow");
  EXPECT_FALSE(query_url("%zz=1&a=2").query_all("a"));
  EXPECT_EQ(query_url("a=1;2").query_all("a").error().message(),
            "the query has a ';', which must be written as %3B");
  EXPECT_EQ(u.queries().size(), 7u);
  EXPECT_EQ(query_url("").query("a"), std::nullopt);
}

TEST(http_url, reads_absolute_urls) {
  struct {
    char const* text;
    char const* authority;
    char const* address;
    char const* target;
  } const table[] = {
      {"http://a", "a", "a:80", "/"},
      {"HTTP://a/", "a", "a:80", "/"},
      {"http://a:81/b?c#d", "a:81", "a:81", "/b?c"},
      {"http://a:/b", "a", "a:80", "/b"},
      {"http://a?q", "a", "a:80", "/?q"},
      {"http://[::1]/", "[::1]", "[::1]:80", "/"},
      {"http://[::1]:8080/", "[::1]:8080", "[::1]:8080", "/"},
  };
  for (auto const& t : table) {
    auto const url = parse_url(t.text);
    ASSERT_TRUE(url) << url.error().message();
    EXPECT_EQ(url->authority, t.authority) << t.text;
    EXPECT_EQ(url->address, t.address) << t.text;
    EXPECT_EQ(url->target, t.target) << t.text;
  }
  EXPECT_EQ(parse_url("a/b").error().message(), "url \"a/b\": not absolute: no scheme");
  EXPECT_EQ(parse_url("ftp://a").error().message(), "url \"ftp://a\": unsupported scheme \"ftp\"");
  for (char const* bad : {"http://", "http:///x", "http://a b/", "http://a/b c", "http://a/\r\nX",
                          "http://u:p@a/", "http://[::1/", "http://a:x/"}) {
    EXPECT_FALSE(parse_url(bad)) << bad;
  }
}

TEST(http_url, resolves_references) {
  auto const base = parse_url("http://a:8/b/c/d?q");
  ASSERT_TRUE(base);
  struct {
    char const* reference;
    char const* url;
  } const table[] = {
      {"http://x/y", "http://x/y"},
      {"//x/y", "http://x/y"},
      {"/y", "http://a:8/y"},
      {"g", "http://a:8/b/c/g"},
      {"./g", "http://a:8/b/c/g"},
      {"g/", "http://a:8/b/c/g/"},
      {"?y", "http://a:8/b/c/d?y"},
      {"g?y", "http://a:8/b/c/g?y"},
      {"", "http://a:8/b/c/d?q"},
      {"#s", "http://a:8/b/c/d?q"},
      {".", "http://a:8/b/c/"},
      {"..", "http://a:8/b/"},
      {"../g", "http://a:8/b/g"},
      {"../../../g", "http://a:8/g"},
      {"/a//b", "http://a:8/a//b"},
      {"g:h", nullptr},
      {"/a b", nullptr},
  };
  for (auto const& t : table) {
    auto const got = resolve_url(*base, t.reference);
    if (t.url == nullptr) {
      EXPECT_FALSE(got) << t.reference;
    } else {
      ASSERT_TRUE(got) << t.reference << got.error().message();
      EXPECT_EQ(got->text(), t.url) << t.reference;
    }
  }
}

TEST(http_url, escapes_locations_against_injection) {
  EXPECT_EQ(internal::escape_location("/a?b=c&d=%20"), "/a?b=c&d=%20");
  EXPECT_EQ(internal::escape_location("/a\r\nSet-Cookie: x"), "/a%0D%0ASet-Cookie:%20x");
  EXPECT_EQ(internal::escape_location("/\\evil"), "/%5Cevil");
  EXPECT_EQ(internal::escape_location("/\xc3\xa4"), "/%C3%A4");
}

}  // namespace
}  // namespace vole::http
