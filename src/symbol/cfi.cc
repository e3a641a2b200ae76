// SPDX-License-Identifier: Apache-2.0
#include "symbol/cfi.h"

#include <cstring>
#include <dlfcn.h>
#include <limits>
#include <string_view>

namespace vole::symbol {
namespace {

using place = saved_register::place;

// read_length reads how long the entry at `at` is, which begins after the length; 0: it is the end,
// or of the 64-bit kind that nobody writes.
std::uint32_t read_length(unsigned char const* at) {
  std::uint32_t length = 0;
  std::memcpy(&length, at, sizeof(length));
  return length == std::numeric_limits<std::uint32_t>::max() ? 0 : length;
}

// read_cie parses what a function's table shares with others.
bool read_cie(unsigned char const* at, function_table* table, bool* has_augmentation) {
  std::uint32_t const length = read_length(at);
  if (length == 0) return false;
  unsigned char const* const body = at + sizeof(length);
  dwarf_bytes in(body, body + length);
  if (in.fixed<std::uint32_t>() != 0) return false;  // not a CIE
  auto const version = in.fixed<std::uint8_t>();
  std::string_view const augmentation = in.text();
  if (augmentation.starts_with("eh")) return false;
  table->code_align = in.uleb();
  table->data_align = in.sleb();
  std::uint64_t const returns_in = version == 1 ? in.fixed<std::uint8_t>() : in.uleb();
  if (returns_in != return_number) return false;
  *has_augmentation = augmentation.starts_with('z');
  if (*has_augmentation) {
    dwarf_bytes data = in.take(in.uleb());
    for (char const letter : augmentation.substr(1)) {
      if (letter == 'R') {
        table->encoding = data.fixed<std::uint8_t>();
      } else if (letter == 'L') {
        data.fixed<std::uint8_t>();
      } else if (letter == 'P') {
        auto const encoding = data.fixed<std::uint8_t>();
        data.pointer(encoding, false);
      } else if (letter == 'S') {
        table->signal_frame = true;
      }
    }
    if (data.bad()) return false;
  }
  table->common = dwarf_bytes(in.at(), body + length);
  return !in.bad();
}

enum cfa_code : std::uint8_t {
  cfa_nop = 0x00,
  cfa_advance_loc1 = 0x02,
  cfa_advance_loc2 = 0x03,
  cfa_advance_loc4 = 0x04,
  cfa_offset_extended = 0x05,
  cfa_restore_extended = 0x06,
  cfa_undefined = 0x07,
  cfa_same_value = 0x08,
  cfa_register = 0x09,
  cfa_remember_state = 0x0a,
  cfa_restore_state = 0x0b,
  cfa_def_cfa = 0x0c,
  cfa_def_cfa_register = 0x0d,
  cfa_def_cfa_offset = 0x0e,
  cfa_def_cfa_expression = 0x0f,
  cfa_expression = 0x10,
  cfa_offset_extended_sf = 0x11,
  cfa_def_cfa_sf = 0x12,
  cfa_def_cfa_offset_sf = 0x13,
  cfa_val_expression = 0x16,
  cfa_aarch64_negate_ra_state = 0x2d,
  cfa_gnu_args_size = 0x2e,
};

// The machine that turns a table's instructions into rows.
class row_machine {
 public:
  row_machine(function_table const& table, row_visitor visit, void* arg)
      : table_(table), visit_(visit), arg_(arg) {
    row_.signal_frame = table.signal_frame;
  }

  bool run() {
    if (!run(table_.common)) return false;
    initial_fp_ = row_.fp;
    initial_return_pc_ = row_.return_pc;
    if (!run(table_.own)) return false;
    if (!ended_) visit_(arg_, location_, table_.size, row_);
    return true;
  }

 private:
  static constexpr std::size_t saved_max = 4;

  saved_register* rule_of(std::uint64_t number) {
    if (number == fp_number) return &row_.fp;
    if (number == return_number) return &row_.return_pc;
    return &ignored_;
  }
  saved_register const& initial_rule_of(std::uint64_t number) const {
    return number == fp_number ? initial_fp_ : initial_return_pc_;
  }
  static dwarf_expression expression(dwarf_bytes* in) {
    dwarf_bytes const bytes = in->take(in->uleb());
    return {bytes.at(), static_cast<std::uint32_t>(bytes.left())};
  }
  void saved_at(std::uint64_t number, std::int64_t factored) {
    *rule_of(number) = {factored * table_.data_align, {}, place::at_cfa_offset};
  }
  // advance moves to a later place in the function: what stood up to there is a row.
  void advance(std::uint64_t delta) {
    std::uint64_t const from = location_;
    location_ += delta * table_.code_align;
    ended_ = !visit_(arg_, from, location_, row_);
  }

  // Returns false for an instruction that it does not know.
  bool run(dwarf_bytes in) {
    while (!in.at_end() && !ended_) {
      auto const code = in.fixed<std::uint8_t>();
      std::uint8_t const low = code & 0x3f;
      switch (code >> 6) {
        case 1:  // advance_loc
          advance(low);
          break;
        case 2:  // offset
          saved_at(low, static_cast<std::int64_t>(in.uleb()));
          break;
        case 3:  // restore
          *rule_of(low) = initial_rule_of(low);
          break;
        default:
          if (!run_extended(low, &in)) return false;
      }
    }
    return !in.bad();
  }

  bool run_extended(std::uint8_t code, dwarf_bytes* in);
  bool run_rule(std::uint8_t code, dwarf_bytes* in);
  void run_cfa(std::uint8_t code, dwarf_bytes* in);

  function_table const& table_;
  row_visitor visit_;
  void* arg_;
  bool ended_ = false;  // the visitor has had enough
  std::uint64_t location_ = 0;
  cfi_row row_;
  saved_register initial_fp_;  // after the instructions that come first
  saved_register initial_return_pc_;
  // Not zeroed for every function: few save anything.
  union saved_rows {
    saved_rows() {}
    cfi_row rows[saved_max];
  } saved_;
  std::size_t saved_count_ = 0;
  saved_register ignored_;
};

bool row_machine::run_extended(std::uint8_t code, dwarf_bytes* in) {
  switch (code) {
    case cfa_nop:
    case cfa_aarch64_negate_ra_state:  // the signature is masked out of every pc
      return true;
    case cfa_advance_loc1:
      advance(in->fixed<std::uint8_t>());
      return true;
    case cfa_advance_loc2:
      advance(in->fixed<std::uint16_t>());
      return true;
    case cfa_advance_loc4:
      advance(in->fixed<std::uint32_t>());
      return true;
    case cfa_remember_state:
      if (saved_count_ == saved_max) return false;
      saved_.rows[saved_count_++] = row_;
      return true;
    case cfa_restore_state:
      if (saved_count_ == 0) return false;
      row_ = saved_.rows[--saved_count_];
      return true;
    case cfa_gnu_args_size:
      in->uleb();
      return true;
    case cfa_def_cfa:
    case cfa_def_cfa_sf:
    case cfa_def_cfa_register:
    case cfa_def_cfa_offset:
    case cfa_def_cfa_offset_sf:
    case cfa_def_cfa_expression:
      run_cfa(code, in);
      return true;
    default:
      return run_rule(code, in);
  }
}

// The instructions that say where one register is.
bool row_machine::run_rule(std::uint8_t code, dwarf_bytes* in) {
  std::uint64_t const number = in->uleb();
  saved_register* const rule = rule_of(number);
  switch (code) {
    case cfa_offset_extended:
      saved_at(number, static_cast<std::int64_t>(in->uleb()));
      return true;
    case cfa_offset_extended_sf:
      saved_at(number, in->sleb());
      return true;
    case cfa_restore_extended:
      *rule = initial_rule_of(number);
      return true;
    case cfa_undefined:
      *rule = {0, {}, place::undefined};
      return true;
    case cfa_same_value:
      *rule = {0, {}, place::same};
      return true;
    case cfa_expression:
      *rule = {0, expression(in), place::at_expression};
      return true;
    case cfa_val_expression:
      *rule = {0, expression(in), place::by_expression};
      return true;
    case cfa_register:
      in->uleb();
      *rule = {0, {}, place::other};
      return true;
    default:
      return false;
  }
}

// The instructions that say where the frame address is.
void row_machine::run_cfa(std::uint8_t code, dwarf_bytes* in) {
  switch (code) {
    case cfa_def_cfa:
      row_.cfa_register = in->uleb();
      row_.cfa_offset = static_cast<std::int64_t>(in->uleb());
      row_.has_expression = false;
      break;
    case cfa_def_cfa_sf:
      row_.cfa_register = in->uleb();
      row_.cfa_offset = in->sleb() * table_.data_align;
      row_.has_expression = false;
      break;
    case cfa_def_cfa_register:
      row_.cfa_register = in->uleb();
      break;
    case cfa_def_cfa_offset:
      row_.cfa_offset = static_cast<std::int64_t>(in->uleb());
      break;
    case cfa_def_cfa_offset_sf:
      row_.cfa_offset = in->sleb() * table_.data_align;
      break;
    default:  // cfa_def_cfa_expression
      row_.cfa_expression = expression(in);
      row_.has_expression = true;
  }
}

// find_function finds the table of the function that holds pc.
bool find_function(std::uintptr_t pc, function_table* table) {
  dl_find_object object;
  if (::_dl_find_object(reinterpret_cast<void*>(pc), &object) != 0) return false;
  if (object.dlfo_eh_frame == nullptr) return false;
  fde_index const index(static_cast<unsigned char const*>(object.dlfo_eh_frame),
                        static_cast<unsigned char const*>(object.dlfo_map_end));
  unsigned char const* const fde = index.find(pc);
  return fde != nullptr && read_function(fde, table) && pc >= table->start &&
         pc - table->start < table->size;
}

}  // namespace

fde_index::fde_index(unsigned char const* header, unsigned char const* end) noexcept
    : header_(header) {
  if (header[0] != 1 || header[2] == enc_omit || header[3] != enc_datarel_sdata4) return;
  dwarf_bytes in(header + 4, end);
  in.pointer(header[1], true);
  std::uint64_t const count = in.pointer(header[2], true);
  if (in.bad() || count > in.left() / sizeof(entry)) return;
  entries_ = in.at();
  size_ = count;
}

fde_index::entry fde_index::entry_at(std::size_t i) const noexcept {
  entry found;
  std::memcpy(&found, entries_ + i * sizeof(entry), sizeof(entry));
  return found;
}

dwarf_bytes fde_index::bytes() const noexcept {
  return {entries_, entries_ + size_ * sizeof(entry)};
}

unsigned char const* fde_index::find(std::uintptr_t pc) const noexcept {
  auto const offset = static_cast<std::int64_t>(pc - reinterpret_cast<std::uintptr_t>(header_));
  std::size_t low = 0;
  std::size_t high = size_;
  // Entries before low start at or before pc, those from high on after it.
  while (low < high) {
    std::size_t const middle = low + (high - low) / 2;
    if (entry_at(middle).start <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low == 0 ? nullptr : at(low - 1);
}

bool read_function(unsigned char const* fde, function_table* table) noexcept {
  std::uint32_t const length = read_length(fde);
  if (length == 0) return false;
  unsigned char const* const cie_field = fde + sizeof(length);
  dwarf_bytes in(cie_field, cie_field + length);
  auto const cie_distance = in.fixed<std::uint32_t>();
  bool has_augmentation = false;
  if (cie_distance == 0 || !read_cie(cie_field - cie_distance, table, &has_augmentation))
    return false;
  table->start = in.pointer(table->encoding, true);
  table->size = in.pointer(table->encoding, false);
  if (has_augmentation) in.take(in.uleb());
  table->own = dwarf_bytes(in.at(), cie_field + length);
  return !in.bad();
}

bool for_each_row(function_table const& table, row_visitor visit, void* arg) noexcept {
  return row_machine(table, visit, arg).run();
}

cfi_step step_by_cfi(registers* regs, std::uintptr_t lookup_pc, stack_bounds bounds) noexcept {
  function_table table;
  if (!find_function(lookup_pc, &table)) return cfi_step::unknown;
  struct {
    std::uint64_t offset;
    registers* regs;
    stack_bounds bounds;
    cfi_step step;
  } wanted{lookup_pc - table.start, regs, bounds, cfi_step::unknown};
  for_each_row(
      table,
      [](void* arg, std::uint64_t, std::uint64_t to, cfi_row const& row) {
        auto& at = *static_cast<decltype(&wanted)>(arg);
        if (at.offset >= to) return true;
        at.step = apply(row, at.regs, at.bounds);
        return false;
      },
      &wanted);
  return wanted.step;
}

}  // namespace vole::symbol
