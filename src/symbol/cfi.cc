// SPDX-License-Identifier: Apache-2.0
#include "symbol/cfi.h"

#include <cstddef>
#include <cstring>
#include <dlfcn.h>
#include <iterator>
#include <limits>
#include <string_view>

#include "symbol/stack_word.h"

namespace vole::symbol {
namespace {

// DWARF's numbers of the registers that are tracked.
#if defined(__x86_64__)
constexpr std::uint64_t fp_number = 6;
constexpr std::uint64_t sp_number = 7;
constexpr std::uint64_t return_number = 16;
#else
constexpr std::uint64_t fp_number = 29;
constexpr std::uint64_t sp_number = 31;
constexpr std::uint64_t return_number = 30;
#endif

// Pointer encodings of .eh_frame.
enum : std::uint8_t {
  enc_omit = 0xff,
  enc_size_mask = 0x07,
  enc_udata2 = 0x02,
  enc_udata4 = 0x03,
  enc_udata8 = 0x04,
  enc_signed = 0x08,
  enc_relative_mask = 0x70,
  enc_pcrel = 0x10,
  enc_datarel_sdata4 = 0x3b,
};

// A cursor over table bytes. Once it has run past its end it reads zeros and is bad.
class bytes {
 public:
  bytes() = default;
  bytes(unsigned char const* from, unsigned char const* end) : at_(from), end_(end) {}

  bool at_end() const { return at_ >= end_; }
  bool bad() const { return bad_; }
  unsigned char const* at() const { return at_; }

  template <class T>
  T fixed() {
    T value{};
    if (static_cast<std::size_t>(end_ - at_) < sizeof(T)) {
      fail();
      return value;
    }
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::uint64_t uleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      auto const byte = fixed<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) break;
    }
    return value;
  }
  std::int64_t sleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      auto const byte = fixed<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) != 0) continue;
      if ((byte & 0x40) != 0 && shift + 7 < 64) value |= ~std::uint64_t{0} << (shift + 7);
      break;
    }
    return static_cast<std::int64_t>(value);
  }
  // pointer reads a value in one of .eh_frame's encodings; relative: whether its base is added.
  std::uint64_t pointer(std::uint8_t encoding, bool relative) {
    auto const base = reinterpret_cast<std::uintptr_t>(at_);
    bool const is_signed = (encoding & enc_signed) != 0;
    std::uint64_t value = 0;
    switch (encoding & enc_size_mask) {
      case 0:  // a whole word
      case enc_udata8:
        value = fixed<std::uint64_t>();
        break;
      case enc_udata2:
        value = is_signed ? static_cast<std::uint64_t>(std::int64_t{fixed<std::int16_t>()})
                          : fixed<std::uint16_t>();
        break;
      case enc_udata4:
        value = is_signed ? static_cast<std::uint64_t>(std::int64_t{fixed<std::int32_t>()})
                          : fixed<std::uint32_t>();
        break;
      default:
        fail();
    }
    std::uint8_t const base_kind = encoding & enc_relative_mask;
    if (relative && base_kind == enc_pcrel) value += base;
    if (relative && base_kind != enc_pcrel && base_kind != 0) fail();
    return value;
  }
  bytes take(std::uint64_t size) {
    if (size > static_cast<std::uint64_t>(end_ - at_)) {
      fail();
      return {};
    }
    bytes const part(at_, at_ + size);
    at_ += size;
    return part;
  }
  std::string_view text() {
    auto const* const from = at_;
    while (fixed<std::uint8_t>() != 0) {
    }
    return {reinterpret_cast<char const*>(from),
            static_cast<std::size_t>(at_ - from - (bad_ ? 0 : 1))};
  }

 private:
  void fail() {
    bad_ = true;
    at_ = end_;
  }

  unsigned char const* at_ = nullptr;
  unsigned char const* end_ = nullptr;
  bool bad_ = false;
};

// How the caller's value of one register is found.
struct rule {
  enum class kind : std::uint8_t { same, at_cfa_offset, undefined, other } how = kind::same;
  std::int64_t offset = 0;
};

// One row of the table: how to find the canonical frame address (the caller's sp) and the
// registers.
struct row {
  std::uint64_t cfa_register = 0;
  std::int64_t cfa_offset = 0;
  bytes cfa_expression;  // used instead when has_expression
  bool has_expression = false;
  rule fp;
  rule return_pc;
};

// What a function's table says: FDE and CIE of the pc.
struct function_table {
  std::uintptr_t start = 0;
  std::uint64_t code_align = 1;
  std::int64_t data_align = 1;
  std::uint8_t encoding = 0;  // of pointers
  bool signal_frame = false;
  bytes common;  // instructions that come first
  bytes own;
};

// read_cie parses what a function's table shares with others.
bool read_cie(unsigned char const* at, function_table* table, bool* has_augmentation) {
  bytes head(at, at + sizeof(std::uint32_t));
  auto const length = head.fixed<std::uint32_t>();
  if (length == 0 || length == std::numeric_limits<std::uint32_t>::max()) return false;
  bytes in(head.at(), head.at() + length);
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
    bytes data = in.take(in.uleb());
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
  table->common = bytes(in.at(), head.at() + length);
  return !in.bad();
}

// find_fde searches the sorted table of a module's .eh_frame_hdr; null if it has none for pc.
unsigned char const* find_fde(std::uintptr_t pc) {
  dl_find_object object;
  if (::_dl_find_object(reinterpret_cast<void*>(pc), &object) != 0) return nullptr;
  auto const* const header = static_cast<unsigned char const*>(object.dlfo_eh_frame);
  if (header == nullptr || header[0] != 1 || header[3] != enc_datarel_sdata4) return nullptr;
  auto const* const end = static_cast<unsigned char const*>(object.dlfo_map_end);
  bytes in(header + 4, end);
  in.pointer(header[1], true);
  if (header[2] == enc_omit) return nullptr;
  std::uint64_t const count = in.pointer(header[2], true);
  struct entry {
    std::int32_t start, fde;  // relative to header
  };
  bytes const entries = in.take(count * sizeof(entry));
  if (in.bad() || count == 0) return nullptr;
  auto const offset = static_cast<std::int64_t>(pc - reinterpret_cast<std::uintptr_t>(header));
  auto const entry_at = [&](std::uint64_t i) {
    entry found;
    std::memcpy(&found, entries.at() + i * sizeof(entry), sizeof(entry));
    return found;
  };
  std::uint64_t low = 0;
  std::uint64_t high =
      count;  // entries before low start at or before pc, those from high on after it
  while (low < high) {
    std::uint64_t const middle = low + (high - low) / 2;
    if (entry_at(middle).start <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low == 0 ? nullptr : header + entry_at(low - 1).fde;
}

bool find_table(std::uintptr_t pc, function_table* table) {
  unsigned char const* const fde = find_fde(pc);
  if (fde == nullptr) return false;
  bytes head(fde, fde + sizeof(std::uint32_t));
  auto const length = head.fixed<std::uint32_t>();
  if (length == 0 || length == std::numeric_limits<std::uint32_t>::max()) return false;
  bytes in(head.at(), head.at() + length);
  unsigned char const* const cie_field = in.at();
  auto const cie_distance = in.fixed<std::uint32_t>();
  bool has_augmentation = false;
  if (cie_distance == 0 || !read_cie(cie_field - cie_distance, table, &has_augmentation))
    return false;
  table->start = in.pointer(table->encoding, true);
  std::uint64_t const size = in.pointer(table->encoding, false);
  if (pc < table->start || pc - table->start >= size) return false;
  if (has_augmentation) in.take(in.uleb());
  table->own = bytes(in.at(), head.at() + length);
  return !in.bad();
}

// The machine that turns a table's instructions into the row of one pc.
class row_machine {
 public:
  row_machine(function_table const& table, std::uintptr_t pc) : table_(table), pc_(pc) {}

  bool run() {
    if (!run(table_.common)) return false;
    initial_ = row_;
    return run(table_.own);
  }
  row const& result() const { return row_; }

 private:
  static constexpr std::size_t saved_max = 4;

  rule* rule_of(std::uint64_t number) {
    if (number == fp_number) return &row_.fp;
    if (number == return_number) return &row_.return_pc;
    return &ignored_;
  }
  rule const& initial_rule_of(std::uint64_t number) const {
    return number == fp_number ? initial_.fp : initial_.return_pc;
  }
  void saved_at(std::uint64_t number, std::int64_t factored) {
    *rule_of(number) = {rule::kind::at_cfa_offset, factored * table_.data_align};
  }
  // advance moves to a later place in the function; false once that is beyond pc.
  bool advance(std::uint64_t delta) {
    location_ += delta * table_.code_align;
    return location_ <= pc_ - table_.start;
  }

  // Returns false for an instruction that it does not know.
  bool run(bytes in) {
    while (!in.at_end()) {
      auto const code = in.fixed<std::uint8_t>();
      std::uint8_t const low = code & 0x3f;
      switch (code >> 6) {
        case 1:  // advance_loc
          if (!advance(low)) return true;
          break;
        case 2:  // offset
          saved_at(low, static_cast<std::int64_t>(in.uleb()));
          break;
        case 3:  // restore
          *rule_of(low) = initial_rule_of(low);
          break;
        default: {
          bool beyond = false;
          if (!run_extended(low, &in, &beyond)) return false;
          if (beyond) return true;
        }
      }
    }
    return !in.bad();
  }

  bool run_extended(std::uint8_t code, bytes* in, bool* beyond);
  bool run_cfa(std::uint8_t code, bytes* in);

  function_table const& table_;
  std::uintptr_t pc_;
  std::uint64_t location_ = 0;
  row row_;
  row initial_;
  row saved_[saved_max];
  std::size_t saved_count_ = 0;
  rule ignored_;
};

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

bool row_machine::run_extended(std::uint8_t code, bytes* in, bool* beyond) {
  switch (code) {
    case cfa_nop:
    case cfa_aarch64_negate_ra_state:  // the signature is masked out of every pc
      return true;
    case cfa_advance_loc1:
      *beyond = !advance(in->fixed<std::uint8_t>());
      return true;
    case cfa_advance_loc2:
      *beyond = !advance(in->fixed<std::uint16_t>());
      return true;
    case cfa_advance_loc4:
      *beyond = !advance(in->fixed<std::uint32_t>());
      return true;
    case cfa_offset_extended: {
      std::uint64_t const number = in->uleb();
      saved_at(number, static_cast<std::int64_t>(in->uleb()));
      return true;
    }
    case cfa_offset_extended_sf: {
      std::uint64_t const number = in->uleb();
      saved_at(number, in->sleb());
      return true;
    }
    case cfa_restore_extended: {
      std::uint64_t const number = in->uleb();
      *rule_of(number) = initial_rule_of(number);
      return true;
    }
    case cfa_undefined:
      rule_of(in->uleb())->how = rule::kind::undefined;
      return true;
    case cfa_same_value:
      rule_of(in->uleb())->how = rule::kind::same;
      return true;
    case cfa_register: {
      std::uint64_t const number = in->uleb();
      in->uleb();
      rule_of(number)->how = rule::kind::other;
      return true;
    }
    case cfa_expression:
    case cfa_val_expression: {
      std::uint64_t const number = in->uleb();
      in->take(in->uleb());
      rule_of(number)->how = rule::kind::other;
      return true;
    }
    case cfa_remember_state:
      if (saved_count_ == saved_max) return false;
      saved_[saved_count_++] = row_;
      return true;
    case cfa_restore_state:
      if (saved_count_ == 0) return false;
      row_ = saved_[--saved_count_];
      return true;
    case cfa_gnu_args_size:
      in->uleb();
      return true;
    default:
      return run_cfa(code, in);
  }
}

// The instructions that say where the frame address is.
bool row_machine::run_cfa(std::uint8_t code, bytes* in) {
  switch (code) {
    case cfa_def_cfa:
      row_.cfa_register = in->uleb();
      row_.cfa_offset = static_cast<std::int64_t>(in->uleb());
      row_.has_expression = false;
      return true;
    case cfa_def_cfa_sf:
      row_.cfa_register = in->uleb();
      row_.cfa_offset = in->sleb() * table_.data_align;
      row_.has_expression = false;
      return true;
    case cfa_def_cfa_register:
      row_.cfa_register = in->uleb();
      row_.has_expression = false;
      return true;
    case cfa_def_cfa_offset:
      row_.cfa_offset = static_cast<std::int64_t>(in->uleb());
      return true;
    case cfa_def_cfa_offset_sf:
      row_.cfa_offset = in->sleb() * table_.data_align;
      return true;
    case cfa_def_cfa_expression:
      row_.cfa_expression = in->take(in->uleb());
      row_.has_expression = true;
      return true;
    default:
      return false;
  }
}

bool register_value(registers const& regs, std::uint64_t number, std::uint64_t* value) {
  if (number == sp_number) {
    *value = regs.sp;
  } else if (number == fp_number) {
    *value = regs.fp;
  } else if (number == return_number) {
    *value = regs.pc;  // x86-64: the pc itself, which the tables of call stubs look at
  } else {
    return false;
  }
  return true;
}

// evaluate runs the few operations that linkers use in the tables of call stubs (.plt) and libc in
// its signal frame.
bool evaluate(bytes in, registers const& regs, std::uint64_t* value) {
  constexpr std::uint8_t const1u = 0x08, and_op = 0x1a, minus = 0x1c, plus = 0x22,
                         plus_uconst = 0x23, shl = 0x24, ge = 0x2a, lit0 = 0x30, lit31 = 0x4f,
                         breg0 = 0x70, breg31 = 0x8f;
  std::uint64_t stack[8];
  std::size_t depth = 0;
  while (!in.at_end()) {
    auto const op = in.fixed<std::uint8_t>();
    std::uint64_t pushed = 0;
    if (op >= lit0 && op <= lit31) {
      pushed = op - lit0;
    } else if (op >= breg0 && op <= breg31) {
      auto const offset = static_cast<std::uint64_t>(in.sleb());
      if (!register_value(regs, op - breg0, &pushed)) return false;
      pushed += offset;
    } else if (op == const1u) {
      pushed = in.fixed<std::uint8_t>();
    } else if (op == plus_uconst) {
      if (depth < 1) return false;
      pushed = stack[--depth] + in.uleb();
    } else {
      if (depth < 2) return false;
      std::uint64_t const right = stack[--depth];
      std::uint64_t const left = stack[--depth];
      if (op == and_op) {
        pushed = left & right;
      } else if (op == plus) {
        pushed = left + right;
      } else if (op == minus) {
        pushed = left - right;
      } else if (op == shl && right < 64) {
        pushed = left << right;
      } else if (op == ge) {
        pushed = static_cast<std::int64_t>(left) >= static_cast<std::int64_t>(right) ? 1 : 0;
      } else {
        return false;
      }
    }
    if (depth == std::size(stack)) return false;
    stack[depth++] = pushed;
  }
  if (depth != 1 || in.bad()) return false;
  *value = stack[0];
  return true;
}

}  // namespace

cfi_step step_by_cfi(registers* regs, std::uintptr_t lookup_pc, stack_bounds bounds) noexcept {
  function_table table;
  if (!find_table(lookup_pc, &table) || table.signal_frame) return cfi_step::unknown;
  row_machine machine(table, lookup_pc);
  if (!machine.run()) return cfi_step::unknown;
  row const& found = machine.result();
  if (found.return_pc.how == rule::kind::undefined) return cfi_step::outermost;

  std::uint64_t cfa = 0;
  if (found.has_expression) {
    if (!evaluate(found.cfa_expression, *regs, &cfa)) return cfi_step::unknown;
  } else {
    if (!register_value(*regs, found.cfa_register, &cfa)) return cfi_step::unknown;
    cfa += static_cast<std::uint64_t>(found.cfa_offset);
  }
  // The caller's frame lies above this one: each step climbs.
  if (cfa <= regs->sp || cfa > bounds.high) return cfi_step::unknown;

  registers caller{.pc = regs->link, .sp = cfa, .fp = regs->fp, .link = 0};
  auto const saved = [&](rule const& where, std::uintptr_t* value) {
    return read_stack(bounds, cfa + static_cast<std::uint64_t>(where.offset), value);
  };
  if (found.return_pc.how == rule::kind::at_cfa_offset) {
    if (!saved(found.return_pc, &caller.pc)) return cfi_step::unknown;
  } else if (found.return_pc.how != rule::kind::same || regs->link == 0) {
    return cfi_step::unknown;
  }
  if (found.fp.how == rule::kind::at_cfa_offset) {
    if (!saved(found.fp, &caller.fp)) return cfi_step::unknown;
  } else if (found.fp.how != rule::kind::same) {
    caller.fp = 0;
  }
  caller.pc = code_address(caller.pc);
  *regs = caller;
  return cfi_step::stepped;
}

}  // namespace vole::symbol
