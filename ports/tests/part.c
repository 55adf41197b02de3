#include "part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t cells[PART_SIZE];
static unsigned writes;
static volatile int is_taken;

void stop(const char *what) {
    fprintf(stderr, "stopped: %s\n", what);
    exit(3);
}

static void enter(void) {
    if (__sync_lock_test_and_set(&is_taken, 1) != 0) {
        stop("two threads are in the flash at once");
    }
}

static int32_t leave(int32_t status) {
    __sync_lock_release(&is_taken);
    return status;
}

/* Takes as long as a part does, so that others run meanwhile: without a lock, one of them comes in. */
static void work(void) {
    writes++;
    (void)usleep(200);
}

static int is_within(uint32_t address, size_t length, uint32_t unit) {
    return address <= PART_SIZE && length <= PART_SIZE - address && address % unit == 0 && length % unit == 0;
}

int32_t part_read(uint32_t address, void *to, size_t length) {
    enter();
    if (!is_within(address, length, 1)) {
        return leave(-1);
    }
    memcpy(to, &cells[address], length);
    return leave(0);
}

int32_t part_program(uint32_t address, const void *from, size_t length) {
    const uint8_t *bytes = from;
    size_t index;
    enter();
    if (!is_within(address, length, PART_UNIT)) {
        return leave(-1);
    }
    for (index = 0; index < length; index++) {
        if ((bytes[index] & ~cells[address + index]) != 0) {
            return leave(-1); /* no bit becomes 1 without an erase */
        }
    }
    memcpy(&cells[address], bytes, length);
    work();
    return leave(0);
}

int32_t part_erase(uint32_t address, size_t length) {
    enter();
    if (!is_within(address, length, PART_BLOCK)) {
        return leave(-1);
    }
    memset(&cells[address], 0xff, length);
    work();
    return leave(0);
}

unsigned part_writes(void) {
    return writes;
}

/* It is delivered erased. A program without a lock may do anything, but not for ever. */
__attribute__((constructor)) static void deliver(void) {
    (void)alarm(60);
    memset(cells, 0xff, sizeof(cells));
}
