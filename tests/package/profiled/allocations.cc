// SPDX-License-Identifier: Apache-2.0
#include <libpq-fe.h>
#include <new>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <zlib.h>

#include "load.h"

namespace {

[[gnu::noinline]] void by_libpq(std::function<void()> const& fn) {
  char* failure = nullptr;
  PQconninfoOption* const options = PQconninfoParse("host=example.org dbname=folio", &failure);
  fn();
  PQconninfoFree(options);
}

[[gnu::noinline]] void by_sqlite(std::function<void()> const& fn) {
  sqlite3* db = nullptr;
  sqlite3_open(":memory:", &db);
  sqlite3_exec(db, "create table t(a text); insert into t values(hex(zeroblob(100000)))", nullptr,
               nullptr, nullptr);
  fn();
  sqlite3_close(db);
}

[[gnu::noinline]] void by_openssl(std::function<void()> const& fn) {
  EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  fn();
  EVP_PKEY_free(key);
}

[[gnu::noinline]] void by_zlib(std::function<void()> const& fn) {
  z_stream stream{};
  deflateInit(&stream, 9);
  fn();
  deflateEnd(&stream);
}

[[gnu::noinline]] void by_new(std::function<void()> const& fn) {
  void* const block = ::operator new(300'000);
  asm volatile("" : : "r"(block) : "memory");
  fn();
  ::operator delete(block);
}

}  // namespace

void with_allocations(std::function<void()> const& fn) {
  by_libpq([&] { by_sqlite([&] { by_openssl([&] { by_zlib([&] { by_new(fn); }); }); }); });
}
