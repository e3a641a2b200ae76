// SPDX-License-Identifier: Apache-2.0
#include "symbol/cfi_row.h"

#include <cstddef>
#include <iterator>
#include <ucontext.h>

#include "symbol/stack_word.h"

namespace vole::symbol {
namespace {

// other_register reads a register that is known of interrupted code alone.
bool other_register(registers const& regs, std::uint64_t number, std::uint64_t* value) {
  if (regs.machine == nullptr) return false;
  auto const& machine = static_cast<ucontext_t const*>(regs.machine)->uc_mcontext;
#if defined(__x86_64__)
  constexpr int in_order[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                              REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                              REG_R12, REG_R13, REG_R14, REG_R15};
  if (number >= std::size(in_order)) return false;
  *value = static_cast<std::uint64_t>(machine.gregs[in_order[number]]);
#else
  if (number >= std::size(machine.regs)) return false;
  *value = machine.regs[number];
#endif
  return true;
}

bool register_value(registers const& regs, std::uint64_t number, std::uint64_t* value) {
  if (number == sp_number) {
    if (!regs.sp_known) return false;
    *value = regs.sp;
  } else if (number == fp_number) {
    *value = regs.fp;
  } else if (number == return_number) {
#if defined(__x86_64__)
    *value = regs.pc;  // the pc itself, which the tables of call stubs look at
#else
    *value = regs.link;
#endif
  } else {
    return other_register(regs, number, value);
  }
  return true;
}

// The operations that are found in unwind tables: of call stubs (.plt), of functions that align
// their stack, of OpenSSL's assembly, of signal frames.
enum dwarf_op : std::uint8_t {
  op_deref = 0x06,
  op_const1u = 0x08,
  op_const1s = 0x09,
  op_const2u = 0x0a,
  op_const2s = 0x0b,
  op_const4u = 0x0c,
  op_const4s = 0x0d,
  op_and = 0x1a,
  op_minus = 0x1c,
  op_mul = 0x1e,
  op_plus = 0x22,
  op_plus_uconst = 0x23,
  op_shl = 0x24,
  op_ge = 0x2a,
  op_lit0 = 0x30,
  op_lit31 = 0x4f,
  op_breg0 = 0x70,
  op_breg31 = 0x8f,
};

// The stack of values that an expression works on.
class expression_machine {
 public:
  expression_machine(registers const& regs, stack_bounds bounds) : regs_(regs), bounds_(bounds) {}

  bool push(std::uint64_t value) {
    if (depth_ == std::size(values_)) return false;
    values_[depth_++] = value;
    return true;
  }
  bool run(dwarf_bytes in, std::uint64_t* value) {
    while (!in.at_end()) {
      if (!run_one(in.fixed<std::uint8_t>(), &in)) return false;
    }
    return !in.bad() && pop(value);
  }

 private:
  bool pop(std::uint64_t* value) {
    if (depth_ == 0) return false;
    *value = values_[--depth_];
    return true;
  }
  bool run_one(std::uint8_t op, dwarf_bytes* in) {
    std::uint64_t value = 0;
    if (op >= op_lit0 && op <= op_lit31) return push(op - op_lit0);
    if (op >= op_breg0 && op <= op_breg31) {
      auto const offset = static_cast<std::uint64_t>(in->sleb());
      return register_value(regs_, op - op_breg0, &value) && push(value + offset);
    }
    switch (op) {
      case op_deref:
        return pop(&value) && read_stack(bounds_, value, &value) && push(value);
      case op_const1u:
        return push(in->fixed<std::uint8_t>());
      case op_const1s:
        return push(static_cast<std::uint64_t>(std::int64_t{in->fixed<std::int8_t>()}));
      case op_const2u:
        return push(in->fixed<std::uint16_t>());
      case op_const2s:
        return push(static_cast<std::uint64_t>(std::int64_t{in->fixed<std::int16_t>()}));
      case op_const4u:
        return push(in->fixed<std::uint32_t>());
      case op_const4s:
        return push(static_cast<std::uint64_t>(std::int64_t{in->fixed<std::int32_t>()}));
      case op_plus_uconst:
        return pop(&value) && push(value + in->uleb());
      default:
        return run_binary(op);
    }
  }
  bool run_binary(std::uint8_t op) {
    std::uint64_t left = 0;
    std::uint64_t right = 0;
    if (!pop(&right) || !pop(&left)) return false;
    switch (op) {
      case op_and:
        return push(left & right);
      case op_plus:
        return push(left + right);
      case op_minus:
        return push(left - right);
      case op_mul:
        return push(left * right);
      case op_shl:
        return right < 64 && push(left << right);
      case op_ge:
        return push(static_cast<std::int64_t>(left) >= static_cast<std::int64_t>(right) ? 1 : 0);
      default:
        return false;
    }
  }

  registers const& regs_;
  stack_bounds bounds_;
  std::uint64_t values_[8];
  std::size_t depth_ = 0;
};

bool find_cfa(cfi_row const& row, registers const& regs, stack_bounds bounds, std::uint64_t* cfa) {
  if (row.has_expression)
    return expression_machine(regs, bounds).run(row.cfa_expression.bytes(), cfa);
  if (!register_value(regs, row.cfa_register, cfa)) return false;
  *cfa += static_cast<std::uint64_t>(row.cfa_offset);
  return true;
}

// read_saved replaces *value, which is the callee's, by the caller's.
bool read_saved(saved_register const& saved, std::uint64_t cfa, registers const& regs,
                stack_bounds bounds, std::uintptr_t* value) {
  using place = saved_register::place;
  switch (saved.where) {
    case place::same:
      return true;
    case place::at_cfa_offset:
      return read_stack(bounds, cfa + static_cast<std::uint64_t>(saved.offset), value);
    case place::at_expression:
    case place::by_expression: {
      expression_machine machine(regs, bounds);
      std::uint64_t result = 0;
      if (!machine.push(cfa) || !machine.run(saved.expression.bytes(), &result)) return false;
      if (saved.where == place::at_expression) return read_stack(bounds, result, value);
      *value = result;
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

bool climbs(registers const& regs, std::uintptr_t cfa, bool returns_by_link,
            stack_bounds bounds) noexcept {
  if (returns_by_link && regs.link == 0) return false;
  return cfa <= bounds.high && (cfa > regs.sp || (returns_by_link && cfa == regs.sp));
}

cfi_step apply(cfi_row const& row, registers* regs, stack_bounds bounds) noexcept {
  if (row.return_pc.where == saved_register::place::undefined) return cfi_step::outermost;
  std::uint64_t cfa = 0;
  if (!find_cfa(row, *regs, bounds, &cfa)) return cfi_step::unknown;
  bool const returns_by_link = row.return_pc.where == saved_register::place::same;
  if (!climbs(*regs, cfa, returns_by_link, bounds)) return cfi_step::unknown;

  registers caller{.pc = regs->link, .sp = cfa, .fp = regs->fp, .machine = regs->machine};
  if (!read_saved(row.return_pc, cfa, *regs, bounds, &caller.pc)) return cfi_step::unknown;
  if (row.fp.where == saved_register::place::undefined ||
      row.fp.where == saved_register::place::other) {
    caller.fp = 0;
  } else if (!read_saved(row.fp, cfa, *regs, bounds, &caller.fp)) {
    return cfi_step::unknown;
  }
  caller.pc = code_address(caller.pc);
  if (row.signal_frame) caller.machine = nullptr;
  *regs = caller;
  return row.signal_frame ? cfi_step::stepped_to_interrupted : cfi_step::stepped;
}

}  // namespace vole::symbol
