/* Checks that count themselves, and a store on the simulator. One program includes this once. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstone.h"
#include "lockstone_sim.h"

static unsigned long checks;
/* Which checks of the program were reached, by their lines: a named case each, however often it is checked. */
static unsigned char reached[4096];
static unsigned long cases;
static unsigned long failed;

static void reach(const char *file, int line) {
    if (strstr(file, "check.h") == NULL && line < (int)sizeof(reached) && !reached[line]) {
        reached[line] = 1;
        cases++;
    }
}

static void check_at(int good, const char *what, const char *file, int line) {
    checks++;
    reach(file, line);
    if (!good) {
        failed++;
        fprintf(stderr, "%s:%d: %s\n", file, line, what);
    }
}

static void check_equal_at(long long got, long long wanted, const char *what, const char *file, int line) {
    checks++;
    reach(file, line);
    if (got != wanted) {
        failed++;
        fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", file, line, what, got, wanted);
    }
}

#define CHECK(condition) check_at(!!(condition), #condition, __FILE__, __LINE__)
#define CHECK_IS(call, wanted) check_equal_at((long long)(call), (long long)(wanted), #call, __FILE__, __LINE__)

/* The last line of each test; the exit status. */
static int summary(const char *name) {
    printf("{\"name\":\"%s\",\"cases\":%lu,\"checks\":%lu,\"failed\":%lu}\n", name, cases, checks, failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define FLASH_SIZE (64u * 4096u)
#define ASSET_BYTES 20480u
#define CFSTORE_BYTES 65536u
#define HEADS 32u

static uint64_t test_ram[LOCKSTONE_MEMORY_SIZE(HEADS, 256u * 4096u, ASSET_BYTES, CFSTORE_BYTES) / 8u + 1u];
static lockstone_platform test_platform;

static inline lockstone_memory test_memory(void) {
    lockstone_memory memory;
    memory.start = test_ram;
    memory.size = sizeof(test_ram);
    memory.heads = HEADS;
    memory.asset_bytes = ASSET_BYTES;
    memory.cfstore_bytes = CFSTORE_BYTES;
    return memory;
}

/* A fresh, empty store of this size on the simulator. */
static inline void fresh_of(uint32_t flash_size) {
    lockstone_memory memory = test_memory();
    (void)lockstone_close();
    CHECK_IS(lockstone_sim_reset(flash_size), 0);
    CHECK_IS(lockstone_sim_platform(&test_platform), 0);
    CHECK_IS(lockstone_format(&test_platform, &memory), 0);
}

static inline void fresh(void) {
    fresh_of(FLASH_SIZE);
}

/* Opens what is on the simulated flash, as after a start. */
static inline int32_t reopen(void) {
    lockstone_memory memory = test_memory();
    (void)lockstone_close();
    return lockstone_open(&test_platform, &memory);
}

#endif
