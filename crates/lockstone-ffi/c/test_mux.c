/* Contexts of CFSTORE: clients that know nothing of each other, blocking and asynchronous, over the same keys. */
#include "check.h"
#include "configuration_store.h"

typedef struct {
    int calls;
    int32_t status;
    ARM_CFSTORE_OPCODE opcode;
} heard;

static heard heard_by[LOCKSTONE_CFSTORE_CONTEXTS];
static const ARM_CFSTORE_DRIVER *context[LOCKSTONE_CFSTORE_CONTEXTS];

static void hear(int32_t status, ARM_CFSTORE_OPCODE opcode, void *client_context, ARM_CFSTORE_HANDLE handle) {
    heard *who = (heard *)client_context;
    (void)handle;
    who->calls++;
    who->status = status;
    who->opcode = opcode;
}

static int32_t start(uint32_t number) {
    return context[number]->Initialize(hear, &heard_by[number]);
}

static void fresh_contexts(const uint32_t *modes) {
    uint32_t number;
    fresh();
    memset(heard_by, 0, sizeof(heard_by));
    for (number = 0; number < LOCKSTONE_CFSTORE_CONTEXTS; number++) {
        context[number] = lockstone_cfstore_context(number);
        CHECK_IS(lockstone_cfstore_configure_context(number, modes == NULL ? 0 : modes[number]), 0);
    }
}

static int32_t make(uint32_t number, const char *name, const char *value, ARM_CFSTORE_HANDLE key) {
    ARM_CFSTORE_KEYDESC how;
    ARM_CFSTORE_SIZE length = strlen(value);
    int32_t status;
    memset(&how, 0, sizeof(how));
    status = context[number]->Create(name, length, &how, key);
    return status < 0 ? status : context[number]->Write(key, value, &length);
}

static int32_t look(uint32_t number, const char *name, char *value, ARM_CFSTORE_HANDLE key) {
    ARM_CFSTORE_FMODE reading;
    ARM_CFSTORE_SIZE length = 32;
    int32_t status;
    memset(&reading, 0, sizeof(reading));
    memset(value, 0, 33);
    status = context[number]->Open(name, reading, key);
    return status < 0 ? status : context[number]->Read(key, value, &length);
}

static void there_are_four(void) {
    uint32_t number, other;
    fresh_contexts(NULL);
    CHECK(context[0] == &cfstore_driver);
    for (number = 0; number < LOCKSTONE_CFSTORE_CONTEXTS; number++) {
        CHECK(context[number] != NULL);
        CHECK_IS(context[number]->GetVersion().api, ARM_CFSTORE_API_VERSION);
        for (other = 0; other < number; other++) {
            CHECK(context[number] != context[other]);
        }
    }
    CHECK(lockstone_cfstore_context(LOCKSTONE_CFSTORE_CONTEXTS) == NULL);
    CHECK(lockstone_cfstore_context(UINT32_MAX) == NULL);
    CHECK_IS(lockstone_cfstore_configure_context(LOCKSTONE_CFSTORE_CONTEXTS, 0), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_cfstore_configure_context(UINT32_MAX, 0), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_cfstore_configure_context(1, 4), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(start(1), 0);
    CHECK_IS(lockstone_cfstore_configure_context(1, 0), LOCKSTONE_E_BUSY);
    CHECK_IS(lockstone_cfstore_configure_context(2, LOCKSTONE_CFSTORE_ASYNCHRONOUS), 0);
    CHECK_IS(context[2]->GetCapabilities().asynchronous_ops, 1);
    CHECK_IS(context[1]->GetCapabilities().asynchronous_ops, 0);
    CHECK_IS(context[1]->Uninitialize(), 0);
    CHECK_IS(lockstone_cfstore_configure_context(2, 0), 0);
}

static void one_does_not_initialise_another(void) {
    char value[33];
    ARM_CFSTORE_HANDLE_INIT(key);
    fresh_contexts(NULL);
    CHECK_IS(start(1), 0);
    CHECK_IS(context[1]->GetStatus().error, 0);
    CHECK_IS(context[0]->GetStatus().error, 1);
    CHECK_IS(context[0]->Flush(), ARM_CFSTORE_DRIVER_ERROR_UNINITIALISED);
    CHECK_IS(look(0, "a", value, key), ARM_CFSTORE_DRIVER_ERROR_UNINITIALISED);
    CHECK_IS(context[3]->Uninitialize(), ARM_CFSTORE_DRIVER_ERROR_UNINITIALISED);
    CHECK(heard_by[1].calls == 1 && heard_by[0].calls == 0);
    CHECK_IS(context[1]->Uninitialize(), 0);
    CHECK_IS(context[1]->Flush(), ARM_CFSTORE_DRIVER_ERROR_UNINITIALISED);
}

static void handles_and_callbacks_are_each_ones_own(void) {
    char value[33];
    ARM_CFSTORE_SIZE length = 32;
    ARM_CFSTORE_HANDLE_INIT(mine);
    ARM_CFSTORE_HANDLE_INIT(yours);
    fresh_contexts(NULL);
    CHECK_IS(start(0), 0);
    CHECK_IS(start(2), 0);
    CHECK_IS(start(2), 0); /* counted; its callback is kept */
    CHECK_IS(make(0, "shared", "value", mine), 5);
    CHECK_IS(heard_by[2].calls, 1);
    CHECK(heard_by[0].calls == 3 && heard_by[0].opcode == CFSTORE_OPCODE_WRITE && heard_by[0].status == 5);
    /* Keys are the same, handles are not. */
    CHECK_IS(look(2, "shared", value, yours), 5);
    CHECK(strcmp(value, "value") == 0);
    CHECK_IS(context[2]->Read(mine, value, &length), ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE);
    CHECK_IS(context[2]->Close(mine), ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE);
    CHECK_IS(context[2]->Delete(mine), ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE);
    CHECK_IS(context[0]->Close(yours), ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE);
    CHECK_IS(context[2]->Find("*", mine, yours), ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE_BUF);
    CHECK_IS(context[0]->Close(mine), 0);
    CHECK_IS(context[2]->Close(yours), 0);
    /* A Flush stores what its context wrote; what is not flushed goes with the last of the context. */
    CHECK_IS(context[0]->Flush(), 0);
    CHECK_IS(make(2, "lost", "1", mine), 1);
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK_IS(look(2, "lost", value, yours), 1);
    CHECK_IS(context[2]->Uninitialize(), 0);
    CHECK_IS(look(2, "lost", value, mine), 1);
    CHECK_IS(context[2]->Uninitialize(), 0);
    CHECK_IS(start(3), 0);
    CHECK_IS(look(3, "lost", value, mine), ARM_CFSTORE_DRIVER_ERROR_KEY_NOT_FOUND);
    CHECK_IS(look(3, "shared", value, mine), 5);
    CHECK_IS(context[3]->Uninitialize(), 0);
}

static void who_goes_takes_its_handles_along(void) {
    char value[33];
    int round;
    ARM_CFSTORE_HANDLE_INIT(stays);
    ARM_CFSTORE_HANDLE_INIT(goes);
    fresh_contexts(NULL);
    CHECK_IS(start(0), 0);
    CHECK_IS(make(0, "a", "1", stays), 1);
    for (round = 0; round < 2000; round++) { /* more than there are handles */
        CHECK_IS(start(1), 0);
        CHECK_IS(look(1, "a", value, goes), 1);
        CHECK_IS(context[1]->Uninitialize(), 0);
    }
    CHECK_IS(start(1), 0);
    CHECK_IS(context[1]->Close(goes), ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE);
    /* A key that was deleted is gone with its last handle, also when that was left open. */
    CHECK_IS(make(1, "b", "2", goes), 1);
    CHECK_IS(context[1]->Delete(goes), 0);
    CHECK_IS(look(0, "b", value, stays), ARM_CFSTORE_DRIVER_ERROR_KEY_NOT_FOUND);
    {
        ARM_CFSTORE_HANDLE_INIT(again);
        CHECK_IS(make(0, "b", "3", again), ARM_CFSTORE_DRIVER_ERROR_PREEXISTING_KEY_DELETING);
        CHECK_IS(context[1]->Uninitialize(), 0);
        CHECK_IS(make(0, "b", "3", again), 1);
        CHECK_IS(context[0]->Close(again), 0);
    }
    CHECK_IS(context[0]->Close(stays), 0);
    CHECK_IS(context[0]->Flush(), 0);
    CHECK_IS(context[0]->Uninitialize(), 0);
}

/* Blocking in context 0, asynchronous in 1 and 2: what is pending in one keeps nobody else waiting. */
static void blocking_and_asynchronous_ones_do_not_wait_for_each_other(void) {
    static const uint32_t modes[] = {0, LOCKSTONE_CFSTORE_ASYNCHRONOUS, LOCKSTONE_CFSTORE_ASYNCHRONOUS, 0};
    char value[33];
    ARM_CFSTORE_HANDLE_INIT(key);
    ARM_CFSTORE_HANDLE_INIT(other);
    fresh_contexts(modes);
    CHECK_IS(start(1), 0);
    CHECK_IS(start(2), 0);
    CHECK(context[1]->GetStatus().in_progress == 1 && context[2]->GetStatus().in_progress == 1);
    CHECK_IS(start(1), ARM_CFSTORE_DRIVER_ERROR_OPERATION_PENDING);
    CHECK_IS(start(0), 0);
    CHECK_IS(context[0]->GetStatus().in_progress, 0);
    CHECK_IS(make(0, "from/0", "zero", key), ARM_CFSTORE_DRIVER_ERROR_INVALID_KEY_NAME);
    CHECK_IS(make(0, "from.0", "zero", key), 4);
    CHECK_IS(make(1, "from.1", "one", other), ARM_CFSTORE_DRIVER_ERROR_OPERATION_PENDING);
    CHECK_IS(lockstone_cfstore_poll(), 1);
    CHECK(heard_by[1].opcode == CFSTORE_OPCODE_INITIALIZE && heard_by[1].status == 0 && heard_by[2].calls == 0);
    CHECK_IS(make(1, "from.1", "one", other), 3);
    CHECK_IS(lockstone_cfstore_poll(), 1);
    CHECK(heard_by[2].calls == 1 && heard_by[2].opcode == CFSTORE_OPCODE_INITIALIZE);
    CHECK_IS(lockstone_cfstore_poll(), 0);
    /* What was made before the others began is still there. */
    CHECK_IS(look(2, "from.0", value, key), 4);
    CHECK_IS(context[1]->Flush(), 0);
    CHECK_IS(context[1]->Close(other), ARM_CFSTORE_DRIVER_ERROR_OPERATION_PENDING);
    CHECK_IS(context[1]->Uninitialize(), ARM_CFSTORE_DRIVER_ERROR_OPERATION_PENDING);
    CHECK_IS(context[0]->Flush(), 0);
    CHECK_IS(context[2]->Flush(), 0);
    CHECK(context[1]->GetStatus().in_progress == 1 && context[2]->GetStatus().in_progress == 1);
    CHECK_IS(lockstone_cfstore_poll(), 1);
    CHECK_IS(lockstone_cfstore_poll(), 1);
    CHECK_IS(lockstone_cfstore_poll(), 0);
    CHECK(heard_by[1].opcode == CFSTORE_OPCODE_FLUSH && heard_by[2].opcode == CFSTORE_OPCODE_FLUSH);
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK_IS(context[2]->Uninitialize(), 0);
    CHECK_IS(look(1, "from.0", value, key), 4);
    CHECK_IS(context[1]->Uninitialize(), 0);
    /* After a start: all of it was stored. */
    CHECK_IS(reopen(), 0);
    CHECK_IS(start(3), 0);
    CHECK_IS(look(3, "from.1", value, key), 3);
    CHECK(strcmp(value, "one") == 0);
    CHECK_IS(context[3]->Uninitialize(), 0);
}

/* A Flush of one context leaves out what another has open for writing: it may be half of a value. */
static void a_flush_stores_no_half_of_anothers_value(void) {
    char value[33];
    ARM_CFSTORE_FMODE mode;
    ARM_CFSTORE_SIZE length = 2;
    ARM_CFSTORE_HANDLE_INIT(key);
    ARM_CFSTORE_HANDLE_INIT(other);
    ARM_CFSTORE_HANDLE_INIT(fresh_one);
    memset(&mode, 0, sizeof(mode));
    mode.read = mode.write = 1;
    fresh_contexts(NULL);
    CHECK_IS(start(0), 0);
    CHECK_IS(start(1), 0);
    CHECK_IS(make(0, "a", "old", key), 3);
    CHECK_IS(context[0]->Close(key), 0);
    CHECK_IS(context[0]->Flush(), 0);
    CHECK_IS(context[0]->Open("a", mode, key), 0);
    CHECK_IS(context[0]->Write(key, "ne", &length), 2);
    CHECK_IS(make(0, "new", "half", fresh_one), 4);
    CHECK_IS(make(1, "b", "mine", other), 4);
    CHECK_IS(context[1]->Flush(), 0);
    CHECK_IS(reopen(), 0); /* as after a cut */
    CHECK_IS(start(0), 0);
    CHECK_IS(look(0, "a", value, key), 3);
    CHECK(strcmp(value, "old") == 0);
    CHECK_IS(look(0, "b", value, other), 4);
    CHECK_IS(look(0, "new", value, fresh_one), ARM_CFSTORE_DRIVER_ERROR_KEY_NOT_FOUND);
    /* Its own Flush stores it, and no other's, closed or not. */
    CHECK_IS(context[0]->Close(key), 0);
    CHECK_IS(context[0]->Open("a", mode, key), 0);
    length = 3;
    CHECK_IS(context[0]->Write(key, "new", &length), 3);
    CHECK_IS(context[0]->Flush(), 0);
    CHECK_IS(start(1), 0);
    CHECK_IS(make(0, "c", "done", fresh_one), 4);
    CHECK_IS(context[0]->Close(fresh_one), 0);
    CHECK_IS(context[1]->Flush(), 0);
    CHECK_IS(reopen(), 0);
    CHECK_IS(start(0), 0);
    CHECK_IS(look(0, "a", value, key), 3);
    CHECK(strcmp(value, "new") == 0);
    CHECK_IS(look(0, "c", value, fresh_one), ARM_CFSTORE_DRIVER_ERROR_KEY_NOT_FOUND);
    CHECK_IS(context[0]->Uninitialize(), 0);
}

static void store(uint32_t number, const char *name, const char *value) {
    ARM_CFSTORE_HANDLE_INIT(key);
    CHECK_IS(make(number, name, value, key), strlen(value));
    CHECK_IS(context[number]->Close(key), 0);
}

static int32_t open_to_write(uint32_t number, const char *name, ARM_CFSTORE_HANDLE key) {
    ARM_CFSTORE_FMODE mode;
    memset(&mode, 0, sizeof(mode));
    mode.read = mode.write = 1;
    return context[number]->Open(name, mode, key);
}

static void overwrite(uint32_t number, const char *name, const char *value) {
    ARM_CFSTORE_SIZE length = strlen(value);
    ARM_CFSTORE_HANDLE_INIT(key);
    CHECK_IS(open_to_write(number, name, key), 0);
    CHECK_IS(context[number]->Write(key, value, &length), strlen(value));
    CHECK_IS(context[number]->Close(key), 0);
}

static void drop(uint32_t number, const char *name) {
    ARM_CFSTORE_HANDLE_INIT(key);
    CHECK_IS(open_to_write(number, name, key), 0);
    CHECK_IS(context[number]->Delete(key), 0);
    CHECK_IS(context[number]->Close(key), 0);
}

/* What a context sees of a key. */
static int sees(uint32_t number, const char *name, const char *value) {
    char found[33];
    ARM_CFSTORE_HANDLE_INIT(key);
    int32_t length = look(number, name, found, key);
    if (length < 0) {
        return value == NULL && length == ARM_CFSTORE_DRIVER_ERROR_KEY_NOT_FOUND;
    }
    return context[number]->Close(key) == 0 && value != NULL && strcmp(found, value) == 0;
}

/* Two of them, on a store that has three keys. */
static void two_contexts_in(const uint32_t *modes) {
    fresh_contexts(modes);
    CHECK_IS(start(0), 0);
    CHECK_IS(start(1), 0);
    store(0, "old.a", "1");
    store(0, "old.b", "1");
    store(0, "old.c", "1");
    CHECK_IS(context[0]->Flush(), 0);
}

static void two_contexts(void) {
    two_contexts_in(NULL);
}

/* As after a cut. */
static void cut(void) {
    CHECK_IS(reopen(), 0);
    CHECK_IS(start(0), 0);
    CHECK_IS(start(1), 0);
}

/* What belongs together in one context is not torn apart by a Flush of another: new, changed and deleted. */
static void a_flush_stores_what_its_own_context_wrote(void) {
    ARM_CFSTORE_HANDLE_INIT(key);
    two_contexts();
    store(0, "new", "0");
    overwrite(0, "old.a", "0");
    drop(0, "old.b");
    store(1, "other", "1");
    drop(1, "old.c");
    /* All see all of it meanwhile. */
    CHECK(sees(1, "new", "0") && sees(1, "old.a", "0") && sees(1, "old.b", NULL) && sees(0, "old.c", NULL));
    CHECK_IS(context[1]->Flush(), 0);
    CHECK(sees(1, "new", "0") && sees(1, "old.a", "0") && sees(1, "old.b", NULL));
    cut();
    CHECK(sees(0, "new", NULL) && sees(0, "old.a", "1") && sees(0, "old.b", "1"));
    CHECK(sees(0, "other", "1") && sees(0, "old.c", NULL));
    store(0, "new", "0");
    overwrite(0, "old.a", "0");
    drop(0, "old.b");
    CHECK_IS(context[1]->Flush(), 0);
    CHECK_IS(context[0]->Flush(), 0);
    cut();
    CHECK(sees(1, "new", "0") && sees(1, "old.a", "0") && sees(1, "old.b", NULL));
    /* What both wrote is stored with the first Flush of either, as neither can be stored alone. */
    overwrite(0, "new", "2");
    overwrite(1, "new", "3");
    store(0, "apart", "0");
    drop(0, "old.a");
    store(1, "old.a", "4");
    CHECK_IS(context[1]->Flush(), 0);
    cut();
    CHECK(sees(0, "new", "3") && sees(0, "apart", NULL) && sees(0, "old.a", "4"));
    /* Who has a key open to write, and has not written, keeps nobody from storing it. */
    overwrite(0, "new", "5");
    CHECK_IS(open_to_write(1, "new", key), 0);
    CHECK_IS(context[0]->Flush(), 0);
    cut();
    CHECK(sees(0, "new", "5"));
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK_IS(context[1]->Uninitialize(), 0);
}

/* A full store of the first context; how many keys. The other makes one in between, and flushes nothing. */
static unsigned fill(void) {
    char name[16];
    unsigned made;
    fresh_contexts(NULL);
    fresh_of(8u * 4096u);
    CHECK_IS(start(0), 0);
    CHECK_IS(start(1), 0);
    for (made = 0; made < 4000; made++) {
        if (made == 60) {
            store(1, "between", "1");
        }
        sprintf(name, "k%u", made);
        store(0, name, "0123456789012345678901234567890");
        if (context[0]->Flush() != 0) {
            drop(0, name);
            break;
        }
    }
    CHECK(made > 100 && made < 4000);
    return made;
}

/* The first key last. */
static void drop_keys(unsigned made) {
    char name[16];
    while (made > 0) {
        made--;
        sprintf(name, "k%u", made);
        drop(0, name);
    }
}

/* Fewer cuts for tools that are slow. */
static unsigned stride(void) {
    const char *wanted = getenv("LOCKSTONE_STRIDE");
    return wanted != NULL && atoi(wanted) > 1 ? 5 : 1;
}

static unsigned keys_left(unsigned made) {
    char name[16];
    unsigned number, left = 0;
    for (number = 0; number < made; number++) {
        sprintf(name, "k%u", number);
        left += !sees(0, name, NULL);
    }
    return left;
}

/* Deletes that a full store has no room for in one step are noted: those of the context alone. */
static void a_note_of_deletes_names_no_others(void) {
    char name[16];
    unsigned made, number;
    made = fill();
    for (number = 0; number < made; number++) {
        if (number != 50) {
            sprintf(name, "k%u", number);
            drop(0, name);
        }
    }
    drop(1, "k50");
    CHECK_IS(context[0]->Flush(), 0);
    CHECK(sees(0, "k50", NULL));
    cut();
    CHECK(sees(0, "k50", "0123456789012345678901234567890") && sees(0, "k49", NULL) && sees(0, "k51", NULL));
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK_IS(context[1]->Uninitialize(), 0);
}

/* A note names what the store has of a key that was deleted, made again and deleted again; and nothing that is stored later. */
static void a_cut_note_of_deletes_ends_what_it_began_and_no_more(void) {
    uint64_t operations = 0, cuts_before_end;
    /* The last of these is before the note is written, the first cuts nothing. */
    for (cuts_before_end = 0; cuts_before_end <= operations && cuts_before_end < 200; cuts_before_end += 9 * stride()) {
        unsigned made = fill(), left;
        uint64_t before;
        int stored;
        drop_keys(made);
        store(0, "k0", "again");
        drop(0, "k0");
        if (cuts_before_end > 0) {
            CHECK_IS(lockstone_sim_cut(operations - cuts_before_end, 0), 0);
        }
        before = lockstone_sim_operations();
        CHECK_IS(context[0]->Flush() == 0, cuts_before_end == 0);
        if (cuts_before_end == 0) {
            operations = lockstone_sim_operations() - before;
        }
        CHECK_IS(lockstone_sim_power(1), 0);
        stored = context[1]->Flush() == 0;
        cut();
        left = keys_left(made);
        CHECK(left == 0 || left == made);
        CHECK(sees(1, "between", stored ? "1" : NULL));
    }
    CHECK(operations > 100);
}

/* A start that can't read all of it must not forget what was to be deleted. */
static lockstone_platform sound;
static long reads_before_failure;
#define FAILING_READS 6

static int32_t fail_to_read(void *user, uint32_t from, void *bytes, size_t length) {
    if (reads_before_failure > 0) {
        reads_before_failure--;
    } else if (reads_before_failure > -FAILING_READS) {
        reads_before_failure--;
        return -1;
    }
    return sound.read(user, from, bytes, length);
}

static void a_start_that_can_not_read_all_forgets_no_note(void) {
    unsigned failures = 0, made = 0, turn = 0, rewritten = 0;
    uint64_t operations = 0;
    long before;
    int cuts;
    /* The first Flush is whole, and says where the second is to be cut: in its last deletes. */
    for (cuts = 0; cuts < 2; cuts++) {
        made = fill();
        CHECK_IS(context[1]->Uninitialize(), 0);
        drop_keys(made);
        if (cuts) {
            CHECK_IS(lockstone_sim_cut(operations - 30, 0), 0);
        }
        operations = lockstone_sim_operations();
        CHECK_IS(context[0]->Flush() != 0, cuts);
        operations = lockstone_sim_operations() - operations;
    }
    CHECK_IS(lockstone_sim_power(1), 0);
    (void)lockstone_close();
    CHECK_IS(lockstone_sim_save(), 0);
    for (before = 0; before < 700; before += 7 * stride()) {
        lockstone_memory memory = test_memory();
        lockstone_platform platform = test_platform;
        char name[16];
        unsigned number, left;
        int status, stored = 0;
        sound = test_platform;
        platform.read = fail_to_read;
        (void)lockstone_close();
        CHECK_IS(lockstone_sim_restore(1), 0);
        reads_before_failure = -FAILING_READS;
        CHECK_IS(lockstone_open(&platform, &memory), 0);
        reads_before_failure = before;
        status = start(0);
        left = status == 0 ? keys_left(made) : 0;
        failures += status != 0 || left != 0;
        /* Every other time one that is left is written again: what is stored after the note is not what it named. */
        if (left > 0 && turn++ % 2 == 1) {
            number = 0;
            do {
                sprintf(name, "k%u", number);
                number++;
            } while (number < made && sees(0, name, NULL));
            if (sees(0, name, "0123456789012345678901234567890")) {
                overwrite(0, name, "again");
                stored = context[0]->Flush() == 0;
            }
        }
        CHECK_IS(reopen(), 0);
        CHECK_IS(start(0), 0);
        if (stored) {
            CHECK(sees(0, name, "again56789012345678901234567890"));
            rewritten++;
        } else {
            CHECK_IS(keys_left(made), 0);
        }
    }
    CHECK(failures > 0);
    CHECK(rewritten > 0);
}

/* What is not flushed goes with the last Uninitialize of its context, and what the store has is there again. */
static void who_goes_takes_what_it_has_not_flushed_along(void) {
    char value[33];
    ARM_CFSTORE_HANDLE_INIT(key);
    ARM_CFSTORE_HANDLE_INIT(other);
    two_contexts();
    CHECK_IS(start(0), 0); /* twice */
    store(0, "new", "0");
    overwrite(0, "old.a", "0");
    drop(0, "old.b");
    store(1, "mine", "1");
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK(sees(1, "new", "0") && sees(1, "old.a", "0") && sees(1, "old.b", NULL));
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK(sees(1, "new", NULL) && sees(1, "old.a", "1") && sees(1, "old.b", "1") && sees(1, "mine", "1"));
    /* What another has open is its own from there on, and a delete of it is taken back. */
    CHECK_IS(start(0), 0);
    store(0, "new", "0");
    CHECK_IS(look(1, "new", value, key), 1);
    CHECK_IS(look(1, "old.c", value, other), 1);
    drop(0, "old.c");
    CHECK(sees(1, "old.c", NULL));
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK(sees(1, "old.c", "1"));
    CHECK_IS(context[1]->Close(other), 0);
    CHECK_IS(context[1]->Close(key), 0);
    CHECK_IS(context[1]->Flush(), 0);
    cut();
    CHECK(sees(0, "new", "0") && sees(0, "old.a", "1") && sees(0, "old.b", "1") && sees(0, "old.c", "1"));
    CHECK(sees(0, "mine", "1"));
    /* Both deleted it: one takes it back, and it stays deleted. */
    CHECK_IS(open_to_write(0, "old.a", key), 0);
    CHECK_IS(open_to_write(1, "old.a", other), 0);
    CHECK_IS(context[0]->Delete(key), 0);
    CHECK_IS(context[1]->Delete(other), 0);
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK(sees(1, "old.a", NULL));
    CHECK_IS(context[1]->Close(other), 0);
    CHECK_IS(context[1]->Flush(), 0);
    cut();
    CHECK(sees(0, "old.a", NULL));
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK_IS(context[1]->Uninitialize(), 0);
}

/* A key that one deletes and another makes again is deleted all the same, when the other takes that back or deletes it. */
static void what_is_made_again_was_deleted_before(void) {
    ARM_CFSTORE_HANDLE_INIT(key);
    two_contexts();
    drop(0, "old.a");
    store(1, "old.a", "half");
    CHECK_IS(context[1]->Uninitialize(), 0);
    CHECK(sees(0, "old.a", NULL));
    CHECK_IS(context[0]->Flush(), 0);
    cut();
    CHECK(sees(0, "old.a", NULL) && sees(0, "old.b", "1"));
    /* As long as the one who makes it is not done with it, too. */
    drop(0, "old.b");
    CHECK_IS(make(1, "old.b", "half", key), 4);
    CHECK_IS(context[0]->Flush(), 0);
    CHECK_IS(context[1]->Uninitialize(), 0);
    CHECK_IS(context[0]->Flush(), 0);
    cut();
    CHECK(sees(0, "old.b", NULL));
    drop(0, "old.c");
    store(1, "old.c", "2");
    drop(1, "old.c");
    CHECK(sees(0, "old.c", NULL));
    CHECK_IS(context[0]->Flush(), 0);
    cut();
    CHECK(sees(0, "old.c", NULL));
    /* Who deleted it goes: it's the other's alone. */
    two_contexts();
    drop(0, "old.a");
    store(1, "old.a", "2");
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK(sees(1, "old.a", "2"));
    CHECK_IS(context[1]->Flush(), 0);
    cut();
    CHECK(sees(1, "old.a", "2"));
    /* Once stored nobody deleted it. */
    drop(0, "old.b");
    CHECK_IS(make(1, "old.b", "2", key), 1);
    CHECK_IS(context[1]->Flush(), 0);
    CHECK_IS(context[1]->Close(key), 0);
    overwrite(1, "old.b", "3");
    CHECK_IS(context[0]->Flush(), 0);
    cut();
    CHECK(sees(0, "old.b", "2"));
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK_IS(context[1]->Uninitialize(), 0);
}

/* What one deleted and left open is as the other wrote it. */
static void who_goes_deletes_nothing_of_anothers(void) {
    ARM_CFSTORE_HANDLE_INIT(key);
    ARM_CFSTORE_HANDLE_INIT(other);
    two_contexts();
    store(1, "new", "2");
    overwrite(1, "old.a", "2");
    CHECK_IS(open_to_write(0, "new", key), 0);
    CHECK_IS(open_to_write(0, "old.a", other), 0);
    CHECK(context[0]->Delete(key) == 0 && context[0]->Delete(other) == 0);
    CHECK(sees(1, "new", NULL) && sees(1, "old.a", NULL));
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK(sees(1, "new", "2") && sees(1, "old.a", "2"));
    CHECK_IS(context[1]->Flush(), 0);
    cut();
    CHECK(sees(0, "new", "2") && sees(0, "old.a", "2"));
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK_IS(context[1]->Uninitialize(), 0);
}

/* A Flush that answers 0 has stored what was deleted, or it's stored when another, who still has that open, closes it. */
static void what_was_deleted_and_flushed_is_stored_when_another_closes_it(void) {
    static const uint32_t modes[] = {LOCKSTONE_CFSTORE_DURABLE_AT_CLOSE, 0, 0, 0};
    char value[33];
    int who_goes, durable;
    for (durable = 0; durable < 2; durable++) {
        for (who_goes = 0; who_goes < 5; who_goes++) {
            ARM_CFSTORE_SIZE length = 1;
            ARM_CFSTORE_HANDLE_INIT(key);
            two_contexts_in(durable ? modes : NULL);
            CHECK_IS(look(1, "old.a", value, key), 1);
            drop(0, "old.a");
            if (!durable) {
                CHECK_IS(context[0]->Flush(), 0);
            }
            CHECK(sees(0, "old.a", NULL) && sees(1, "old.a", NULL));
            /* Whoever has it open reads on. */
            CHECK_IS(context[1]->Rseek(key, 0), 0);
            CHECK(context[1]->Read(key, value, &length) == 1 && value[0] == '1');
            if (who_goes == 1 || who_goes == 3) {
                CHECK_IS(context[0]->Uninitialize(), 0);
                CHECK(sees(1, "old.a", NULL));
            }
            if (who_goes >= 2) {
                /* Left open, also by the last of all. */
                CHECK_IS(context[1]->Uninitialize(), 0);
            } else {
                CHECK_IS(context[1]->Close(key), 0);
            }
            if (who_goes == 4) {
                CHECK_IS(context[0]->Uninitialize(), 0);
                CHECK_IS(start(0), 0);
                CHECK(sees(0, "old.a", NULL));
            }
            cut();
            CHECK(sees(0, "old.a", NULL) && sees(0, "old.b", "1"));
        }
    }
    /* What was deleted and not flushed is not. */
    two_contexts();
    {
        ARM_CFSTORE_HANDLE_INIT(key);
        ARM_CFSTORE_HANDLE_INIT(mine);
        CHECK_IS(look(1, "old.a", value, key), 1);
        CHECK_IS(context[0]->Flush(), 0);
        drop(0, "old.a");
        CHECK_IS(context[1]->Flush(), 0);
        CHECK_IS(context[1]->Close(key), 0);
        /* Nor what only its own context has open: its next Flush stores that. */
        CHECK_IS(open_to_write(0, "old.b", mine), 0);
        CHECK_IS(context[0]->Delete(mine), 0);
        cut();
    }
    CHECK(sees(0, "old.a", "1") && sees(0, "old.b", "1"));
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK_IS(context[1]->Uninitialize(), 0);
}

/* Nor does a Close store what another context has not flushed, in the mode durable-at-close. */
static void a_close_stores_what_its_own_context_wrote(void) {
    static const uint32_t modes[] = {0, LOCKSTONE_CFSTORE_DURABLE_AT_CLOSE, 0, 0};
    char value[33];
    ARM_CFSTORE_SIZE length = 1;
    ARM_CFSTORE_HANDLE_INIT(key);
    ARM_CFSTORE_HANDLE_INIT(other);
    two_contexts_in(modes);
    CHECK_IS(look(1, "old.a", value, other), 1);
    overwrite(0, "old.b", "2");
    drop(0, "old.a");
    CHECK_IS(context[1]->Close(other), 0);
    CHECK_IS(open_to_write(0, "old.c", key), 0);
    CHECK_IS(context[0]->Write(key, "2", &length), 1);
    CHECK_IS(open_to_write(1, "old.c", other), 0);
    CHECK_IS(context[1]->Close(other), 0);
    cut();
    CHECK(sees(0, "old.a", "1") && sees(0, "old.b", "1") && sees(0, "old.c", "1"));
    /* What it wrote or deleted itself is stored. */
    overwrite(1, "old.a", "3");
    drop(1, "old.b");
    cut();
    CHECK(sees(0, "old.a", "3") && sees(0, "old.b", NULL));
    CHECK_IS(context[0]->Uninitialize(), 0);
    CHECK_IS(context[1]->Uninitialize(), 0);
}

/* Who has always something pending again keeps nobody else waiting. */
static int heard_in_all[2];

static void hear_and_flush(int32_t status, ARM_CFSTORE_OPCODE opcode, void *client_context, ARM_CFSTORE_HANDLE handle) {
    uint32_t number = client_context == NULL ? 0 : 1;
    (void)status;
    (void)opcode;
    (void)handle;
    heard_in_all[number]++;
    (void)context[number]->Flush();
}

static void poll_serves_all_in_turn(void) {
    static const uint32_t modes[] = {LOCKSTONE_CFSTORE_ASYNCHRONOUS, LOCKSTONE_CFSTORE_ASYNCHRONOUS, 0, 0};
    int polls;
    fresh_contexts(modes);
    CHECK_IS(context[0]->Initialize(hear_and_flush, NULL), 0);
    CHECK_IS(context[1]->Initialize(hear_and_flush, &heard_by[1]), 0);
    for (polls = 0; polls < 100; polls++) {
        CHECK_IS(lockstone_cfstore_poll(), 1);
    }
    CHECK(heard_in_all[0] == 50 && heard_in_all[1] == 50);
}

/* The client hook says whose a key is, in whichever context. */
static void rights_are_the_clients_not_the_contexts(void) {
    char value[33];
    ARM_CFSTORE_HANDLE_INIT(key);
    ARM_CFSTORE_HANDLE_INIT(other);
    fresh_contexts(NULL);
    lockstone_sim_set_client(1);
    CHECK_IS(start(0), 0);
    CHECK_IS(make(0, "mine", "1", key), 1);
    lockstone_sim_set_client(2);
    CHECK_IS(start(1), 0);
    CHECK_IS(look(1, "mine", value, other), ARM_CFSTORE_DRIVER_ERROR_KEY_NOT_FOUND);
    CHECK_IS(context[0]->Close(key), ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE);
    lockstone_sim_set_client(1);
    CHECK_IS(context[1]->Uninitialize(), ARM_CFSTORE_DRIVER_ERROR_UNINITIALISED);
    CHECK_IS(look(1, "mine", value, other), 1);
    CHECK_IS(context[0]->Close(key), 0);
    lockstone_sim_set_client(0);
}

int main(void) {
    there_are_four();
    a_flush_stores_no_half_of_anothers_value();
    a_flush_stores_what_its_own_context_wrote();
    a_note_of_deletes_names_no_others();
    a_cut_note_of_deletes_ends_what_it_began_and_no_more();
    a_start_that_can_not_read_all_forgets_no_note();
    who_goes_takes_what_it_has_not_flushed_along();
    what_is_made_again_was_deleted_before();
    who_goes_deletes_nothing_of_anothers();
    what_was_deleted_and_flushed_is_stored_when_another_closes_it();
    a_close_stores_what_its_own_context_wrote();
    poll_serves_all_in_turn();
    one_does_not_initialise_another();
    handles_and_callbacks_are_each_ones_own();
    who_goes_takes_its_handles_along();
    blocking_and_asynchronous_ones_do_not_wait_for_each_other();
    rights_are_the_clients_not_the_contexts();
    (void)lockstone_close();
    return summary("mux");
}
