/*
 * The debugger, here the emulator, as console and flash (semihosting), and toys where a device has trusted hardware: a root key
 * that everybody knows, and the same random numbers at each start. NEVER SHIP THE TOYS.
 */
#include "board.h"

#include "lockstone_soft_key.h"

enum { CALL_OPEN = 0x01, CALL_WRITE = 0x05, CALL_READ = 0x06, CALL_SEEK = 0x0a, CALL_LENGTH = 0x0c, CALL_EXIT = 0x20 };
enum { MODE_UPDATE = 3, MODE_OUTPUT = 4, MODE_CREATE = 7 }; /* as fopen's r+b, w, w+b */

#define NO_FILE UINT32_MAX
#define BLOCK 4096u
#define UNIT 4u
#define STEP 128u

/* A breakpoint with a number and its arguments; the answer is in r0. */
static uint32_t call(uint32_t number, const void *arguments) {
    register uint32_t r0 __asm__("r0") = number;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt #0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static uint32_t length_of(const char *text) {
    uint32_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static uint32_t open_file(const char *name, uint32_t mode) {
    uintptr_t arguments[3] = {(uintptr_t)name, mode, length_of(name)};
    return call(CALL_OPEN, arguments);
}

/* Reads or writes all of it, at the place where the file stands; 0 when all went. */
static int32_t move(uint32_t number, uint32_t file, const void *bytes, size_t length) {
    uintptr_t arguments[3] = {file, (uintptr_t)bytes, length};
    return call(number, arguments) == 0 ? 0 : -1;
}

static int32_t seek(uint32_t file, uint32_t offset) {
    uintptr_t arguments[2] = {file, offset};
    return call(CALL_SEEK, arguments) == 0 ? 0 : -1;
}

void board_exit(int code) {
    uintptr_t arguments[2] = {0x20026u, (uintptr_t)code}; /* ended by itself, with this code */
    call(CALL_EXIT, arguments);
    for (;;) {
    }
}

void say(const char *text) {
    static uint32_t terminal = NO_FILE;
    if (terminal == NO_FILE) {
        terminal = open_file(":tt", MODE_OUTPUT);
    }
    (void)move(CALL_WRITE, terminal, text, length_of(text));
}

void say_number(const char *before, uint32_t number, const char *behind) {
    char digits[11] = {0}, *first = &digits[10];
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    say(before);
    say(first);
    say(behind);
}

static uint32_t flash_file = NO_FILE;

static void fill(uint8_t *bytes, uint8_t with, size_t length) {
    while (length-- > 0) {
        *bytes++ = with;
    }
}

static int is_within(uint32_t address, size_t length, uint32_t unit) {
    return address <= BOARD_FLASH_SIZE && length <= BOARD_FLASH_SIZE - address && address % unit == 0 && length % unit == 0;
}

static int32_t flash_read(void *context, uint32_t address, void *to, size_t length) {
    (void)context;
    if (!is_within(address, length, 1) || seek(flash_file, address) != 0) {
        return -1;
    }
    return move(CALL_READ, flash_file, to, length);
}

static int32_t flash_erase(void *context, uint32_t address, size_t length) {
    uint8_t erased[STEP];
    int32_t status;
    (void)context;
    if (!is_within(address, length, BLOCK)) {
        return -1;
    }
    fill(erased, 0xff, sizeof(erased));
    for (status = seek(flash_file, address); status == 0 && length > 0; length -= STEP) {
        status = move(CALL_WRITE, flash_file, erased, STEP);
    }
    return status;
}

/* Behaves as NOR flash: what would turn a 0 into a 1 is refused, with nothing written. */
static int32_t flash_program(void *context, uint32_t address, const void *from, size_t length) {
    const uint8_t *new_bytes = from;
    uint8_t old[STEP];
    size_t done, index;
    if (!is_within(address, length, UNIT)) {
        return -1;
    }
    for (done = 0; done < length; done += STEP) {
        size_t step = length - done < STEP ? length - done : STEP;
        if (flash_read(context, address + (uint32_t)done, old, step) != 0) {
            return -1;
        }
        for (index = 0; index < step; index++) {
            if ((new_bytes[done + index] & ~old[index]) != 0) {
                return -1;
            }
        }
    }
    return seek(flash_file, address) == 0 ? move(CALL_WRITE, flash_file, from, length) : -1;
}

/* TOY: the key of `insecure_root_key` in firmware/support, so everybody has it. */
static int32_t toy_derive_key(void *context, const uint8_t *label, size_t length, uint8_t *key) {
    uint8_t insecure_root[32];
    (void)context;
    fill(insecure_root, 0x42, sizeof(insecure_root));
    lockstone_soft_key_derive(insecure_root, label, length, key);
    return 0;
}

/* TOY: the same at each start. */
static int32_t toy_random(void *context, uint8_t *to, size_t length) {
    static uint32_t state = 1;
    (void)context;
    while (length-- > 0) {
        state = state * 1664525u + 1013904223u;
        *to++ = (uint8_t)(state >> 24);
    }
    return 0;
}

int32_t board_platform(lockstone_platform *platform) {
    static const lockstone_platform without_the_rest = {0};
    flash_file = open_file("flash.bin", MODE_UPDATE);
    if (flash_file == NO_FILE) {
        flash_file = open_file("flash.bin", MODE_CREATE);
        if (flash_file == NO_FILE || flash_erase(NULL, 0, BOARD_FLASH_SIZE) != 0) {
            return -1;
        }
    } else {
        uintptr_t arguments[1] = {flash_file};
        if (call(CALL_LENGTH, arguments) != BOARD_FLASH_SIZE) {
            return -1;
        }
    }
    *platform = without_the_rest; /* no counter, no lock, one client */
    platform->version = LOCKSTONE_PLATFORM_VERSION;
    platform->flags = LOCKSTONE_FLASH_IS_TRUSTED; /* as the flash inside a chip is: nothing older comes back */
    platform->flash_size = BOARD_FLASH_SIZE;
    platform->program_unit = UNIT;
    platform->erase_block = BLOCK;
    platform->erased_value = 0xff;
    platform->read = flash_read;
    platform->program = flash_program;
    platform->erase = flash_erase;
    platform->derive_key = toy_derive_key;
    platform->random = toy_random;
    return 0;
}
