/* PSA Secure Storage 1.0: every rule, for ITS and PS; each function with each error that it lists. */
#include "check.h"
#include "psa/internal_trusted_storage.h"
#include "psa/protected_storage.h"

#define NONE PSA_STORAGE_FLAG_NONE
#define ONCE PSA_STORAGE_FLAG_WRITE_ONCE
#define CLEAR PSA_STORAGE_FLAG_NO_CONFIDENTIALITY
#define STALE PSA_STORAGE_FLAG_NO_REPLAY_PROTECTION

typedef struct {
    const char *name;
    psa_status_t (*set)(psa_storage_uid_t, size_t, const void *, psa_storage_create_flags_t);
    psa_status_t (*get)(psa_storage_uid_t, size_t, size_t, void *, size_t *);
    psa_status_t (*get_info)(psa_storage_uid_t, struct psa_storage_info_t *);
    psa_status_t (*remove)(psa_storage_uid_t);
    int is_ps;
} face;

static const face its = {"its", psa_its_set, psa_its_get, psa_its_get_info, psa_its_remove, 0};
static const face ps = {"ps", psa_ps_set, psa_ps_get, psa_ps_get_info, psa_ps_remove, 1};

static unsigned char data[21000];
static unsigned char buffer[21000];
static size_t length;
static struct psa_storage_info_t info;

static void check_info(const face *f, psa_storage_uid_t uid, size_t capacity, size_t size, uint32_t flags) {
    memset(&info, 0x55, sizeof(info));
    CHECK_IS(f->get_info(uid, &info), PSA_SUCCESS);
    CHECK_IS(info.capacity, capacity);
    CHECK_IS(info.size, size);
    CHECK_IS(info.flags, flags);
}

/* Rule 1: uid 0 is refused by every function, and all others work. */
static void uids(const face *f) {
    static const uint64_t all[] = {1,          2,          255,        256,        UINT32_MAX,
                                   UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 1, 0x6c6f636b73746f6e};
    size_t index;
    fresh();
    CHECK_IS(f->set(0, 1, data, NONE), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(f->set(0, 1, NULL, 0xffff), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(f->get(0, 0, 1, buffer, &length), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(f->get_info(0, &info), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(f->remove(0), PSA_ERROR_INVALID_ARGUMENT);
    if (f->is_ps) {
        CHECK_IS(psa_ps_create(0, 1, NONE), PSA_ERROR_INVALID_ARGUMENT);
        CHECK_IS(psa_ps_create(0, SIZE_MAX, 0xffff), PSA_ERROR_INVALID_ARGUMENT);
        CHECK_IS(psa_ps_set_extended(0, 0, 0, NULL), PSA_ERROR_INVALID_ARGUMENT);
    }
    for (index = 0; index < sizeof(all) / sizeof(all[0]); index++) {
        CHECK_IS(f->set(all[index], 1, &data[index], NONE), PSA_SUCCESS);
    }
    CHECK_IS(reopen(), 0);
    for (index = 0; index < sizeof(all) / sizeof(all[0]); index++) {
        CHECK_IS(f->get(all[index], 0, 1, buffer, &length), PSA_SUCCESS);
        CHECK_IS(length, 1);
        CHECK_IS(buffer[0], data[index]);
        CHECK_IS(f->remove(all[index]), PSA_SUCCESS);
        CHECK_IS(f->remove(all[index]), PSA_ERROR_DOES_NOT_EXIST);
    }
}

/* Rule 2: each client has its own space, and so has each face, and the application. */
static void namespaces(const face *f) {
    static const int32_t who[] = {0, 1, -1, INT32_MAX, INT32_MIN, INT32_MIN + 1, INT32_MIN + 2};
    const face *other = f->is_ps ? &its : &ps;
    size_t index;
    char name[256];
    lockstone_cursor cursor;
    memset(&cursor, 0, sizeof(cursor));
    fresh();
    for (index = 0; index < sizeof(who) / sizeof(who[0]); index++) {
        lockstone_sim_set_client(who[index]);
        CHECK_IS(f->get_info(5, &info), PSA_ERROR_DOES_NOT_EXIST);
        CHECK_IS(f->remove(5), PSA_ERROR_DOES_NOT_EXIST);
        CHECK_IS(f->set(5, 1 + index, data, NONE), PSA_SUCCESS);
        CHECK_IS(other->get_info(5, &info), PSA_ERROR_DOES_NOT_EXIST);
    }
    for (index = 0; index < sizeof(who) / sizeof(who[0]); index++) {
        lockstone_sim_set_client(who[index]);
        check_info(f, 5, 1 + index, 1 + index, NONE);
    }
    lockstone_sim_set_client(0);
    CHECK_IS(lockstone_find(&cursor, "", name), LOCKSTONE_E_NOT_FOUND);
}

/* Rule 3: set replaces everything, and may be of length 0. */
static void replaces(const face *f) {
    static const size_t lengths[] = {0, 1, 31, 200, 256, 257, 1000, 4096, 8000, 3, 0};
    size_t index;
    fresh();
    for (index = 0; index < sizeof(lengths) / sizeof(lengths[0]); index++) {
        size_t size = lengths[index];
        CHECK_IS(f->set(7, size, size ? data + index : NULL, index % 2 ? STALE : NONE), PSA_SUCCESS);
        check_info(f, 7, size, size, index % 2 ? STALE : NONE);
        memset(buffer, 0xee, sizeof(buffer));
        CHECK_IS(f->get(7, 0, sizeof(buffer), buffer, &length), PSA_SUCCESS);
        CHECK_IS(length, size);
        CHECK(memcmp(buffer, data + index, size) == 0);
        CHECK_IS(buffer[size], 0xee);
    }
    CHECK_IS(f->set(7, 1, NULL, NONE), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(f->set(7, SIZE_MAX, NULL, NONE), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(f->set(7, SIZE_MAX, data, NONE), PSA_ERROR_INSUFFICIENT_STORAGE);
    CHECK_IS(f->set(7, SIZE_MAX / 2, data, NONE), PSA_ERROR_INSUFFICIENT_STORAGE);
    CHECK_IS(f->set(7, FLASH_SIZE + 1, data, NONE), PSA_ERROR_INSUFFICIENT_STORAGE);
    check_info(f, 7, 0, 0, NONE);
}

/* Rule 4: write-once. */
static void write_once(const face *f) {
    static const uint32_t with[] = {ONCE, ONCE | STALE, ONCE | CLEAR, ONCE | CLEAR | STALE};
    size_t index;
    fresh();
    for (index = 0; index < 4; index++) {
        psa_storage_uid_t uid = 10 + index;
        CHECK_IS(f->set(uid, 3, "old", index % 2 ? STALE : NONE), PSA_SUCCESS);
        CHECK_IS(f->set(uid, 4, "keep", with[index]), PSA_SUCCESS);
        check_info(f, uid, 4, 4, with[index]);
        CHECK_IS(f->set(uid, 1, "x", NONE), PSA_ERROR_NOT_PERMITTED);
        CHECK_IS(f->set(uid, 1, "x", with[index]), PSA_ERROR_NOT_PERMITTED);
        CHECK_IS(f->set(uid, 1, "x", 8), PSA_ERROR_NOT_SUPPORTED);
        CHECK_IS(f->remove(uid), PSA_ERROR_NOT_PERMITTED);
        if (f->is_ps) {
            CHECK_IS(psa_ps_set_extended(uid, 0, 1, "x"), PSA_ERROR_NOT_PERMITTED);
            CHECK_IS(psa_ps_set_extended(uid, 5, 1, "x"), PSA_ERROR_INVALID_ARGUMENT);
            CHECK_IS(psa_ps_create(uid, 4, NONE), PSA_ERROR_ALREADY_EXISTS);
        }
    }
    CHECK_IS(reopen(), 0);
    for (index = 0; index < 4; index++) {
        psa_storage_uid_t uid = 10 + index;
        CHECK_IS(f->remove(uid), PSA_ERROR_NOT_PERMITTED);
        CHECK_IS(f->get(uid, 0, 8, buffer, &length), PSA_SUCCESS);
        CHECK(length == 4 && memcmp(buffer, "keep", 4) == 0);
        /* Not while the device is being provisioned. */
        lockstone_sim_set_provisioning(1);
        CHECK_IS(f->set(uid, 3, "new", with[index]), PSA_SUCCESS);
        check_info(f, uid, 3, 3, with[index]);
        if (f->is_ps) {
            CHECK_IS(psa_ps_set_extended(uid, 0, 1, "N"), PSA_SUCCESS);
            check_info(f, uid, 3, 3, with[index]);
        }
        lockstone_sim_set_provisioning(0);
        CHECK_IS(f->remove(uid), PSA_ERROR_NOT_PERMITTED);
        lockstone_sim_set_provisioning(1);
        CHECK_IS(f->remove(uid), PSA_SUCCESS);
        CHECK_IS(f->get_info(uid, &info), PSA_ERROR_DOES_NOT_EXIST);
        lockstone_sim_set_provisioning(0);
    }
}

/* Rule 5: get. */
static void ranges(const face *f) {
    static const struct {
        size_t offset, size, got;
        psa_status_t status;
    } rows[] = {
        {0, 0, 0, 0},      {0, 1, 1, 0},        {0, 700, 700, 0}, {0, 701, 700, 0},   {0, SIZE_MAX / 2, 700, 0},
        {699, 1, 1, 0},    {699, 2, 1, 0},      {699, 0, 0, 0},   {700, 0, 0, 0},     {700, 1, 0, 0},
        {700, SIZE_MAX / 2, 0, 0}, {250, 300, 300, 0}, {243, 3, 3, 0}, {1, 699, 699, 0},
        {701, 0, 9, -135}, {701, 1, 9, -135},   {SIZE_MAX, 0, 9, -135}, {SIZE_MAX, SIZE_MAX, 9, -135},
        /* No caller can own so much. */
        {0, SIZE_MAX, 9, -135}, {700, SIZE_MAX / 2 + 1, 9, -135},
    };
    size_t index;
    fresh();
    CHECK_IS(f->get(3, 0, 1, buffer, &length), PSA_ERROR_DOES_NOT_EXIST);
    CHECK_IS(f->get(3, SIZE_MAX, 1, buffer, &length), PSA_ERROR_DOES_NOT_EXIST);
    CHECK_IS(f->get_info(3, &info), PSA_ERROR_DOES_NOT_EXIST);
    CHECK_IS(f->set(3, 700, data, NONE), PSA_SUCCESS);
    for (index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        size_t got = 9;
        memset(buffer, 0xee, sizeof(buffer));
        CHECK_IS(f->get(3, rows[index].offset, rows[index].size, buffer, &got), rows[index].status);
        CHECK_IS(got, rows[index].got);
        if (rows[index].status == 0) {
            CHECK(memcmp(buffer, data + rows[index].offset, got) == 0);
        } else {
            got = 0;
        }
        CHECK_IS(buffer[got], 0xee);
    }
    CHECK_IS(f->get(3, 0, 0, NULL, &length), PSA_SUCCESS);
    CHECK_IS(f->get(3, 0, 1, NULL, &length), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(f->get(3, 700, 1, NULL, &length), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(f->get(3, 0, 1, buffer, NULL), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(f->get_info(3, NULL), PSA_ERROR_INVALID_ARGUMENT);
}

static int image_holds(const void *what, size_t size) {
    static unsigned char image[FLASH_SIZE];
    size_t at;
    CHECK_IS(lockstone_sim_image(image, sizeof(image)), 0);
    for (at = 0; at + size <= sizeof(image); at++) {
        if (memcmp(image + at, what, size) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Rule 6: flags are applied exactly, reported, and unknown ones refused. */
static void flags(const face *f) {
    lockstone_stats before;
    lockstone_stats after;
    uint32_t set;
    int bit;
    fresh();
    for (bit = 3; bit < 32; bit++) {
        CHECK_IS(f->set(4, 1, data, UINT32_C(1) << bit), PSA_ERROR_NOT_SUPPORTED);
    }
    CHECK_IS(f->set(4, 1, data, UINT32_MAX), PSA_ERROR_NOT_SUPPORTED);
    CHECK_IS(f->get_info(4, &info), PSA_ERROR_DOES_NOT_EXIST);
    CHECK_IS(f->set(4, 1, data, NONE), PSA_SUCCESS);
    for (set = 0; set < 8; set++) {
        if ((set & ONCE) != 0) {
            continue;
        }
        CHECK_IS(f->set(4, 1, data, set), PSA_SUCCESS);
        CHECK_IS(lockstone_get_stats(&before), 0);
        CHECK_IS(f->set(4, 23, "a sentence to look for.", set), PSA_SUCCESS);
        CHECK_IS(lockstone_get_stats(&after), 0);
        CHECK_IS(before.counter_left - after.counter_left, (set & STALE) != 0 ? 0 : 1);
        check_info(f, 4, 23, 23, set);
    }
    fresh();
    CHECK_IS(f->set(4, 23, "a sentence to look for.", NONE), PSA_SUCCESS);
    CHECK(!image_holds("a sentence to look for.", 23));
    CHECK_IS(f->set(5, 23, "a sentence to look for.", CLEAR), PSA_SUCCESS);
    CHECK(image_holds("a sentence to look for.", 23));

    /* Replay: the flash alone goes back. */
    CHECK_IS(f->set(4, 1, "1", NONE), PSA_SUCCESS);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_save(), 0);
    CHECK_IS(reopen(), 0);
    CHECK_IS(f->set(4, 1, "2", NONE), PSA_SUCCESS);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_restore(0), 0);
    CHECK_IS(reopen(), LOCKSTONE_E_ROLLED_BACK);
    fresh();
    CHECK_IS(f->set(4, 1, "1", NONE), PSA_SUCCESS);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_save(), 0);
    CHECK_IS(reopen(), 0);
    CHECK_IS(f->set(5, 1, "2", STALE), PSA_SUCCESS);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_restore(0), 0);
    CHECK_IS(reopen(), 0);
    CHECK_IS(f->get_info(5, &info), PSA_ERROR_DOES_NOT_EXIST);
}

/* Without a counter only what asks for no protection from replay is taken, unless nobody can write the flash. */
static void no_counter(const face *f) {
    lockstone_memory memory = test_memory();
    (void)lockstone_close();
    CHECK_IS(lockstone_sim_reset(FLASH_SIZE), 0);
    CHECK_IS(lockstone_sim_platform(&test_platform), 0);
    test_platform.counter_read = NULL;
    test_platform.counter_increment = NULL;
    CHECK_IS(lockstone_format(&test_platform, &memory), 0);
    CHECK_IS(f->set(1, 1, data, NONE), PSA_ERROR_NOT_SUPPORTED);
    CHECK_IS(f->set(1, 1, data, ONCE), PSA_ERROR_NOT_SUPPORTED);
    CHECK_IS(f->set(1, 1, data, STALE), PSA_SUCCESS);
    CHECK_IS(f->set(2, 1, data, STALE | ONCE), PSA_SUCCESS);
    CHECK_IS(f->remove(2), PSA_ERROR_NOT_PERMITTED);
    check_info(f, 1, 1, 1, STALE);
    test_platform.flags = LOCKSTONE_FLASH_IS_TRUSTED;
    CHECK_IS(reopen(), 0);
    CHECK_IS(f->set(1, 1, data, NONE), PSA_SUCCESS);
    check_info(f, 1, 1, 1, NONE);
    CHECK_IS(f->set(3, 1, data, ONCE), PSA_SUCCESS);
    check_info(f, 3, 1, 1, ONCE);
    CHECK_IS(f->set(3, 1, data, NONE), PSA_ERROR_NOT_PERMITTED);
    if (f->is_ps) {
        CHECK_IS(psa_ps_create(6, 2000, NONE), PSA_SUCCESS);
        CHECK_IS(psa_ps_set_extended(6, 0, 2000, data), PSA_SUCCESS);
    }
}

/* Rule 7: create and set_extended. */
static void extended(void) {
    static const struct {
        size_t offset, size;
        psa_status_t status;
        size_t after;
    } rows[] = {
        {1, 1, -135, 0},        {0, 0, 0, 0},           {0, 501, -135, 0},     {0, SIZE_MAX, -135, 0},
        {0, 100, 0, 100},       {101, 1, -135, 100},    {101, 0, -135, 100},   {100, 0, 0, 100},
        {100, 100, 0, 200},     {50, 10, 0, 200},       {150, 100, 0, 250},    {250, 251, -135, 250},
        {SIZE_MAX, 2, -135, 250}, {2, SIZE_MAX, -135, 250}, {250, 250, 0, 500},  {500, 0, 0, 500},
        {500, 1, -135, 500},    {499, 1, 0, 500},
    };
    static const uint32_t with[] = {NONE, CLEAR, STALE, CLEAR | STALE};
    static unsigned char model[500];
    size_t which;
    size_t index;
    fresh();
    CHECK_IS(psa_ps_get_support(), PSA_STORAGE_SUPPORT_SET_EXTENDED);
    CHECK_IS(psa_ps_set_extended(8, 0, 1, data), PSA_ERROR_DOES_NOT_EXIST);
    CHECK_IS(psa_ps_create(8, 1, 8), PSA_ERROR_NOT_SUPPORTED);
    CHECK_IS(psa_ps_create(8, 1, ONCE), PSA_ERROR_NOT_SUPPORTED);
    CHECK_IS(psa_ps_create(8, SIZE_MAX, ONCE), PSA_ERROR_NOT_SUPPORTED);
    CHECK_IS(psa_ps_create(8, SIZE_MAX, NONE), PSA_ERROR_INSUFFICIENT_STORAGE);
    CHECK_IS(psa_ps_create(8, ASSET_BYTES - 3, NONE), PSA_ERROR_INSUFFICIENT_STORAGE);
    CHECK_IS(psa_ps_create(8, ASSET_BYTES - 4, NONE), PSA_SUCCESS);
    CHECK_IS(psa_ps_create(8, SIZE_MAX, NONE), PSA_ERROR_INSUFFICIENT_STORAGE);
    CHECK_IS(psa_ps_create(8, 5, NONE), PSA_ERROR_ALREADY_EXISTS);
    CHECK_IS(psa_ps_remove(8), PSA_SUCCESS);
    for (which = 0; which < 4; which++) {
        psa_storage_uid_t uid = 20 + which;
        memset(model, 0, sizeof(model));
        CHECK_IS(psa_ps_create(uid, 500, with[which]), PSA_SUCCESS);
        check_info(&ps, uid, 500, 0, with[which]);
        for (index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
            size_t size = rows[index].size;
            CHECK_IS(psa_ps_set_extended(uid, rows[index].offset, size, data + index), rows[index].status);
            if (rows[index].status == 0) {
                memcpy(model + rows[index].offset, data + index, size);
            }
            check_info(&ps, uid, 500, rows[index].after, with[which]);
            CHECK_IS(psa_ps_get(uid, 0, sizeof(buffer), buffer, &length), PSA_SUCCESS);
            CHECK_IS(length, rows[index].after);
            CHECK(memcmp(buffer, model, length) == 0);
        }
        CHECK_IS(psa_ps_set_extended(uid, 0, 1, NULL), PSA_ERROR_INVALID_ARGUMENT);
        CHECK_IS(psa_ps_set_extended(uid, 0, 0, NULL), PSA_SUCCESS);
        CHECK_IS(psa_ps_create(uid, 500, NONE), PSA_ERROR_ALREADY_EXISTS);
        CHECK_IS(psa_its_get_info(uid, &info), PSA_ERROR_DOES_NOT_EXIST);
    }
    CHECK_IS(reopen(), 0);
    CHECK_IS(psa_ps_get(20, 250, 250, buffer, &length), PSA_SUCCESS);
    CHECK(length == 250 && memcmp(buffer, model + 250, 250) == 0);
    CHECK_IS(psa_ps_get(20, 500, 1, buffer, &length), PSA_SUCCESS);
    CHECK_IS(length, 0);
    CHECK_IS(psa_ps_get(20, 501, 0, buffer, &length), PSA_ERROR_INVALID_ARGUMENT);

    /* A set replaces one with a capacity, and an asset that was set can be extended within itself. */
    CHECK_IS(psa_ps_set(20, 10, data, NONE), PSA_SUCCESS);
    check_info(&ps, 20, 10, 10, NONE);
    CHECK_IS(psa_ps_set(22, 10, data, STALE), PSA_SUCCESS);
    check_info(&ps, 22, 10, 10, STALE);
    CHECK_IS(psa_ps_set_extended(20, 5, 5, "HELLO"), PSA_SUCCESS);
    CHECK_IS(psa_ps_set_extended(20, 5, 6, "HELLO"), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(psa_ps_set_extended(20, 10, 0, data), PSA_SUCCESS);
    CHECK_IS(psa_ps_set_extended(20, 11, 0, data), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(psa_ps_get(20, 0, 20, buffer, &length), PSA_SUCCESS);
    CHECK(length == 10 && memcmp(buffer, data, 5) == 0 && memcmp(buffer + 5, "HELLO", 5) == 0);
    CHECK_IS(psa_ps_create(30, 0, NONE), PSA_SUCCESS);
    check_info(&ps, 30, 0, 0, NONE);
    CHECK_IS(psa_ps_set_extended(30, 0, 1, data), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(psa_ps_remove(30), PSA_SUCCESS);
    CHECK_IS(psa_ps_set(31, ASSET_BYTES + 1, data, NONE), PSA_SUCCESS);
    CHECK_IS(psa_ps_set_extended(31, 0, 1, data), PSA_ERROR_NOT_SUPPORTED);
}

/* Without memory for it, the optional functions say so. */
static void unsupported(void) {
    lockstone_memory memory = test_memory();
    fresh();
    CHECK_IS(lockstone_close(), 0);
    memory.asset_bytes = 0;
    CHECK_IS(lockstone_open(&test_platform, &memory), 0);
    CHECK_IS(psa_ps_get_support(), 0);
    CHECK_IS(psa_ps_create(1, 1, NONE), PSA_ERROR_NOT_SUPPORTED);
    CHECK_IS(psa_ps_create(0, 1, NONE), PSA_ERROR_INVALID_ARGUMENT);
    CHECK_IS(psa_ps_set_extended(1, 0, 0, NULL), PSA_ERROR_NOT_SUPPORTED);
    CHECK_IS(psa_ps_set(1, 4, "1234", NONE), PSA_SUCCESS);
    check_info(&ps, 1, 4, 4, NONE);
}

/* Fills the store; how many assets it took. */
static unsigned fill(const face *f, psa_storage_uid_t from, size_t size) {
    unsigned count = 0;
    psa_status_t status;
    while ((status = f->set(from + count, size, data, STALE)) == PSA_SUCCESS) {
        count++;
    }
    CHECK_IS(status, PSA_ERROR_INSUFFICIENT_STORAGE);
    return count;
}

/* A full store removes, holds the same again, and extends what was created. */
static void full(const face *f) {
    unsigned count;
    unsigned index;
    fresh_of(24u * 4096u);
    count = fill(f, 100, 300);
    CHECK(count > 50);
    for (index = 0; index < count; index++) {
        CHECK_IS(f->remove(100 + index), PSA_SUCCESS);
    }
    CHECK_IS(fill(f, 100, 300), count);
    CHECK_IS(f->get(100 + count - 1, 0, 300, buffer, &length), PSA_SUCCESS);
}

static void reserved(void) {
    static const size_t capacities[] = {100, 3000, 16000};
    size_t which;
    size_t step;
    for (which = 0; which < 3; which++) {
        size_t capacity = capacities[which];
        unsigned count;
        unsigned round;
        fresh_of(24u * 4096u);
        CHECK_IS(psa_ps_create(1, capacity, which % 2 ? STALE : NONE), PSA_SUCCESS);
        CHECK_IS(psa_ps_create(2, capacity / 2, NONE), PSA_SUCCESS);
        count = fill(&ps, 100, 300);
        (void)fill(&its, 100, 20);
        (void)fill(&its, 10000, 1);
        CHECK_IS(psa_ps_create(3, capacity, NONE), PSA_ERROR_INSUFFICIENT_STORAGE);
        CHECK_IS(psa_ps_get_info(3, &info), PSA_ERROR_DOES_NOT_EXIST);
        for (step = 0; step < 10; step++) {
            CHECK_IS(psa_ps_set_extended(1, step * capacity / 10, capacity / 10, data + step), PSA_SUCCESS);
            CHECK_IS(psa_ps_set_extended(2, step * (capacity / 2) / 10, capacity / 20, data), PSA_SUCCESS);
        }
        for (round = 0; round < 30; round++) {
            CHECK_IS(psa_ps_set_extended(1, 0, capacity / 2, data + round), PSA_SUCCESS);
        }
        CHECK_IS(psa_ps_get(1, 0, capacity, buffer, &length), PSA_SUCCESS);
        CHECK_IS(length, capacity);
        CHECK(memcmp(buffer, data + 29, capacity / 2) == 0);
        CHECK_IS(psa_ps_set(99999, 300, data, STALE), PSA_ERROR_INSUFFICIENT_STORAGE);
        CHECK_IS(psa_ps_remove(1), PSA_SUCCESS);
        CHECK_IS(psa_ps_remove(2), PSA_SUCCESS);
        CHECK(fill(&ps, 100 + count, 300) > 0 || capacity < 300);
    }
}

/* Damage and roll-back, in the words that each function has. */
static void damaged(void) {
    static const face *const faces[] = {&its, &ps};
    unsigned at;
    unsigned index;
    unsigned refused = 0;
    for (index = 0; index < 2; index++) {
        const face *f = faces[index];
        fresh();
        CHECK_IS(f->set(1, 2000, data, NONE), PSA_SUCCESS);
        CHECK_IS(f->set(2, 10, data, NONE), PSA_SUCCESS);
        CHECK_IS(lockstone_close(), 0);
        CHECK_IS(lockstone_sim_save(), 0);
        for (at = 100; at < 2600; at += 37) {
            psa_status_t status;
            int32_t opened;
            CHECK_IS(lockstone_sim_flip(at, 0x10), 0);
            opened = reopen();
            if (opened == 0) {
                status = f->get(1, 0, 2000, buffer, &length);
                if (status == PSA_SUCCESS) {
                    CHECK(length == 2000 && memcmp(buffer, data, 2000) == 0);
                } else {
                    refused++;
                    CHECK_IS(status, f->is_ps ? PSA_ERROR_DATA_CORRUPT : PSA_ERROR_STORAGE_FAILURE);
                    status = f->get_info(1, &info);
                    CHECK(status == PSA_SUCCESS || status == (f->is_ps ? PSA_ERROR_DATA_CORRUPT : PSA_ERROR_STORAGE_FAILURE));
                    status = f->set(1, 1, data, NONE);
                    CHECK(status == PSA_SUCCESS || status == PSA_ERROR_STORAGE_FAILURE);
                }
            }
            (void)lockstone_close();
            CHECK_IS(lockstone_sim_restore(0), 0);
        }
        CHECK_IS(reopen(), 0);
        CHECK_IS(f->get(1, 0, 2000, buffer, &length), PSA_SUCCESS);
        /* The driver fails. */
        CHECK_IS(lockstone_sim_power(0), 0);
        CHECK_IS(f->set(1, 1, data, NONE), PSA_ERROR_STORAGE_FAILURE);
        CHECK_IS(f->remove(2), PSA_ERROR_STORAGE_FAILURE);
        if (f->is_ps) {
            CHECK_IS(psa_ps_create(9, 10, NONE), PSA_ERROR_STORAGE_FAILURE);
            CHECK(psa_ps_set_extended(1, 0, 1, data) < 0);
        }
        CHECK_IS(lockstone_sim_power(1), 0);
        CHECK_IS(reopen(), 0);
        CHECK_IS(f->get(2, 0, 10, buffer, &length), PSA_SUCCESS);
    }
    CHECK(refused > 20);
}

/* What is write-once stays so when a change in the provisioning state fails. */
static void still_write_once(const face *f) {
    static unsigned char image[FLASH_SIZE];
    fresh();
    CHECK_IS(f->set(1, 4, "keep", ONCE), PSA_SUCCESS);
    lockstone_sim_set_provisioning(1);
    CHECK_IS(f->set(1, FLASH_SIZE - 9, image, ONCE), PSA_ERROR_INSUFFICIENT_STORAGE);
    if (f->is_ps) {
        CHECK_IS(psa_ps_set_extended(1, 4, 1, "x"), PSA_ERROR_INVALID_ARGUMENT);
        CHECK_IS(psa_ps_set_extended(1, 0, 1, "K"), PSA_SUCCESS);
    }
    lockstone_sim_set_provisioning(0);
    CHECK_IS(f->get_info(1, &info), PSA_SUCCESS);
    CHECK_IS(info.flags, ONCE);
    CHECK_IS(f->set(1, 1, "x", NONE), PSA_ERROR_NOT_PERMITTED);
    CHECK_IS(f->get(1, 0, 4, buffer, &length), PSA_SUCCESS);
    CHECK(memcmp(buffer, f->is_ps ? "Keep" : "keep", 4) == 0);
    lockstone_sim_set_provisioning(1);
    CHECK_IS(f->set(1, 2000, data, ONCE), PSA_SUCCESS);
    CHECK_IS(f->set(1, 3, "end", NONE), PSA_SUCCESS);
    lockstone_sim_set_provisioning(0);
    CHECK_IS(f->set(1, 1, "x", NONE), PSA_SUCCESS);
}

/* On a full store: what is write-once is removed, and one byte is set over a long asset with a capacity. */
static void full_but_changed(const face *f) {
    uint64_t uid;
    fresh_of(24u * 4096u);
    CHECK_IS(f->set(1, 5000, data, ONCE), PSA_SUCCESS);
    if (f->is_ps) {
        CHECK_IS(psa_ps_create(2, 16000, NONE), PSA_SUCCESS);
    }
    for (uid = 100; f->set(uid, 300, data, STALE) == PSA_SUCCESS; uid++) {
    }
    for (uid = 9000; f->set(uid, 1, data, STALE) == PSA_SUCCESS; uid++) {
    }
    if (f->is_ps) {
        CHECK_IS(psa_ps_set(2, 1, "x", NONE), PSA_SUCCESS);
        CHECK_IS(psa_ps_get_info(2, &info), PSA_SUCCESS);
        CHECK(info.capacity == 1 && info.size == 1);
        for (uid = 100; uid < 9000 && f->set(uid, 300, data, STALE) == PSA_SUCCESS; uid++) {
        }
    }
    lockstone_sim_set_provisioning(1);
    CHECK_IS(f->remove(1), PSA_SUCCESS);
    lockstone_sim_set_provisioning(0);
    CHECK_IS(f->get_info(1, &info), PSA_ERROR_DOES_NOT_EXIST);
}

/* A long asset with a capacity is overwritten whatever was written before. */
static void over_a_capacity(void) {
    unsigned round;
    for (round = 0; round < 60; round++) {
        unsigned step;
        fresh_of(24u * 4096u);
        CHECK_IS(psa_ps_create(1, 16000, STALE), PSA_SUCCESS);
        for (step = 0; step < 200 + round * 7; step++) {
            (void)lockstone_put("churn", data, 200 + step % 90, 0);
        }
        CHECK_IS(psa_ps_set(1, 1, "x", STALE), PSA_SUCCESS);
    }
}

/* Opened with less memory than before: what needs more is refused, nothing else. */
static void less_memory(void) {
    lockstone_memory memory = test_memory();
    fresh();
    CHECK_IS(psa_ps_create(1, 6000, NONE), PSA_SUCCESS);
    CHECK_IS(psa_ps_create(2, 4000, NONE), PSA_SUCCESS);
    CHECK_IS(lockstone_close(), 0);
    memory.asset_bytes = 2000;
    CHECK_IS(lockstone_open(&test_platform, &memory), 0);
    CHECK_IS(psa_ps_create(3, 1000, NONE), PSA_SUCCESS);
    CHECK_IS(psa_ps_set_extended(3, 0, 1, "x"), PSA_SUCCESS);
    CHECK_IS(psa_ps_set_extended(2, 0, 1, "x"), PSA_ERROR_NOT_SUPPORTED);
    CHECK_IS(psa_ps_remove(1), PSA_SUCCESS);
    CHECK_IS(lockstone_put("a", "b", 1, 0), 0);
    CHECK_IS(psa_its_set(3, 1, "x", NONE), PSA_SUCCESS);
    CHECK_IS(psa_ps_set(2, 1, "x", NONE), PSA_SUCCESS);
    CHECK_IS(psa_ps_create(4, 1500, NONE), PSA_SUCCESS);
    CHECK_IS(psa_ps_remove(3), PSA_SUCCESS);
    CHECK_IS(reopen(), 0);
    CHECK_IS(psa_ps_create(5, 6000, NONE), PSA_SUCCESS);
    CHECK_IS(psa_ps_set_extended(5, 0, 1, "x"), PSA_SUCCESS);
}

/* Rolled back under the open store. */
static void rolled_back(void) {
    psa_status_t status;
    fresh();
    CHECK_IS(psa_ps_set(1, 1, "1", NONE), PSA_SUCCESS);
    CHECK_IS(psa_its_set(1, 1, "1", NONE), PSA_SUCCESS);
    CHECK_IS(lockstone_sim_save(), 0);
    CHECK_IS(psa_ps_set(1, 1, "2", NONE), PSA_SUCCESS);
    CHECK_IS(psa_its_set(1, 1, "2", NONE), PSA_SUCCESS);
    CHECK_IS(lockstone_sim_restore(0), 0);
    status = psa_ps_get(1, 0, 1, buffer, &length);
    CHECK(status == PSA_ERROR_DATA_CORRUPT || status == PSA_ERROR_INVALID_SIGNATURE);
    CHECK_IS(psa_its_get(1, 0, 1, buffer, &length), PSA_ERROR_STORAGE_FAILURE);
    CHECK_IS(psa_its_set(2, 1, "3", NONE), PSA_ERROR_STORAGE_FAILURE);
    CHECK_IS(psa_ps_set(2, 1, "3", NONE), PSA_ERROR_STORAGE_FAILURE);
    CHECK_IS(psa_ps_remove(1), PSA_ERROR_STORAGE_FAILURE);
}

int main(void) {
    static const face *const faces[] = {&its, &ps};
    size_t index;
    for (index = 0; index < sizeof(data); index++) {
        data[index] = (unsigned char)(index * 7 + index / 256);
    }
    CHECK_IS(sizeof(struct psa_storage_info_t), 2 * sizeof(size_t) + (sizeof(size_t) > 4 ? 8 : 4));
    CHECK_IS(PSA_ITS_API_VERSION_MAJOR * 10 + PSA_ITS_API_VERSION_MINOR, 10);
    CHECK_IS(PSA_PS_API_VERSION_MAJOR * 10 + PSA_PS_API_VERSION_MINOR, 10);
    for (index = 0; index < 2; index++) {
        uids(faces[index]);
        namespaces(faces[index]);
        replaces(faces[index]);
        write_once(faces[index]);
        ranges(faces[index]);
        flags(faces[index]);
        no_counter(faces[index]);
        full(faces[index]);
        still_write_once(faces[index]);
        full_but_changed(faces[index]);
    }
    over_a_capacity();
    less_memory();
    extended();
    unsupported();
    reserved();
    damaged();
    rolled_back();
    (void)lockstone_close();
    return summary("psa");
}
