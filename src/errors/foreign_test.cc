// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdexcept>
#include <system_error>

#include "vole/errors.h"

namespace vole {
namespace {

TEST(errno_error, reads_in_lower_case) {
  EXPECT_EQ(errors::from_errno(ECONNREFUSED).message(), "connection refused");
  EXPECT_EQ(errors::from_errno(ENOENT, "open {}", "/etc/none").message(),
            "open /etc/none: no such file or directory");
  EXPECT_EQ(errors::from_errno(4711).message(), "errno 4711");
}

TEST(errno_error, zero_is_success) {
  EXPECT_FALSE(errors::from_errno(0));
  EXPECT_FALSE(errors::from_errno(0, "open {}", "x"));
}

TEST(errno_error, keeps_its_code) {
  error const err = errors::from_errno(EPIPE, "write");
  auto const* const system = errors::as<errors::system_error>(err);
  ASSERT_NE(system, nullptr);
  EXPECT_EQ(system->code, EPIPE);
}

TEST(errno_error, is_every_other_of_its_code) {
  error const err = errors::from_errno(ECONNRESET, "read");
  EXPECT_TRUE(errors::is(err, errors::from_errno(ECONNRESET)));
  EXPECT_FALSE(errors::is(err, errors::from_errno(EPIPE)));
  EXPECT_TRUE(errors::is(errors::from_errno(4711), errors::from_errno(4711)));
  EXPECT_TRUE(
      errors::is(errors::make_typed<errors::system_error>(EPIPE), errors::from_errno(EPIPE)));
}

TEST(error_code, of_the_system_is_an_errno_error) {
  auto const code = std::make_error_code(std::errc::permission_denied);
  EXPECT_TRUE(errors::is(errors::from_error_code(code), errors::from_errno(EACCES)));
  EXPECT_FALSE(errors::from_error_code(std::error_code()));
}

TEST(error_code, of_another_category_keeps_it) {
  auto const code = std::make_error_code(std::future_errc::broken_promise);
  error const err = errors::wrap(errors::from_error_code(code), "get");
  auto const* const typed = errors::as<errors::code_error>(err);
  ASSERT_NE(typed, nullptr);
  EXPECT_EQ(typed->code, code);
  EXPECT_EQ(err.message(), "get: future: Broken promise");
  EXPECT_TRUE(errors::is(err, errors::from_error_code(code)));
}

TEST(exception, becomes_an_error_with_its_text) {
  try {
    throw std::runtime_error("bad input");
  } catch (...) {
    error const err = errors::from_exception();
    EXPECT_EQ(err.message(), "std::runtime_error: bad input");
    auto const* const typed = errors::as<errors::exception_error>(err);
    ASSERT_NE(typed, nullptr);
    EXPECT_EQ(typed->type_name, "std::runtime_error");
    EXPECT_EQ(typed->what_text, "bad input");
    EXPECT_THROW(std::rethrow_exception(typed->exception), std::runtime_error);
  }
  EXPECT_FALSE(errors::from_exception());
}

TEST(exception, of_the_system_keeps_its_code) {
  try {
    throw std::system_error(ENOSPC, std::system_category(), "append to the log");
  } catch (...) {
    EXPECT_TRUE(errors::is(errors::from_exception(), errors::from_errno(ENOSPC)));
  }
}

TEST(exception, brings_along_what_it_was_thrown_with) {
  try {
    try {
      throw std::invalid_argument("no number");
    } catch (...) {
      std::throw_with_nested(std::runtime_error("read the settings"));
    }
  } catch (...) {
    error const err = errors::from_exception();
    EXPECT_THAT(err.message(), ::testing::HasSubstr("runtime_error"));
    EXPECT_THAT(err.message(),
                ::testing::EndsWith(": read the settings: std::invalid_argument: no number"));
    error const cause = errors::unwrap(err);
    auto const* const inner = errors::as<errors::exception_error>(cause);
    ASSERT_NE(inner, nullptr);
    EXPECT_EQ(inner->type_name, "std::invalid_argument");
  }
}

TEST(exception, of_no_known_kind_is_named_by_its_type) {
  try {
    throw 42;
  } catch (...) {
    EXPECT_EQ(errors::from_exception().message(), "exception of type int");
  }
}

}  // namespace
}  // namespace vole
