// SPDX-License-Identifier: Apache-2.0
#include "symbol/unwind_tables.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <link.h>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "vole/internal/annotations.h"
#include "vole/internal/atomic.h"
#include "vole/internal/raw_mutex.h"

#include "symbol/cfi.h"
#include "symbol/modules.h"
#include "symbol/stack_word.h"

namespace vole::symbol {
namespace {

using place = saved_register::place;

// A row in 32 bits: 3 of kind, then 13 of the frame address in words above its register, 8 of where
// fp is and 8 of where the return address is, in words below the frame address. `wide` rows have
// the number of a cfi_row instead.
enum row_kind : std::uint32_t { no_row, outermost, above_sp, above_fp, wide };
constexpr unsigned kind_shift = 29;
constexpr unsigned cfa_shift = 16;
constexpr unsigned fp_shift = 8;
constexpr std::uint32_t cfa_words_max = (1U << (kind_shift - cfa_shift)) - 1;
constexpr std::uint32_t kept = 0;     // the register has it
constexpr std::uint32_t lost = 0xff;  // fp alone
constexpr std::uint32_t words_max = 0xfe;

constexpr std::uint32_t simple(row_kind kind) {
  return kind << kind_shift;
}

// words_below says how many words below the frame address a register is; nothing when that cannot
// be packed.
std::optional<std::uint32_t> words_below(saved_register const& saved) {
  if (saved.where == place::same) return kept;
  constexpr auto word = static_cast<std::int64_t>(word_size);
  if (saved.where != place::at_cfa_offset || saved.offset >= 0 || saved.offset % word != 0)
    return std::nullopt;
  std::int64_t const words = -saved.offset / word;
  if (words > words_max) return std::nullopt;
  return static_cast<std::uint32_t>(words);
}

// pack is the row in 32 bits, nothing if it needs a wide one.
std::optional<std::uint32_t> pack(cfi_row const& row) {
  if (row.return_pc.where == place::undefined) return simple(outermost);
  bool const of_sp = row.cfa_register == sp_number;
  if (row.has_expression || row.signal_frame || (!of_sp && row.cfa_register != fp_number))
    return std::nullopt;
  constexpr auto word = static_cast<std::int64_t>(word_size);
  if (row.cfa_offset < 0 || row.cfa_offset % word != 0 || row.cfa_offset / word > cfa_words_max)
    return std::nullopt;
  bool const fp_is_lost = row.fp.where == place::undefined || row.fp.where == place::other;
  auto const fp = fp_is_lost ? std::optional(lost) : words_below(row.fp);
  auto const return_pc = words_below(row.return_pc);
  if (!fp || !return_pc) return std::nullopt;
  return simple(of_sp ? above_sp : above_fp) |
         static_cast<std::uint32_t>(row.cfa_offset / word) << cfa_shift | *fp << fp_shift |
         *return_pc;
}

bool same_expression(dwarf_expression const& a, dwarf_expression const& b) {
  return a.size == b.size && (a.size == 0 || std::memcmp(a.at, b.at, a.size) == 0);
}
bool same_saved(saved_register const& a, saved_register const& b) {
  return a.where == b.where && a.offset == b.offset && same_expression(a.expression, b.expression);
}
bool same_row(cfi_row const& a, cfi_row const& b) {
  return a.cfa_register == b.cfa_register && a.cfa_offset == b.cfa_offset &&
         a.has_expression == b.has_expression && a.signal_frame == b.signal_frame &&
         same_expression(a.cfa_expression, b.cfa_expression) && same_saved(a.fp, b.fp) &&
         same_saved(a.return_pc, b.return_pc);
}

std::uint64_t hash_of(dwarf_bytes in) {
  std::uint64_t hash = 0xcbf29ce484222325;
  while (in.left() >= sizeof(std::uint64_t)) {
    hash = (hash ^ in.fixed<std::uint64_t>()) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 29;
  }
  return hash;
}

// Where a module lies and what tells it from another that is loaded there later.
struct module_place {
  std::uintptr_t start = 0;  // [start, end) of its code
  std::uintptr_t end = 0;
  unsigned char const* header = nullptr;      // .eh_frame_hdr
  unsigned char const* header_end = nullptr;  // of what is mapped with it
  std::uint64_t hash = 0;                     // of the index of its functions

  bool operator==(module_place const&) const = default;
};

}  // namespace

// The packed rows of one module.
class module_table {
 public:
  module_table(module_place const& where, std::size_t bytes_left);

  module_place const& where() const noexcept { return where_; }
  std::size_t bytes() const noexcept {
    return rows_.size() * sizeof(row) + first_in_granule_.size() * sizeof(std::uint32_t) +
           wide_.size() * sizeof(cfi_row) + expression_bytes_;
  }
  bool holds(std::uintptr_t pc) const noexcept { return pc >= where_.start && pc < where_.end; }
  cfi_step step(registers* regs, std::uintptr_t lookup_pc, stack_bounds bounds) const noexcept;

 private:
  struct row {
    std::uint32_t start;  // from where_.start
    std::uint32_t packed;
  };
  // Between two functions there are at most so many bytes of padding that nobody executes.
  static constexpr std::uint64_t padding_max = 16;
  static constexpr unsigned granule_shift = 8;

  void add_function(function_table const& table);
  void add(std::uint64_t start, std::uint32_t packed);
  bool is_cut() const noexcept { return cut_at_ != not_cut; }
  void add_wide(std::uint64_t start, cfi_row const& wide);
  void end_at(std::uint64_t offset);
  // has_room: while it is made, beside the granules and the row that ends it.
  bool has_room(std::size_t more) const noexcept {
    return bytes() + granules() * sizeof(std::uint32_t) + sizeof(row) + more <= bytes_max_;
  }
  std::uint32_t wide_row(cfi_row row);
  dwarf_expression copy(dwarf_expression const& expression);
  std::size_t granules() const noexcept {
    return ((where_.end - where_.start) >> granule_shift) + 2;
  }
  void index_granules();
  std::uint32_t row_at(std::uint32_t offset) const noexcept;

  module_place where_;
  std::size_t bytes_max_;
  std::uint64_t covered_to_ = 0;  // while it is made: the end of the last function
  static constexpr std::uint64_t not_cut = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t cut_at_ = not_cut;  // where the first row starts that found no room
  std::vector<row> rows_;           // by start
  // The i-th: how many rows start at or before the i-th granule of 256 bytes.
  std::vector<std::uint32_t> first_in_granule_;
  std::vector<cfi_row> wide_;
  std::vector<std::unique_ptr<unsigned char[]>> expressions_;
  std::size_t expression_bytes_ = 0;
};

module_table::module_table(module_place const& where, std::size_t bytes_left)
    : where_(where), bytes_max_(bytes_left) {
  if (where.end - where.start > std::numeric_limits<std::uint32_t>::max()) return;
  if (!has_room(0)) return;
  fde_index const index(where.header, where.header_end);
  rows_.reserve(std::min(bytes_max_ / sizeof(row), 4 * index.size()));
  for (std::size_t i = 0; i < index.size() && !is_cut(); ++i) {
    function_table function;
    if (read_function(index.at(i), &function)) add_function(function);
  }
  end_at(is_cut() ? cut_at_ : covered_to_);
  rows_.shrink_to_fit();
  index_granules();
}

void module_table::add_function(function_table const& function) {
  if (function.start < where_.start || function.start + function.size > where_.end) return;
  std::uint64_t const start = function.start - where_.start;
  if (start < covered_to_) return;
  if (start - covered_to_ > padding_max) add(covered_to_, simple(no_row));
  struct context {
    module_table* self;
    std::uint64_t start;
    std::uint64_t done_to;
  } at{this, start, start};
  for_each_row(
      function,
      [](void* arg, std::uint64_t from, std::uint64_t to, cfi_row const& row) {
        auto& c = *static_cast<context*>(arg);
        if (to <= from) return true;
        auto const packed = pack(row);
        if (packed) {
          c.self->add(c.start + from, *packed);
        } else {
          c.self->add_wide(c.start + from, row);
        }
        c.done_to = c.start + to;
        return true;
      },
      &at);
  covered_to_ = start + function.size;
  if (at.done_to < covered_to_) add(at.done_to, simple(no_row));  // not understood
}

void module_table::add(std::uint64_t start, std::uint32_t packed) {
  if (is_cut() || (!rows_.empty() && rows_.back().packed == packed)) return;
  if (!has_room(sizeof(row))) {
    cut_at_ = start;
    return;
  }
  rows_.push_back({static_cast<std::uint32_t>(start), packed});
}

void module_table::add_wide(std::uint64_t start, cfi_row const& wide) {
  std::size_t const bytes = sizeof wide + wide.cfa_expression.size + wide.fp.expression.size +
                            wide.return_pc.expression.size;
  if (!is_cut() && !has_room(sizeof(row) + bytes)) cut_at_ = start;
  if (!is_cut()) add(start, wide_row(wide));
}

// What lies behind the last row is not known: without a mark, that row would speak for it.
void module_table::end_at(std::uint64_t offset) {
  bool const marked = !rows_.empty() && rows_.back().packed == simple(no_row);
  if (!marked) rows_.push_back({static_cast<std::uint32_t>(offset), simple(no_row)});
}

std::uint32_t module_table::wide_row(cfi_row row) {
  auto at = std::ranges::find_if(wide_, [&](cfi_row const& r) { return same_row(r, row); });
  if (at == wide_.end()) {
    row.cfa_expression = copy(row.cfa_expression);
    row.fp.expression = copy(row.fp.expression);
    row.return_pc.expression = copy(row.return_pc.expression);
    at = wide_.insert(at, row);
  }
  return simple(wide) | static_cast<std::uint32_t>(at - wide_.begin());
}

dwarf_expression module_table::copy(dwarf_expression const& expression) {
  if (expression.size == 0) return {};
  unsigned char* const to =
      expressions_.emplace_back(std::make_unique<unsigned char[]>(expression.size)).get();
  std::memcpy(to, expression.at, expression.size);
  expression_bytes_ += expression.size;
  return {to, expression.size};
}

void module_table::index_granules() {
  first_in_granule_.reserve(granules());
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < granules(); ++i) {
    std::uint64_t const from = std::uint64_t{i} << granule_shift;
    while (count < rows_.size() && rows_[count].start <= from) ++count;
    first_in_granule_.push_back(count);
  }
}

std::uint32_t module_table::row_at(std::uint32_t offset) const noexcept {
  std::uint32_t const granule = offset >> granule_shift;
  std::uint32_t low = first_in_granule_[granule];
  std::uint32_t high = first_in_granule_[granule + 1];
  // Rows before low start at or before offset, those from high on after it.
  while (low < high) {
    std::uint32_t const middle = low + (high - low) / 2;
    if (rows_[middle].start <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low == 0 ? simple(no_row) : rows_[low - 1].packed;
}

cfi_step module_table::step(registers* regs, std::uintptr_t lookup_pc,
                            stack_bounds bounds) const noexcept {
  if (first_in_granule_.empty()) return cfi_step::unknown;
  std::uint32_t const packed = row_at(static_cast<std::uint32_t>(lookup_pc - where_.start));
  auto const kind = static_cast<row_kind>(packed >> kind_shift);
  if (kind == no_row) return cfi_step::unknown;
  if (kind == outermost) return cfi_step::outermost;
  if (kind == wide) return apply(wide_[packed & ((1U << kind_shift) - 1)], regs, bounds);

  if (kind == above_sp && !regs->sp_known) return cfi_step::unknown;
  std::uintptr_t const cfa_words = (packed >> cfa_shift) & cfa_words_max;
  std::uintptr_t const cfa = (kind == above_sp ? regs->sp : regs->fp) + cfa_words * word_size;
  std::uintptr_t const return_words = packed & 0xff;
  if (!climbs(*regs, cfa, return_words == kept, bounds)) return cfi_step::unknown;
  registers caller{.pc = regs->link, .sp = cfa, .fp = regs->fp, .machine = regs->machine};
  if (return_words != kept && !read_stack(bounds, cfa - return_words * word_size, &caller.pc))
    return cfi_step::unknown;
  std::uintptr_t const fp_words = (packed >> fp_shift) & 0xff;
  if (fp_words == lost) {
    caller.fp = 0;
  } else if (fp_words != kept && !read_stack(bounds, cfa - fp_words * word_size, &caller.fp)) {
    return cfi_step::unknown;
  }
  caller.pc = code_address(caller.pc);
  *regs = caller;
  return cfi_step::stepped;
}

struct published_tables {
  std::vector<std::shared_ptr<module_table const>> by_address;

  module_table const* find(std::uintptr_t pc) const noexcept {
    std::size_t low = 0;
    std::size_t high = by_address.size();
    while (low < high) {
      std::size_t const middle = low + (high - low) / 2;
      if (by_address[middle]->where().end <= pc) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < by_address.size() && by_address[low]->holds(pc) ? by_address[low].get() : nullptr;
  }
};

namespace {

constinit internal::atomic<published_tables const*> published{nullptr};
constinit internal::atomic<std::uint32_t> walks{0};

// place_of finds a module's code and tables; nothing if it has none.
std::optional<module_place> place_of(dl_phdr_info const& info) {
  module_place found;
  ElfW(Phdr) const* header = nullptr;
  for (std::size_t i = 0; i < info.dlpi_phnum; ++i) {
    ElfW(Phdr) const& segment = info.dlpi_phdr[i];
    std::uintptr_t const start = info.dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_GNU_EH_FRAME) header = &segment;
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    found.start = found.end == 0 ? start : std::min(found.start, start);
    found.end = std::max(found.end, start + segment.p_memsz);
  }
  if (header == nullptr || header->p_memsz == 0 || found.end == 0) return std::nullopt;
  found.header = reinterpret_cast<unsigned char const*>(info.dlpi_addr + header->p_vaddr);
  found.header_end = found.header + header->p_memsz;
  found.hash = hash_of(fde_index(found.header, found.header_end).bytes());
  return found;
}

class table_keeper {
 public:
  void refresh() noexcept VOLE_EXCLUDES(mu_) {
    internal::raw_lock const lock(mu_);
    free_retired();
    if (current_ != nullptr && modules_generation() == generation_) return;
    auto fresh = std::make_unique<published_tables>();
    // Under the loader's lock, so that no module is unmapped while its tables are read.
    build to{this, fresh.get(), {}};
    ::dl_iterate_phdr(&add_module, &to);
    generation_ = to.generation;
    std::ranges::sort(fresh->by_address, {}, [](auto const& t) { return t->where().start; });
    published.store(fresh.get());  // seq_cst: pairs with unwind_tables_view
    if (current_ != nullptr) retired_.push_back(std::move(current_));
    current_ = std::move(fresh);
    free_retired();
  }

  void limit(std::size_t bytes) noexcept VOLE_EXCLUDES(mu_) {
    internal::raw_lock const lock(mu_);
    bytes_max_ = bytes;
    generation_ = 0;
    if (current_ != nullptr) retired_.push_back(std::exchange(current_, nullptr));
  }

  std::size_t bytes() noexcept VOLE_EXCLUDES(mu_) {
    internal::raw_lock const lock(mu_);
    return current_ == nullptr ? 0 : bytes_of(*current_);
  }

 private:
  struct build {
    table_keeper* keeper;
    published_tables* to;
    std::uint64_t generation;
  };

  static std::size_t bytes_of(published_tables const& tables) noexcept {
    std::size_t bytes = 0;
    for (auto const& table : tables.by_address) bytes += table->bytes();
    return bytes;
  }

  static int add_module(dl_phdr_info* info, std::size_t, void* arg) VOLE_NO_THREAD_SAFETY_ANALYSIS {
    auto& at = *static_cast<build*>(arg);
    at.generation = info->dlpi_adds + info->dlpi_subs;
    if (auto const where = place_of(*info)) at.keeper->add(*where, at.to);
    return 0;
  }

  void add(module_place const& where, published_tables* to) VOLE_REQUIRES_LOCK(mu_) {
    if (current_ != nullptr) {
      auto const known = std::ranges::find_if(current_->by_address,
                                              [&](auto const& t) { return t->where() == where; });
      if (known != current_->by_address.end()) {
        to->by_address.push_back(*known);
        return;
      }
    }
    std::size_t const taken = bytes_of(*to);
    if (taken >= bytes_max_) return;
    to->by_address.push_back(std::make_shared<module_table const>(where, bytes_max_ - taken));
  }

  // free_retired frees what no walk can see: whoever begins one now sees what is published now.
  void free_retired() VOLE_REQUIRES_LOCK(mu_) {
    if (retired_.empty()) return;
    if (walks.load() == 0) retired_.clear();  // seq_cst: pairs with unwind_tables_view
  }

  internal::raw_mutex mu_;
  std::unique_ptr<published_tables const> current_ VOLE_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<published_tables const>> retired_ VOLE_GUARDED_BY(mu_);
  std::uint64_t generation_ VOLE_GUARDED_BY(mu_) = 0;  // of the loader, when current_ was made
  std::size_t bytes_max_ VOLE_GUARDED_BY(mu_) = unwind_tables_bytes_max;
};

// Never destroyed: a late signal may still read what it keeps.
table_keeper& the_keeper() {
  static table_keeper& one = *new table_keeper;
  return one;
}

}  // namespace

void refresh_unwind_tables() noexcept {
  the_keeper().refresh();
}

void limit_unwind_tables(std::size_t bytes) noexcept {
  the_keeper().limit(bytes);
}

std::size_t unwind_tables_bytes() noexcept {
  return the_keeper().bytes();
}

unwind_tables_view::unwind_tables_view() noexcept {
  walks.fetch_add(1);  // seq_cst, both: pairs with unwind_tables.cc:refresh, free_retired
  tables_ = published.load();
}

unwind_tables_view::~unwind_tables_view() {
  // release: what was read was read before; pairs with unwind_tables.cc:free_retired
  walks.fetch_sub(1, internal::memory_order_release);
}

cfi_step unwind_tables_view::step(registers* regs, std::uintptr_t lookup_pc,
                                  stack_bounds bounds) noexcept {
  if (tables_ == nullptr) return cfi_step::unknown;
  if (last_ == nullptr || !last_->holds(lookup_pc)) last_ = tables_->find(lookup_pc);
  if (last_ == nullptr) return cfi_step::unknown;
  registers const before = *regs;
  cfi_step const step = last_->step(regs, lookup_pc, bounds);
  // A row may name a register that a function between has changed: then it leads nowhere.
  bool const astray = step == cfi_step::stepped && regs->pc != 0 && !last_->holds(regs->pc) &&
                      tables_->find(regs->pc) == nullptr;
  if (!astray) return step;
  *regs = before;
  return cfi_step::unknown;
}

}  // namespace vole::symbol
