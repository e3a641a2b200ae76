// SPDX-License-Identifier: Apache-2.0
#include "load.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <libpq-fe.h>
#include <map>
#include <memory>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sqlite3.h>
#include <string>
#include <zlib.h>

namespace {

// The compiler shall not know what becomes of it.
template <class T>
void keep(T const& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

std::vector<unsigned char> some_bytes(std::size_t size) {
  std::vector<unsigned char> bytes(size);
  unsigned state = 1;
  for (auto& b : bytes) {
    state = state * 1'103'515'245 + 12'345;
    b = static_cast<unsigned char>("abcdefgh"[state >> 29]);
  }
  return bytes;
}

struct tree {
  std::unique_ptr<tree> left, right;
  int value = 0;
};

[[gnu::noinline]] std::unique_ptr<tree> grow(int depth) {
  if (depth == 0) return nullptr;
  auto made = std::make_unique<tree>();
  made->left = grow(depth - 1);
  made->right = grow(depth - 1);
  made->value = depth;
  return made;
}
[[gnu::noinline]] int sum_of(tree const* t) {
  return t == nullptr ? 0 : t->value + sum_of(t->left.get()) + sum_of(t->right.get());
}

void own_code() {
  auto const root = grow(11);
  keep(sum_of(root.get()));
  std::map<std::string, int> words;
  for (int i = 0; i < 1'000; ++i) ++words["word " + std::to_string(i * 7919 % 251)];
  keep(words);
  std::vector<double> numbers;
  for (int i = 0; i < 5'000; ++i) numbers.push_back(i * 7919 % 5003);
  std::sort(numbers.begin(), numbers.end());
  keep(numbers);
}

void in_libc() {
  std::vector<int> numbers;
  for (int i = 0; i < 15'000; ++i) numbers.push_back(i * 7919 % 5003);
  std::qsort(numbers.data(), numbers.size(), sizeof(int), [](void const* a, void const* b) {
    return *static_cast<int const*>(a) - *static_cast<int const*>(b);
  });
  for (int i = 0; i < 1'000; ++i) {
    char text[64];
    std::snprintf(text, sizeof text, "%.6f %d", i * 0.37, i);
    keep(std::strtod(text, nullptr));
  }
}

void in_zlib() {
  static auto const plain = some_bytes(32 << 10);
  uLongf size = compressBound(plain.size());
  std::vector<unsigned char> packed(size);
  compress2(packed.data(), &size, plain.data(), plain.size(), 6);
  keep(packed);
}

void in_openssl() {
  static auto const plain = some_bytes(256 << 10);
  unsigned char digest[64];
  SHA256(plain.data(), plain.size(), digest);
  SHA512(plain.data(), plain.size(), digest);
  keep(digest);
  unsigned char const key[32] = {1};
  unsigned char const iv[12] = {2};
  std::vector<unsigned char> out(plain.size() + 32);
  int size = 0;
  EVP_CIPHER_CTX* const cipher = EVP_CIPHER_CTX_new();
  EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), nullptr, key, iv);
  EVP_EncryptUpdate(cipher, out.data(), &size, plain.data(), static_cast<int>(plain.size()));
  EVP_CIPHER_CTX_free(cipher);
  static EVP_PKEY* const pair = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  EVP_MD_CTX* const signing = EVP_MD_CTX_new();
  EVP_DigestSignInit(signing, nullptr, EVP_sha256(), nullptr, pair);
  for (int i = 0; i < 10; ++i) {
    std::size_t signed_bytes = out.size();
    EVP_DigestSignInit(signing, nullptr, nullptr, nullptr, nullptr);
    EVP_DigestSign(signing, out.data(), &signed_bytes, plain.data(), 100);
  }
  EVP_MD_CTX_free(signing);
}

void in_sqlite() {
  sqlite3* db = nullptr;
  sqlite3_open(":memory:", &db);
  sqlite3_exec(db, "create table t(a integer primary key, b text)", nullptr, nullptr, nullptr);
  sqlite3_exec(db,
               "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) "
               "insert into t select i, printf('%d words', i * 7919 % 251) from n",
               nullptr, nullptr, nullptr);
  sqlite3_exec(
      db, "select b, count(*), max(a) from t group by b order by 2, 1",
      [](void* seen, int, char** values, char**) {
        keep(seen);
        keep(values);
        return 0;
      },
      nullptr, nullptr);
  sqlite3_close(db);
}

void in_libpq() {
  static auto const plain = some_bytes(64 << 10);
  for (int i = 0; i < 20; ++i) {
    char* failure = nullptr;
    PQconninfoFree(PQconninfoParse(
        "host=example.org port=5432 dbname=folio user=ann options='-c statement_timeout=5s'",
        &failure));
    PQfreemem(failure);
  }
  std::size_t size = 0;
  unsigned char* const escaped = PQescapeBytea(plain.data(), plain.size(), &size);
  PQfreemem(PQunescapeBytea(escaped, &size));
  PQfreemem(escaped);
}

}  // namespace

std::vector<load> all_loads() {
  return {{"own code", own_code},  {"libc", in_libc},     {"zlib", in_zlib},
          {"OpenSSL", in_openssl}, {"SQLite", in_sqlite}, {"libpq", in_libpq}};
}
