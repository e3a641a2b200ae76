// SPDX-License-Identifier: Apache-2.0
#include "vole/metrics.h"

#include <cmath>
#include <ctime>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <sstream>
#include <unistd.h>

#include "vole/go.h"
#include "vole/sync.h"

namespace vole {
namespace {

using ::testing::HasSubstr;

// The value of each sample line of an exposition, by the text in front of it.
std::map<std::string, double> samples(std::string const& text) {
  std::map<std::string, double> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    auto const blank = line.rfind(' ');
    out[line.substr(0, blank)] = std::stod(line.substr(blank + 1));
  }
  return out;
}

TEST(metrics, shows_counters_and_gauges_in_the_prometheus_text_format) {
  metrics::registry registry;
  auto const orders = registry.counter("orders_total", "Orders accepted.", {"side", "state"});
  orders.with({"sell", "open"}).add();
  orders.with({"buy", "filled"}).add(41);
  orders.with({"buy", "filled"}).add();
  auto const open = registry.gauge("open_orders", "Orders waiting.");
  open.set(2.5);
  open.add(2);
  open.sub(0.25);
  EXPECT_EQ(registry.text(),
            "# HELP open_orders Orders waiting.\n"
            "# TYPE open_orders gauge\n"
            "open_orders 4.25\n"
            "# HELP orders_total Orders accepted.\n"
            "# TYPE orders_total counter\n"
            "orders_total{side=\"buy\",state=\"filled\"} 42\n"
            "orders_total{side=\"sell\",state=\"open\"} 1\n");
}

TEST(metrics, shows_a_histogram_with_cumulative_buckets) {
  metrics::registry registry;
  double const bounds[] = {0.1, 1, 2.5};
  auto const family = registry.histogram("took_seconds", "How long.", bounds, {"route"});
  auto const took = family.with({"/x"});
  for (double const v : {0.05, 0.1, 0.5, 2.5, 100.0, -1.0, std::nan("")}) took.observe(v);
  EXPECT_EQ(registry.text(),
            "# HELP took_seconds How long.\n"
            "# TYPE took_seconds histogram\n"
            "took_seconds_bucket{route=\"/x\",le=\"0.1\"} 3\n"
            "took_seconds_bucket{route=\"/x\",le=\"1\"} 4\n"
            "took_seconds_bucket{route=\"/x\",le=\"2.5\"} 5\n"
            "took_seconds_bucket{route=\"/x\",le=\"+Inf\"} 6\n"
            "took_seconds_sum{route=\"/x\"} 102.15\n"
            "took_seconds_count{route=\"/x\"} 6\n");
  EXPECT_EQ(took.count(), 6U);
}

TEST(metrics, a_histogram_without_labels_has_only_le) {
  metrics::registry registry;
  registry.histogram("h", "H.", metrics::exponential_buckets(1, 2, 3)).observe(3);
  EXPECT_EQ(registry.text(),
            "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 0\nh_bucket{le=\"2\"} 0\n"
            "h_bucket{le=\"4\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 3\nh_count 1\n");
}

TEST(metrics, escapes_help_and_label_values) {
  metrics::registry registry;
  registry.counter("c", "a \\ b\n\"c\"", {"l"}).with({"x\\y\n\"z\""}).add();
  EXPECT_EQ(registry.text(),
            "# HELP c a \\\\ b\\n\"c\"\n# TYPE c counter\nc{l=\"x\\\\y\\n\\\"z\\\"\"} 1\n");
}

TEST(metrics, shows_special_numbers_as_prometheus_reads_them) {
  metrics::registry registry;
  auto const family = registry.gauge("g", "G.", {"l"});
  family.with({"a"}).set(INFINITY);
  family.with({"b"}).set(-INFINITY);
  family.with({"c"}).set(std::nan(""));
  family.with({"d"}).set(1e300);
  EXPECT_THAT(registry.text(), HasSubstr("g{l=\"a\"} +Inf\ng{l=\"b\"} -Inf\ng{l=\"c\"} NaN\n"
                                         "g{l=\"d\"} 1e+300\n"));
}

TEST(metrics, a_family_without_series_is_not_shown) {
  metrics::registry registry;
  registry.counter("c", "C.", {"l"});
  EXPECT_EQ(registry.text(), "");
}

TEST(metrics, the_same_name_is_the_same_metric) {
  metrics::registry registry;
  registry.counter("c", "C.").add(1);
  registry.counter("c", "C.").add(2);
  EXPECT_EQ(registry.counter("c", "C.").value(), 3U);
}

TEST(metrics, a_default_handle_counts_nothing) {
  metrics::counter().add();
  metrics::gauge().set(1);
  metrics::histogram().observe(1);
  metrics::family<metrics::counter>().with({"a"}).add();
  EXPECT_EQ(metrics::counter().value(), 0U);
}

TEST(metrics, a_family_keeps_its_series_alive_without_the_registry) {
  metrics::family<metrics::counter> family;
  {
    metrics::registry registry;
    family = registry.counter("c", "C.", {"l"});
  }
  family.with({"a"}).add();
  EXPECT_EQ(family.with({"a"}).value(), 1U);
}

TEST(metrics, what_comes_after_series_max_is_counted_as_overflow) {
  metrics::registry registry;
  auto const family = registry.counter("c", "C.", {"a", "b"});
  for (std::size_t i = 0; i < metrics::registry::series_max + 10; ++i) {
    family.with({std::to_string(i), "x"}).add();
  }
  family.with({"7", "x"}).add();
  EXPECT_EQ(family.with({"overflow", "overflow"}).value(), 10U);
  EXPECT_EQ(family.with({"7", "x"}).value(), 2U);
  EXPECT_THAT(registry.text(), HasSubstr("\nc{a=\"overflow\",b=\"overflow\"} 10\n"));
}

TEST(metrics, a_client_that_says_overflow_makes_no_second_series_of_it) {
  metrics::registry registry;
  auto const family = registry.counter("c", "C.", {"a", "b"});
  family.with({"overflow", "overflow"}).add();
  for (std::size_t i = 0; i < metrics::registry::series_max + 10; ++i) {
    family.with({std::to_string(i), "x"}).add();
  }
  std::string const text = registry.text();
  std::string const overflow = "\nc{a=\"overflow\",b=\"overflow\"} ";
  std::size_t const at = text.find(overflow);
  ASSERT_NE(at, text.npos);
  EXPECT_EQ(text.find(overflow, at + 1), text.npos) << "a scraper refuses the same series twice";
  EXPECT_EQ(family.with({"overflow", "overflow"}).value(), 12U);
}

TEST(metrics, label_values_that_are_not_utf8_are_one_series_of_their_own) {
  metrics::registry registry;
  auto const family = registry.counter("c", "C.", {"l"});
  family.with({"a\xff"}).add();
  family.with({"a\xc3"}).add();
  family.with({"a\xef\xbf\xbd"}).add();
  family.with({"\xc3\xa9"}).add();
  registry.callback(metrics::callback_type::gauge, "g", "G.", {{"l", "\xed\xa0\x80"}},
                    [] { return 1; });
  EXPECT_EQ(registry.text(),
            "# HELP c C.\n# TYPE c counter\nc{l=\"a\xef\xbf\xbd\"} 3\nc{l=\"\xc3\xa9\"} 1\n"
            "# HELP g G.\n# TYPE g gauge\n"
            "g{l=\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"} 1\n");
}

TEST(metrics, counts_exactly_under_concurrency_while_it_is_scraped) {
  constexpr int goroutines = 8;
  constexpr int turns = 10000;
  metrics::registry registry;
  auto const total = registry.counter("total", "T.");
  auto const level = registry.gauge("level", "L.");
  auto const by_turn = registry.counter("by_turn", "B.", {"turn"});
  double const bounds[] = {500, 1000};
  auto const sizes = registry.histogram("sizes", "S.", bounds);
  sync::wait_group wg;
  for (int g = 0; g < goroutines; ++g) {
    wg.go([&] {
      for (int i = 0; i < turns; ++i) {
        total.add();
        level.add(i % 2 == 0 ? 1 : -1);
        sizes.observe(i);
        by_turn.with({std::to_string(i % 100)}).add();
      }
    });
  }
  wg.go([&] {
    for (int i = 0; i < 20; ++i) {
      auto const seen = samples(registry.text());
      EXPECT_EQ(seen.at("sizes_bucket{le=\"+Inf\"}"), seen.at("sizes_count"));
    }
  });
  wg.wait();
  EXPECT_EQ(total.value(), 1U * goroutines * turns);
  EXPECT_EQ(level.value(), 0);
  EXPECT_EQ(sizes.count(), 1U * goroutines * turns);
  EXPECT_EQ(sizes.sum(), 1.0 * goroutines * turns * (turns - 1) / 2);
  auto const seen = samples(registry.text());
  EXPECT_EQ(seen.at("sizes_bucket{le=\"500\"}"), goroutines * 501);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(by_turn.with({std::to_string(i)}).value(), 1U * goroutines * turns / 100);
  }
}

TEST(metrics, asks_callbacks_at_each_scrape) {
  metrics::registry registry;
  int asked = 0;
  int scrapes = 0;
  registry.on_scrape([&] { ++scrapes; });
  registry.callback(metrics::callback_type::gauge, "pool_conns", "P.", {{"state", "idle"}},
                    [&] { return ++asked; });
  registry.callback(metrics::callback_type::gauge, "pool_conns", "P.", {{"state", "busy"}},
                    [] { return 7; });
  registry.counter_func("done_total", "D.", [] { return 1e6; });
  std::string const want =
      "# HELP done_total D.\n# TYPE done_total counter\ndone_total 1000000\n"
      "# HELP pool_conns P.\n# TYPE pool_conns gauge\n"
      "pool_conns{state=\"busy\"} 7\npool_conns{state=\"idle\"} ";
  EXPECT_EQ(registry.text(), want + "1\n");
  EXPECT_EQ(registry.text(), want + "2\n");
  EXPECT_EQ(scrapes, 2);
}

TEST(metrics, tells_of_the_process) {
  metrics::registry registry;
  metrics::add_process(registry);
  auto const open_fds = [&] { return samples(registry.text()).at("process_open_fds"); };
  bool counted = false;
  // The monitor has a descriptor of its own at times: not in all the rounds.
  for (int round = 0; round < 100 && !counted; ++round) {
    auto const before = open_fds();
    int const fd = ::dup(STDERR_FILENO);
    counted = open_fds() == before + 1;
    ::close(fd);
  }
  EXPECT_TRUE(counted);
  auto const seen = samples(registry.text());
  EXPECT_GT(seen.at("process_cpu_seconds_total"), 0);
  EXPECT_GT(seen.at("process_resident_memory_bytes"), 1e5);
  EXPECT_GT(seen.at("process_virtual_memory_bytes"), seen.at("process_resident_memory_bytes"));
  EXPECT_GE(seen.at("process_threads"), 1);
  EXPECT_GT(seen.at("process_max_fds"), 0);
  auto const started = seen.at("process_start_time_seconds");
  auto const now = static_cast<double>(std::time(nullptr));
  EXPECT_LE(started, now + 1);
  EXPECT_GT(started, now - 3600);
}

TEST(metrics, tells_of_the_runtime) {
  metrics::registry registry;
  metrics::add_runtime(registry);
  auto const seen = samples(registry.text());
  EXPECT_GE(seen.at("vole_goroutines"), 1);
  EXPECT_GE(seen.at("vole_goroutines_created_total"), seen.at("vole_goroutines"));
  EXPECT_GE(seen.at("vole_max_procs"), 1);
  EXPECT_GE(seen.at("vole_threads"), 1);
  EXPECT_GE(seen.at("vole_processors"), 1);
  EXPECT_EQ(seen.at("vole_scheduling_latency_seconds_bucket{le=\"+Inf\"}"),
            seen.at("vole_scheduling_latency_seconds_count"));
  EXPECT_LE(seen.at("vole_scheduling_latency_seconds_bucket{le=\"0.001024\"}"),
            seen.at("vole_scheduling_latency_seconds_count"));
}

TEST(metrics, a_histogram_that_somebody_else_keeps_is_one) {
  metrics::registry registry;
  double const bounds[] = {0.5, 2, 10};
  registry.histogram_func("h_seconds", "H.", bounds,
                          [] { return metrics::histogram_counts{{3, 0, 1, 2}, 47.5}; });
  EXPECT_EQ(registry.text(),
            "# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
            "h_seconds_bucket{le=\"0.5\"} 3\n"
            "h_seconds_bucket{le=\"2\"} 3\n"
            "h_seconds_bucket{le=\"10\"} 4\n"
            "h_seconds_bucket{le=\"+Inf\"} 6\n"
            "h_seconds_sum 47.5\n"
            "h_seconds_count 6\n");
  metrics::registry of_runtime;
  metrics::add_runtime(of_runtime);
  EXPECT_NE(of_runtime.text().find("# TYPE vole_scheduling_latency_seconds histogram\n"),
            std::string::npos);
}

using metrics_death = ::testing::Test;

TEST(metrics_death, refuses_names_and_bounds_that_prometheus_does_not_allow) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  metrics::registry registry;
  registry.counter("taken", "T.");
  registry.histogram("h", "H.", metrics::latency_buckets());
  double const falling[] = {2, 1};
  EXPECT_DEATH(registry.counter("a-b", ""), "not a name that Prometheus allows");
  EXPECT_DEATH(registry.counter("ok", "", {"__x"}), "is not a label name");
  EXPECT_DEATH(registry.counter("ok", "", {"x", "x"}), "named twice");
  EXPECT_DEATH(registry.gauge("taken", "T."), "registered already");
  EXPECT_DEATH(registry.counter("h_count", ""), "would mix");
  EXPECT_DEATH(registry.histogram("ok", "", falling), "must be finite and rise");
  EXPECT_DEATH(registry.histogram("ok", "", {}, {"le"}), "has its own label le");
  EXPECT_DEATH(registry.counter("ok", "", {"a"}).with({"x", "y"}), "2 label values for 1 labels");
}

}  // namespace
}  // namespace vole
