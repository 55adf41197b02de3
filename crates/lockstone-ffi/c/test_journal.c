/* Flash Journal over objects: each function and each error, clients, handles of nonsense, damage, and power cuts. */
#include "check.h"
#include "flash_journal.h"
#include "lockstone_objects.h"

#define BLOCK 4096u
#define KEYS (32u * BLOCK)
#define OBJECTS (24u * BLOCK)
#define OLD 9000u
#define NEW 21000u

static const lockstone_volume table[] = {
    {LOCKSTONE_VOLUME_KEYS, 0, 0, 0, 0, KEYS},
    {LOCKSTONE_VOLUME_OBJECTS, 0, 0, 0, KEYS, OBJECTS},
};

static unsigned char ram[LOCKSTONE_OBJECTS_SIZE(OBJECTS)];
static unsigned char blob[2][NEW];
static unsigned char found[NEW + 1];
static FlashJournal_t journal;
static int called;

static void note(int32_t status, FlashJournal_OpCode_t opcode) {
    (void)status;
    (void)opcode;
    called++;
}

static int32_t format(uint32_t slots) {
    return flashJournalStrategySequential_format(NULL, slots, note);
}

static int32_t initialize(void) {
    return FlashJournal_initialize(&journal, NULL, &FLASH_JOURNAL_STRATEGY_SEQUENTIAL, note);
}

static void fresh_objects(void) {
    (void)lockstone_close();
    CHECK_IS(lockstone_use_volumes(table, 2), 0);
    fresh_of(KEYS + OBJECTS);
    CHECK_IS(lockstone_objects_format(ram, sizeof(ram)), 0);
}

static int32_t again(void) {
    int32_t status = reopen();
    return status != 0 ? status : lockstone_objects_open(ram, sizeof(ram));
}

/* Logs in pieces of odd lengths, and commits. */
static int32_t log_all(const unsigned char *bytes, uint32_t length) {
    uint32_t at, piece;
    for (at = 0; at < length; at += piece) {
        int32_t status;
        piece = 1 + at % 1777;
        piece = piece < length - at ? piece : length - at;
        status = FlashJournal_log(&journal, bytes + at, piece);
        if (status != (int32_t)piece) {
            return status < 0 ? status : -99;
        }
    }
    return FlashJournal_commit(&journal);
}

static uint64_t committed(void) {
    FlashJournal_Info_t info;
    memset(&info, 0x55, sizeof(info));
    CHECK_IS(FlashJournal_getInfo(&journal, &info), JOURNAL_STATUS_OK);
    CHECK(info.program_unit == 1 && info.capacity > 0);
    return info.sizeofJournaledBlob;
}

static void before_it_is_there(void) {
    FlashJournal_Info_t info;
    (void)lockstone_close();
    CHECK_IS(lockstone_use_volumes(table, 2), 0);
    fresh_of(KEYS + OBJECTS);
    memset(&journal, 0, sizeof(journal));
    CHECK_IS(format(4), JOURNAL_STATUS_NOT_INITIALIZED);
    CHECK_IS(initialize(), JOURNAL_STATUS_NOT_INITIALIZED);
    CHECK_IS(lockstone_objects_format(ram, sizeof(ram)), 0);
    CHECK_IS(initialize(), JOURNAL_STATUS_NOT_FORMATTED);
    CHECK_IS(FLASH_JOURNAL_STRATEGY_SEQUENTIAL.getInfo(&journal, &info), JOURNAL_STATUS_NOT_INITIALIZED);
    CHECK_IS(FLASH_JOURNAL_STRATEGY_SEQUENTIAL.read(&journal, found, 1), JOURNAL_STATUS_NOT_INITIALIZED);
    CHECK_IS(FLASH_JOURNAL_STRATEGY_SEQUENTIAL.readFrom(&journal, 0, found, 1), JOURNAL_STATUS_NOT_INITIALIZED);
    CHECK_IS(FLASH_JOURNAL_STRATEGY_SEQUENTIAL.log(&journal, found, 1), JOURNAL_STATUS_NOT_INITIALIZED);
    CHECK_IS(FLASH_JOURNAL_STRATEGY_SEQUENTIAL.commit(&journal), JOURNAL_STATUS_NOT_INITIALIZED);
    CHECK_IS(FLASH_JOURNAL_STRATEGY_SEQUENTIAL.reset(&journal), JOURNAL_STATUS_NOT_INITIALIZED);
    CHECK_IS(format(0), JOURNAL_STATUS_PARAMETER);
    CHECK_IS(format(1), JOURNAL_STATUS_PARAMETER);
    CHECK_IS(format(25), JOURNAL_STATUS_BOUNDED_CAPACITY);
    CHECK_IS(format(UINT32_MAX), JOURNAL_STATUS_BOUNDED_CAPACITY);
    CHECK_IS(format(24), 1);
    CHECK_IS(format(2), 1);
    CHECK_IS(FLASH_JOURNAL_STRATEGY_SEQUENTIAL.initialize(NULL, NULL, &FLASH_JOURNAL_STRATEGY_SEQUENTIAL, NULL), JOURNAL_STATUS_PARAMETER);
    CHECK_IS(FLASH_JOURNAL_STRATEGY_SEQUENTIAL.initialize(&journal, NULL, NULL, NULL), JOURNAL_STATUS_PARAMETER);
    CHECK_IS(initialize(), 1);
    CHECK(memcmp(&journal.ops, &FLASH_JOURNAL_STRATEGY_SEQUENTIAL, sizeof(journal.ops)) == 0);
    CHECK_IS(committed(), 0);
    CHECK_IS(FlashJournal_getInfo(&journal, NULL), JOURNAL_STATUS_PARAMETER);
    CHECK_IS(journal.ops.getInfo(NULL, &info), JOURNAL_STATUS_PARAMETER);
    CHECK_IS(journal.ops.commit(NULL), JOURNAL_STATUS_PARAMETER);
    CHECK_IS(FlashJournal_read(&journal, found, 1), JOURNAL_STATUS_EMPTY);
    CHECK_IS(FlashJournal_readFrom(&journal, 0, found, 1), JOURNAL_STATUS_EMPTY);
}

static void a_blob_is_logged_committed_and_read(void) {
    FlashJournal_Info_t info;
    int32_t read, at = 0;
    fresh_objects();
    CHECK_IS(format(2), 1);
    CHECK_IS(initialize(), 1);
    CHECK_IS(log_all(blob[0], OLD), 1);
    CHECK_IS(committed(), OLD);
    while ((read = FlashJournal_read(&journal, found + at, 1000)) > 0) {
        at += read;
    }
    CHECK_IS(read, JOURNAL_STATUS_EMPTY);
    CHECK(at == (int32_t)OLD && memcmp(found, blob[0], OLD) == 0);
    CHECK_IS(FlashJournal_read(&journal, found, 10), 10); /* from the start again */
    CHECK(memcmp(found, blob[0], 10) == 0);
    CHECK_IS(FlashJournal_readFrom(&journal, 5000, found, 10), 10);
    CHECK(memcmp(found, blob[0] + 5000, 10) == 0);
    CHECK_IS(FlashJournal_read(&journal, found, 10), 10);
    CHECK(memcmp(found, blob[0] + 5010, 10) == 0);
    CHECK_IS(FlashJournal_readFrom(&journal, OLD - 3, found, sizeof(found)), 3);
    CHECK_IS(FlashJournal_readFrom(&journal, OLD, found, 10), JOURNAL_STATUS_EMPTY);
    CHECK_IS(FlashJournal_read(&journal, found, 10), 10);
    CHECK(memcmp(found, blob[0], 10) == 0);
    CHECK_IS(FlashJournal_readFrom(&journal, SIZE_MAX, found, 10), JOURNAL_STATUS_EMPTY);
    CHECK_IS(FlashJournal_read(&journal, NULL, 10), JOURNAL_STATUS_PARAMETER);
    CHECK_IS(FlashJournal_read(&journal, found, 0), JOURNAL_STATUS_PARAMETER);

    /* What is logged is not there before the commit, nor after a start. */
    CHECK_IS(FlashJournal_log(&journal, blob[1], 700), 700);
    CHECK_IS(committed(), OLD);
    CHECK_IS(FlashJournal_readFrom(&journal, 600, found, 100), 100);
    CHECK(memcmp(found, blob[0] + 600, 100) == 0);
    CHECK_IS(FlashJournal_log(&journal, blob[1] + 700, 300), 300);
    CHECK_IS(FlashJournal_log(&journal, NULL, 300), JOURNAL_STATUS_PARAMETER);
    CHECK_IS(FlashJournal_log(&journal, blob[1], 0), JOURNAL_STATUS_PARAMETER);
    CHECK_IS(FlashJournal_log(&journal, blob[1], SIZE_MAX), JOURNAL_STATUS_PARAMETER);
    CHECK_IS(again(), 0);
    CHECK_IS(FlashJournal_log(&journal, blob[1], 5), JOURNAL_STATUS_STORAGE_RUNTIME_OR_INTEGRITY_FAILURE);
    CHECK_IS(FlashJournal_log(&journal, blob[1], 1000), 1000); /* anew */
    CHECK_IS(FlashJournal_commit(&journal), 1);
    CHECK_IS(committed(), 1000);
    CHECK_IS(FlashJournal_read(&journal, found, sizeof(found)), 1000);
    CHECK(memcmp(found, blob[1], 1000) == 0);

    /* Another object in between: the tail in RAM is gone, and that is said. */
    CHECK_IS(FlashJournal_log(&journal, blob[1], 700), 700);
    CHECK_IS(lockstone_object_begin("other", 10), 0);
    CHECK_IS(FlashJournal_commit(&journal), JOURNAL_STATUS_STORAGE_RUNTIME_OR_INTEGRITY_FAILURE);
    CHECK_IS(committed(), 1000);
    CHECK_IS(lockstone_object_abort("other"), 0);

    /* The capacity. */
    CHECK_IS(FlashJournal_getInfo(&journal, &info), 0);
    CHECK(info.capacity >= NEW && info.capacity <= OBJECTS / 2);
    CHECK_IS(FlashJournal_log(&journal, blob[1], (size_t)info.capacity + 1), JOURNAL_STATUS_BOUNDED_CAPACITY);
    {
        static unsigned char large[OBJECTS];
        uint32_t round;
        for (round = 0; round < 5; round++) { /* the blob before and the new one have room, each time */
            large[0] = (unsigned char)round;
            CHECK_IS(FlashJournal_log(&journal, large, (size_t)info.capacity), (int32_t)info.capacity);
            CHECK_IS(FlashJournal_log(&journal, large, 1), JOURNAL_STATUS_BOUNDED_CAPACITY);
            CHECK_IS(FlashJournal_commit(&journal), 1);
        }
        CHECK_IS(committed(), info.capacity);
        CHECK_IS(FlashJournal_read(&journal, found, 1), 1);
        CHECK_IS(found[0], 4);
    }

    /* An empty one, and none. */
    CHECK_IS(FlashJournal_commit(&journal), 1);
    CHECK_IS(committed(), 0);
    CHECK_IS(FlashJournal_read(&journal, found, 1), JOURNAL_STATUS_EMPTY);
    CHECK_IS(log_all(blob[0], OLD), 1);
    CHECK_IS(FlashJournal_log(&journal, blob[1], 700), 700);
    CHECK_IS(FlashJournal_reset(&journal), 1);
    CHECK_IS(committed(), 0);
    CHECK_IS(FlashJournal_reset(&journal), 1);
    CHECK_IS(FlashJournal_log(&journal, blob[1], 7), 7);
    CHECK_IS(FlashJournal_commit(&journal), 1);
    CHECK_IS(committed(), 7);
    CHECK_IS(format(3), 1);
    CHECK_IS(initialize(), 1);
    CHECK_IS(committed(), 0);
    CHECK_IS(called, 0);
}

static int32_t blob_is(const char *text) {
    size_t length = strlen(text);
    return committed() == length && FlashJournal_readFrom(&journal, 0, found, sizeof(found)) == (int32_t)length &&
           memcmp(found, text, length) == 0;
}

/* Two handles of one journal: what is committed was logged by one of them, from its first byte to its last. */
static void two_handles_do_not_mix(void) {
    FlashJournal_t second;
    fresh_objects();
    CHECK_IS(format(2), 1);
    CHECK_IS(initialize(), 1);
    CHECK_IS(FlashJournal_initialize(&second, NULL, &FLASH_JOURNAL_STRATEGY_SEQUENTIAL, NULL), 1);
    CHECK_IS(FlashJournal_log(&journal, "first", 5), 5);
    CHECK_IS(FlashJournal_commit(&journal), 1);
    CHECK_IS(FlashJournal_log(&journal, "AAAA", 4), 4);
    CHECK_IS(FlashJournal_log(&second, "bbbb", 4), 4);
    CHECK_IS(FlashJournal_log(&journal, "CCCC", 4), JOURNAL_STATUS_STORAGE_RUNTIME_OR_INTEGRITY_FAILURE);
    CHECK_IS(FlashJournal_commit(&journal), JOURNAL_STATUS_STORAGE_RUNTIME_OR_INTEGRITY_FAILURE);
    CHECK(blob_is("first"));
    CHECK_IS(FlashJournal_log(&second, "dddd", 4), 4);
    CHECK_IS(FlashJournal_commit(&second), 1);
    CHECK(blob_is("bbbbdddd"));
    /* Also when the objects were closed in between. */
    CHECK_IS(FlashJournal_log(&journal, "AAAA", 4), 4);
    CHECK_IS(again(), 0);
    CHECK_IS(FlashJournal_log(&second, "eeee", 4), 4);
    CHECK_IS(FlashJournal_commit(&journal), JOURNAL_STATUS_STORAGE_RUNTIME_OR_INTEGRITY_FAILURE);
    CHECK(blob_is("bbbbdddd"));
}

/* After an error a commit is refused, however often, until something is logged anew. */
static void what_is_spoiled_is_not_committed(void) {
    fresh_objects();
    CHECK_IS(format(2), 1);
    CHECK_IS(initialize(), 1);
    CHECK_IS(FlashJournal_log(&journal, "precious", 8), 8);
    CHECK_IS(FlashJournal_commit(&journal), 1);
    CHECK_IS(FlashJournal_log(&journal, "newer", 5), 5);
    CHECK_IS(lockstone_object_begin("other", 10), 0);
    CHECK_IS(FlashJournal_log(&journal, "more", 4), JOURNAL_STATUS_STORAGE_RUNTIME_OR_INTEGRITY_FAILURE);
    CHECK_IS(FlashJournal_commit(&journal), JOURNAL_STATUS_STORAGE_RUNTIME_OR_INTEGRITY_FAILURE);
    CHECK_IS(FlashJournal_commit(&journal), JOURNAL_STATUS_STORAGE_RUNTIME_OR_INTEGRITY_FAILURE);
    CHECK(blob_is("precious"));
    CHECK_IS(FlashJournal_log(&journal, "newer", 5), 5);
    CHECK_IS(lockstone_sim_power(0), 0);
    CHECK(FlashJournal_commit(&journal) < 0);
    CHECK_IS(lockstone_sim_power(1), 0);
    CHECK_IS(FlashJournal_commit(&journal), JOURNAL_STATUS_STORAGE_RUNTIME_OR_INTEGRITY_FAILURE);
    CHECK(blob_is("precious"));
    CHECK_IS(initialize(), 1);
    CHECK_IS(FlashJournal_commit(&journal), 1); /* nothing logged: an empty one */
    CHECK_IS(committed(), 0);
    CHECK_IS(FlashJournal_log(&journal, "newer", 5), 5);
    CHECK_IS(FlashJournal_commit(&journal), 1);
    CHECK(blob_is("newer"));
}

static void clients_have_their_own_and_names_meet_nobodys(void) {
    lockstone_cursor cursor = {0, 0, 0};
    char name[256];
    fresh_objects();
    CHECK_IS(format(4), 1);
    CHECK_IS(initialize(), 1);
    CHECK_IS(FlashJournal_log(&journal, blob[0], 100), 100);
    CHECK_IS(FlashJournal_commit(&journal), 1);
    CHECK_IS(lockstone_find(&cursor, "", name), LOCKSTONE_E_NOT_FOUND);
    lockstone_sim_set_client(5);
    CHECK_IS(initialize(), JOURNAL_STATUS_NOT_FORMATTED);
    CHECK_IS(FlashJournal_read(&journal, found, 100), JOURNAL_STATUS_EMPTY); /* the handle of another */
    CHECK_IS(format(4), 1);
    CHECK_IS(initialize(), 1);
    CHECK_IS(committed(), 0);
    CHECK_IS(FlashJournal_log(&journal, blob[1], 50), 50);
    CHECK_IS(FlashJournal_commit(&journal), 1);
    lockstone_sim_set_client(INT32_MIN);
    CHECK_IS(initialize(), JOURNAL_STATUS_ERROR);
    lockstone_sim_set_client(0);
    CHECK_IS(initialize(), 1);
    CHECK_IS(committed(), 100);
}

/* Any bits in a handle: an answer comes back, the blob stays, and what is committed is nothing that was not logged. */
static void handles_of_nonsense_do_no_harm(void) {
    uint32_t word = 7;
    int round;
    fresh_objects();
    CHECK_IS(format(2), 1);
    CHECK_IS(initialize(), 1);
    CHECK_IS(log_all(blob[0], OLD), 1);
    for (round = 0; round < 300; round++) {
        FlashJournal_t bad = journal;
        size_t index;
        for (index = 1; index < 6; index++) {
            word = word * 1664525u + 1013904223u;
            bad.opaque.data[index] = round % 3 == 0 ? word : word >> (8 + word % 24);
        }
        if (round % 7 == 0) {
            bad.opaque.data[0] ^= 1u << (round % 32);
            CHECK_IS(FlashJournal_read(&bad, found, 10), JOURNAL_STATUS_NOT_INITIALIZED);
            continue;
        }
        (void)FlashJournal_read(&bad, found, 10);
        CHECK(FlashJournal_log(&bad, blob[1], 600) < 0 || bad.opaque.data[1] == 1);
        CHECK_IS(FlashJournal_readFrom(&bad, 100, found, 10), 10);
        CHECK(memcmp(found, blob[0] + 100, 10) == 0);
        CHECK_IS(lockstone_object_begin("other", 1), 0); /* ends what was logged */
        CHECK_IS(lockstone_object_abort("other"), 0);
    }
    CHECK_IS(initialize(), 1);
    CHECK_IS(committed(), OLD);
}

static void damage_is_seen(void) {
    uint32_t at;
    fresh_objects();
    CHECK_IS(format(2), 1);
    CHECK_IS(initialize(), 1);
    CHECK_IS(log_all(blob[0], OLD), 1);
    for (at = KEYS + 200; at < KEYS + OBJECTS; at += 500) {
        CHECK_IS(lockstone_sim_flip(at, 4), 0);
    }
    CHECK_IS(FlashJournal_read(&journal, found, 10), JOURNAL_STATUS_STORAGE_RUNTIME_OR_INTEGRITY_FAILURE);
    fresh_objects();
    CHECK_IS(format(2), 1);
    CHECK_IS(initialize(), 1);
    CHECK_IS(FlashJournal_log(&journal, blob[1], 600), 600);
    CHECK_IS(lockstone_sim_cut(0, 0), 0);
    CHECK_IS(FlashJournal_log(&journal, blob[1] + 600, 600), JOURNAL_STATUS_STORAGE_IO_ERROR);
    CHECK_IS(lockstone_sim_power(1), 0);
    CHECK_IS(log_all(blob[1], NEW), 1); /* anew */
    CHECK_IS(committed(), NEW);
    CHECK_IS(FlashJournal_log(&journal, blob[1], 600), 600);
    CHECK_IS(lockstone_sim_power(0), 0);
    CHECK(FlashJournal_log(&journal, blob[1] + 600, 600) < 0);
    CHECK_IS(lockstone_sim_power(1), 0);
    CHECK_IS(log_all(blob[0], OLD), 1); /* anew, and not behind what was logged before */
    CHECK_IS(committed(), OLD);
    CHECK_IS(FlashJournal_log(&journal, blob[1], 600), 600);
    CHECK_IS(lockstone_sim_power(0), 0);
    CHECK(FlashJournal_commit(&journal) < 0);
    CHECK(FlashJournal_reset(&journal) < 0);
    CHECK_IS(lockstone_sim_power(1), 0);
    CHECK_IS(log_all(blob[1], NEW), 1);
    CHECK_IS(committed(), NEW);
}

/* Which blob is there: 0 the old one, 1 the new one, -1: neither, whole. */
static int which(void) {
    uint64_t length;
    int index;
    if (initialize() != 1) {
        return -1;
    }
    length = committed();
    if (length != OLD && length != NEW) {
        return -1;
    }
    index = length == NEW;
    return FlashJournal_read(&journal, found, sizeof(found)) == (int32_t)length && memcmp(found, blob[index], (size_t)length) == 0 ? index : -1;
}

static void power_cuts_leave_the_old_blob_or_the_new_one(void) {
    const char *stride = getenv("LOCKSTONE_STRIDE");
    uint64_t step = stride == NULL ? 5 : 5 * (uint64_t)atoi(stride);
    unsigned long cuts = 0;
    uint32_t tear;
    fresh_objects();
    CHECK_IS(format(2), 1);
    CHECK_IS(initialize(), 1);
    CHECK_IS(log_all(blob[0], OLD), 1);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_save(), 0);
    for (tear = 0; tear < LOCKSTONE_SIM_TEARS; tear++) {
        uint64_t op;
        for (op = tear;; op += step) {
            int32_t status;
            int state;
            (void)lockstone_close();
            CHECK_IS(lockstone_sim_restore(1), 0);
            CHECK_IS(again(), 0);
            CHECK_IS(which(), 0);
            CHECK_IS(lockstone_sim_cut(op, tear), 0);
            status = log_all(blob[1], NEW);
            (void)lockstone_close();
            CHECK_IS(lockstone_sim_power(1), 0);
            CHECK_IS(again(), 0);
            state = which();
            CHECK(state == 1 || (state == 0 && status != 1));
            CHECK_IS(again(), 0);
            CHECK_IS(which(), state);
            CHECK_IS(log_all(blob[1], NEW), 1);
            CHECK_IS(which(), 1);
            if (status == 1) {
                break;
            }
            cuts++;
        }
    }
    fprintf(stderr, "journal: %lu cuts\n", cuts);
    CHECK(cuts >= 10);
}

int main(void) {
    uint32_t index;
    for (index = 0; index < NEW; index++) {
        blob[0][index] = (unsigned char)(index * 7 + index / 256);
        blob[1][index] = (unsigned char)(index * 13 + index / 128 + 1);
    }
    before_it_is_there();
    a_blob_is_logged_committed_and_read();
    two_handles_do_not_mix();
    what_is_spoiled_is_not_committed();
    clients_have_their_own_and_names_meet_nobodys();
    handles_of_nonsense_do_no_harm();
    damage_is_seen();
    power_cuts_leave_the_old_blob_or_the_new_one();
    (void)lockstone_close();
    return summary("journal");
}
