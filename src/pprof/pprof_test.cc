// SPDX-License-Identifier: Apache-2.0

#include "vole/pprof.h"

#include <algorithm>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <signal.h>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <thread>
#include <time.h>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"
#include "vole/sync.h"
#include "vole/testing.h"

#include "pprof/counted_text.h"
#include "pprof/profile.h"
#include "pprof/read_profile_test.h"
#include "runtime/sample.h"

namespace vole::pprof {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// --- work to be found ---

[[gnu::noinline]] void busy_work(int ms) {
  auto const used = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1'000'000;
  };
  volatile std::uint64_t work = 1;
  for (auto const end = used() + ms; used() < end;) {
    for (int i = 0; i < 20'000; ++i) work = work * 31 + 7;
  }
}

[[gnu::noinline]] void wait_at_the_gate(chan<int> const& gate) {
  gate.recv();
  asm volatile("");  // no tail call: this frame is looked for
}

// Goroutines that wait in wait_at_the_gate until this goes out of scope.
class waiters {
 public:
  explicit waiters(int n) {
    for (int i = 0; i < n; ++i) {
      ended_.go([this] { wait_at_the_gate(gate_); });
    }
    testing::wait_until_parked(static_cast<std::size_t>(n));
  }
  ~waiters() {
    gate_.close();
    ended_.wait();
  }

 private:
  chan<int> gate_{0};
  sync::wait_group ended_;
};

TEST(pprof_cpu, names_the_function_that_worked_with_its_time) {
  result<cpu_profile> cpu = start_cpu();
  ASSERT_TRUE(cpu) << cpu.error().message();
  busy_work(300);
  std::string const packed = cpu->stop();
  EXPECT_EQ(cpu->stop(), "");
  read_profile const p(gunzip(packed));
  p.check();
  ASSERT_EQ(p.types.size(), 2U);
  EXPECT_EQ(p.text(p.types[0].first), "samples");
  EXPECT_EQ(p.text(p.types[0].second), "count");
  EXPECT_EQ(p.text(p.types[1].first), "cpu");
  EXPECT_EQ(p.text(p.types[1].second), "nanoseconds");
  EXPECT_EQ(p.text(p.period_type.first), "cpu");
  EXPECT_EQ(p.period, 10'000'000);
  EXPECT_GT(p.time_nanos, 1'600'000'000'000'000'000);
  EXPECT_GE(p.duration_nanos, 290'000'000);
  std::int64_t const samples = p.value_of("busy_work", 0);
  EXPECT_GE(samples, 20);
  EXPECT_LE(samples, 40);
  EXPECT_EQ(p.value_of("busy_work", 1), samples * 10'000'000);
}

TEST(pprof_cpu, keeps_both_names_the_file_and_the_program_first) {
  result<cpu_profile> cpu = start_cpu();
  ASSERT_TRUE(cpu);
  busy_work(100);
  read_profile const p(gunzip(cpu->stop()));
  bool found = false;
  for (auto const& [id, f] : p.functions) {
    if (p.text(f.name) != "vole::pprof::(anonymous namespace)::busy_work(int)") continue;
    found = true;
    EXPECT_THAT(p.text(f.system_name), StartsWith("_ZN4vole5pprof"));
    EXPECT_THAT(p.text(f.file), ::testing::EndsWith("src/pprof/pprof_test.cc"));
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(p.first_mapping, 1U);
  EXPECT_THAT(p.text(p.mappings.at(1).file), HasSubstr("vole_pprof_test"));
  EXPECT_THAT(p.text(p.mappings.at(1).build_id), ContainsRegex("^[0-9a-f]*$"));
}

TEST(pprof_cpu, two_profiles_overlap) {
  result<cpu_profile> one = start_cpu();
  result<cpu_profile> two = start_cpu();
  ASSERT_TRUE(one);
  ASSERT_TRUE(two);
  busy_work(150);
  EXPECT_GE(read_profile(gunzip(one->stop())).value_of("busy_work", 0), 8);
  EXPECT_GE(read_profile(gunzip(two->stop())).value_of("busy_work", 0), 8);
}

[[gnu::noinline]] void start_worker(sync::wait_group& ended, int ms) {
  ended.add(1);
  go([&ended, ms] {
    busy_work(ms);
    ended.done();
  });
  asm volatile("");  // no tail call: this frame is looked for
}

TEST(pprof_cpu, the_stack_of_a_goroutine_ends_with_who_created_it) {
  result<cpu_profile> cpu = start_cpu();
  ASSERT_TRUE(cpu);
  sync::wait_group ended;
  start_worker(ended, 200);
  ended.wait();
  read_profile const p(gunzip(cpu->stop()));
  p.check();
  std::string const creator = "created by vole::pprof::(anonymous namespace)::start_worker(";
  EXPECT_GE(p.value_of(creator, 0), 15);
  for (read_sample const& s : p.samples) {
    for (std::size_t i = 0; i < s.locations.size(); ++i) {
      auto const& lines = p.locations.at(s.locations[i]).lines;
      if (!p.text(p.functions.at(lines.back().first).name).starts_with(creator)) continue;
      EXPECT_EQ(lines.size(), 1U);
      EXPECT_GT(lines[0].second, 0);
      EXPECT_EQ(i, s.locations.size() - 1);
    }
  }
}

// A thread that comes while the system gives no timers.
std::size_t unprofiled_with_a_thread_more() {
  rlimit before{};
  EXPECT_EQ(::getrlimit(RLIMIT_SIGPENDING, &before), 0);
  rlimit const none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  EXPECT_EQ(::setrlimit(RLIMIT_SIGPENDING, &none), 0);
  std::size_t unprofiled = 0;
  // tidy: std::thread, a thread that the sampler does not get a timer for
  std::thread([&unprofiled] {
    internal::sample::thread_started();
    unprofiled = runtime::read_stats().threads_unprofiled;
  }).join();
  EXPECT_EQ(::setrlimit(RLIMIT_SIGPENDING, &before), 0);
  return unprofiled;
}

TEST(pprof_cpu, says_what_it_could_not_see) {
  result<cpu_profile> whole = start_cpu();
  ASSERT_TRUE(whole.has_value());
  EXPECT_TRUE(read_profile(gunzip(whole->stop())).comments.empty());
  result<cpu_profile> cpu = start_cpu();
  ASSERT_TRUE(cpu.has_value());
  EXPECT_GE(unprofiled_with_a_thread_more(), 1U);
  ::signal(SIGPROF, SIG_IGN);
  result<cpu_profile> second = start_cpu();
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(read_profile(gunzip(second->stop())).has_comment("handler of SIGPROF"));
  read_profile const first(gunzip(cpu->stop()));
  first.check();
  EXPECT_TRUE(first.has_comment("handler of SIGPROF"));
  EXPECT_TRUE(first.has_comment("threads without a timer: "));
}

TEST(pprof_goroutine, proto_counts_stacks_and_says_what_they_wait_for) {
  waiters const five(5);
  read_profile const p(gunzip(lookup("goroutine")->write(0)));
  p.check();
  EXPECT_EQ(p.text(p.types.at(0).first), "goroutine");
  EXPECT_EQ(p.period, 1);
  EXPECT_EQ(p.value_of("wait_at_the_gate", 0), 5);
  bool labelled = false;
  for (read_sample const& s : p.samples) {
    ASSERT_EQ(s.labels.size(), 1U);
    EXPECT_EQ(p.text(s.labels[0].first), "wait_reason");
    labelled |= p.text(s.labels[0].second) == "chan receive" && s.values[0] == 5;
  }
  EXPECT_TRUE(labelled);
}

TEST(pprof_goroutine, counts_are_text_in_gos_form) {
  waiters const three(3);
  std::string const text = lookup("goroutine")->write(1);
  EXPECT_THAT(text, StartsWith("goroutine profile: total "));
  EXPECT_THAT(text, ContainsRegex("\n3 @( 0x[0-9a-f]+)+\n"
                                  "# labels: \\{\"wait_reason\":\"chan receive\"\\}\n"
                                  "#\t0x[0-9a-f]+\t"));
  EXPECT_THAT(text, ContainsRegex("\n#\t0x[0-9a-f]+\t+.*wait_at_the_gate.*\\+0x[0-9a-f]+"
                                  "\t+.*pprof_test.cc:[0-9]+\n"));
}

TEST(pprof_goroutine, dump_shows_each_with_reason_place_and_creator) {
  waiters const two(2);
  std::string const text = lookup("goroutine")->write(2);
  EXPECT_THAT(text, ContainsRegex("(^|\n)goroutine [0-9]+ \\[chan receive\\]:\n"));
  EXPECT_THAT(text, ContainsRegex("wait_at_the_gate[^\n]*\n\t[^\n]*pprof_test.cc:[0-9]+"));
  EXPECT_THAT(text, ContainsRegex("\ncreated by [^\n]* in goroutine [0-9]+\n\t"));
  EXPECT_THAT(text, HasSubstr("[running]:\n"));
}

TEST(pprof_lookup, finds_what_there_is) {
  EXPECT_EQ(lookup("nothing"), nullptr);
  std::vector<profile const*> const all = profiles();
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(),
                             [](auto const* a, auto const* b) { return a->name() < b->name(); }));
  for (profile const* p : all) {
    EXPECT_EQ(lookup(p->name()), p);
    EXPECT_FALSE(p->description().empty());
  }
}

// labels_of are a sample's labels as "key=value".
std::set<std::string> labels_of(read_profile const& p, read_sample const& s) {
  std::set<std::string> found;
  for (auto const& [key, value] : s.labels) found.insert(p.text(key) + "=" + p.text(value));
  return found;
}

TEST(pprof_labels, that_are_not_utf8_do_no_harm) {
  label_scope const labels({{"tenant", "a\xff"}});
  std::string const bytes = gunzip(lookup("goroutine")->write(0));
  EXPECT_THAT(bytes, ::testing::HasSubstr("a\xef\xbf\xbd"));
  EXPECT_THAT(bytes, ::testing::Not(::testing::HasSubstr("a\xff")));
}

TEST(pprof_labels, are_the_goroutines_and_its_childrens_and_end_with_the_scope) {
  chan<int> const gate(0);
  sync::wait_group ended;
  do_with_labels({{"tenant", "a"}, {"step", "outer"}}, [&] {
    do_with_labels({{"step", "inner"}}, [&] {
      EXPECT_EQ(label_value("step"), "inner");
      EXPECT_EQ(label_value("tenant"), "a");
      using pairs = std::vector<std::pair<std::string, std::string>>;
      EXPECT_EQ(current_labels(), (pairs{{"step", "inner"}, {"tenant", "a"}}));
      ended.go([&] { wait_at_the_gate(gate); });
    });
    EXPECT_EQ(label_value("step"), "outer");
  });
  EXPECT_EQ(label_value("step"), std::nullopt);
  testing::wait_until_parked(1);
  read_profile const p(gunzip(lookup("goroutine")->write(0)));
  p.check();
  bool found = false;
  for (read_sample const& s : p.samples) {
    std::set<std::string> const labels = labels_of(p, s);
    if (!labels.contains("wait_reason=chan receive")) continue;
    EXPECT_TRUE(labels.contains("tenant=a"));
    EXPECT_TRUE(labels.contains("step=inner"));
    found = true;
  }
  EXPECT_TRUE(found);
  gate.close();
  ended.wait();
}

TEST(pprof_labels, equal_ones_count_together) {
  chan<int> const gate(0);
  sync::wait_group ended;
  for (int request = 0; request < 3; ++request) {
    do_with_labels({{"tenant", "twin"}}, [&] { ended.go([&] { wait_at_the_gate(gate); }); });
  }
  testing::wait_until_parked(3);
  read_profile const p(gunzip(lookup("goroutine")->write(0)));
  std::vector<std::int64_t> counts;
  for (read_sample const& s : p.samples) {
    if (labels_of(p, s).contains("tenant=twin")) counts.push_back(s.values.at(0));
  }
  EXPECT_THAT(counts, ElementsAre(3));
  gate.close();
  ended.wait();
}

TEST(pprof_labels, stand_with_the_processor_time_also_after_the_goroutine_has_ended) {
  result<cpu_profile> cpu = start_cpu();
  ASSERT_TRUE(cpu);
  sync::wait_group ended;
  ended.go([] { do_with_labels({{"job", "billing"}}, [] { busy_work(150); }); });
  ended.wait();
  read_profile const p(gunzip(cpu->stop()));
  p.check();
  std::int64_t labelled = 0;
  for (read_sample const& s : p.samples) {
    if (labels_of(p, s).contains("job=billing")) labelled += s.values.at(0);
  }
  EXPECT_GE(labelled, 8);
  EXPECT_GE(labelled, p.value_of("busy_work", 0) - 1);
}

[[gnu::noinline]] void open_connection(profile& connections, void const* which) {
  connections.add(which);
  asm volatile("");  // no tail call: this frame is looked for
}

TEST(pprof_custom, counts_what_lives_by_who_made_it) {
  profile& connections = new_profile("test.connections");
  EXPECT_EQ(lookup("test.connections"), &connections);
  int first = 0;
  int second = 0;
  open_connection(connections, &first);
  open_connection(connections, &second);
  EXPECT_EQ(connections.count(), 2U);
  EXPECT_FALSE(connections.has_delta());
  {
    read_profile const p(gunzip(connections.write(0)));
    p.check();
    EXPECT_EQ(p.text(p.types.at(0).first), "test.connections");
    EXPECT_EQ(p.value_of("open_connection", 0), 2);
    EXPECT_EQ(p.value_of("profile::add", 0), 0);
  }
  EXPECT_THAT(connections.write(1), ContainsRegex("^test.connections profile: total 2\n1 @ 0x"));
  connections.remove(&first);
  connections.remove(&second);
  connections.remove(&second);
  EXPECT_EQ(connections.count(), 0U);
}

TEST(pprof_custom_death, misuse_is_a_panic) {
  EXPECT_DEATH(new_profile("goroutine"), "there is a profile goroutine already");
  EXPECT_DEATH(const_cast<profile*>(lookup("goroutine"))->add(nullptr),
               "a profile that vole keeps");
  EXPECT_DEATH(
      {
        profile& twice = new_profile("test.twice");
        twice.add(&twice);
        twice.add(&twice);
      },
      "is in the profile test.twice already");
}

TEST(pprof_goroutine, delta_shows_what_has_changed_since) {
  waiters const there_before(2);
  delta change = lookup("goroutine")->begin_delta();
  {
    waiters const came(3);
    testing::wait_until_parked(5);
    read_profile const p(gunzip(change.finish()));
    p.check();
    EXPECT_GT(p.duration_nanos, 0);
    EXPECT_EQ(p.value_of("wait_at_the_gate", 0), 3);
  }
  read_profile const p(gunzip(change.finish()));
  EXPECT_EQ(p.value_of("wait_at_the_gate", 0), 0);
}

TEST(pprof_goroutine, next_watches_on_from_where_it_has_rendered) {
  delta change = lookup("goroutine")->begin_delta();
  waiters const came(2);
  EXPECT_EQ(read_profile(gunzip(change.next())).value_of("wait_at_the_gate", 0), 2);
  EXPECT_EQ(read_profile(gunzip(change.next())).value_of("wait_at_the_gate", 0), 0);
}

TEST(pprof_proto, subtract_keeps_what_differs) {
  auto const make = [](std::vector<stack_sample> samples) {
    return profile_data{.sample_types = {{"x", "count"}},
                        .period_type = {"x", "count"},
                        .period = 1,
                        .begun = {},
                        .lasted = {},
                        .samples = std::move(samples)};
  };
  profile_data now = make({{.pcs = {10, 20}, .values = {5}, .labels = {}},
                           {.pcs = {10, 20}, .values = {5}, .labels = {{"k", "v"}}},
                           {.pcs = {30}, .values = {1}, .labels = {}}});
  subtract(now, make({{.pcs = {10, 20}, .values = {5}, .labels = {}},
                      {.pcs = {10, 20}, .values = {2}, .labels = {{"k", "v"}}},
                      {.pcs = {40}, .values = {7}, .labels = {}}}));
  ASSERT_EQ(now.samples.size(), 3U);
  EXPECT_EQ(now.samples[0].values, (std::vector<std::int64_t>{3}));
  EXPECT_EQ(now.samples[0].labels, (std::vector<text_label>{{"k", "v"}}));
  EXPECT_EQ(now.samples[1].values, (std::vector<std::int64_t>{1}));
  EXPECT_EQ(now.samples[2].values, (std::vector<std::int64_t>{-7}));
}

TEST(pprof_threadcreate, counts_threads_by_name) {
  read_profile const p(gunzip(lookup("threadcreate")->write(0)));
  p.check();
  std::int64_t sum = 0;
  for (read_sample const& s : p.samples) sum += s.values[0];
  EXPECT_GE(sum, 1);
  EXPECT_THAT(lookup("threadcreate")->write(1), StartsWith("threadcreate profile: total "));
}

// What comes to a goroutine's processor goes on meanwhile: begin() hands it over.
template <class Begin>
void expect_others_go_on(char const* what, Begin begin) {
  std::uint64_t const before = runtime::read_stats().handoffs_total;
  auto const begun = begin();
  EXPECT_GT(runtime::read_stats().handoffs_total, before) << what;
}

TEST(pprof_captures, give_their_processor_away_while_they_begin) {
  int const procs = runtime::set_max_procs(1);
  internal::atomic<bool> over{false};
  sync::wait_group ended;
  for (int i = 0; i < 4; ++i) {
    ended.go([&over] {
      while (!over.load()) runtime::yield();
    });
  }
  while (runtime::read_stats().processors - runtime::read_stats().processors_spare > 1) {
    runtime::yield();
  }
  expect_others_go_on("cpu", [] { return start_cpu(); });
  expect_others_go_on("wall", [] { return start_wall(); });
  for (char const* const name : {"heap", "block", "threadcreate"}) {
    expect_others_go_on(name, [name] { return lookup(name)->begin_delta(); });
  }
  over.store(true);
  ended.wait();
  runtime::set_max_procs(procs);
}

TEST(pprof_proto, lost_samples_have_gos_name) {
  profile_data const data{.sample_types = {{"samples", "count"}},
                          .period_type = {"cpu", "nanoseconds"},
                          .period = 1,
                          .begun = {},
                          .lasted = {},
                          .samples = {{.pcs = {lost_samples_pc}, .values = {7}, .labels = {}}}};
  read_profile const p(encode(data));
  p.check();
  EXPECT_EQ(p.value_of("runtime/pprof.lostProfileEvent", 0), 7);
}

TEST(pprof_text, labels_are_json) {
  EXPECT_EQ(json_object({{"a", "b"}}), R"({"a":"b"})");
  EXPECT_EQ(json_object({{"a", "q\"\\\n"}}), "{\"a\":\"q\\\"\\\\\\u000a\"}");
}

}  // namespace
}  // namespace vole::pprof
