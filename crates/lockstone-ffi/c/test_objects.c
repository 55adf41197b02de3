/* Volumes, objects and slots: each function and each error, clients, damage, and power cuts at every operation. */
#include "check.h"
#include "lockstone_objects.h"
#include "lockstone_storage.h"

#define BLOCK 4096u
#define KEYS (32u * BLOCK)
#define OBJECTS (72u * BLOCK)
#define SLOT (14u * BLOCK)
#define SPARE (4u * BLOCK)
#define CHIP (KEYS + OBJECTS + 2u * SLOT + SPARE)
#define LONG 40000u
#define CODE (SLOT - BLOCK)

static const lockstone_volume table[] = {
    {LOCKSTONE_VOLUME_KEYS, 0, 0, 0, SPARE, KEYS},
    {LOCKSTONE_VOLUME_OBJECTS, 0, 0, 0, SPARE + KEYS, OBJECTS},
    {LOCKSTONE_VOLUME_SLOT, 0, 0, 0, SPARE + KEYS + OBJECTS, SLOT},
    {LOCKSTONE_VOLUME_SLOT, 1, 0, 0, SPARE + KEYS + OBJECTS + SLOT, SLOT},
    {LOCKSTONE_VOLUME_SPARE, 0, 0, 0, 0, SPARE},
};

static const uint8_t abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};

static unsigned char ram[LOCKSTONE_OBJECTS_SIZE(OBJECTS)];
static unsigned char content[2][LONG];
static unsigned char found[LONG];
static unsigned char image[CHIP];

static void fill_content(void) {
    uint32_t word = 1, index;
    for (index = 0; index < LONG; index++) {
        word = word * 1664525u + 1013904223u;
        content[0][index] = (unsigned char)(word >> 24);
        content[1][index] = (unsigned char)(word >> 16);
    }
}

/* A fresh store and fresh objects, on this table. */
static void fresh_objects(void) {
    (void)lockstone_close();
    CHECK_IS(lockstone_use_volumes(table, 5), 0);
    fresh_of(CHIP);
    CHECK_IS(lockstone_objects_format(ram, sizeof(ram)), 0);
}

/* As after a start. */
static int32_t again(void) {
    int32_t status = reopen();
    return status != 0 ? status : lockstone_objects_open(ram, sizeof(ram));
}

static int32_t whole(const char *name, const unsigned char *bytes, uint32_t length, lockstone_object_info *info) {
    int32_t status = lockstone_object_begin(name, length);
    if (status == 0) {
        status = lockstone_object_write(name, 0, bytes, length);
    }
    return status != 0 ? status : lockstone_object_finish(name, NULL, 0, info);
}

static void volumes_are_checked(void) {
    lockstone_volume rows[17];
    lockstone_volume row;
    lockstone_memory memory = test_memory();
    size_t index;
    (void)lockstone_close();
    memset(rows, 0, sizeof(rows));
    CHECK_IS(lockstone_use_volumes(rows, 17), LOCKSTONE_E_LAYOUT);
    CHECK_IS(lockstone_use_volumes(rows, SIZE_MAX), LOCKSTONE_E_LAYOUT);
    CHECK_IS(lockstone_use_volumes(NULL, 1), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_use_volumes(NULL, 0), 0);
    for (index = 0; index < 7; index++) {
        memcpy(rows, table, sizeof(table));
        if (index == 0) rows[1].kind = 4;
        if (index == 1) rows[1].part = 1;
        if (index == 2) rows[1].reserved = 1;
        if (index == 3) rows[0].kind = LOCKSTONE_VOLUME_SPARE, rows[0].number = 1;
        if (index == 4) rows[1].start -= 1;
        if (index == 5) rows[3].number = 0;
        if (index == 6) rows[1].length = UINT32_MAX;
        CHECK_IS(lockstone_use_volumes(rows, 5), index < 3 ? LOCKSTONE_E_ARGUMENT : LOCKSTONE_E_LAYOUT);
    }
    /* What does not fit the flash is seen when it is opened, before anything is written. */
    CHECK_IS(lockstone_sim_reset(CHIP), 0);
    CHECK_IS(lockstone_sim_platform(&test_platform), 0);
    for (index = 0; index < 2; index++) {
        memcpy(rows, table, sizeof(table));
        if (index == 0) rows[4].start += 4, rows[4].length -= 4;
        if (index == 1) rows[3].length += BLOCK;
        CHECK_IS(lockstone_use_volumes(rows, 5), 0);
        CHECK_IS(lockstone_format(&test_platform, &memory), LOCKSTONE_E_LAYOUT);
    }
    CHECK_IS(lockstone_sim_operations(), 0);
    CHECK_IS(lockstone_use_volumes(table, 5), 0);
    CHECK_IS(lockstone_format(&test_platform, &memory), 0);
    CHECK_IS(lockstone_use_volumes(table, 5), LOCKSTONE_E_BUSY);
    for (index = 0; index < 5; index++) {
        CHECK_IS(lockstone_get_volume(index, &row), 0);
        CHECK(memcmp(&row, &table[index], sizeof(row)) == 0);
        CHECK_IS(lockstone_find_volume(table[index].kind, table[index].number, &row), 0);
        CHECK(memcmp(&row, &table[index], sizeof(row)) == 0);
    }
    CHECK_IS(lockstone_get_volume(5, &row), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_get_volume(SIZE_MAX, &row), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_get_volume(0, NULL), 0);
    CHECK_IS(lockstone_find_volume(LOCKSTONE_VOLUME_SLOT, 2, &row), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_find_volume(9, 0, &row), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_find_volume(LOCKSTONE_VOLUME_KEYS, 0, NULL), 0);
}

static void objects_are_opened_once_in_enough_memory(void) {
    size_t size;
    (void)lockstone_close();
    CHECK_IS(lockstone_use_volumes(NULL, 0), 0);
    fresh();
    CHECK_IS(lockstone_objects_open(ram, sizeof(ram)), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_slot_get(0, NULL), LOCKSTONE_E_NOT_FOUND);
    (void)lockstone_close();
    CHECK_IS(lockstone_use_volumes(table, 5), 0);
    fresh_of(CHIP);
    CHECK_IS(lockstone_object_begin("a", 3), LOCKSTONE_E_NOT_OPEN);
    CHECK_IS(lockstone_object_write("a", 0, "abc", 3), LOCKSTONE_E_NOT_OPEN);
    CHECK_IS(lockstone_object_finish("a", NULL, 0, NULL), LOCKSTONE_E_NOT_OPEN);
    CHECK_IS(lockstone_object_abort("a"), LOCKSTONE_E_NOT_OPEN);
    CHECK_IS(lockstone_object_get("a", NULL), LOCKSTONE_E_NOT_OPEN);
    CHECK_IS(lockstone_objects_reclaim(NULL), LOCKSTONE_E_NOT_OPEN);
    CHECK_IS(lockstone_slot_install(0, NULL), LOCKSTONE_E_NOT_OPEN);
    CHECK_IS(lockstone_objects_close(), LOCKSTONE_E_NOT_OPEN);
    CHECK_IS(lockstone_objects_open(NULL, sizeof(ram)), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_objects_open(ram, SIZE_MAX), LOCKSTONE_E_ARGUMENT);
    for (size = 0; size < 1500; size += 100) {
        CHECK_IS(lockstone_objects_open(ram, size), LOCKSTONE_E_LAYOUT);
    }
    memset(ram, 0x77, sizeof(ram));
    CHECK_IS(lockstone_objects_open(ram, sizeof(ram)), 0);
    CHECK_IS(lockstone_objects_open(ram, sizeof(ram)), LOCKSTONE_E_BUSY);
    CHECK_IS(lockstone_objects_format(ram, sizeof(ram)), LOCKSTONE_E_BUSY);
    CHECK_IS(lockstone_object_begin("a", 3), 0);
    CHECK_IS(lockstone_object_write("a", 0, "abc", 3), 0);
    CHECK_IS(lockstone_objects_close(), 0);
    for (size = 0; size < sizeof(ram) && ram[size] == 0; size++) {
    }
    CHECK_IS(size, sizeof(ram)); /* wiped */
    /* With little memory, short objects. */
    CHECK_IS(lockstone_objects_open(ram, LOCKSTONE_OBJECTS_SIZE(0) - 900), 0);
    CHECK_IS(lockstone_object_begin("b", LONG), 0);
    CHECK_IS(lockstone_objects_close(), 0);
    CHECK_IS(lockstone_objects_open(ram, 1536 + 600), 0);
    CHECK_IS(lockstone_object_begin("c", 1u << 20), LOCKSTONE_E_TOO_LARGE);
    /* Another store's volume: the same table, another store id. */
    CHECK_IS(lockstone_object_abort("b"), 0);
    CHECK_IS(whole("a", content[0], LONG, NULL), 0);
    (void)lockstone_close();
    {
        lockstone_memory memory = test_memory();
        CHECK_IS(lockstone_format(&test_platform, &memory), 0);
    }
    CHECK_IS(lockstone_objects_open(ram, sizeof(ram)), LOCKSTONE_E_NOT_AUTHENTIC);
    CHECK_IS(lockstone_objects_format(ram, sizeof(ram)), 0);
}

/* The store keeps a table; the program says that the keys are elsewhere, where that table has the objects. */
static void a_table_that_has_the_keys_elsewhere_is_refused(void) {
    static const lockstone_volume kept[] = {{LOCKSTONE_VOLUME_KEYS, 0, 0, 0, 0, 16 * BLOCK},
                                            {LOCKSTONE_VOLUME_OBJECTS, 0, 0, 0, 16 * BLOCK, 8 * BLOCK},
                                            {LOCKSTONE_VOLUME_SLOT, 0, 0, 0, 24 * BLOCK, SLOT}};
    static const lockstone_volume moved[] = {{LOCKSTONE_VOLUME_KEYS, 0, 0, 0, 8 * BLOCK, 16 * BLOCK},
                                             {LOCKSTONE_VOLUME_OBJECTS, 0, 0, 0, 24 * BLOCK, 8 * BLOCK}};
    lockstone_volume row;
    char name[16];
    uint32_t index, count;
    (void)lockstone_close();
    CHECK_IS(lockstone_use_volumes(kept, 3), 0);
    fresh_of(40 * BLOCK);
    CHECK_IS(lockstone_sim_keep_volumes(), 0);
    for (count = 0; count < 45; count++) {
        sprintf(name, "k%u", (unsigned)count);
        if (lockstone_put(name, content[0], 900, 0) != 0) break;
    }
    CHECK(count > 20);
    CHECK_IS(reopen(), 0);
    CHECK_IS(lockstone_find_volume(LOCKSTONE_VOLUME_OBJECTS, 0, &row), 0);
    CHECK_IS(row.start, 16 * BLOCK);
    CHECK_IS(lockstone_close(), 0);
    /* The program's table without a slot: the store's own goes before it. */
    CHECK_IS(lockstone_use_volumes(kept, 2), 0);
    CHECK_IS(reopen(), 0);
    CHECK_IS(lockstone_find_volume(LOCKSTONE_VOLUME_SLOT, 0, &row), 0);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_image(image, 40 * BLOCK), 0);
    CHECK_IS(test_platform.erase(test_platform.context, 0, 40 * BLOCK), 0);
    for (index = 0; index < 16 * BLOCK; index += 4) {
        if (memcmp(image + index, "\xff\xff\xff\xff", 4) != 0) {
            (void)test_platform.program(test_platform.context, 8 * BLOCK + index, image + index, 4);
        }
    }
    CHECK_IS(lockstone_use_volumes(moved, 2), 0);
    CHECK_IS(reopen(), 0);
    CHECK_IS(lockstone_objects_format(ram, sizeof(ram)), LOCKSTONE_E_LAYOUT);
    CHECK_IS(lockstone_objects_open(ram, sizeof(ram)), LOCKSTONE_E_LAYOUT);
    CHECK_IS(lockstone_find_volume(LOCKSTONE_VOLUME_OBJECTS, 0, &row), LOCKSTONE_E_LAYOUT);
    CHECK_IS(lockstone_get_volume(1, &row), LOCKSTONE_E_LAYOUT);
    for (index = 0; index < count; index++) {
        sprintf(name, "k%u", (unsigned)index);
        CHECK_IS(lockstone_get(name, found, sizeof(found), NULL), 0);
    }
    CHECK_IS(lockstone_close(), 0);
}

/* Where the first byte that is missing of "a" is; 40000: none is. */
static uint32_t missing_of_a(void) {
    uint32_t start = 0, length = 0;
    CHECK_IS(lockstone_object_missing("a", 0, &start, &length), 0);
    return length == 0 ? 40000 : start;
}

/* A call that fails takes nothing from the object that is being written: not even what fills no chunk yet. */
static void failing_calls_leave_the_object_that_is_being_written(void) {
    uint32_t start, length;
    fresh_objects();
    CHECK_IS(lockstone_object_begin("a", 300), 0);
    CHECK_IS(lockstone_object_write("a", 0, content[0], 200), 0);
    CHECK_IS(lockstone_object_begin("b", 0x7fffffff), LOCKSTONE_E_TOO_LARGE);
    CHECK_IS(lockstone_object_begin("a", 0x7fffffff), LOCKSTONE_E_TOO_LARGE);
    CHECK_IS(lockstone_object_begin("", 5), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_object_missing("zzz", 0, &start, &length), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_object_write("zzz", 0, content[0], 1), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_object_finish("zzz", NULL, 0, NULL), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_object_abort("zzz"), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_object_write("", 0, content[0], 1), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_object_write("a", 200, content[0] + 200, 50), 0);
    CHECK_IS(lockstone_object_write("a", 250, content[0] + 250, 50), 0);
    CHECK_IS(missing_of_a(), 40000);
    CHECK_IS(lockstone_object_finish("a", NULL, 0, NULL), 0);
    CHECK_IS(lockstone_object_read("a", 0, found, sizeof(found), NULL), 0);
    CHECK(memcmp(found, content[0], 300) == 0);
    /* Another one that is there does take its place. */
    CHECK_IS(lockstone_object_begin("b", 300), 0);
    CHECK_IS(lockstone_object_begin("a", 300), 0);
    CHECK_IS(lockstone_object_write("a", 0, content[0], 200), 0);
    CHECK_IS(lockstone_object_missing("b", 0, &start, &length), 0);
    CHECK_IS(missing_of_a(), 0);
    CHECK_IS(lockstone_object_abort("b"), 0);
    CHECK_IS(lockstone_object_write("a", 0, content[0], 200), 0);
    CHECK_IS(lockstone_object_abort("a"), 0);
    CHECK_IS(lockstone_object_write("a", 200, content[0], 100), LOCKSTONE_E_NOT_FOUND);
}

/* The memory of objects has no byte of the store's. */
static void memory_of_the_store_is_refused(void) {
    unsigned char *bytes = (unsigned char *)test_ram;
    (void)lockstone_close();
    CHECK_IS(lockstone_use_volumes(table, 5), 0);
    fresh_of(CHIP);
    CHECK_IS(lockstone_put("k", "value", 5, 0), 0);
    CHECK_IS(lockstone_objects_format(bytes, sizeof(test_ram)), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_objects_open(bytes + sizeof(test_ram) - 1, 4096), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_objects_open(bytes + 64, 4096), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_get("k", found, sizeof(found), NULL), 0);
    CHECK(memcmp(found, "value", 5) == 0);
    CHECK_IS(lockstone_close(), 0);
}

static void an_object_is_written_and_read(void) {
    lockstone_object_info info;
    uint32_t start = 7, missing = 7;
    size_t length = 0;
    char name[256];
    lockstone_cursor cursor = {0, 0, 0};
    fresh_objects();
    CHECK_IS(whole("abc", (const unsigned char *)"abc", 3, &info), 0);
    CHECK(info.length == 3 && info.pending == 0 && memcmp(info.digest, abc, 32) == 0);
    CHECK_IS(lockstone_object_begin("abc", 3), 0);
    CHECK_IS(lockstone_object_write("abc", 0, "abd", 3), 0);
    CHECK_IS(lockstone_object_finish("abc", abc, 0, NULL), LOCKSTONE_E_WRONG_DIGEST);
    CHECK_IS(lockstone_object_abort("abc"), 0);
    CHECK_IS(lockstone_object_abort("abc"), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_object_get("abc", &info), 0);
    CHECK(memcmp(info.digest, abc, 32) == 0);

    /* Out of order, over a start, with gaps named. */
    CHECK_IS(lockstone_object_begin("fw", LONG), 0);
    CHECK_IS(lockstone_object_missing("fw", 0, &start, &missing), 0);
    CHECK(start == 0 && missing == LONG);
    CHECK_IS(lockstone_object_write("fw", 10240, content[0] + 10240, LONG - 10240), 0);
    CHECK_IS(lockstone_object_write("fw", 0, content[0], 1000), 0); /* the rest of its second chunk is in RAM */
    CHECK_IS(lockstone_object_missing("fw", 0, &start, &missing), 0);
    CHECK(start == 512 && missing == 10240 - 512);
    CHECK_IS(lockstone_object_finish("fw", NULL, 0, NULL), LOCKSTONE_E_INCOMPLETE);
    CHECK_IS(lockstone_object_get("fw", &info), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(again(), 0);
    CHECK_IS(lockstone_object_missing("fw", 600, &start, &missing), 0);
    CHECK(start == 600 && missing == 10240 - 600);
    CHECK_IS(lockstone_object_missing("fw", 10240, &start, &missing), 0);
    CHECK_IS(missing, 0);
    CHECK_IS(lockstone_object_missing("fw", 0, &start, NULL), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_object_missing("fw", 0, NULL, &missing), 0);
    CHECK_IS(lockstone_object_write("fw", LONG - 1, "xy", 2), LOCKSTONE_E_OUT_OF_RANGE);
    CHECK_IS(lockstone_object_write("fw", UINT32_MAX, "xy", 2), LOCKSTONE_E_OUT_OF_RANGE);
    CHECK_IS(lockstone_object_write("fw", 0, NULL, 2), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_object_write("fw", 0, NULL, 0), 0);
    CHECK(lockstone_object_write("fw", 0, content[0], SIZE_MAX) != 0);
    CHECK_IS(lockstone_object_write("fw", 512, content[0] + 512, 10240 - 512), 0);
    CHECK_IS(lockstone_object_finish("fw", abc, 0, NULL), LOCKSTONE_E_WRONG_DIGEST);
    CHECK_IS(lockstone_object_finish("fw", NULL, 4, NULL), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_object_finish("fw", NULL, LOCKSTONE_PROTECT, &info), 0);
    CHECK_IS(info.length, LONG);
    CHECK_IS(lockstone_object_finish("fw", NULL, 0, NULL), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(again(), 0);
    CHECK_IS(lockstone_object_read("fw", 0, found, sizeof(found), &length), 0);
    CHECK(length == LONG && memcmp(found, content[0], LONG) == 0);
    CHECK_IS(lockstone_object_read("fw", 12345, found, 100, &length), 0);
    CHECK(length == 100 && memcmp(found, content[0] + 12345, 100) == 0);
    CHECK_IS(lockstone_object_read("fw", LONG - 5, found, 100, &length), 0);
    CHECK_IS(length, 5);
    CHECK_IS(lockstone_object_read("fw", LONG, found, 100, &length), 0);
    CHECK_IS(length, 0);
    CHECK_IS(lockstone_object_read("fw", LONG + 1, found, 100, &length), LOCKSTONE_E_OUT_OF_RANGE);
    CHECK_IS(lockstone_object_read("fw", 0, NULL, 100, &length), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_object_read("fw", 0, NULL, 0, NULL), 0);
    CHECK_IS(lockstone_object_read("none", 0, found, 100, &length), LOCKSTONE_E_NOT_FOUND);

    /* Beside plain values. */
    CHECK_IS(lockstone_put("plain", "1", 1, 0), 0);
    CHECK_IS(lockstone_object_get("plain", &info), LOCKSTONE_E_NOT_AN_OBJECT);
    CHECK_IS(lockstone_object_read("plain", 0, found, 1, &length), LOCKSTONE_E_NOT_AN_OBJECT);
    CHECK_IS(lockstone_get("fw", found, sizeof(found), &length), LOCKSTONE_E_NOT_PERMITTED);
    CHECK_IS(lockstone_find(&cursor, "fw", name), 0);
    CHECK(strcmp(name, "fw") == 0);
    CHECK_IS(lockstone_put("fw", "1", 1, 0), 0);
    CHECK_IS(lockstone_object_get("fw", &info), LOCKSTONE_E_NOT_AN_OBJECT);
    CHECK_IS(lockstone_delete("fw"), 0);
    CHECK_IS(lockstone_object_get("fw", &info), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_objects_reclaim(&missing), 0);
    CHECK(missing >= LONG / BLOCK);
    CHECK_IS(lockstone_objects_reclaim(&missing), 0);
    CHECK_IS(missing, 0);

    /* Names and lengths that make no sense. */
    CHECK_IS(lockstone_object_begin(NULL, 3), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_object_begin("", 3), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_object_begin("big", 1u << 30), LOCKSTONE_E_TOO_LARGE);
    CHECK_IS(lockstone_object_begin("big", OBJECTS), LOCKSTONE_E_TOO_LARGE);
    CHECK_IS(lockstone_object_write("never begun", 0, "x", 1), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_object_missing("never begun", 0, &start, &missing), LOCKSTONE_E_NOT_FOUND);

    /* A length that is found out, and none at all. */
    CHECK_IS(lockstone_object_begin("open", LOCKSTONE_OBJECT_OPEN), 0);
    CHECK_IS(lockstone_object_write("open", 0, content[1], 5000), 0);
    CHECK_IS(lockstone_object_finish("open", NULL, 0, &info), 0);
    CHECK_IS(info.length, 5000);
    CHECK_IS(whole("empty", NULL, 0, &info), 0);
    CHECK_IS(info.length, 0);

    /* Write-once. */
    CHECK_IS(lockstone_object_begin("once", 3), 0);
    CHECK_IS(lockstone_object_write("once", 0, "abc", 3), 0);
    CHECK_IS(lockstone_object_finish("once", abc, LOCKSTONE_WRITE_ONCE, NULL), 0);
    CHECK_IS(whole("once", content[0], 3, NULL), LOCKSTONE_E_NOT_PERMITTED);
    CHECK_IS(lockstone_delete("once"), LOCKSTONE_E_NOT_PERMITTED);
}

static void objects_take_turns_and_clients_are_apart(void) {
    size_t length = 0;
    uint32_t at;
    fresh_objects();
    CHECK_IS(lockstone_object_begin("a", 8192), 0);
    CHECK_IS(lockstone_object_begin("b", 8192), 0);
    for (at = 0; at < 8192; at += 1024) {
        CHECK_IS(lockstone_object_write("a", at, content[0] + at, 1024), 0);
        CHECK_IS(lockstone_object_write("b", at, content[1] + at, 1024), 0);
    }
    lockstone_sim_set_client(7);
    CHECK_IS(lockstone_object_write("a", 0, content[1], 1024), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_object_finish("b", NULL, 0, NULL), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_object_abort("a"), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_object_begin("b", 4), 0);
    CHECK_IS(lockstone_object_write("b", 0, "mine", 4), 0);
    lockstone_sim_set_client(0);
    CHECK_IS(lockstone_object_finish("a", NULL, 0, NULL), 0);
    CHECK_IS(lockstone_object_finish("b", NULL, 0, NULL), 0);
    CHECK_IS(lockstone_object_read("a", 0, found, sizeof(found), &length), 0);
    CHECK(length == 8192 && memcmp(found, content[0], 8192) == 0);
    CHECK_IS(lockstone_object_read("b", 0, found, sizeof(found), &length), 0);
    CHECK(length == 8192 && memcmp(found, content[1], 8192) == 0);
    lockstone_sim_set_client(7);
    CHECK_IS(lockstone_object_get("a", NULL), LOCKSTONE_E_NOT_FOUND);
    /* The part of a chunk that was in RAM is lost when another object's turn came. */
    CHECK_IS(lockstone_object_finish("b", NULL, 0, NULL), 0);
    CHECK_IS(lockstone_object_read("b", 0, found, sizeof(found), &length), 0);
    CHECK(length == 4 && memcmp(found, "mine", 4) == 0);
    lockstone_sim_set_client(INT32_MIN);
    CHECK_IS(lockstone_object_begin("b", 4), LOCKSTONE_E_NOT_PERMITTED);
    CHECK_IS(lockstone_slot_forget(0, 0), LOCKSTONE_E_NOT_PERMITTED);
    lockstone_sim_set_client(0);
}

static void a_full_volume_says_so_and_deleting_helps(void) {
    char name[16];
    int index, status = 0;
    fresh_objects();
    for (index = 0; status == 0; index++) {
        CHECK(index < 20);
        sprintf(name, "o%d", index);
        status = whole(name, content[0], LONG, NULL);
    }
    CHECK_IS(status, LOCKSTONE_E_FULL);
    CHECK(index > 4);
    CHECK_IS(lockstone_delete("o0"), 0);
    CHECK_IS(whole("again", content[1], LONG, NULL), 0);
}

static void damage_is_seen_and_other_volumes_are_not_touched(void) {
    uint32_t index, objects = SPARE + KEYS;
    size_t length = 99;
    lockstone_object_info info;
    fresh_objects();
    CHECK_IS(whole("fw", content[0], LONG, &info), 0);
    CHECK_IS(lockstone_slot_request(1, "fw", 0), 0);
    CHECK_IS(lockstone_slot_install(1, NULL), 0);
    CHECK_IS(lockstone_sim_image(image, sizeof(image)), 0);
    for (index = 0; index < SPARE && image[index] == 0xff; index++) {
    }
    CHECK_IS(index, SPARE);
    for (index = table[2].start; index < table[3].start && image[index] == 0xff; index++) {
    }
    CHECK_IS(index, table[3].start);
    CHECK(memcmp(image + table[3].start, content[0], LONG) == 0);
    /* Sealed where it lies as an object. */
    for (index = objects; index < objects + OBJECTS && memcmp(image + index, content[0] + 1000, 8) != 0; index++) {
    }
    CHECK_IS(index, objects + OBJECTS);
    CHECK_IS(lockstone_slot_confirm(1, 0), 0);
    CHECK_IS(lockstone_sim_flip(table[3].start + 5, 1), 0);
    CHECK_IS(lockstone_slot_install(1, NULL), LOCKSTONE_E_WRONG_DIGEST);
    for (index = objects + 200; index < objects + OBJECTS; index += 500) {
        CHECK_IS(lockstone_sim_flip(index, 1), 0);
    }
    memset(found, 0x11, sizeof(found));
    CHECK_IS(lockstone_object_read("fw", 0, found, sizeof(found), &length), LOCKSTONE_E_DAMAGED);
    CHECK_IS(length, 99);
}

static void slots_are_requested_installed_confirmed(void) {
    lockstone_object_info info, state;
    uint8_t first[32];
    fresh_objects();
    CHECK_IS(lockstone_slot_get(0, &state), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_slot_get(2, &state), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_slot_install(0, &state), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_slot_confirm(0, 0), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_slot_forget(0, 0), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_slot_request(0, "fw", 0), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_slot_request(0, NULL, 0), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_slot_adopt(0, CODE + 1, 0, &state), LOCKSTONE_E_TOO_LARGE);
    CHECK_IS(lockstone_slot_adopt(0, 100, LOCKSTONE_WRITE_ONCE, &state), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_slot_adopt(0, 100, 0, &state), 0);
    CHECK(state.length == 100 && state.pending == 0);
    CHECK_IS(whole("fw", content[0], LONG, &info), 0);
    memcpy(first, info.digest, 32);
    CHECK_IS(lockstone_slot_request(0, "fw", 16), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_slot_request(0, "fw", LOCKSTONE_PROTECT), 0);
    CHECK_IS(lockstone_slot_request(1, "fw", 0), LOCKSTONE_E_BUSY);
    CHECK_IS(lockstone_slot_get(0, &state), 0);
    CHECK(state.pending == 1 && state.length == LONG && memcmp(state.digest, first, 32) == 0);
    CHECK_IS(lockstone_slot_confirm(0, 0), LOCKSTONE_E_WRONG_DIGEST);
    CHECK_IS(lockstone_delete("fw"), 0); /* it is kept for the slot */
    CHECK_IS(again(), 0);
    CHECK_IS(lockstone_slot_install(0, &state), 0);
    CHECK(state.pending == 1 && memcmp(state.digest, first, 32) == 0);
    CHECK_IS(lockstone_slot_confirm(0, LOCKSTONE_PROTECT), 0);
    CHECK_IS(lockstone_slot_install(0, &state), 0);
    CHECK(state.pending == 0 && memcmp(state.digest, first, 32) == 0);
    CHECK_IS(lockstone_slot_forget(0, 0), 0);
    CHECK_IS(lockstone_slot_install(0, NULL), LOCKSTONE_E_NOT_FOUND);
    CHECK_IS(lockstone_put("plain", "1", 1, 0), 0);
    CHECK_IS(lockstone_slot_request(0, "plain", 0), LOCKSTONE_E_NOT_AN_OBJECT);
    CHECK_IS(lockstone_object_begin("huge", CODE + 1), 0);
    {
        uint32_t at;
        for (at = 0; at < CODE + 1; at += 1024) {
            uint32_t left = CODE + 1 - at;
            CHECK_IS(lockstone_object_write("huge", at, content[1], left < 1024 ? left : 1024), 0);
        }
    }
    CHECK_IS(lockstone_object_finish("huge", NULL, 0, NULL), 0);
    CHECK_IS(lockstone_slot_request(0, "huge", 0), LOCKSTONE_E_TOO_LARGE);
}

/* The same volumes on a driver of CMSIS-Driver Storage, with no hooks for the flash. */
static void volumes_lie_on_a_driver_too(void) {
    lockstone_memory memory = test_memory();
    size_t length = 0;
    (void)lockstone_close();
    CHECK_IS(lockstone_sim_reset(CHIP), 0);
    CHECK_IS(lockstone_sim_platform(&test_platform), 0);
    CHECK_IS(lockstone_sim_storage_configure(LOCKSTONE_SIM_STORAGE_ASYNCHRONOUS | LOCKSTONE_SIM_STORAGE_SHORT, 1u << 20), 0);
    CHECK_IS(lockstone_use_volumes(table, 5), 0);
    CHECK_IS(lockstone_storage_format(&lockstone_sim_storage, 1u << 20, CHIP, &test_platform, &memory), 0);
    CHECK_IS(lockstone_objects_format(ram, sizeof(ram)), 0);
    CHECK_IS(whole("fw", content[0], LONG, NULL), 0);
    CHECK_IS(lockstone_slot_request(1, "fw", 0), 0);
    CHECK_IS(lockstone_slot_install(1, NULL), 0);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_storage_open(&lockstone_sim_storage, 1u << 20, CHIP, &test_platform, &memory), 0);
    CHECK_IS(lockstone_objects_open(ram, sizeof(ram)), 0);
    CHECK_IS(lockstone_object_read("fw", 0, found, sizeof(found), &length), 0);
    CHECK(length == LONG && memcmp(found, content[0], LONG) == 0);
    CHECK_IS(lockstone_close(), 0);
    /* One chip: the hooks find what the driver wrote. */
    CHECK_IS(again(), 0);
    CHECK_IS(lockstone_object_get("fw", NULL), 0);
    CHECK_IS(lockstone_slot_install(1, NULL), 0);
}

/* An update from its pieces to the slot, going on wherever it was: what a device does at each start. */
static int32_t update(void) {
    static const uint32_t piece = 3000;
    lockstone_object_info info;
    uint32_t start, missing;
    int32_t status = lockstone_object_get("fw", &info);
    if (status != 0) {
        return status;
    }
    if (info.length != LONG) {
        status = lockstone_object_missing("fw", 0, &start, &missing);
        if (status == LOCKSTONE_E_NOT_FOUND) {
            status = lockstone_object_begin("fw", LONG);
        }
        while (status == 0 && (status = lockstone_object_missing("fw", 0, &start, &missing)) == 0 && missing > 0) {
            status = lockstone_object_write("fw", start, content[1] + start, missing < piece ? missing : piece);
            if (status == 0 && missing > piece) { /* the part of a chunk at the end of a piece is asked for again otherwise */
                uint32_t rest = 512 - (start + piece) % 512;
                rest = rest < missing - piece ? rest : missing - piece;
                status = lockstone_object_write("fw", start + piece, content[1] + start + piece, rest);
            }
        }
        if (status == 0) {
            status = lockstone_object_finish("fw", NULL, 0, &info);
        }
    }
    if (status == 0) {
        status = lockstone_slot_get(0, &info);
    }
    if (status == 0 && info.length == LONG && !info.pending) {
        return 0;
    }
    if (status == 0 || status == LOCKSTONE_E_NOT_FOUND) {
        status = lockstone_slot_request(0, "fw", 0);
    }
    if (status == 0) {
        status = lockstone_slot_install(0, NULL);
    }
    return status != 0 ? status : lockstone_slot_confirm(0, 0);
}

/* Old or new, and whole: the object; and what the slot holds is what the store says, or it is refused. */
static int judge(void) {
    lockstone_object_info info;
    size_t length = 0;
    int which;
    if (lockstone_object_get("fw", &info) != 0 || (info.length != LONG && info.length != 9000)) {
        return 0;
    }
    which = info.length == LONG;
    if (lockstone_object_read("fw", 0, found, sizeof(found), &length) != 0 || memcmp(found, content[which], info.length) != 0) {
        return 0;
    }
    return lockstone_slot_get(0, &info) == 0;
}

static void power_cuts_leave_old_or_new_and_the_update_goes_on(void) {
    const char *stride = getenv("LOCKSTONE_STRIDE");
    uint64_t step = stride == NULL ? 7 : 7 * (uint64_t)atoi(stride);
    unsigned long cuts = 0;
    uint32_t tear;
    fresh_objects();
    CHECK_IS(whole("fw", content[0], 9000, NULL), 0);
    CHECK_IS(lockstone_slot_request(0, "fw", 0), 0);
    CHECK_IS(lockstone_slot_install(0, NULL), 0);
    CHECK_IS(lockstone_slot_confirm(0, 0), 0);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_save(), 0);
    for (tear = 0; tear < LOCKSTONE_SIM_TEARS; tear++) {
        uint64_t op;
        int32_t status = -1;
        for (op = tear; status != 0; op += step) {
            lockstone_object_info info;
            (void)lockstone_close();
            CHECK_IS(lockstone_sim_restore(1), 0);
            CHECK_IS(again(), 0);
            CHECK_IS(lockstone_sim_cut(op, tear), 0);
            status = update();
            (void)lockstone_close();
            CHECK_IS(lockstone_sim_power(1), 0);
            if (status == 0) {
                break;
            }
            cuts++;
            CHECK_IS(again(), 0);
            CHECK(judge());
            CHECK_IS(lockstone_sim_cut(op % 11, (uint32_t)((op + tear) % LOCKSTONE_SIM_TEARS)), 0);
            (void)update();
            (void)lockstone_close();
            CHECK_IS(lockstone_sim_power(1), 0);
            CHECK_IS(again(), 0);
            CHECK(judge());
            CHECK_IS(update(), 0);
            CHECK_IS(lockstone_slot_install(0, &info), 0);
            CHECK_IS(info.length, LONG);
            CHECK_IS(lockstone_sim_image(image, sizeof(image)), 0);
            CHECK(memcmp(image + table[2].start, content[1], LONG) == 0);
        }
    }
    fprintf(stderr, "updates: %lu cuts\n", cuts);
    CHECK(cuts >= 10);
}

int main(void) {
    fill_content();
    volumes_are_checked();
    objects_are_opened_once_in_enough_memory();
    a_table_that_has_the_keys_elsewhere_is_refused();
    failing_calls_leave_the_object_that_is_being_written();
    memory_of_the_store_is_refused();
    an_object_is_written_and_read();
    objects_take_turns_and_clients_are_apart();
    a_full_volume_says_so_and_deleting_helps();
    damage_is_seen_and_other_volumes_are_not_touched();
    slots_are_requested_installed_confirmed();
    volumes_lie_on_a_driver_too();
    power_cuts_leave_old_or_new_and_the_update_goes_on();
    (void)lockstone_close();
    return summary("objects");
}
