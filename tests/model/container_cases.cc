// SPDX-License-Identifier: Apache-2.0
// sync::pool and sync::map, with the epochs under it.

#include <memory>
#include <optional>

#include "vole/sync/map.h"
#include "vole/sync/pool.h"

#include "cases.h"

namespace vole::model::cases {
namespace {

// An object of a pool: there is none when the pool has ended.
using tally = internal::atomic<int>;
struct thing {
  explicit thing(tally* count) : alive(count) { alive->fetch_add(1); }
  ~thing() { alive->fetch_sub(1); }
  thing(thing const&) = delete;
  thing& operator=(thing const&) = delete;

  tally* const alive;
  int value = 0;
};

// One gets and puts while another one trims: nothing is destroyed that somebody has, nothing is
// handed out twice.
void pool_trimmed_body() {
  tally alive{0};
  {
    sync::pool pool([&alive] { return std::make_unique<thing>(&alive); });
    name(pool, "pool");
    go("user", [&] {
      for (int i = 1; i <= 2; ++i) {
        auto const one = pool.get();
        one->value = i;
        MODEL_CHECK(one->value == i);
      }
    });
    go("trimmer", [&] { pool.trim(); });
    join();
  }
  MODEL_CHECK(alive.load() == 0);
}

// What lies in the depot goes to one of those who want it.
void pool_shared_body() {
  sync::pool pool([] { return std::make_unique<int>(0); });
  name(pool, "pool");
  pool.put(std::make_unique<int>(7));
  int seen[2] = {};
  for (int i = 0; i < 2; ++i) {
    go("user", [&pool, &seen, i] {
      auto one = pool.get();
      seen[i] = *one;
      *one = i;
      static_cast<void>(pool.get());
    });
  }
  join();
  MODEL_CHECK((seen[0] == 7) != (seen[1] == 7));
}

// All keys in one shard, in one chain of slots.
struct same_hash {
  std::size_t operator()(int) const noexcept { return 0; }
};
using one_shard = sync::map<int, int, same_hash>;

void map_load_and_store_body() {
  auto const map = std::make_unique<one_shard>();
  name(*map, "map");
  map->store(1, 10);
  go("writer", [&] { map->store(1, 11); });
  go("reader", [&] {
    auto const seen = map->load(1);
    MODEL_CHECK(seen == 10 || seen == 11);
  });
  join();
  MODEL_CHECK(map->load(1) == 11);
}

void map_grows_body() {
  auto const map = std::make_unique<one_shard>();
  name(*map, "map");
  for (int key = 0; key < 4; ++key) map->store(key, 10 * key);
  go("writer", [&] {
    map->store(4, 40);  // more than half of the slots
    map->erase(0);
  });
  go("reader", [&] {
    MODEL_CHECK(map->load(3) == 30);
    auto const seen = map->load(4);
    MODEL_CHECK(!seen || *seen == 40);
  });
  join();
  MODEL_CHECK(!map->load(0) && map->load(1) == 10 && map->load(4) == 40);
}

void map_two_store_first_body() {
  auto const map = std::make_unique<one_shard>();
  name(*map, "map");
  int got[2] = {};
  bool there[2] = {};
  for (int i = 0; i < 2; ++i) {
    go("writer", [&map, &got, &there, i] {
      auto const [value, was_there] = map->load_or_store(1, 10 + i);
      got[i] = value;
      there[i] = was_there;
    });
  }
  join();
  MODEL_CHECK(got[0] == got[1]);
  MODEL_CHECK(there[0] != there[1]);
}

// What a reader may see is not freed: the store is the one at which the map gives back what it has
// replaced.
void map_gives_back(bool reader_is_goroutine) {
  constexpr int before_it_collects = 63;
  auto const map = std::make_unique<one_shard>();
  name(*map, "map");
  hold_choices(true);
  for (int i = 0; i <= before_it_collects; ++i) map->store(1, i);
  hold_choices(false);
  go("writer", [&] { map->store(1, 100); });
  start(
      "reader",
      [&] {
        auto const seen = map->load(1);
        MODEL_CHECK(seen == before_it_collects || seen == 100);
      },
      reader_is_goroutine);
  join();
}
void map_gives_back_goroutine_body() {
  map_gives_back(true);
}
void map_gives_back_thread_body() {
  map_gives_back(false);
}

}  // namespace

model_case const pool_trimmed{
    "pool, one gets and puts, another trims", {.preemptions = 2}, pool_trimmed_body};
model_case const pool_shared{"pool, two for one object", {.preemptions = 2}, pool_shared_body};
model_case const map_load_and_store{
    "map, a load and a store", {.preemptions = 3}, map_load_and_store_body};
model_case const map_grows{"map, a load while it grows", {.preemptions = 2}, map_grows_body};
model_case const map_two_store_first{
    "map, two store first", {.preemptions = 2, .stale_reads = 1}, map_two_store_first_body};
model_case const map_gives_back_under_goroutine{
    "map, gives back under a goroutine", {.preemptions = 2}, map_gives_back_goroutine_body};
model_case const map_gives_back_under_thread{
    "map, gives back under a thread", {.preemptions = 2}, map_gives_back_thread_body};

}  // namespace vole::model::cases
