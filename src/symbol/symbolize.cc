// SPDX-License-Identifier: Apache-2.0
// The process-wide symbolizer.
//
// INVARIANTS
//   - What is kept for a module is kept by file address under its build id, so it holds wherever
//     the file is mapped.
//   - Symbols are taken from a file only if its build id is that of the module in memory: a file
//     replaced since the start gives no names rather than wrong ones.
//   - What is kept never exceeds symbol_bytes_max. Files, with their symbol tables and DWARF, are
//     open only during a batch that asks for something new, DWARF for at most units_max units at a
//     time.
//   - mu_ is taken on no goroutine's own stack: the report of an overflow of that, which reads
//     symbols as well, never finds it held below itself.
// LOCKS  symbolizer::mu_ guards everything; held over file reads.
// REJECTED  files that stay open: their pages stay in memory as well, since what the kernel takes
//           back when it is asked to (MADV_PAGEOUT) is its own choice. To read a symbol table again
//           takes milliseconds, and only a batch with new places does it.
#include "symbol/symbolize.h"

#include <algorithm>
#include <malloc.h>
#include <map>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "vole/internal/annotations.h"
#include "vole/internal/atomic.h"
#include "vole/internal/format.h"
#include "vole/internal/raw_mutex.h"

#include "base/stack_host.h"
#include "symbol/demangle.h"
#include "symbol/elf_file.h"
#include "symbol/kept_places.h"
#include "symbol/lines.h"
#include "symbol/modules.h"
#include "symbol/symtab.h"

namespace vole::symbol {
namespace {

constexpr std::size_t units_max = 64;
constexpr std::size_t units_worth_a_trim = 8;

// A name without the compiler's remark that it has split or specialised the function.
std::string without_clone(std::string name) {
  std::size_t const at = name.find(" [clone ");
  if (at != std::string::npos) name.resize(at);
  return name;
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// One file while it is open.
class module_symbols {
 public:
  explicit module_symbols(module const& where) : base_name_(base_name(where.path)) {
    file_ = open(where);
    if (!file_) return;
    bool const lines_here = file_->has_section(".debug_info");
    if (!lines_here || !file_->has_section(".symtab"))
      debug_file_ = file_->find_debug_file(where.path);
    if (lines_here) {
      lines_ = &*file_;
    } else if (debug_file_ && debug_file_->has_section(".debug_info")) {
      lines_ = &*debug_file_;
    }
    if (debug_file_ && debug_file_->has_section(".symtab")) {
      names_.emplace(*debug_file_);
    } else {
      names_.emplace(*file_);
    }
  }

  // resolve reads what address means.
  symbolized resolve(std::uint64_t address) {
    symbolized made;
    if (line_reader* const reader = open_lines()) made.frames = reader->frames_at(address);
    if (made.frames.empty()) made.frames.emplace_back();
    source_frame& real = made.frames.back();
    if (function_symbol const* const symbol = find(address)) {
      made.function_start = symbol->address;
      real.mangled = symbol->name;
      real.function = without_clone(demangle(symbol->name));
    } else if (real.function.empty()) {
      real.function = fmt::format("{}+{:#x}", base_name_, address);
    }
    return made;
  }
  function_symbol const* find(std::uint64_t address) const {
    return names_ ? names_->find(address) : nullptr;
  }
  // opened: no, when descriptors have run out for the moment; so what it says is not worth keeping.
  bool opened() const { return file_.has_value(); }
  // units_read is how many compilation units were read so far.
  std::size_t units_read() const { return units_read_ + (reader_ ? reader_->units() : 0); }

 private:
  static std::optional<elf_file> open(module const& where) {
    if (where.path == "[vdso]") {
      return elf_file::in_memory(reinterpret_cast<char*>(where.start - where.file_offset),
                                 where.end - where.start + where.file_offset);
    }
    auto const matches = [&](std::optional<elf_file> const& file) {
      return file && (where.build_id.empty() || file->build_id() == where.build_id);
    };
    if (auto file = elf_file::open(where.path); matches(file)) return file;
    // Deleted or replaced since the start: the kernel still has the program.
    if (!where.is_main) return std::nullopt;
    auto running = elf_file::open("/proc/self/exe");
    return matches(running) ? std::move(running) : std::nullopt;
  }
  line_reader* open_lines() {
    if (lines_ == nullptr) return nullptr;
    if (reader_ && reader_->units() >= units_max) {
      units_read_ += reader_->units();
      reader_.reset();
    }
    if (!reader_) reader_.emplace(*lines_, units_);
    return &*reader_;
  }

  std::string base_name_;
  std::optional<elf_file> file_;
  std::optional<elf_file> debug_file_;
  elf_file const* lines_ = nullptr;  // file_ or debug_file_: the one with .debug_info
  std::optional<symtab> names_;
  unit_index units_;  // of lines_
  std::optional<line_reader> reader_;
  std::size_t units_read_ = 0;  // by readers that were closed
};

// By build id, else by path.
using open_files = std::map<std::string, module_symbols>;

class symbolizer {
 public:
  std::vector<symbolized> symbolize(std::span<std::uintptr_t const> pcs) VOLE_EXCLUDES(mu_) {
    std::vector<symbolized> out(pcs.size());
    if (user_.load(internal::memory_order_relaxed) == __builtin_thread_pointer()) {
      std::ranges::transform(pcs, out.begin(), &nameless);
      return out;
    }
    // In order of address, so that each unit is read once.
    std::vector<std::size_t> order(pcs.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t i) { return pcs[i]; });
    internal::raw_lock const lock(mu_);
    use const mark(user_);
    read_modules();
    open_files open;
    for (std::size_t const i : order) out[i] = symbolize_one(pcs[i], open);
    std::size_t units = 0;
    for (auto const& [key, symbols] : open) units += symbols.units_read();
    if (units >= units_worth_a_trim) much_was_read_ = true;
    return out;
  }

  std::string name(std::uintptr_t pc) VOLE_EXCLUDES(mu_) {
    internal::raw_lock const lock(mu_);
    read_modules();
    module const* const where = module_at(pc);
    if (where == nullptr) return fmt::format("{:#x}", pc);
    function_symbol const* const symbol = symbols_of(*where, named_).find(pc - where->bias);
    if (symbol == nullptr) return fmt::format("{}+{:#x}", base_name(where->path), pc - where->bias);
    return without_clone(demangle(symbol->name));
  }

  void give_back() VOLE_EXCLUDES(mu_) {
    {
      internal::raw_lock const lock(mu_);
      if (!std::exchange(much_was_read_, false)) return;
    }
    ::malloc_trim(0);
  }

  void release() VOLE_EXCLUDES(mu_) {
    internal::raw_lock const lock(mu_);
    named_.clear();
    modules_.clear();
    kept_.clear();
  }

  std::size_t kept_bytes() VOLE_EXCLUDES(mu_) {
    internal::raw_lock const lock(mu_);
    return kept_.bytes();
  }

 private:
  // Names the thread that holds mu_ while symbols are read.
  class use {
   public:
    explicit use(internal::atomic<void const*>& user) : user_(user) {
      user_.store(__builtin_thread_pointer(), internal::memory_order_relaxed);  // read by itself
    }
    ~use() { user_.store(nullptr, internal::memory_order_relaxed); }
    use(use const&) = delete;
    use& operator=(use const&) = delete;

   private:
    internal::atomic<void const*>& user_;
  };

  static symbolized nameless(std::uintptr_t pc) {
    return {pc, 0, {{fmt::format("{:#x}", pc), "", "", 0, false}}};
  }

  symbolized symbolize_one(std::uintptr_t pc, open_files& open) VOLE_REQUIRES_LOCK(mu_) {
    module const* const where = module_at(pc);
    if (where == nullptr) return nameless(pc);
    std::uint64_t const address = pc - where->bias;
    symbolized found;
    if (!kept_.get(key_of(*where), address, &found)) {
      module_symbols& symbols = symbols_of(*where, open);
      found = symbols.resolve(address);
      if (symbols.opened()) kept_.put(key_of(*where), address, found);
    }
    found.pc = pc;
    if (found.function_start != 0) found.function_start += where->bias;
    return found;
  }

  void read_modules() VOLE_REQUIRES_LOCK(mu_) {
    std::uint64_t const generation = modules_generation();
    if (!modules_.empty() && generation == generation_) return;
    modules_ = known_modules();
    generation_ = generation;
    // What stands in such a file may be another library's now.
    auto const has_no_id = [](module const& m) { return m.build_id.empty(); };
    if (std::ranges::any_of(modules_, has_no_id)) kept_.clear();
  }

  module const* module_at(std::uintptr_t pc) VOLE_REQUIRES_LOCK(mu_) {
    auto const holds = [pc](module const& m) { return pc >= m.start && pc < m.end; };
    auto const at = std::ranges::find_if(modules_, holds);
    return at == modules_.end() ? nullptr : &*at;
  }

  static std::string const& key_of(module const& where) {
    return where.build_id.empty() ? where.path : where.build_id;
  }
  static module_symbols& symbols_of(module const& where, open_files& open) {
    return open.try_emplace(key_of(where), where).first->second;
  }

  internal::raw_mutex mu_;
  internal::atomic<void const*> user_{nullptr};
  std::vector<module> modules_ VOLE_GUARDED_BY(mu_);
  std::uint64_t generation_ VOLE_GUARDED_BY(mu_) = 0;  // of modules_
  kept_places kept_ VOLE_GUARDED_BY(mu_){symbol_bytes_max};
  open_files named_ VOLE_GUARDED_BY(mu_);            // those that name() has opened
  bool much_was_read_ VOLE_GUARDED_BY(mu_) = false;  // of DWARF, since the last give_back
};

// Never destroyed: a dump may be asked for while static objects are being taken down.
symbolizer& the_symbolizer() {
  static symbolizer& one = *new symbolizer;
  return one;
}

}  // namespace

std::vector<symbolized> symbolize(std::span<std::uintptr_t const> pcs) {
  struct request {
    std::span<std::uintptr_t const> pcs;
    std::vector<symbolized> found;
  } asked{pcs, {}};
  internal::run_roomy(
      [](void* arg) {
        auto& r = *static_cast<request*>(arg);
        r.found = the_symbolizer().symbolize(r.pcs);
      },
      &asked);
  return std::move(asked.found);
}

symbolized symbolize(std::uintptr_t pc) {
  return std::move(symbolize(std::span(&pc, 1)).front());
}

std::string symbol_name(std::uintptr_t pc) {
  return the_symbolizer().name(pc);
}

void give_back_symbol_memory() {
  the_symbolizer().give_back();
}

std::size_t symbol_bytes() {
  return the_symbolizer().kept_bytes();
}

void release_symbols() {
  the_symbolizer().release();
}

}  // namespace vole::symbol
