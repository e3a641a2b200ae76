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
    sub sp, sp, #160
    .cfi_def_cfa_offset 160
    stp x29, x30, [sp, #0]
    .cfi_offset 29, -160
    .cfi_offset 30, -152
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
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
    br x30
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
