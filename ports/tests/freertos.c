/* The example of ports/freertos with a flash in RAM, and a look at what its tasks have left. */
#include <lockstone_freertos.h>
#include <lockstone_soft_key.h>
#include <stdio.h>
#include <string.h>

#include "part.h"

extern volatile int32_t failure;

static int32_t read_hook(void *context, uint32_t address, void *to, size_t length) {
    (void)context;
    return part_read(address, to, length);
}

static int32_t program_hook(void *context, uint32_t address, const void *from, size_t length) {
    (void)context;
    return part_program(address, from, length);
}

static int32_t erase_hook(void *context, uint32_t address, size_t length) {
    (void)context;
    return part_erase(address, length);
}

static int32_t derive_hook(void *context, const uint8_t *label, size_t length, uint8_t *key) {
    static const uint8_t root[32] = {1};
    (void)context;
    lockstone_soft_key_derive(root, label, length, key);
    return 0;
}

static int32_t random_hook(void *context, uint8_t *to, size_t length) {
    (void)context;
    while (length-- > 0) {
        *to++ = (uint8_t)length;
    }
    return 0;
}

int32_t board_platform(lockstone_platform *platform);

int32_t board_platform(lockstone_platform *platform) {
    platform->version = LOCKSTONE_PLATFORM_VERSION;
    platform->flash_size = PART_SIZE;
    platform->program_unit = PART_UNIT;
    platform->erase_block = PART_BLOCK;
    platform->erased_value = 0xff;
    platform->read = read_hook;
    platform->program = program_hook;
    platform->erase = erase_hook;
    platform->derive_key = derive_hook;
    platform->random = random_hook;
    return 0;
}

void scheduler_ended(void);

void scheduler_ended(void) {
    lockstone_stats stats;
    lockstone_platform platform;
    size_t length = 0;
    uint8_t one = 1;
    if (failure != 0) {
        fprintf(stderr, "a task was told %d\n", (int)failure);
        stop("a task failed");
    }
    /* Two tasks, two clients, one name each; who calls now was never assigned, and is nobody. */
    if (lockstone_get_stats(&stats) != 0 || stats.keys != 2) {
        stop("there are not two keys");
    }
    if (lockstone_get("state", &one, sizeof(one), &length) != LOCKSTONE_E_NOT_PERMITTED ||
        lockstone_put("state", &one, sizeof(one), 0) != LOCKSTONE_E_NOT_PERMITTED) {
        stop("nobody has keys");
    }
    memset(&platform, 0xa5, sizeof(platform)); /* as a stack leaves it */
    lockstone_freertos_platform(&platform);
    if (platform.counter_read != NULL || platform.flags != 0 || platform.context != NULL || platform.provisioning != NULL) {
        stop("the platform was not zeroed");
    }
    if (part_writes() < 100) {
        stop("too little was written to show anything");
    }
    printf("freertos: %u writes by two tasks, each waits for the other\n", part_writes());
}
