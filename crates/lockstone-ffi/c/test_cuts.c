/* Power cuts at every operation of what the interfaces store, in ten ways, and again during recovery: old or new, whole. */
#include "check.h"
#include "configuration_store.h"
#include "psa/internal_trusted_storage.h"
#include "psa/protected_storage.h"

static unsigned char old_value[17000];
static unsigned char new_value[17000];
static unsigned char found[17000];
static unsigned long cuts;

typedef struct {
    const char *name;
    void (*prepare)(void);
    int32_t (*act)(void);
    /* 0: the old state, 1: the new one, anything else: neither. */
    int (*state)(void);
} scene;

/* What is left after a cut, seen twice, and whether life goes on. */
static void judge(const scene *s) {
    int state;
    (void)lockstone_close();
    CHECK_IS(lockstone_sim_power(1), 0);
    CHECK_IS(reopen(), 0);
    state = s->state();
    CHECK(state == 0 || state == 1);
    CHECK_IS(reopen(), 0);
    CHECK_IS(s->state(), state);
    if (state == 0) {
        CHECK_IS(s->act(), 0);
    }
    CHECK_IS(s->state(), 1);
    CHECK_IS(reopen(), 0);
    CHECK_IS(s->state(), 1);
}

static void play(const scene *s, uint64_t step) {
    const char *stride = getenv("LOCKSTONE_STRIDE");
    uint32_t tear;
    unsigned long before = cuts;
    if (stride != NULL) {
        step *= (uint64_t)atoi(stride); /* fewer cuts: for tools that are slow */
    }
    s->prepare();
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_save(), 0);
    CHECK_IS(reopen(), 0);
    CHECK_IS(s->state(), 0);
    for (tear = 0; tear < LOCKSTONE_SIM_TEARS; tear++) {
        uint64_t op;
        for (op = 0;; op += step) {
            int32_t status;
            int nested;
            for (nested = 0; nested < 2; nested++) {
                (void)lockstone_close();
                CHECK_IS(lockstone_sim_power(1), 0);
                CHECK_IS(lockstone_sim_restore(1), 0);
                CHECK_IS(reopen(), 0);
                CHECK_IS(lockstone_sim_cut(op, tear), 0);
                status = s->act();
                if (status == 0) {
                    break;
                }
                cuts++;
                if (nested) {
                    (void)lockstone_close();
                    CHECK_IS(lockstone_sim_power(1), 0);
                    CHECK_IS(lockstone_sim_cut(op % 7, (uint32_t)((op + tear) % LOCKSTONE_SIM_TEARS)), 0);
                    if (reopen() == 0) {
                        (void)s->state();
                        (void)s->act();
                    }
                }
                judge(s);
            }
            if (status == 0) {
                break;
            }
        }
        CHECK(op > 0);
        CHECK_IS(lockstone_sim_power(1), 0);
        CHECK_IS(s->state(), 1);
    }
    fprintf(stderr, "%s: %lu cuts\n", s->name, cuts - before);
    CHECK(cuts - before >= 20);
}

static int compare(psa_status_t status, size_t length, size_t old_length, size_t new_length) {
    if (status != PSA_SUCCESS) {
        return -1;
    }
    if (length == new_length && memcmp(found, new_value, length) == 0) {
        return 1;
    }
    return length == old_length && memcmp(found, old_value, length) == 0 ? 0 : -2;
}

/* psa_ps_set: a short value and one of many records, protected and not. */
static size_t set_old;
static size_t set_new;
static uint32_t set_flags;

static void prepare_set(void) {
    fresh();
    CHECK_IS(psa_ps_set(1, set_old, old_value, set_flags), PSA_SUCCESS);
}

static int32_t act_set(void) {
    return psa_ps_set(1, set_new, new_value, set_flags);
}

static int state_set(void) {
    size_t length = 0;
    psa_status_t status = psa_ps_get(1, 0, sizeof(found), found, &length);
    return compare(status, length, set_old, set_new);
}

static void prepare_its(void) {
    fresh();
    CHECK_IS(psa_its_set(1, set_old, old_value, set_flags), PSA_SUCCESS);
}

static int32_t act_its(void) {
    return psa_its_set(1, set_new, new_value, set_flags);
}

static int state_its(void) {
    size_t length = 0;
    psa_status_t status = psa_its_get(1, 0, sizeof(found), found, &length);
    return compare(status, length, set_old, set_new);
}

/* A set and a removal of what is write-once, while the device is being provisioned: it stays so until that is done. */
static void prepare_once(void) {
    fresh();
    CHECK_IS(psa_its_set(1, set_old, old_value, PSA_STORAGE_FLAG_WRITE_ONCE), PSA_SUCCESS);
}

static int32_t act_once(void) {
    psa_status_t status;
    (void)lockstone_sim_set_provisioning(1);
    status = psa_its_set(1, set_new, new_value, PSA_STORAGE_FLAG_WRITE_ONCE);
    (void)lockstone_sim_set_provisioning(0);
    return status;
}

static int state_once(void) {
    struct psa_storage_info_t info;
    if (psa_its_get_info(1, &info) != PSA_SUCCESS || info.flags != PSA_STORAGE_FLAG_WRITE_ONCE) {
        return -3;
    }
    return psa_its_set(1, 1, old_value, PSA_STORAGE_FLAG_NONE) == PSA_ERROR_NOT_PERMITTED ? state_its() : -4;
}

static int32_t act_lift(void) {
    psa_status_t status;
    (void)lockstone_sim_set_provisioning(1);
    status = psa_its_remove(1);
    (void)lockstone_sim_set_provisioning(0);
    return status == PSA_ERROR_DOES_NOT_EXIST ? 0 : status;
}

static int state_lift(void) {
    struct psa_storage_info_t info;
    return psa_its_get_info(1, &info) == PSA_ERROR_DOES_NOT_EXIST ? 1 : state_once() == 0 ? 0 : -1;
}

/* A set in place of an asset with a capacity: one or the other, never both, never none. */
static void prepare_replace(void) {
    fresh();
    CHECK_IS(psa_ps_create(1, 600, PSA_STORAGE_FLAG_NONE), PSA_SUCCESS);
    CHECK_IS(psa_ps_set_extended(1, 0, 300, old_value), PSA_SUCCESS);
}

/* psa_ps_set_extended, with room and on a full store. */
#define CAPACITY 16000u

static void prepare_extend(void) {
    fresh();
    CHECK_IS(psa_ps_create(1, 1000, PSA_STORAGE_FLAG_NONE), PSA_SUCCESS);
    CHECK_IS(psa_ps_set_extended(1, 0, 500, old_value), PSA_SUCCESS);
}

static int32_t act_extend(void) {
    return psa_ps_set_extended(1, 0, 800, new_value);
}

static int state_extend(void) {
    struct psa_storage_info_t info;
    size_t length = 0;
    psa_status_t status = psa_ps_get(1, 0, sizeof(found), found, &length);
    if (psa_ps_get_info(1, &info) != PSA_SUCCESS || info.capacity != 1000) {
        return -3;
    }
    return compare(status, length, 500, 800);
}

static void prepare_full(void) {
    uint64_t uid = 100;
    fresh_of(24u * 4096u);
    CHECK_IS(psa_ps_create(1, CAPACITY, PSA_STORAGE_FLAG_NONE), PSA_SUCCESS);
    CHECK_IS(psa_ps_set_extended(1, 0, 500, old_value), PSA_SUCCESS);
    while (psa_ps_set(uid, 300, old_value, PSA_STORAGE_FLAG_NO_REPLAY_PROTECTION) == PSA_SUCCESS) {
        uid++;
    }
}

static int32_t act_full(void) {
    return psa_ps_set_extended(1, 0, CAPACITY, new_value);
}

static int state_full(void) {
    size_t length = 0;
    psa_status_t status = psa_ps_get(1, 0, sizeof(found), found, &length);
    /* Nothing else comes in, whatever was given away. */
    if (psa_ps_set(99, 300, old_value, PSA_STORAGE_FLAG_NO_REPLAY_PROTECTION) == PSA_SUCCESS) {
        return -4;
    }
    return compare(status, length, 500, CAPACITY);
}

/* psa_ps_create and psa_ps_remove. */
static void prepare_create(void) {
    fresh();
}

static int32_t act_create(void) {
    psa_status_t status = psa_ps_create(1, 2000, PSA_STORAGE_FLAG_NONE);
    return status == PSA_ERROR_ALREADY_EXISTS ? 0 : status;
}

static int state_create(void) {
    struct psa_storage_info_t info;
    psa_status_t status = psa_ps_get_info(1, &info);
    if (status == PSA_ERROR_DOES_NOT_EXIST) {
        return 0;
    }
    return status == PSA_SUCCESS && info.capacity == 2000 && info.size == 0 ? 1 : -1;
}

static void prepare_remove(void) {
    fresh();
    CHECK_IS(psa_ps_create(1, 2000, PSA_STORAGE_FLAG_NONE), PSA_SUCCESS);
}

static int32_t act_remove(void) {
    psa_status_t status = psa_ps_remove(1);
    return status == PSA_ERROR_DOES_NOT_EXIST ? 0 : status;
}

static int state_remove(void) {
    return state_create() == 0 ? 1 : state_create() == 1 ? 0 : -1;
}

/* Flush: several keys that are new, changed, longer than a record, and deleted. */
static const ARM_CFSTORE_DRIVER *const d = &cfstore_driver;
static uint32_t rollback;

static int32_t write_key(const char *name, const unsigned char *value, ARM_CFSTORE_SIZE length) {
    ARM_CFSTORE_KEYDESC how;
    ARM_CFSTORE_FMODE both;
    int32_t status;
    ARM_CFSTORE_HANDLE_INIT(h);
    memset(&how, 0, sizeof(how));
    memset(&both, 0, sizeof(both));
    both.read = both.write = 1;
    how.security.rollback_protection = rollback & 1u;
    status = d->Open(name, both, h);
    if (status != 0) {
        status = d->Create(name, length, &how, h);
    }
    if (status == 0) {
        status = d->Write(h, (const char *)value, &length) < 0;
    }
    return status != 0 ? status : d->Close(h);
}

static int32_t read_key(const char *name, const unsigned char *value, size_t wanted) {
    ARM_CFSTORE_FMODE reading;
    ARM_CFSTORE_SIZE length = sizeof(found);
    int32_t status;
    ARM_CFSTORE_HANDLE_INIT(h);
    memset(&reading, 0, sizeof(reading));
    status = d->Open(name, reading, h);
    if (status != 0) {
        return status;
    }
    status = d->Read(h, found, &length);
    (void)d->Close(h);
    return status == (int32_t)wanted && memcmp(found, value, wanted) == 0 ? 0 : -1;
}

static void prepare_flush(void) {
    fresh();
    CHECK_IS(lockstone_cfstore_configure(0), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK_IS(write_key("changed", old_value, 20), 0);
    CHECK_IS(write_key("long", old_value, 900), 0);
    CHECK_IS(write_key("deleted", old_value, 20), 0);
    CHECK_IS(write_key("stays", old_value, 20), 0);
    CHECK_IS(d->Flush(), 0);
}

static int32_t act_flush(void) {
    ARM_CFSTORE_FMODE reading;
    int32_t status;
    ARM_CFSTORE_HANDLE_INIT(h);
    memset(&reading, 0, sizeof(reading));
    (void)d->Uninitialize();
    status = d->Initialize(NULL, NULL);
    if (status == 0) {
        status = write_key("changed", new_value, 20);
    }
    if (status == 0) {
        status = write_key("long", new_value, 900);
    }
    if (status == 0) {
        status = write_key("new", new_value, 300);
    }
    if (status == 0) {
        status = d->Open("deleted", reading, h);
        if (status == 0) {
            (void)d->Delete(h);
            status = d->Close(h);
        }
    }
    if (status == 0) {
        status = d->Flush();
    }
    return status;
}

static int state_flush(void) {
    (void)d->Uninitialize();
    if (d->Initialize(NULL, NULL) != 0 || read_key("stays", old_value, 20) != 0) {
        return -1;
    }
    if (read_key("changed", old_value, 20) == 0) {
        int whole = read_key("long", old_value, 900) == 0 && read_key("deleted", old_value, 20) == 0 &&
                    read_key("new", new_value, 300) == -1002;
        return whole ? 0 : -2;
    }
    if (read_key("changed", new_value, 20) == 0) {
        int whole = read_key("long", new_value, 900) == 0 && read_key("deleted", old_value, 20) == -1002 &&
                    read_key("new", new_value, 300) == 0;
        return whole ? 1 : -3;
    }
    return -4;
}

/* Flush on a full store, of more deleted keys than there is room to delete in one run. */
static unsigned all_keys;

static unsigned count_keys(int deletes) {
    ARM_CFSTORE_FMODE reading;
    unsigned keys = 0, index;
    char name[24];
    memset(&reading, 0, sizeof(reading));
    for (index = 0; index < all_keys; index++) {
        ARM_CFSTORE_HANDLE_INIT(h);
        sprintf(name, "k%u", index);
        if (d->Open(name, reading, h) == 0) {
            if (deletes) {
                (void)d->Delete(h);
            }
            (void)d->Close(h);
            keys++;
        }
    }
    return keys;
}

static void prepare_many(void) {
    char name[24];
    fresh_of(8u * 4096u);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    for (all_keys = 0;; all_keys++) {
        sprintf(name, "k%u", all_keys);
        if (write_key(name, old_value, 100) != 0 || d->Flush() != 0) {
            break;
        }
    }
    CHECK(all_keys > 40);
}

static int32_t act_many(void) {
    int32_t status;
    (void)d->Uninitialize();
    status = d->Initialize(NULL, NULL);
    if (status == 0) {
        (void)count_keys(1);
        status = d->Flush();
    }
    return status;
}

static int state_many(void) {
    unsigned keys;
    (void)d->Uninitialize();
    if (d->Initialize(NULL, NULL) != 0) {
        return -1;
    }
    keys = count_keys(0);
    return keys == 0 ? 1 : keys == all_keys ? 0 : -2;
}

int main(void) {
    static const scene set = {"psa_ps_set", prepare_set, act_set, state_set};
    static const scene internal = {"psa_its_set", prepare_its, act_its, state_its};
    static const scene once = {"psa_its_set of what is write-once", prepare_once, act_once, state_once};
    static const scene lift = {"psa_its_remove of what is write-once", prepare_once, act_lift, state_lift};
    static const scene replace = {"psa_ps_set over a capacity", prepare_replace, act_set, state_set};
    static const scene extend = {"psa_ps_set_extended", prepare_extend, act_extend, state_extend};
    static const scene full = {"psa_ps_set_extended on a full store", prepare_full, act_full, state_full};
    static const scene create = {"psa_ps_create", prepare_create, act_create, state_create};
    static const scene removal = {"psa_ps_remove", prepare_remove, act_remove, state_remove};
    static const scene many = {"Flush on a full store", prepare_many, act_many, state_many};
    static const scene flush = {"Flush", prepare_flush, act_flush, state_flush};
    static const struct {
        size_t old, new;
        uint32_t flags;
    } rows[] = {
        {10, 20, PSA_STORAGE_FLAG_NONE},
        {700, 900, PSA_STORAGE_FLAG_NONE},
        {900, 10, PSA_STORAGE_FLAG_NO_CONFIDENTIALITY},
        {20, 700, PSA_STORAGE_FLAG_NO_REPLAY_PROTECTION},
    };
    size_t index;
    for (index = 0; index < sizeof(old_value); index++) {
        old_value[index] = (unsigned char)(index * 5 + 1);
        new_value[index] = (unsigned char)(index * 11 + index / 256 + 2);
    }
    for (index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        set_old = rows[index].old;
        set_new = rows[index].new;
        set_flags = rows[index].flags;
        play(&set, 1);
        play(&internal, 1);
    }
    set_old = 300;
    set_new = 700;
    set_flags = PSA_STORAGE_FLAG_NONE;
    play(&once, 1);
    play(&lift, 1);
    play(&replace, 1);
    play(&extend, 1);
    play(&create, 1);
    play(&removal, 1);
    play(&flush, 1);
    rollback = 1;
    play(&flush, 1);
    rollback = 0;
    play(&many, getenv("LOCKSTONE_THOROUGH") != NULL ? 1 : 331);
    play(&full, getenv("LOCKSTONE_THOROUGH") != NULL ? 1 : 111);
    (void)lockstone_close();
    fprintf(stderr, "%lu cuts in all\n", cuts);
    return summary("cuts");
}
