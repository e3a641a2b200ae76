// SPDX-License-Identifier: Apache-2.0
#include "vole/net/tls_error.h"

#include <cerrno>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string>

namespace vole {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(tls_error, says_why_a_certificate_cannot_be_read) {
  std::string const text = "no certificate";
  BIO* const source = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  ASSERT_EQ(PEM_read_bio_X509(source, nullptr, nullptr, nullptr), nullptr);
  error const err = tls::from_error_queue("load {}", "cert.pem");
  BIO_free(source);
  EXPECT_THAT(err.message(), StartsWith("load cert.pem: no start line"));
  auto const* const why = errors::as<tls::tls_error>(err);
  ASSERT_NE(why, nullptr);
  ASSERT_FALSE(why->entries.empty());
  EXPECT_EQ(ERR_GET_REASON(why->entries[0].code), PEM_R_NO_START_LINE);
  EXPECT_EQ(why->entries[0].library, "PEM routines");
  EXPECT_EQ(ERR_peek_error(), 0UL) << "the queue is left empty";
}

TEST(tls_error, finds_the_errno_behind_it) {
  ASSERT_EQ(BIO_new_file("/nonexistent/key.pem", "r"), nullptr);
  error const err = tls::from_error_queue("load the key");
  EXPECT_TRUE(errors::is(err, errors::from_errno(ENOENT)));
  EXPECT_THAT(err.message(), HasSubstr("no such file"));
  EXPECT_THAT(err.message(), HasSubstr("/nonexistent/key.pem"));
}

TEST(tls_error, tells_all_entries_the_outermost_first) {
  ERR_clear_error();
  ERR_raise(ERR_LIB_X509, X509_R_CERT_ALREADY_IN_HASH_TABLE);
  ERR_raise_data(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR, "depth=%d", 2);
  ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
  error const err = tls::from_error_queue();
  EXPECT_EQ(err.message(), "internal error: cert already in hash table");
  EXPECT_EQ(errors::as<tls::tls_error>(err)->entries[1].detail, "depth=2");
}

TEST(tls_error, without_a_reason_is_an_error_all_the_same) {
  ERR_clear_error();
  EXPECT_EQ(tls::from_error_queue().message(), "OpenSSL failed without a reason");
}

}  // namespace
}  // namespace vole
