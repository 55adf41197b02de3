/* The native interface: every function and every error that can be brought about from outside. */
#include "check.h"

static void values(void) {
    unsigned char buffer[64];
    size_t length = 99;
    fresh();
    CHECK_IS(lockstone_get("wifi", buffer, sizeof(buffer), &length), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(length, 99);
    CHECK_IS(lockstone_put("wifi", "secret", 6, 0), 0);
    CHECK_IS(lockstone_get("wifi", buffer, sizeof(buffer), &length), 0);
    CHECK_IS(length, 6);
    CHECK(memcmp(buffer, "secret", 6) == 0);
    memset(buffer, 7, sizeof(buffer));
    CHECK_IS(lockstone_get("wifi", buffer, 5, &length), LOCKSTONE_E_BUFFER_TOO_SMALL);
    CHECK_IS(length, 6);
    CHECK_IS(buffer[0], 7);
    CHECK_IS(lockstone_get("wifi", buffer, 6, NULL), 0);
    CHECK_IS(buffer[6], 7);
    CHECK_IS(lockstone_put("empty", NULL, 0, 0), 0);
    CHECK_IS(lockstone_get("empty", NULL, 0, &length), 0);
    CHECK_IS(length, 0);
    CHECK_IS(reopen(), 0);
    CHECK_IS(lockstone_get("wifi", buffer, sizeof(buffer), &length), 0);
    CHECK_IS(lockstone_delete("wifi"), 0);
    CHECK_IS(lockstone_delete("wifi"), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_get("wifi", buffer, sizeof(buffer), &length), LOCKSTONE_E_NOT_FOUND);
}

/* The memory comes back without a trace. */
static void wiped(void) {
    unsigned char buffer[8];
    size_t index;
    size_t left = 0;
    fresh();
    CHECK_IS(lockstone_put("secret", "hunter2", 7, 0), 0);
    CHECK_IS(lockstone_get("secret", buffer, sizeof(buffer), NULL), 0);
    CHECK_IS(lockstone_close(), 0);
    for (index = 0; index < sizeof(test_ram) / sizeof(test_ram[0]); index++) {
        left += test_ram[index] != 0;
    }
    CHECK_IS(left, 0);
}

static void nonsense(void) {
    char longest[257];
    char found[256];
    unsigned char buffer[8];
    lockstone_cursor cursor;
    lockstone_memory memory = test_memory();
    lockstone_platform platform;
    memset(longest, 'a', sizeof(longest));
    memset(&cursor, 0, sizeof(cursor));
    fresh();
    longest[255] = 0;
    CHECK_IS(lockstone_put(longest, "1", 1, 0), 0);
    CHECK_IS(lockstone_find(&cursor, "", found), 0);
    CHECK(strcmp(found, longest) == 0);
    longest[255] = 'a';
    longest[256] = 0;
    CHECK_IS(lockstone_put(longest, "1", 1, 0), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_put("", "1", 1, 0), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_put(NULL, "1", 1, 0), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_put("a", NULL, 1, 0), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_put("a", "1", 1, 4), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_put("a", "1", SIZE_MAX, 0), LOCKSTONE_E_TOO_LARGE);
    CHECK_IS(lockstone_put("a", "1", FLASH_SIZE + 1, 0), LOCKSTONE_E_TOO_LARGE);
    CHECK_IS(lockstone_get(NULL, buffer, 8, NULL), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_get("a", NULL, 8, NULL), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_get(longest, buffer, 8, NULL), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_delete(NULL), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_delete(""), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_find(NULL, "", found), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_find(&cursor, NULL, found), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_find(&cursor, "", NULL), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_get_stats(NULL), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_open(NULL, &memory), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_open(&test_platform, NULL), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_open(&test_platform, &memory), LOCKSTONE_E_BUSY);
    CHECK_IS(lockstone_format(&test_platform, &memory), LOCKSTONE_E_BUSY);
    CHECK_IS(lockstone_open_device("somewhere"), LOCKSTONE_E_BUSY);
    CHECK_IS(lockstone_open_device(""), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_open_device(NULL), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_open_existing_device(""), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_open_existing_device("somewhere"), LOCKSTONE_E_BUSY);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_close(), LOCKSTONE_E_NOT_OPEN);

#define REFUSED(change, code)                                                                                            \
    do {                                                                                                                 \
        platform = test_platform;                                                                                        \
        memory = test_memory();                                                                                          \
        change;                                                                                                          \
        CHECK_IS(lockstone_open(&platform, &memory), code);                                                              \
    } while (0)
    REFUSED(platform.version = 2, LOCKSTONE_E_ARGUMENT);
    REFUSED(platform.flags = 2, LOCKSTONE_E_ARGUMENT);
    REFUSED(platform.erased_value = 1, LOCKSTONE_E_ARGUMENT);
    REFUSED(platform.read = NULL, LOCKSTONE_E_ARGUMENT);
    REFUSED(platform.program = NULL, LOCKSTONE_E_ARGUMENT);
    REFUSED(platform.erase = NULL, LOCKSTONE_E_ARGUMENT);
    REFUSED(platform.derive_key = NULL, LOCKSTONE_E_ARGUMENT);
    REFUSED(platform.counter_read = NULL, LOCKSTONE_E_ARGUMENT);
    REFUSED(platform.counter_increment = NULL, LOCKSTONE_E_ARGUMENT);
    REFUSED(platform.lock = (void (*)(void *))abort, LOCKSTONE_E_ARGUMENT);
    REFUSED(platform.program_unit = 3, LOCKSTONE_E_LAYOUT);
    REFUSED(platform.program_unit = 0, LOCKSTONE_E_LAYOUT);
    REFUSED(platform.erase_block = 100, LOCKSTONE_E_LAYOUT);
    REFUSED(platform.flash_size = 4096, LOCKSTONE_E_LAYOUT);
    REFUSED(memory.start = NULL, LOCKSTONE_E_ARGUMENT);
    REFUSED(memory.size = 1000, LOCKSTONE_E_LAYOUT);
    REFUSED(memory.size = SIZE_MAX, LOCKSTONE_E_ARGUMENT);
    REFUSED(memory.heads = 0, LOCKSTONE_E_LAYOUT);
    REFUSED(memory.heads = UINT32_MAX, LOCKSTONE_E_LAYOUT);
    REFUSED(memory.heads = 31, LOCKSTONE_E_INCOMPATIBLE);
    REFUSED(memory.asset_bytes = UINT32_MAX, LOCKSTONE_E_LAYOUT);
    REFUSED(memory.cfstore_bytes = UINT32_MAX, LOCKSTONE_E_LAYOUT);
    REFUSED(platform.program_unit = 8, LOCKSTONE_E_NOT_AUTHENTIC);
    REFUSED((void)0, 0);
}

/* A search finds each key once, and ends, whatever the cursor holds. */
static void search(void) {
    lockstone_cursor cursor;
    char name[256];
    unsigned seen[40];
    unsigned index;
    unsigned count = 0;
    int32_t status;
    fresh();
    memset(seen, 0, sizeof(seen));
    memset(&cursor, 0, sizeof(cursor));
    for (index = 0; index < 40; index++) {
        sprintf(name, "%s/%u", index % 2 ? "odd" : "even", index);
        CHECK_IS(lockstone_put(name, "x", 1, 0), 0);
    }
    while ((status = lockstone_find(&cursor, "odd/", name)) == 0) {
        CHECK(strncmp(name, "odd/", 4) == 0);
        seen[atoi(name + 4)]++;
        CHECK_IS(lockstone_delete(name), 0);
        count++;
    }
    CHECK_IS(status, LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_find(&cursor, "", name), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(count, 20);
    for (index = 1; index < 40; index += 2) {
        CHECK_IS(seen[index], 1);
    }
    for (index = 0; index < 60; index++) {
        unsigned steps = 0;
        cursor.bucket = index % 3 == 0 ? UINT32_MAX - index : index;
        cursor.next = UINT64_C(0x9e3779b97f4a7c15) * index;
        cursor.reserved = index;
        while (lockstone_find(&cursor, "", name) == 0) {
            steps++;
        }
        CHECK(steps <= 20);
    }
}

static void attributes(void) {
    unsigned char buffer[8];
    size_t length;
    lockstone_stats before;
    lockstone_stats after;
    lockstone_memory memory = test_memory();
    fresh();
    CHECK_IS(lockstone_put("fw", "1", 1, LOCKSTONE_PROTECT), 0);
    CHECK_IS(lockstone_get_stats(&before), 0);
    CHECK_IS(lockstone_put("fw", "2", 1, LOCKSTONE_PROTECT), 0);
    CHECK_IS(lockstone_get_stats(&after), 0);
    CHECK_IS(before.counter_left - after.counter_left, 1);
    CHECK_IS(after.keys, 1);
    CHECK_IS(after.segments, 64);
    CHECK_IS(after.bad_segments, 0);
    CHECK(after.used_bytes > 0 && after.capacity_bytes > after.used_bytes);
    CHECK(after.erases_max >= after.erases_min);
    CHECK_IS(lockstone_put("id", "7", 1, LOCKSTONE_WRITE_ONCE), 0);
    CHECK_IS(lockstone_put("id", "8", 1, 0), LOCKSTONE_E_NOT_PERMITTED);
    CHECK_IS(lockstone_put("id", "8", 1, LOCKSTONE_WRITE_ONCE), LOCKSTONE_E_NOT_PERMITTED);
    CHECK_IS(lockstone_delete("id"), LOCKSTONE_E_NOT_PERMITTED);
    CHECK_IS(reopen(), 0);
    CHECK_IS(lockstone_get("id", buffer, 8, &length), 0);
    CHECK_IS(buffer[0], '7');

    /* A store that is bound to a counter is not one that was rolled back because the counter is missing. */
    test_platform.counter_read = NULL;
    test_platform.counter_increment = NULL;
    CHECK_IS(reopen(), LOCKSTONE_E_NO_COUNTER);
    CHECK_IS(lockstone_sim_platform(&test_platform), 0);
    CHECK_IS(reopen(), 0);

    /* Without a counter nothing is protected, and that is said. */
    (void)lockstone_close();
    CHECK_IS(lockstone_sim_reset(FLASH_SIZE), 0);
    CHECK_IS(lockstone_sim_platform(&test_platform), 0);
    test_platform.counter_read = NULL;
    test_platform.counter_increment = NULL;
    CHECK_IS(lockstone_format(&test_platform, &memory), 0);
    CHECK_IS(lockstone_put("fw", "1", 1, LOCKSTONE_PROTECT), LOCKSTONE_E_NO_COUNTER);
    CHECK_IS(lockstone_put("id", "1", 1, LOCKSTONE_WRITE_ONCE), LOCKSTONE_E_NO_COUNTER);
    CHECK_IS(lockstone_put("a", "1", 1, 0), 0);
    CHECK_IS(lockstone_get_stats(&after), 0);
    CHECK_IS(after.counter_left, 0);
    test_platform.flags = LOCKSTONE_FLASH_IS_TRUSTED;
    CHECK_IS(reopen(), 0);
    CHECK_IS(lockstone_put("id", "1", 1, LOCKSTONE_WRITE_ONCE), 0);
    CHECK_IS(lockstone_put("id", "2", 1, 0), LOCKSTONE_E_NOT_PERMITTED);
}

static void clients(void) {
    char name[256];
    unsigned char buffer[8];
    lockstone_cursor cursor;
    static const int32_t numbers[] = {1, -2, INT32_MAX, INT32_MIN + 256};
    static const int32_t refused[] = {-1, INT32_MIN, INT32_MIN + 1, INT32_MIN + 2, INT32_MIN + 3, INT32_MIN + 255};
    size_t index;
    fresh();
    CHECK_IS(lockstone_put("mine", "0", 1, 0), 0);
    for (index = 0; index < sizeof(numbers) / sizeof(numbers[0]); index++) {
        lockstone_sim_set_client(numbers[index]);
        memset(&cursor, 0, sizeof(cursor));
        CHECK_IS(lockstone_get("mine", buffer, 8, NULL), LOCKSTONE_E_NOT_FOUND);
        CHECK_IS(lockstone_find(&cursor, "", name), LOCKSTONE_E_NOT_FOUND);
        CHECK_IS(lockstone_delete("mine"), LOCKSTONE_E_NOT_FOUND);
        CHECK_IS(lockstone_put("mine", "1", 1, 0), 0);
    }
    for (index = 0; index < sizeof(refused) / sizeof(refused[0]); index++) {
        lockstone_sim_set_client(refused[index]);
        memset(&cursor, 0, sizeof(cursor));
        CHECK(lockstone_put("mine", "1", 1, 0) < 0);
        CHECK(lockstone_get("mine", buffer, 8, NULL) < 0);
        CHECK(lockstone_find(&cursor, "", name) < 0);
    }
    lockstone_sim_set_client(0);
    CHECK_IS(lockstone_get("mine", buffer, 8, NULL), 0);
    CHECK_IS(buffer[0], '0');
}

/* What is on the flash instead of a store is said, and nothing is changed. */
static void foreign(void) {
    static unsigned char before[FLASH_SIZE];
    static unsigned char after[FLASH_SIZE];
    lockstone_memory memory = test_memory();
    size_t at;
    fresh();
    CHECK_IS(lockstone_put("fw", "1", 1, LOCKSTONE_PROTECT), 0);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_save(), 0);
    CHECK_IS(lockstone_open(&test_platform, &memory), 0);
    CHECK_IS(lockstone_put("fw", "2", 1, LOCKSTONE_PROTECT), 0);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_restore(0), 0);
    CHECK_IS(lockstone_sim_image(before, sizeof(before)), 0);
    CHECK_IS(lockstone_open(&test_platform, &memory), LOCKSTONE_E_ROLLED_BACK);
    CHECK_IS(lockstone_sim_image(after, sizeof(after)), 0);
    CHECK(memcmp(before, after, sizeof(before)) == 0);
    for (at = 0; at < FLASH_SIZE; at += 4096) {
        CHECK_IS(lockstone_sim_flip((uint32_t)at + 5, 0x55), 0);
    }
    CHECK(lockstone_open(&test_platform, &memory) < 0);
    CHECK_IS(lockstone_sim_power(0), 0);
    CHECK(lockstone_open(&test_platform, &memory) < 0);
    CHECK_IS(lockstone_sim_power(1), 0);
    CHECK_IS(lockstone_sim_reset(FLASH_SIZE), 0);
    CHECK_IS(lockstone_open(&test_platform, &memory), LOCKSTONE_E_BLANK);
    CHECK_IS(lockstone_sim_flip(4096 + 3, 0xff), 0);
    CHECK(lockstone_open(&test_platform, &memory) < 0);
}

static int32_t entered = 1;

static int32_t entering_client(void *context) {
    (void)context;
    entered = lockstone_put("a", "1", 1, 0);
    return 0;
}

/* Hooks that misbehave. */
static int32_t failing_hook_status;

static int32_t failing_key(void *context, const uint8_t *label, size_t length, uint8_t *key) {
    (void)context;
    (void)label;
    (void)length;
    (void)key;
    return failing_hook_status;
}

static int32_t failing_random(void *context, uint8_t *to, size_t length) {
    (void)context;
    (void)to;
    (void)length;
    return -1;
}

static int32_t failing_counter(void *context, uint64_t *value) {
    (void)context;
    *value = 5;
    return 1;
}

static int32_t huge_counter(void *context, uint64_t *value) {
    (void)context;
    *value = UINT64_MAX;
    return 0;
}

static void hooks(void) {
    lockstone_memory memory = test_memory();
    lockstone_platform platform;
    fresh();
    CHECK_IS(lockstone_close(), 0);
    platform = test_platform;
    platform.client = entering_client;
    CHECK_IS(lockstone_open(&platform, &memory), 0);
    CHECK_IS(lockstone_put("b", "1", 1, 0), 0);
    CHECK_IS(entered, LOCKSTONE_E_BUSY);
    CHECK_IS(lockstone_close(), 0);

    platform = test_platform;
    platform.derive_key = failing_key;
    failing_hook_status = -1;
    CHECK_IS(lockstone_open(&platform, &memory), LOCKSTONE_E_ROOT_KEY);
    failing_hook_status = 1;
    CHECK_IS(lockstone_open(&platform, &memory), LOCKSTONE_E_ROOT_KEY);
    failing_hook_status = 0; /* it says that it derived a key, and did nothing: no key */
    CHECK_IS(lockstone_open(&platform, &memory), LOCKSTONE_E_ROOT_KEY);

    platform = test_platform;
    platform.counter_read = failing_counter;
    CHECK_IS(lockstone_open(&platform, &memory), LOCKSTONE_E_COUNTER);
    platform.counter_read = huge_counter;
    CHECK_IS(lockstone_open(&platform, &memory), LOCKSTONE_E_COUNTER);
    CHECK_IS(lockstone_format(&platform, &memory), LOCKSTONE_E_COUNTER);
    platform = test_platform;
    platform.counter_increment = huge_counter;
    CHECK_IS(lockstone_open(&platform, &memory), 0);
    CHECK_IS(lockstone_put("c", "1", 1, LOCKSTONE_PROTECT), LOCKSTONE_E_COUNTER);
    CHECK_IS(lockstone_get("b", NULL, 0, NULL), LOCKSTONE_E_BUFFER_TOO_SMALL);
    (void)lockstone_close();
    platform.random = failing_random;
    CHECK_IS(lockstone_format(&platform, &memory), LOCKSTONE_E_RANDOM);
    platform.random = NULL;
    CHECK_IS(lockstone_format(&platform, &memory), LOCKSTONE_E_RANDOM);
    CHECK_IS(lockstone_open(&test_platform, &memory), 0);
    CHECK_IS(lockstone_get("b", NULL, 0, NULL), LOCKSTONE_E_BUFFER_TOO_SMALL);
}

static void full(void) {
    char name[16];
    static unsigned char value[200];
    unsigned count = 0;
    unsigned again = 0;
    unsigned round;
    fresh_of(16u * 4096u);
    for (round = 0; round < 2; round++) {
        unsigned *stored = round == 0 ? &count : &again;
        unsigned index;
        int32_t status;
        for (;; ++*stored) {
            sprintf(name, "k%u", *stored);
            status = lockstone_put(name, value, sizeof(value), 0);
            if (status != 0) {
                break;
            }
        }
        CHECK_IS(status, LOCKSTONE_E_FULL);
        for (index = 0; index < *stored; index++) {
            sprintf(name, "k%u", index);
            CHECK_IS(lockstone_delete(name), 0);
        }
    }
    CHECK(count > 100);
    CHECK_IS(again, count);
}

/* Nothing is made where nothing is, if that is what is asked for. */
static void existing(void) {
    (void)lockstone_close();
    CHECK_IS(lockstone_open_existing_device("not-there"), LOCKSTONE_E_DEVICE);
    CHECK_IS(lockstone_open_existing_device("not-there"), LOCKSTONE_E_DEVICE);
    CHECK_IS(lockstone_open_device("is-there"), 0);
    CHECK_IS(lockstone_put("a", "b", 1, 0), 0);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_open_existing_device("is-there"), 0);
    CHECK_IS(lockstone_get("a", NULL, 0, NULL), LOCKSTONE_E_BUFFER_TOO_SMALL);
    CHECK_IS(lockstone_close(), 0);
}

static int32_t no_key(void *context, const uint8_t *label, size_t length, uint8_t *key) {
    (void)context, (void)label, (void)length, (void)key;
    return 0;
}

static int32_t no_dice(void *context, uint8_t *to, size_t length) {
    (void)context, (void)to, (void)length;
    return 0;
}

/* Hooks that say they did what they did not; and the number of a client that has no keys. */
static void lazy_hooks(void) {
    lockstone_memory memory = test_memory();
    lockstone_platform lazy;
    fresh();
    lazy = test_platform;
    lockstone_sim_set_client(-1);
    CHECK_IS(lockstone_put("a", "b", 1, 0), LOCKSTONE_E_NOT_PERMITTED);
    CHECK_IS(lockstone_delete("a"), LOCKSTONE_E_NOT_PERMITTED);
    lockstone_sim_set_client(0);
    CHECK_IS(lockstone_close(), 0);
    lazy.derive_key = no_key;
    CHECK_IS(lockstone_format(&lazy, &memory), LOCKSTONE_E_ROOT_KEY);
    lazy = test_platform;
    lazy.random = no_dice;
    CHECK_IS(lockstone_format(&lazy, &memory), LOCKSTONE_E_RANDOM);
}

int main(void) {
    values();
    wiped();
    nonsense();
    search();
    attributes();
    clients();
    foreign();
    hooks();
    full();
    existing();
    lazy_hooks();
    (void)lockstone_close();
    return summary("native");
}
