// SPDX-License-Identifier: Apache-2.0

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <stdlib.h>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <time.h>
#include <vector>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/go.h"
#include "vole/http/mux.h"
#include "vole/http/pprof.h"
#include "vole/http/server.h"
#include "vole/http/test.h"
#include "vole/internal/atomic.h"
#include "vole/net.h"
#include "vole/pprof.h"
#include "vole/runtime.h"
#include "vole/sync.h"
#include "vole/testing.h"

#include "runtime/wall_sample.h"
#include "symbol/symbolize.h"

namespace vole::http {
namespace {

using namespace std::chrono_literals;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct answer {
  int status = 0;
  std::string body;
  headers header;
};

answer ask(std::string_view method, std::string_view target, std::string_view body = {},
           context const& ctx = context::background()) {
  mux pages;
  handle_pprof(pages);
  test::recorder res;
  auto const req = test::make_request(method, target, body, ctx);
  pages.serve(res, *req);
  return {.status = res.status(), .body = res.body(), .header = res.sent_header()};
}
answer get(std::string_view target) {
  return ask("GET", target);
}

void expect_error(answer const& a, int status, std::string_view text) {
  EXPECT_EQ(a.status, status);
  EXPECT_EQ(a.body, std::string(text) + '\n');
  EXPECT_EQ(a.header.get("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(a.header.get("X-Go-Pprof"), "1");
  EXPECT_EQ(a.header.get("X-Content-Type-Options"), "nosniff");
  EXPECT_FALSE(a.header.has("Content-Disposition"));
}

void expect_proto(answer const& a, std::string_view file_name) {
  EXPECT_EQ(a.status, 200);
  EXPECT_THAT(a.body, StartsWith("\x1f\x8b"));
  EXPECT_EQ(a.header.get("Content-Type"), "application/octet-stream");
  EXPECT_EQ(a.header.get("Content-Disposition"),
            "attachment; filename=\"" + std::string(file_name) + '"');
  EXPECT_EQ(a.header.get("X-Content-Type-Options"), "nosniff");
}

[[gnu::noinline]] void spin_for_the_profile(vole::internal::atomic<bool> const& stop) {
  volatile std::uint64_t work = 1;
  while (!stop.load()) {
    for (int i = 0; i < 100'000; ++i) work = work * 31 + 7;
    runtime::yield();
  }
}

// A goroutine that works until this goes out of scope.
class spinner {
 public:
  spinner() {
    ended_.go([this] { spin_for_the_profile(stop_); });
  }
  ~spinner() {
    stop_.store(true);
    ended_.wait();
  }

 private:
  vole::internal::atomic<bool> stop_{false};
  sync::wait_group ended_;
};

TEST(http_pprof, index_lists_what_there_is) {
  answer const a = get("/debug/pprof/");
  EXPECT_EQ(a.status, 200);
  EXPECT_EQ(a.header.get("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(a.header.get("X-Content-Type-Options"), "nosniff");
  EXPECT_THAT(a.body, HasSubstr("Types of profiles available:"));
  EXPECT_THAT(a.body, HasSubstr("<a href=\"goroutine?debug=2\">"));
  for (char const* link : {"goroutine?debug=1", "threadcreate?debug=1", "profile", "cmdline"}) {
    EXPECT_THAT(a.body, HasSubstr(std::string("<a href=\"") + link + "\">"));
  }
}

TEST(http_pprof, an_unknown_profile_is_404_with_gos_words) {
  expect_error(get("/debug/pprof/nosuch"), 404, "Unknown profile");
  expect_error(get("/debug/pprof/nosuch?seconds=1"), 404, "Unknown profile");
}

TEST(http_pprof, goroutine_comes_as_proto_and_as_two_texts) {
  expect_proto(get("/debug/pprof/goroutine"), "goroutine");
  expect_proto(get("/debug/pprof/goroutine?debug=x"), "goroutine");
  expect_proto(get("/debug/pprof/threadcreate"), "threadcreate");
  answer const counts = get("/debug/pprof/goroutine?debug=1");
  EXPECT_EQ(counts.status, 200);
  EXPECT_EQ(counts.header.get("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_FALSE(counts.header.has("Content-Disposition"));
  EXPECT_THAT(counts.body, StartsWith("goroutine profile: total 1\n1 @ 0x"));
  answer const dump = get("/debug/pprof/goroutine?debug=2");
  EXPECT_THAT(dump.body, ContainsRegex("^goroutine [0-9]+ \\[running\\]:\n"));
}

TEST(http_pprof, a_delta_needs_whole_positive_seconds_and_no_debug) {
  constexpr std::string_view bad = "invalid value for \"seconds\" - must be a positive integer";
  expect_error(get("/debug/pprof/goroutine?seconds=x"), 400, bad);
  expect_error(get("/debug/pprof/goroutine?seconds=0"), 400, bad);
  expect_error(get("/debug/pprof/goroutine?seconds=-1"), 400, bad);
  expect_error(get("/debug/pprof/goroutine?seconds=1&debug=1"), 400,
               "seconds and debug params are incompatible");
  expect_error(get("/debug/pprof/goroutine?seconds=99999999999999999999"), 400, bad);
  expect_error(get("/debug/pprof/goroutine?seconds=%2B-1"), 400, bad);
  expect_proto(get("/debug/pprof/goroutine?seconds=1"), "goroutine-delta");
}

TEST(http_pprof, a_capture_that_would_outlast_the_request_is_refused_at_once) {
  auto const [ctx, cancel] = context::with_timeout(context::background(), 30s);
  for (std::string_view const page : {"profile?seconds=60", "profile?seconds=9223372036854775807",
                                      "wall?seconds=60", "heap?seconds=60"}) {
    expect_error(ask("GET", fmt::format("/debug/pprof/{}", page), {}, ctx), 400,
                 "profile duration exceeds server's WriteTimeout");
  }
}

TEST(http_pprof, a_profile_of_the_programs_own_has_no_delta) {
  static pprof::profile& own = pprof::new_profile("http_test.things");
  int thing = 0;
  own.add(&thing);
  expect_proto(get("/debug/pprof/http_test.things"), "http_test.things");
  EXPECT_THAT(get("/debug/pprof/http_test.things?debug=1").body,
              StartsWith("http_test.things profile: total 1\n1 @ 0x"));
  expect_error(get("/debug/pprof/http_test.things?seconds=1"), 400,
               "\"seconds\" parameter is not supported for this profile type");
  own.remove(&thing);
  EXPECT_THAT(get("/debug/pprof/").body, HasSubstr("<a href=\"http_test.things?debug=1\">"));
}

TEST(http_pprof, debug_is_read_as_gos_atoi_leaves_it) {
  expect_proto(get("/debug/pprof/goroutine?debug="), "goroutine");
  expect_proto(get("/debug/pprof/goroutine?debug=1x"), "goroutine");
  EXPECT_THAT(get("/debug/pprof/goroutine?debug=99999999999999999999").body,
              StartsWith("goroutine "));
  EXPECT_THAT(get("/debug/pprof/goroutine?debug=%2B1").body, StartsWith("goroutine profile: "));
}

TEST(http_pprof, pages_are_read_and_only_symbol_is_posted_to) {
  for (char const* page : {"", "goroutine", "profile?seconds=1", "cmdline", "trace"}) {
    answer const a = ask("POST", std::string("/debug/pprof/") + page);
    EXPECT_EQ(a.status, 405) << page;
    EXPECT_EQ(a.header.get("Allow"), "GET, HEAD") << page;
  }
}

TEST(http_pprof, trace_says_that_it_is_not_there) {
  answer const a = get("/debug/pprof/trace?seconds=1");
  EXPECT_EQ(a.status, 501);
  EXPECT_THAT(a.body, StartsWith("Could not enable tracing: vole writes no execution traces yet"));
  EXPECT_EQ(a.header.get("X-Go-Pprof"), "1");
}

TEST(http_pprof, a_profile_comes_as_a_flame_graph) {
  answer const a = get("/debug/pprof/goroutine?format=flamegraph");
  EXPECT_EQ(a.status, 200);
  EXPECT_EQ(a.header.get("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(a.header.get("X-Content-Type-Options"), "nosniff");
  EXPECT_FALSE(a.header.has("Content-Disposition"));
  EXPECT_THAT(a.body, HasSubstr(R"({"title":"goroutine of vole_http_test")"));
  EXPECT_THAT(get("/debug/pprof/goroutine?seconds=1&format=flamegraph").body,
              HasSubstr(R"({"title":"goroutine-delta of vole_http_test")"));
  expect_error(get("/debug/pprof/goroutine?format=svg"), 400,
               "invalid value for \"format\" - must be flamegraph or proto");
  expect_error(get("/debug/pprof/profile?seconds=3600&format=svg"), 400,
               "invalid value for \"format\" - must be flamegraph or proto");
  expect_error(get("/debug/pprof/goroutine?format=flamegraph&type=cpu"), 400,
               "draw profile goroutine: no sample type 'cpu': there are goroutine");
}

TEST(http_pprof, a_cpu_profile_comes_after_its_time) {
  time_point const begun = vole::internal::now();
  expect_proto(get("/debug/pprof/profile?seconds=1"), "profile");
  EXPECT_GE(vole::internal::now() - begun, 1s);
}

TEST(http_pprof, a_wall_profile_has_gos_names_and_fgprofs) {
  for (std::string const page : {"/debug/pprof/wall", "/debug/fgprof"}) {
    time_point const begun = vole::internal::now();
    expect_proto(get(page + "?seconds=1"), "wall");
    EXPECT_GE(vole::internal::now() - begun, 1s);
  }
  expect_proto(get("/debug/fgprof?seconds=1&format=pprof"), "wall");
  EXPECT_THAT(get("/debug/pprof/wall?seconds=1&format=flamegraph").body,
              HasSubstr(R"({"title":"wall of vole_http_test")"));
  answer const text = get("/debug/pprof/wall?seconds=1&debug=1");
  EXPECT_EQ(text.header.get("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_THAT(text.body, StartsWith("wall profile: total "));
  expect_error(get("/debug/pprof/wall?seconds=3600&format=folded"), 400,
               "invalid value for \"format\" - must be flamegraph or proto");
  EXPECT_THAT(get("/debug/pprof/").body, HasSubstr("<a href=\"wall\">"));
}

TEST(http_pprof, captures_overlap) {
  spinner const busy;
  sync::wait_group all;
  for (int i = 0; i < 2; ++i) {
    all.go([] { expect_proto(get("/debug/pprof/profile?seconds=1"), "profile"); });
    all.go([] { expect_proto(get("/debug/pprof/wall?seconds=1"), "wall"); });
  }
  all.wait();
}

TEST(http_pprof, a_request_that_ends_early_ends_its_capture) {
  for (std::string const page : {"profile", "wall"}) {
    auto [ctx, cancel] = context::with_cancel(context::background());
    chan<answer> done(1);
    go([done, page, &ctx = ctx] {
      done.send(ask("GET", "/debug/pprof/" + page + "?seconds=3600", {}, ctx));
    });
    testing::wait_until_parked(1);
    EXPECT_EQ(vole::internal::wall::read_counters().captures, page == "wall" ? 1U : 0U);
    cancel();
    expect_error(*done.recv(), 500, "context canceled");
    EXPECT_EQ(vole::internal::wall::read_counters().captures, 0U);
  }
}

TEST(http_pprof, cmdline_is_the_arguments_divided_by_nul) {
  answer const a = get("/debug/pprof/cmdline");
  EXPECT_EQ(a.header.get("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_THAT(a.body.substr(0, a.body.find('\0')), ::testing::EndsWith("vole_http_test"));
  EXPECT_NE(a.body.back(), '\0');
}

TEST(http_pprof, symbol_names_what_it_knows) {
  auto const pc = reinterpret_cast<std::uintptr_t>(&handle_pprof);
  std::string const line = fmt::format(
      "{:#x} vole::http::handle_pprof(vole::http::mux&, vole::http::pprof_options)\n", pc);
  answer const asked = get(fmt::format("/debug/pprof/symbol?0x1+{:#x}+junk+0x0", pc));
  EXPECT_EQ(asked.header.get("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(asked.body, "num_symbols: 1\n" + line);
  EXPECT_EQ(ask("POST", "/debug/pprof/symbol", fmt::format("{:#x}+{:#x}", pc, pc)).body,
            "num_symbols: 1\n" + line + line);
  EXPECT_EQ(get(fmt::format("/debug/pprof/symbol?0{:o}+0o{:o}+0b{:b}+{}+08", pc, pc, pc, pc)).body,
            "num_symbols: 1\n" + line + line + line + line);
  EXPECT_EQ(get("/debug/pprof/symbol").body, "num_symbols: 1\n");
}

TEST(http_pprof, symbol_answers_many_and_no_more_than_may_be_asked) {
  auto const pc = reinterpret_cast<std::uintptr_t>(&handle_pprof);
  std::string const line = fmt::format(
      "{:#x} vole::http::handle_pprof(vole::http::mux&, vole::http::pprof_options)\n", pc);
  std::string const word = fmt::format("{:#x}+", pc);
  constexpr std::size_t more_than_a_batch = 10'000;
  std::string words;
  for (std::size_t i = 0; i < more_than_a_batch; ++i) words += word;
  std::string const first = "num_symbols: 1\n";
  EXPECT_EQ(ask("POST", "/debug/pprof/symbol", words).body.size(),
            first.size() + more_than_a_batch * line.size());
  constexpr std::size_t most = 16 << 20;
  while (words.size() < most / 2) words += words;
  std::size_t const answered = ask("POST", "/debug/pprof/symbol", words).body.size();
  EXPECT_GE(answered, most);
  EXPECT_LT(answered, most + 4096 * line.size());
}

[[gnu::noinline]] std::unique_ptr<std::vector<char>> held_for_the_graph() {
  auto block = std::make_unique<std::vector<char>>(4096);
  asm volatile("" : : "r"(block.get()) : "memory");
  return block;
}

TEST(http_pprof, a_flame_graph_hides_what_the_profile_asks_to_hide) {
  std::size_t const rate = pprof::heap_rate();
  pprof::set_heap_rate(1);
  auto const block = held_for_the_graph();
  pprof::set_heap_rate(rate);
  answer const page = get("/debug/pprof/heap?format=flamegraph");
  EXPECT_THAT(page.body, HasSubstr("held_for_the_graph"));
  EXPECT_THAT(page.body, Not(HasSubstr("\"operator new")));
}

// --- the judge: the unmodified go tool pprof ---

std::string run_command(std::string const& command) {
  return blocking([&] {
    std::string out;
    std::FILE* const pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return out;
    std::array<char, 4096> piece;
    while (std::size_t const n = fread(piece.data(), 1, piece.size(), pipe)) {
      out.append(piece.data(), n);
    }
    int const status = pclose(pipe);
    EXPECT_EQ(status, 0) << command << '\n' << out;
    return out;
  });
}

bool have_go() {
  return blocking([] { return system("go version >/dev/null 2>&1") == 0; });
}

// The pages on a port of this machine, and a folder in which pprof keeps what it fetches.
class pprof_server {
 public:
  pprof_server() {
    handle_pprof(pages_);
    auto listener = net::listen("tcp", "127.0.0.1:0");
    EXPECT_TRUE(listener) << listener.error().message();
    listener_ = std::move(*listener);
    server_ = std::make_unique<server>(server_options{.handler = pages_});
    serving_.go([this] { EXPECT_FALSE(server_->serve(ctx_, *listener_)); });
    char folder[] = "/tmp/vole_pprof_XXXXXX";
    EXPECT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
  }
  ~pprof_server() {
    cancel_();
    serving_.wait();
    std::filesystem::remove_all(folder_);
  }

  // pprof runs `go tool pprof <arguments> <url>`; its words on stderr come with the output.
  std::string pprof(std::string const& arguments, std::string const& page) const {
    return run_command(
        fmt::format("PPROF_TMPDIR={0} go tool pprof {1} "
                    "'http://{2}/debug/pprof/{3}' 2>&1",
                    folder_, arguments, address(), page));
  }
  std::string file(std::string const& name) const { return folder_ + '/' + name; }
  std::string address() const { return listener_->addr().text(); }

 private:
  mux pages_;
  std::unique_ptr<net::listener> listener_;
  std::unique_ptr<server> server_;
  std::pair<context, cancel_handle> made_ = context::with_cancel(context::background());
  context const& ctx_ = made_.first;
  cancel_handle const& cancel_ = made_.second;
  sync::wait_group serving_;
  std::string folder_;
};

TEST(http_pprof, go_tool_pprof_names_the_busy_function) {
  if (!have_go()) GTEST_SKIP() << "no 'go' on the PATH";
  pprof_server const pages;
  spinner const busy;
  std::string const top = pages.pprof("-top", "profile?seconds=2");
  EXPECT_THAT(top, HasSubstr("Type: cpu\n"));
  EXPECT_THAT(top, ContainsRegex("File: vole_http_test"));
  EXPECT_THAT(top, ContainsRegex("[1-9][0-9.]+m?s +[0-9.]+% +[0-9.]+% +[0-9.]+m?s +[0-9.]+%  "
                                 "[^\n]*spin_for_the_profile"));
  EXPECT_THAT(top, ::testing::Not(HasSubstr("Local symbolization failed")));
}

TEST(http_pprof, go_tool_pprof_reads_a_wall_profile) {
  if (!have_go()) GTEST_SKIP() << "no 'go' on the PATH";
  pprof_server const pages;
  spinner const busy;
  std::string const top = pages.pprof("-top -tagleaf=wait_reason", "wall?seconds=2");
  EXPECT_THAT(top, HasSubstr("Type: time\n"));
  EXPECT_THAT(top, HasSubstr("spin_for_the_profile"));
  EXPECT_THAT(top, ContainsRegex("created by vole::http::[^\n]*pprof_server"));
  EXPECT_THAT(top, ContainsRegex("%  *IO wait"));
  EXPECT_THAT(top, ContainsRegex("%  *running"));
}

TEST(http_pprof, go_tool_pprof_reads_all_forms_of_the_goroutine_profile) {
  if (!have_go()) GTEST_SKIP() << "no 'go' on the PATH";
  pprof_server const pages;
  std::string const raw = pages.pprof("-raw", "goroutine");
  EXPECT_THAT(raw, HasSubstr("PeriodType: goroutine count\n"));
  EXPECT_THAT(raw, ContainsRegex("wait_reason:\\[io wait\\]|wait_reason:\\[IO wait\\]"));
  EXPECT_THAT(raw, ContainsRegex("vole::http::server::serve"));
  std::string const text = pages.pprof("-raw", "goroutine?debug=1");
  EXPECT_THAT(text, HasSubstr("PeriodType: goroutine count\n"));
  EXPECT_THAT(pages.pprof("-top", "threadcreate"), HasSubstr("Type: threadcreate\n"));
}

TEST(http_pprof, go_tool_pprof_compares_two_profiles) {
  if (!have_go()) GTEST_SKIP() << "no 'go' on the PATH";
  pprof_server const pages;
  std::string const base = pages.file("base.pb.gz");
  {
    std::ofstream out(base, std::ios::binary);
    out << get("/debug/pprof/profile?seconds=1").body;
  }
  spinner const busy;
  std::string const difference = pages.pprof("-top -diff_base=" + base, "profile?seconds=1");
  EXPECT_THAT(difference, ContainsRegex("[^\n]*spin_for_the_profile"));
}

}  // namespace
}  // namespace vole::http
