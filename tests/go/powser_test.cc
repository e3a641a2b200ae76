// SPDX-License-Identifier: Apache-2.0
// What Go's test/chan/powser1.go checks: power series as processes that deliver one coefficient for
// each demand, after McIlroy, "Squinting at Power Series". Coefficients are doubles here, and all
// processes end when the test does.
#include <array>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <utility>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/select.h"
#include "vole/sync.h"

namespace vole {
namespace {

// A series: whoever wants a coefficient sends on req and receives it from dat.
struct series {
  chan<unit> req{0};
  chan<double> dat{0};
};

// The processes of one test: each operation starts some, which end when it is closed.
class algebra {
 public:
  ~algebra() {
    stop_.close();
    wg_.wait();
  }

  // The first n coefficients.
  std::vector<double> take(series const& s, std::size_t n) {
    std::vector<double> out;
    for (double c = 0; out.size() < n && get(s, &c);) out.push_back(c);
    return out;
  }

  series constant_then_zeros(double c) {
    return process([c](auto const& put) {
      if (!put(c)) return;
      while (put(0)) {
      }
    });
  }
  // c + cx + cxx + ...
  series repeat(double c) {
    return process([c](auto const& put) {
      while (put(c)) {
      }
    });
  }
  series add(series u, series v) {
    return process([this, u, v](auto const& put) {
      for (double a = 0, b = 0; get(u, &a) && get(v, &b) && put(a + b);) {
      }
    });
  }
  series scaled(double c, series u) {
    return process([this, c, u](auto const& put) {
      for (double a = 0; get(u, &a) && put(c * a);) {
      }
    });
  }
  // c + xU
  series shift(double c, series u) {
    return process([this, c, u](auto const& put) {
      for (double a = c; put(a) && get(u, &a);) {
      }
    });
  }
  series differentiated(series u) {
    return process([this, u](auto const& put) {
      double a = 0;
      if (!get(u, &a)) return;
      for (int n = 1; get(u, &a) && put(n * a); ++n) {
      }
    });
  }
  series integrated(double c, series u) {
    return process([this, c, u](auto const& put) {
      double a = c;
      if (!put(a)) return;
      for (int n = 1; get(u, &a) && put(a / n); ++n) {
      }
    });
  }

  // Two series with the coefficients of one, to be read at different speeds: a queue between.
  std::pair<series, series> split(series u) {
    std::pair<series, series> out;
    wg_.go([this, u, out] {
      std::array<series, 2> const to{out.first, out.second};
      std::vector<double> read;
      std::array<std::size_t, 2> next{};
      for (;;) {
        int const who = select(recv(to[0].req), recv(to[1].req), recv(stop_));
        if (who == 2) return;
        auto const w = static_cast<std::size_t>(who);
        if (next.at(w) == read.size()) {
          double c = 0;
          if (!get(u, &c)) return;
          read.push_back(c);
        }
        if (select(send(to.at(w).dat, read[next.at(w)]), recv(stop_)) == 1) return;
        ++next.at(w);
      }
    });
    return out;
  }

  // UV = u v + x(u VV + v UU) + xx UU VV, where U = u + x UU and V = v + x VV.
  series product(series u, series v) {
    return process([this, u, v](auto const& put) {
      double a = 0;
      double b = 0;
      if (!get(u, &a) || !get(v, &b) || !put(a * b)) return;
      auto const [u1, u2] = split(u);
      auto const [v1, v2] = split(v);
      forward(add(add(scaled(a, v1), scaled(b, u1)), shift(0, product(u2, v2))), put);
    });
  }
  // 1/U = 1/u (1 - x UU 1/U)
  series reciprocal(series u) {
    series const out;
    start(out, [this, u](auto const& put) {
      double a = 0;
      if (!get(u, &a)) return;
      series const feedback;
      series tail = scaled(-1 / a, product(u, feedback));
      feed(feedback, tail, 1 / a, put);
    });
    return out;
  }
  // exp(U) for U with u = 0: the integral of exp(U) U'.
  series exponential(series u) {
    series const out;
    start(out, [this, u](auto const& put) {
      series const feedback;
      series tail = integrated(1, product(feedback, differentiated(u)));
      double c = 0;
      if (get(tail, &c)) feed(feedback, tail, c, put);
    });
    return out;
  }

 private:
  bool get(series const& s, double* c) {
    return select(send(s.req, unit{}), recv(stop_)) == 0 &&
           select(recv(s.dat, c), recv(stop_)) == 0;
  }

  template <class Fn>
  void start(series const& out, Fn fn) {
    wg_.go([this, out, fn] {
      fn([this, &out](double c) {
        return select(recv(out.req), recv(stop_)) == 0 &&
               select(send(out.dat, c), recv(stop_)) == 0;
      });
    });
  }
  template <class Fn>
  series process(Fn fn) {
    series const out;
    start(out, std::move(fn));
    return out;
  }
  template <class Put>
  void forward(series const& from, Put const& put) {
    for (double c = 0; get(from, &c) && put(c);) {
    }
  }
  // Puts first and then tail, and gives the same to the series that tail is made from, which asks
  // for its first coefficients before the reader does.
  template <class Put>
  void feed(series const& feedback, series const& tail, double first, Put const& put) {
    auto const told = std::make_shared<chan<double>>(64);
    start(feedback, [this, told](auto const& give) {
      double c = 0;
      while (select(recv(*told, &c), recv(stop_)) == 0 && give(c)) {
      }
    });
    double c = first;
    do {
      if (select(send(*told, c), recv(stop_)) == 1) return;
    } while (put(c) && get(tail, &c));
  }

  chan<unit> const stop_{0};
  sync::wait_group wg_;
};

void expect_near(std::vector<double> const& got, std::vector<double> const& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-9) << i;
}

TEST(go_test_chan, powser) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "takes minutes under ThreadSanitizer";
#endif
  algebra a;
  expect_near(a.take(a.add(a.repeat(1), a.repeat(1)), 5), {2, 2, 2, 2, 2});
  expect_near(a.take(a.scaled(3, a.shift(2, a.repeat(1))), 4), {6, 3, 3, 3});
  expect_near(a.take(a.differentiated(a.repeat(1)), 5), {1, 2, 3, 4, 5});
  expect_near(a.take(a.integrated(0, a.repeat(1)), 4), {0, 1, 1.0 / 2, 1.0 / 3});
  expect_near(a.take(a.product(a.repeat(1), a.repeat(1)), 6), {1, 2, 3, 4, 5, 6});
  auto const [one, other] = a.split(a.repeat(7));
  expect_near(a.take(one, 3), {7, 7, 7});
  expect_near(a.take(other, 2), {7, 7});
  // e^x, and x = 0 + x (1 + 0x + ...)
  expect_near(a.take(a.exponential(a.shift(0, a.constant_then_zeros(1))), 6),
              {1, 1, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120});
  // 1 / (1 + x + xx + ...) = 1 - x; the tail of U is what stands behind its first coefficient.
  expect_near(a.take(a.reciprocal(a.repeat(1)), 4), {1, -1, 0, 0});
}

}  // namespace
}  // namespace vole
