// SPDX-License-Identifier: Apache-2.0
// What Go's errors and fmt tests check of New, Join, Is, As, AsType, Unwrap and Errorf, under their
// names; docs/internals/conformance.md says what differs and why.
#include "vole/errors.h"

#include <cerrno>
#include <fmt/format.h>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "vole/result.h"

namespace vole {
namespace {

// The kinds of errors that Go's tests declare.
struct error_t : errors::typed_base {
  explicit error_t(std::string text) : s(std::move(text)) {}
  std::string message() const override { return "errorT(" + s + ")"; }
  std::string s;
};
struct path_error : errors::typed_base {
  path_error(std::string what, error why) : op(std::move(what)), cause(std::move(why)) {}
  std::string message() const override { return op + ": " + cause.message(); }
  error unwrap() const override { return cause; }
  std::string op;
  error cause;
};
struct wrapped : errors::typed_base {
  wrapped(std::string text, error why) : msg(std::move(text)), err(std::move(why)) {}
  std::string message() const override { return msg; }
  error unwrap() const override { return err; }
  std::string msg;
  error err;
};
struct multi_error : errors::typed_base {
  explicit multi_error(std::vector<error> const& errs) : all(errors::join(errs)) {}
  std::string message() const override { return "multiError"; }
  error unwrap() const override { return all; }
  error all;
};
struct poser : errors::typed_base {
  explicit poser(std::function<bool(error const&)> answer) : f(std::move(answer)) {}
  std::string message() const override { return "either 1 or 3"; }
  bool is(error const& target) const override { return f(target); }
  std::function<bool(error const&)> f;
};
// Equal to every other of its type.
struct alike : errors::typed_base {
  std::string message() const override { return "alike"; }
  bool is(error const& target) const override { return errors::as<alike>(target) != nullptr; }
};

error wrap(std::string text, error err) {
  return errors::make_typed<wrapped>(std::move(text), std::move(err));
}
error multi(std::vector<error> const& errs) {
  return errors::make_typed<multi_error>(errs);
}
error t(std::string text) {
  return errors::make_typed<error_t>(std::move(text));
}

// --- errors/errors_test.go

TEST(go_errors, TestNewEqual) {
  EXPECT_NE(errors::make("abc"), errors::make("abc"));
  EXPECT_NE(errors::make("abc"), errors::make("xyz"));
  error const err = errors::make("jkl");
  error const same = err;
  EXPECT_EQ(err, same);
}

TEST(go_errors, TestErrorMethod) {
  EXPECT_EQ(errors::make("abc").message(), "abc");
}

// --- errors/join_test.go

TEST(go_errors, TestJoinReturnsNil) {
  EXPECT_EQ(errors::join(std::span<error const>()), nullptr);
  error const nil;
  EXPECT_EQ(errors::join(std::span(&nil, 1)), nullptr);
  EXPECT_EQ(errors::join(nullptr, nullptr), nullptr);
}

TEST(go_errors, TestJoin) {
  error const err1 = errors::make("err1");
  error const err2 = errors::make("err2");
  error const merr = multi({errors::make("err3")});
  // What it holds is seen by asking for it. One error alone is that error itself.
  EXPECT_EQ(errors::join(std::span(&err1, 1)), err1);
  EXPECT_EQ(errors::join(std::span(&merr, 1)), merr);
  for (error const& both : {errors::join(err1, err2), errors::join(err1, nullptr, err2)}) {
    EXPECT_TRUE(errors::is(both, err1));
    EXPECT_TRUE(errors::is(both, err2));
    EXPECT_FALSE(errors::is(both, merr));
  }
}

TEST(go_errors, TestJoinErrorMethod) {
  error const err1 = errors::make("err1");
  error const err2 = errors::make("err2");
  EXPECT_EQ(errors::join(std::span(&err1, 1)).message(), "err1");
  EXPECT_EQ(errors::join(err1, err2).message(), "err1; err2");
  EXPECT_EQ(errors::join(err1, nullptr, err2).message(), "err1; err2");
}

// --- errors/wrap_test.go

TEST(go_errors, TestIs) {
  error const err1 = errors::make("1");
  error const erra = wrap("wrap 2", err1);
  error const errb = wrap("wrap 3", erra);
  error const err3 = errors::make("3");
  error const pose = errors::make_typed<poser>(
      [&](error const& target) { return target == err1 || target == err3; });
  error const alike1 = errors::make_typed<alike>();
  error const alike2 = errors::make_typed<alike>();
  struct {
    error err;
    error target;
    bool match;
  } const cases[] = {
      {nullptr, nullptr, true},
      {nullptr, err1, false},
      {err1, nullptr, false},
      {err1, err1, true},
      {erra, err1, true},
      {errb, err1, true},
      {err1, err3, false},
      {erra, err3, false},
      {errb, err3, false},
      {pose, err1, true},
      {pose, err3, true},
      {pose, erra, false},
      {pose, errb, false},
      {alike1, alike2, true},
      {alike1, err1, false},
      {err1, alike1, false},
      {multi({}), err1, false},
      {multi({err1, err3}), err1, true},
      {multi({err3, err1}), err1, true},
      {multi({err1, err3}), errors::make("x"), false},
      {multi({err3, errb}), errb, true},
      {multi({err3, errb}), erra, true},
      {multi({err3, errb}), err1, true},
      {multi({errb, err3}), err1, true},
      {multi({pose}), err1, true},
      {multi({pose}), err3, true},
      {multi({nullptr}), nullptr, false},
  };
  for (auto const& c : cases) {
    EXPECT_EQ(errors::is(c.err, c.target), c.match)
        << c.err.message() << " / " << c.target.message();
  }
}

// as<T> as a text: what was found, or "none".
template <class T>
std::string found(error const& err) {
  T const* const at = errors::as<T>(err);
  return at == nullptr ? "none" : at->message();
}

TEST(go_errors, TestAs) {
  error const file =
      errors::make_typed<path_error>("open non-existing", errors::from_errno(ENOENT));
  EXPECT_EQ(found<path_error>(nullptr), "none");
  EXPECT_EQ(found<error_t>(wrap("pitied the fool", t("T"))), "errorT(T)");
  EXPECT_EQ(errors::as<path_error>(file)->op, "open non-existing");
  EXPECT_EQ(found<path_error>(t("")), "none");
  EXPECT_EQ(found<error_t>(wrap("wrapped", nullptr)), "none");
  EXPECT_EQ(found<path_error>(wrap("path error", file)), file.message());
  EXPECT_EQ(found<errors::system_error>(wrap("path error", file)), "no such file or directory");
  EXPECT_EQ(found<error_t>(multi({})), "none");
  EXPECT_EQ(found<error_t>(multi({errors::make("a"), t("T")})), "errorT(T)");
  EXPECT_EQ(found<error_t>(multi({t("T"), errors::make("a")})), "errorT(T)");
  EXPECT_EQ(found<error_t>(multi({t("a"), t("b")})), "errorT(a)");
  EXPECT_EQ(found<error_t>(multi({multi({errors::make("a"), t("a")}), t("b")})), "errorT(a)");
  EXPECT_EQ(found<path_error>(multi({wrap("path error", file)})), file.message());
  EXPECT_EQ(found<error_t>(multi({nullptr})), "none");
}

template <class T>
concept can_be_asked_for = requires(error const& err) { errors::as<T>(err); };

// Go panics for a target that is no error; here it does not compile.
TEST(go_errors, TestAsValidation) {
  static_assert(can_be_asked_for<error_t>);
  static_assert(!can_be_asked_for<std::string>);
  static_assert(!can_be_asked_for<int>);
  static_assert(!can_be_asked_for<error>);
}

// as<T> is Go's AsType: it gives what it finds instead of filling a target.
TEST(go_errors, TestAsType) {
  error const err = wrap("pitied the fool", t("T"));
  error_t const* const at = errors::as<error_t>(err);
  ASSERT_NE(at, nullptr);
  EXPECT_EQ(at->s, "T");
  EXPECT_EQ(errors::as<path_error>(err), nullptr);
  error const posing = errors::make_typed<poser>([](error const&) { return true; });
  EXPECT_NE(errors::as<poser>(posing), nullptr);
  error const plain = errors::make("err");
  EXPECT_EQ(errors::as<error_t>(plain), nullptr);
}

TEST(go_errors, TestUnwrap) {
  error const err1 = errors::make("1");
  error const erra = wrap("wrap 2", err1);
  EXPECT_EQ(errors::unwrap(nullptr), nullptr);
  EXPECT_EQ(errors::unwrap(wrap("wrapped", nullptr)), nullptr);
  EXPECT_EQ(errors::unwrap(err1), nullptr);
  EXPECT_EQ(errors::unwrap(erra), err1);
  EXPECT_EQ(errors::unwrap(wrap("wrap 3", erra)), erra);
}

// --- fmt/errors_test.go

TEST(go_fmt, TestErrorf) {
  error const inner = errors::make("inner error");
  struct {
    error err;
    std::string text;
    error unwrapped;
  } const cases[] = {
      {errors::wrap(inner, "added context"), "added context: inner error", inner},
      {errors::wrap(inner, "{} {}", "prefix", 7), "prefix 7: inner error", inner},
      {errors::wrap(inner, "{1}: {0}", 1, 2), "2: 1: inner error", inner},
      // Go's %v: the text, and no way back.
      {errors::make("{}", inner), "inner error", nullptr},
      {errors::make("added context: {}", inner), "added context: inner error", nullptr},
      {errors::make("{} with added context", inner), "inner error with added context", nullptr},
      {errors::make("no verbs"), "no verbs", nullptr},
      {errors::wrap(nullptr, "no {}", "cause"), "no error", nullptr},
  };
  for (auto const& c : cases) {
    EXPECT_EQ(c.err.message(), c.text);
    EXPECT_EQ(errors::unwrap(c.err), c.unwrapped) << c.text;
  }
  error const one = t("1");
  error const two = t("2");
  error const three = t("3");
  EXPECT_EQ(errors::wrap({one, two}, "wrapped two errors").message(),
            "wrapped two errors: errorT(1); errorT(2)");
  error const all = errors::wrap({one, nullptr, two, three}, "wrapped three errors and a nil");
  EXPECT_EQ(all.message(), "wrapped three errors and a nil: errorT(1); errorT(2); errorT(3)");
  for (error const& each : {one, two, three}) EXPECT_TRUE(errors::is(all, each));
  EXPECT_EQ(errors::as<error_t>(all)->s, "1");
  error const turned = errors::wrap({three, one}, "out of order");
  EXPECT_EQ(errors::as<error_t>(turned)->s, "3");
}

}  // namespace
}  // namespace vole
