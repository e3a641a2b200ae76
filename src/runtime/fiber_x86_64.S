// SPDX-License-Identifier: Apache-2.0
// The fiber switch for x86-64, System V ABI. See fiber.h.
#if defined(__x86_64__)
    .text
    .globl vole_fiber_switch
    .type vole_fiber_switch, @function
    .align 16
// void vole_fiber_switch(void** from /*rdi*/, void* to /*rsi*/)
vole_fiber_switch:
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    // Both stacks have the same layout here, so the CFI stays right over the exchange.
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    // A ret, not a jump: it keeps the processor's return stack in step with the calls, and fibers
    // that wait in the same
    // place return through the same addresses. After a jump each ret up to the goroutine's own code
    // would miss.
    ret
    .cfi_endproc
    .size vole_fiber_switch, .-vole_fiber_switch

    .globl vole_fiber_entry
    .type vole_fiber_entry, @function
    .align 16
// Entered by the first switch to a fiber: r12 holds its function, r13 its argument.
vole_fiber_entry:
    .cfi_startproc
    .cfi_undefined %rip
    .cfi_undefined %rbp
    xorl %ebp, %ebp
    movq %r13, %rdi
    callq *%r12
    ud2
    .cfi_endproc
    .size vole_fiber_entry, .-vole_fiber_entry
#endif
    .section .note.GNU-stack, "", @progbits
