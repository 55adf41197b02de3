//! What `cortex-m-rt` does on Arm: from the first instruction to `main`, and what happens on a trap.

use core::arch::global_asm;

use crate::semihosting::exit;

global_asm!(
    ".section .init.start, \"ax\"",
    ".option push",
    ".option arch, +zicsr",
    ".global _start",
    "_start:",
    "la t0, 6f",
    "csrw mtvec, t0",
    "la sp, _stack_start",
    "la t0, __sbss",
    "la t1, __ebss",
    "1: bgeu t0, t1, 2f",
    "sw zero, 0(t0)",
    "addi t0, t0, 4",
    "j 1b",
    // The stack is painted: see `stack.rs`.
    "2: la t0, _stack_end",
    "li t1, 0xcccccccc",
    "3: bgeu t0, sp, 4f",
    "sw t1, 0(t0)",
    "addi t0, t0, 4",
    "j 3b",
    "4: call main",
    "5: j 5b",
    // The register that holds it wants an address of whole words.
    ".balign 4",
    "6: j {trap}",
    ".option pop",
    trap = sym trap,
);

/// Where every trap goes: none is expected.
extern "C" fn trap() -> ! {
    crate::println!("trap");
    exit(102)
}
