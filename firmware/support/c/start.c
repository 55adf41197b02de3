/* What runs before `main` on a Cortex-M, and behind it: RAM, a painted stack, the exit code, how much RAM was used. */
#include "board.h"

#define PAINT 0xccccccccu

extern uint32_t data_image[], data_start[], data_end[], bss_start[], bss_end[], stack_end[], stack_top[];

int main(void);
void reset(void);
static void fault(void);

/* The first words of the flash: the stack, where to begin, and where faults go. */
__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)stack_top, (uintptr_t)reset, (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault,     (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault,     (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault,     (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault};

static void fault(void) {
    say("fault\n");
    board_exit(102);
}

/* Says how much of the stack is not painted any more, and how much the statics take. */
static void report(void) {
    const volatile uint32_t *lowest = stack_end;
    while (lowest < stack_top && *lowest == PAINT) {
        lowest++;
    }
    say_number("# stack ", (uint32_t)((uintptr_t)stack_top - (uintptr_t)lowest), " B\n");
    say_number("# statics ", (uint32_t)((uintptr_t)bss_end - (uintptr_t)data_start), " B\n");
}

void reset(void) {
    volatile uint32_t *word, *here = (volatile uint32_t *)__builtin_frame_address(0) - 16;
    const uint32_t *from = data_image;
    int code;
    for (word = data_start; word < (volatile uint32_t *)data_end; word++) {
        *word = *from++;
    }
    for (word = bss_start; word < (volatile uint32_t *)bss_end; word++) {
        *word = 0;
    }
    for (word = stack_end; word < here; word++) {
        *word = PAINT;
    }
    code = main();
    report();
    board_exit(code);
}
