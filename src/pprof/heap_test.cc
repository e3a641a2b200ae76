// SPDX-License-Identifier: Apache-2.0

#include "pprof/heap.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <gtest/gtest.h>
#include <malloc.h>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>
#include <zlib.h>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/pprof.h"
#include "vole/sync.h"

#include "pprof/read_profile_test.h"
#include "pprof/source.h"
#include "runtime/sanitizer.h"

namespace vole::pprof {
namespace {

enum value : std::size_t { alloc_objects, alloc_bytes, inuse_objects, inuse_bytes };

// What the rendering itself allocates is left out: it is slow to sample every block of it.
read_profile heap_now() {
  std::size_t const rate = heap_rate();
  set_heap_rate(0);
  std::string const bytes = lookup("heap")->write(0);
  set_heap_rate(rate);
  return read_profile(gunzip(bytes));
}

// sampled_in sums one value over the samples with a frame in `function`, which is short, without
// reading symbols.
template <class Fn>
std::int64_t sampled_in(Fn* function, value which) {
  std::size_t const rate = heap_rate();
  set_heap_rate(0);
  auto const low = reinterpret_cast<std::uintptr_t>(function);
  constexpr std::uintptr_t longest = 160;
  std::int64_t sum = 0;
  for (stack_sample const& s : lookup("heap")->source().collect().samples) {
    bool const within = std::ranges::any_of(
        s.pcs, [low](std::uintptr_t pc) { return pc >= low && pc < low + longest; });
    if (within) sum += s.values[which];
  }
  set_heap_rate(rate);
  return sum;
}

// Samples every block while it lives.
class heap_test : public ::testing::Test {
 protected:
  void SetUp() override {
    if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "the sanitizers have a malloc of their own";
    set_heap_rate(1);
  }
  void TearDown() override { set_heap_rate(before_); }

 private:
  std::size_t const before_ = heap_rate();
};

constexpr std::size_t size = 4096;

// The compiler may leave out what is allocated and freed in its sight.
[[gnu::noinline]] void* kept(void* block) {
  asm volatile("" : "+r"(block) : : "memory");
  return block;
}

struct form {
  char const* name;
  void* (*make)();
  void (*free)(void*);
};
using align = std::align_val_t;
form const forms[] = {
    {"by_malloc", [] { return kept(std::malloc(size)); }, [](void* p) { std::free(p); }},
    {"by_calloc", [] { return kept(std::calloc(4, size / 4)); }, [](void* p) { std::free(p); }},
    {"by_realloc", [] { return kept(std::realloc(nullptr, size)); }, [](void* p) { std::free(p); }},
    {"by_memalign", [] { return kept(::memalign(64, size)); }, [](void* p) { std::free(p); }},
    {"by_aligned_alloc", [] { return kept(std::aligned_alloc(64, size)); },
     [](void* p) { std::free(p); }},
    {"by_posix_memalign",
     [] {
       void* p = nullptr;
       EXPECT_EQ(::posix_memalign(&p, 64, size), 0);
       return kept(p);
     },
     [](void* p) { std::free(p); }},
    {"by_valloc", [] { return kept(::valloc(size)); }, [](void* p) { std::free(p); }},
    {"by_pvalloc", [] { return kept(::pvalloc(size)); }, [](void* p) { std::free(p); }},
    {"by_new", [] { return kept(::operator new(size)); }, [](void* p) { ::operator delete(p); }},
    {"by_new_array", [] { return kept(::operator new[](size)); },
     [](void* p) { ::operator delete[](p); }},
    {"by_new_sized", [] { return kept(::operator new(size)); },
     [](void* p) { ::operator delete(p, size); }},
    {"by_new_aligned", [] { return kept(::operator new(size, align(64))); },
     [](void* p) { ::operator delete(p, align(64)); }},
    {"by_new_aligned_sized", [] { return kept(::operator new[](size, align(64))); },
     [](void* p) { ::operator delete[](p, size, align(64)); }},
    {"by_new_nothrow", [] { return kept(::operator new(size, std::nothrow)); },
     [](void* p) { ::operator delete(p, std::nothrow); }},
    {"by_new_aligned_nothrow", [] { return kept(::operator new(size, align(64), std::nothrow)); },
     [](void* p) { ::operator delete(p, align(64), std::nothrow); }},
};

[[gnu::noinline]] void* make_in_this_form(form const& f) {
  void* const block = f.make();
  asm volatile("");  // no tail call: this frame is looked for
  return block;
}

TEST_F(heap_test, sees_every_form_come_and_go) {
  for (form const& f : forms) {
    std::int64_t before[4];
    for (value const v : {alloc_objects, alloc_bytes, inuse_objects, inuse_bytes}) {
      before[v] = sampled_in(&make_in_this_form, v);
    }
    auto const grown = [&](value v) { return sampled_in(&make_in_this_form, v) - before[v]; };
    void* const block = make_in_this_form(f);
    EXPECT_EQ(grown(inuse_objects), 1) << f.name;
    EXPECT_EQ(grown(inuse_bytes), static_cast<std::int64_t>(size)) << f.name;
    f.free(block);
    EXPECT_EQ(grown(inuse_objects), 0) << f.name;
    EXPECT_EQ(grown(alloc_objects), 1) << f.name;
    EXPECT_EQ(grown(alloc_bytes), static_cast<std::int64_t>(size)) << f.name;
  }
}

TEST_F(heap_test, says_its_types_as_go_and_the_size_of_the_blocks) {
  void* const block = make_in_this_form(forms[0]);
  read_profile const p = heap_now();
  std::free(block);
  ASSERT_EQ(p.types.size(), 4U);
  char const* const names[] = {"alloc_objects", "alloc_space", "inuse_objects", "inuse_space"};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(p.text(p.types[i].first), names[i]);
    EXPECT_EQ(p.text(p.types[i].second), i % 2 == 0 ? "count" : "bytes");
  }
  EXPECT_EQ(p.text(p.period_type.first), "space");
  EXPECT_EQ(p.text(p.period_type.second), "bytes");
  EXPECT_EQ(p.default_sample_type, 0);
  bool found = false;
  for (read_sample const& s : p.samples) {
    ASSERT_EQ(s.numbers.size(), 1U);
    EXPECT_EQ(p.text(s.numbers[0].first), "bytes");
    found |= s.numbers[0].second == size && s.values[inuse_objects] > 0;
  }
  EXPECT_TRUE(found);
  read_profile const allocs(gunzip(lookup("allocs")->write(0)));
  EXPECT_EQ(allocs.text(allocs.default_sample_type), "alloc_space");
}

[[gnu::noinline]] void* grow_here(void* block, std::size_t bytes) {
  void* const moved = std::realloc(block, bytes);
  asm volatile("");
  return moved;
}

TEST_F(heap_test, realloc_ends_the_old_block_and_a_failure_does_not) {
  void* block = make_in_this_form(forms[0]);
  std::int64_t const made = sampled_in(&make_in_this_form, inuse_objects);
  void* const moved = grow_here(block, 100 * size);
  ASSERT_NE(moved, nullptr);
  EXPECT_EQ(sampled_in(&make_in_this_form, inuse_objects), made - 1);
  EXPECT_EQ(sampled_in(&grow_here, inuse_bytes), static_cast<std::int64_t>(100 * size));
  EXPECT_EQ(grow_here(moved, std::size_t{1} << 60), nullptr);
  EXPECT_EQ(sampled_in(&grow_here, inuse_bytes), static_cast<std::int64_t>(100 * size));
  std::free(moved);
  EXPECT_EQ(sampled_in(&grow_here, inuse_objects), 0);
}

[[gnu::noinline]] void start_to_compress(z_stream* stream) {
  ASSERT_EQ(deflateInit(stream, 9), Z_OK);
  asm volatile("");
}

TEST_F(heap_test, sees_what_a_c_library_takes) {
  z_stream stream{};
  start_to_compress(&stream);
  EXPECT_GT(heap_now().value_of("start_to_compress", inuse_bytes), 200'000);
  EXPECT_GT(heap_now().value_of("deflateInit2_", inuse_bytes), 200'000);
  deflateEnd(&stream);
  EXPECT_EQ(heap_now().value_of("start_to_compress", inuse_bytes), 0);
}

[[gnu::noinline]] std::unique_ptr<char[]> leak_a_bit() {
  auto block = std::make_unique_for_overwrite<char[]>(64 << 10);  // not resident
  kept(block.get());
  return block;
}

TEST_F(heap_test, the_rate_by_default_is_true_to_the_sum) {
  set_heap_rate(512 << 10);
  std::vector<std::unique_ptr<char[]>> blocks;
  constexpr std::int64_t count = 8192;  // half a GiB: about 1000 samples, 3 % of error
  for (std::int64_t i = 0; i < count; ++i) blocks.push_back(leak_a_bit());
  read_profile const p = heap_now();
  EXPECT_NEAR(static_cast<double>(p.value_of("leak_a_bit", inuse_objects)), count, 0.2 * count);
  EXPECT_NEAR(static_cast<double>(p.value_of("leak_a_bit", inuse_bytes)), count * 65536.0,
              0.2 * count * 65536);
  blocks.clear();
  EXPECT_EQ(heap_now().value_of("leak_a_bit", inuse_bytes), 0);
}

TEST_F(heap_test, a_leak_is_what_the_difference_shows) {
  std::vector<std::unique_ptr<char[]>> kept_before;
  for (int i = 0; i < 20; ++i) kept_before.push_back(leak_a_bit());
  delta change = lookup("heap")->begin_delta();
  for (int i = 0; i < 3; ++i) std::free(make_in_this_form(forms[0]));
  std::unique_ptr<char[]> const leaked = leak_a_bit();
  read_profile const p(gunzip(change.finish()));
  p.check();
  EXPECT_EQ(p.value_of("leak_a_bit", inuse_objects), 1);
  EXPECT_EQ(p.value_of("make_in_this_form", inuse_objects), 0);
  EXPECT_EQ(p.value_of("make_in_this_form", alloc_objects), 3);
}

[[gnu::noinline]] void* of_any_size(std::size_t bytes) {
  void* const block = kept(std::malloc(bytes));
  asm volatile("");
  return block;
}

TEST_F(heap_test, a_difference_holds_also_when_the_sizes_drift) {
  std::vector<void*> blocks;
  constexpr std::int64_t before = 1000;
  constexpr std::int64_t more = 100;
  blocks.reserve(before + more);
  std::optional<delta> change;
  for (std::int64_t i = 0; i < before + more; ++i) {  // one place, so that all have one stack
    if (i == before) change = lookup("heap")->begin_delta();
    blocks.push_back(of_any_size(i < before ? 1040 : 1100));
  }
  read_profile const p(gunzip(change->finish()));
  for (void* const block : blocks) std::free(block);
  EXPECT_EQ(p.value_of("of_any_size", inuse_objects), more);
  EXPECT_EQ(p.value_of("of_any_size", inuse_bytes), more * 1100);
  for (read_sample const& s : p.samples) EXPECT_GE(s.values[alloc_objects], 0);
}

TEST_F(heap_test, a_change_of_the_rate_leaves_what_was_sampled_before) {
  std::unique_ptr<char[]> const exact = leak_a_bit();
  set_heap_rate(1 << 30);
  EXPECT_EQ(sampled_in(&leak_a_bit, inuse_bytes), 64 << 10);
  set_heap_rate(0);
  void* const unseen = make_in_this_form(forms[0]);
  std::int64_t const before = sampled_in(&make_in_this_form, inuse_objects);
  set_heap_rate(1);
  void* const seen = make_in_this_form(forms[0]);
  EXPECT_EQ(sampled_in(&make_in_this_form, inuse_objects), before + 1);
  std::free(unseen);
  std::free(seen);
}

TEST_F(heap_test, goroutines_that_allocate_at_once_leave_nothing) {
  constexpr int goroutines = 8;
  constexpr int rounds = 2'000;
  sync::wait_group ended;
  for (int i = 0; i < goroutines; ++i) {
    ended.go([] {
      void* block = nullptr;
      for (int r = 0; r < rounds; ++r) {
        void* const next = make_in_this_form(forms[static_cast<std::size_t>(r) % 3]);
        std::free(block);
        block = next;
      }
      std::free(block);
    });
  }
  ended.wait();
  EXPECT_EQ(sampled_in(&make_in_this_form, inuse_objects), 0);
  EXPECT_GE(sampled_in(&make_in_this_form, alloc_objects), goroutines * rounds);
}

TEST_F(heap_test, a_forked_child_goes_on_sampling) {
  void* const before = make_in_this_form(forms[0]);
  sync::wait_group ended;
  chan<bool> const stop(1);
  ended.go([&] {
    while (!stop.try_recv()) std::free(make_in_this_form(forms[0]));
  });
  for (int i = 0; i < 5; ++i) {
    pid_t const child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int r = 0; r < 100; ++r) std::free(make_in_this_form(forms[0]));
      std::free(before);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(blocking([&] { return ::waitpid(child, &status, 0); }), child);
    EXPECT_EQ(status, 0);
  }
  stop.send(true);
  ended.wait();
  std::free(before);
}

TEST(heap_comment, says_that_nothing_is_sampled_where_malloc_is_anothers) {
  constexpr bool anothers = VOLE_ASAN || VOLE_TSAN;
  read_profile const p(gunzip(lookup("heap")->write(0)));
  EXPECT_EQ(p.has_comment("nothing is sampled here"), anothers);
  EXPECT_EQ(p.comments.empty(), !anothers);
  std::string const text = lookup("heap")->write(1);
  EXPECT_EQ(text.find("\n# nothing is sampled here") != text.npos, anothers);
}

TEST(heap_scale, is_gos) {
  EXPECT_EQ(unsampled({0, 0}, 512 << 10).objects, 0);
  EXPECT_EQ(unsampled({3, 300}, 1).bytes, 300);
  // 1 / (1 - exp(-1)) = 1.58...
  EXPECT_EQ(unsampled({10, 10 * 524'288}, 524'288).objects, 15);
  EXPECT_EQ(unsampled({10, 10 * 524'288}, 524'288).bytes, 8'294'114);
  // Small blocks: each sample stands for nearly rate / size.
  EXPECT_EQ(unsampled({1, 16}, 524'288).objects, 32'768);
}

}  // namespace
}  // namespace vole::pprof
