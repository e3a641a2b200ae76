// SPDX-License-Identifier: Apache-2.0
// The fiber switch for aarch64, AAPCS64. See fiber.h.
#if defined(__aarch64__)
    .text
    .globl vole_fiber_switch
    .type vole_fiber_switch, %function
    .align 4
// void vole_fiber_switch(void** from /*x0*/, void* to /*x1*/)
vole_fiber_switch:
    .cfi_startproc
    dmb ishst
    sub sp, sp, #160
    .cfi_def_cfa_offset 160
    stp x29, x30, [sp, #0]
    .cfi_offset 29, -160
    .cfi_offset 30, -152
    stp x19, x20, [sp, #16]
    .cfi_offset 19, -144
    .cfi_offset 20, -136
    stp x21, x22, [sp, #32]
    .cfi_offset 21, -128
    .cfi_offset 22, -120
    stp x23, x24, [sp, #48]
    .cfi_offset 23, -112
    .cfi_offset 24, -104
    stp x25, x26, [sp, #64]
    .cfi_offset 25, -96
    .cfi_offset 26, -88
    stp x27, x28, [sp, #80]
    .cfi_offset 27, -80
    .cfi_offset 28, -72
    stp d8, d9, [sp, #96]
    .cfi_offset 72, -64
    .cfi_offset 73, -56
    stp d10, d11, [sp, #112]
    .cfi_offset 74, -48
    .cfi_offset 75, -40
    stp d12, d13, [sp, #128]
    .cfi_offset 76, -32
    .cfi_offset 77, -24
    stp d14, d15, [sp, #144]
    .cfi_offset 78, -16
    .cfi_offset 79, -8
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    // Both stacks have the same layout here, so the CFI stays right over the exchange: what the
    // caller gets back is in memory until the frame is given up.
    ldp x29, x30, [sp, #0]
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    .cfi_def_cfa_offset 0
    .cfi_restore 29
    .cfi_restore 30
    .cfi_restore 19
    .cfi_restore 20
    .cfi_restore 21
    .cfi_restore 22
    .cfi_restore 23
    .cfi_restore 24
    .cfi_restore 25
    .cfi_restore 26
    .cfi_restore 27
    .cfi_restore 28
    .cfi_restore 72
    .cfi_restore 73
    .cfi_restore 74
    .cfi_restore 75
    .cfi_restore 76
    .cfi_restore 77
    .cfi_restore 78
    .cfi_restore 79
    // A ret, not a br: it keeps the processor's return stack in step with the calls, and where
    // branch targets are checked (BTI) a return may go to any instruction.
    ret
    .cfi_endproc
    .size vole_fiber_switch, .-vole_fiber_switch

    .globl vole_fiber_entry
    .type vole_fiber_entry, %function
    .align 4
// Entered by the first switch to a fiber: x19 holds its function, x20 its argument.
vole_fiber_entry:
    .cfi_startproc
    .cfi_undefined 30
    .cfi_undefined 29
    mov x29, xzr
    mov x30, xzr
    mov x0, x20
    blr x19
    brk #1
    .cfi_endproc
    .size vole_fiber_entry, .-vole_fiber_entry
#endif
    .section .note.GNU-stack, "", %progbits
