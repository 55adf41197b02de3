/* CFSTORE: each of the 17 functions, each success value and error, in both modes. */
#include "check.h"
#include "configuration_store.h"

static const ARM_CFSTORE_DRIVER *const d = &cfstore_driver;

static ARM_CFSTORE_KEYDESC usual;
static ARM_CFSTORE_FMODE reading;
static ARM_CFSTORE_FMODE writing;
static ARM_CFSTORE_FMODE both;
static ARM_CFSTORE_FMODE neither;

/* A fresh store, CFSTORE initialised. */
static void begin(void) {
    fresh();
    CHECK_IS(lockstone_cfstore_configure(0), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
}

static int32_t put(const char *name, const char *value) {
    ARM_CFSTORE_HANDLE_INIT(h);
    ARM_CFSTORE_SIZE length = strlen(value);
    int32_t status = d->Create(name, length, &usual, h);
    if (status == 0) {
        CHECK_IS(d->Write(h, value, &length), (int32_t)strlen(value));
        status = d->Close(h);
    }
    return status;
}

/* Whether a key is there with this value. */
static int has(const char *name, const char *value) {
    char found[64];
    ARM_CFSTORE_SIZE length = sizeof(found);
    ARM_CFSTORE_HANDLE_INIT(h);
    if (d->Open(name, reading, h) != 0) {
        return 0;
    }
    CHECK(d->Read(h, found, &length) >= 0);
    CHECK_IS(d->Close(h), 0);
    return length == strlen(value) && memcmp(found, value, length) == 0;
}

static int is_there(const char *name) {
    ARM_CFSTORE_HANDLE_INIT(h);
    if (d->Open(name, reading, h) != 0) {
        return 0;
    }
    CHECK_IS(d->Close(h), 0);
    return 1;
}

static void shapes(void) {
    ARM_DRIVER_VERSION version = d->GetVersion();
    uint32_t bits;
    ARM_CFSTORE_SECURITY_FEATURES security;
    ARM_CFSTORE_ACL acl;
    CHECK_IS(version.api, 0x0100);
    CHECK_IS(version.drv, 0x0001);
    CHECK_IS(ARM_CFSTORE_API_VERSION, 0x0100);
    CHECK_IS(ARM_CFSTORE_DRV_VERSION, 0x0001);
    CHECK_IS(sizeof(ARM_CFSTORE_DRIVER), 17 * sizeof(void (*)(void)));
    CHECK_IS(sizeof(ARM_CFSTORE_KEYDESC), 16);
    CHECK_IS(sizeof(ARM_CFSTORE_FMODE), 4);
    CHECK_IS(sizeof(ARM_CFSTORE_STATUS), 4);
    CHECK_IS(sizeof(ARM_CFSTORE_CAPABILITIES), 4);
    CHECK_IS(CFSTORE_HANDLE_BUFSIZE, 24);
    CHECK_IS(CFSTORE_OPCODE_MAX, 16);
    CHECK_IS(CFSTORE_OPCODE_WRITE, 15);
    CHECK_IS(offsetof(ARM_CFSTORE_DRIVER, Open), 13 * sizeof(void (*)(void)));
    CHECK_IS(offsetof(ARM_CFSTORE_DRIVER, Read), 12 * sizeof(void (*)(void)));
    memcpy(&bits, &writing, 4);
    CHECK_IS(bits, 1u << 4);
    memset(&security, 0, sizeof(security));
    security.side_channel_attacks = 1;
    memcpy(&bits, &security, 4);
    CHECK_IS(bits, 1u << 19);
    memset(&acl, 0, sizeof(acl));
    acl.perm_other_execute = 1;
    memcpy(&bits, &acl, 4);
    CHECK_IS(bits, 1u << 5);
}

/* Before Initialize. */
static void uninitialised(void) {
    char text[8];
    uint8_t small = 8;
    ARM_CFSTORE_SIZE length = 8;
    ARM_CFSTORE_HANDLE_INIT(h);
    ARM_CFSTORE_HANDLE_INIT(next);
    fresh();
    CHECK_IS(d->GetStatus().error, 1);
    CHECK_IS(d->GetStatus().in_progress, 0);
    CHECK_IS(d->GetCapabilities().asynchronous_ops, 0);
    CHECK_IS(d->Close(h), -1000);
    CHECK_IS(d->Create("a", 1, &usual, h), -1000);
    CHECK_IS(d->Delete(h), -1000);
    CHECK_IS(d->Find("*", h, next), -1000);
    CHECK_IS(d->Flush(), -1000);
    CHECK_IS(d->GetKeyName(h, text, &small), -1000);
    CHECK_IS(d->GetValueLen(h, &length), -1000);
    CHECK_IS(d->PowerControl(ARM_POWER_FULL), -1000);
    CHECK_IS(d->Read(h, text, &length), -1000);
    CHECK_IS(d->Open("a", reading, h), -1000);
    CHECK_IS(d->Rseek(h, 0), -1000);
    CHECK_IS(d->Uninitialize(), -1000);
    CHECK_IS(d->Write(h, text, &length), -1000);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK_IS(d->GetStatus().error, 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(d->GetStatus().error, 0);
    CHECK_IS(lockstone_cfstore_configure(0), LOCKSTONE_E_BUSY);
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(d->GetStatus().error, 1);
    CHECK_IS(d->Uninitialize(), -1000);
    CHECK_IS(lockstone_cfstore_configure(4), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_cfstore_poll(), 0);
}

static void power(void) {
    begin();
    CHECK_IS(d->PowerControl(ARM_POWER_OFF), 0);
    CHECK_IS(d->PowerControl(ARM_POWER_LOW), 1);
    CHECK_IS(d->PowerControl(ARM_POWER_FULL), 2);
    CHECK_IS(d->PowerControl((ARM_POWER_STATE)3), -1);
    CHECK_IS(d->PowerControl((ARM_POWER_STATE)-1), -1);
    CHECK_IS(put("on", "still"), 0);
}

static void names(void) {
    static const char *const good[] = {"a",       "com.arm.0", "{}",   "{a}{b}", "a{b}c", "A-Z_@.9", "{a.b}", "a.",
                                       "a..b",    "-",         "_x",   "@",      "0",     "{0}",     "x{}y"};
    static const char *const bad[] = {"",    ".a",  "{{1}}", "{",  "}",   "}{",   "{a",    "a}",   "a b", "a/b", "a?",
                                      "[a]", "a*",  "*",     "a\n", "a\x80", "a+b", "a,b",  "a:b",  "{}}", "{a}}{"};
    static const char *const queries[] = {"*", "a*", "*a", "*yz*XYZ", "**", "{*}", "a"};
    char longest[222];
    size_t index;
    ARM_CFSTORE_HANDLE_INIT(h);
    begin();
    for (index = 0; index < sizeof(good) / sizeof(good[0]); index++) {
        CHECK_IS(put(good[index], "1"), 0);
        CHECK(has(good[index], "1"));
    }
    for (index = 0; index < sizeof(bad) / sizeof(bad[0]); index++) {
        CHECK_IS(d->Create(bad[index], 1, &usual, h), -1008);
        CHECK_IS(d->Open(bad[index], reading, h), -1008);
        if (strchr(bad[index], '*') == NULL) {
            CHECK_IS(d->Find(bad[index], NULL, h), -1008);
        }
    }
    for (index = 0; index < sizeof(queries) / sizeof(queries[0]); index++) {
        ARM_CFSTORE_HANDLE_INIT(found);
        int32_t status = d->Find(queries[index], NULL, found);
        CHECK(status == 0 || status == -1002);
        if (status == 0) {
            CHECK_IS(d->Close(found), 0);
        }
    }
    memset(longest, 'n', sizeof(longest));
    longest[221] = 0;
    CHECK_IS(d->Create(longest, 1, &usual, h), -1008);
    longest[220] = 0;
    CHECK_IS(put(longest, "1"), 0);
    CHECK(has(longest, "1"));
    CHECK_IS(d->Flush(), 0);
    CHECK(has(longest, "1"));
    CHECK_IS(d->Create(NULL, 1, &usual, h), -1008);
    CHECK_IS(d->Open(NULL, reading, h), -1008);
    CHECK_IS(d->Find(NULL, NULL, h), -1008);
}

static void create(void) {
    ARM_CFSTORE_KEYDESC how;
    ARM_CFSTORE_SIZE length;
    char text[16];
    ARM_CFSTORE_HANDLE_INIT(h);
    ARM_CFSTORE_HANDLE_INIT(other);
    begin();
    CHECK_IS(d->Create("a", 1, &usual, NULL), -1006);
    CHECK_IS(d->Create("a", 1, NULL, h), -1017);
    CHECK_IS(d->Create("a", (1u << 26) + 1, &usual, h), -1009);
    CHECK_IS(d->Create("a", SIZE_MAX, &usual, h), -1009);
    CHECK_IS(d->Create("a", 1u << 26, &usual, h), -1004);
    CHECK(!is_there("a"));
    CHECK_IS(d->Create("a", 0, &usual, h), 0);
    CHECK_IS(d->GetValueLen(h, &length), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Create("a", 4, &usual, h), -1001);
    /* It grows with zeros and shrinks, and keeps what it has. */
    CHECK_IS(d->Create("a", 4, NULL, h), 0);
    length = 4;
    CHECK_IS(d->Write(h, "1234", &length), 4);
    CHECK_IS(d->Create("a", 8, NULL, other), 0);
    length = 16;
    CHECK_IS(d->Read(other, text, &length), 8);
    CHECK(memcmp(text, "1234\0\0\0\0", 8) == 0);
    CHECK_IS(d->Close(other), 0);
    CHECK_IS(d->Create("a", 2, NULL, other), 0);
    CHECK_IS(d->Close(other), 0);
    CHECK_IS(d->GetValueLen(h, &length), 2);
    CHECK_IS(length, 2);
    length = 3;
    CHECK_IS(d->Write(h, "xyz", &length), 0);
    CHECK_IS(length, 0);
    /* The same length gives a handle too. */
    CHECK_IS(d->Create("a", 2, NULL, other), 0);
    CHECK_IS(d->GetValueLen(other, &length), 2);
    length = 2;
    CHECK_IS(d->Write(other, "12", &length), 2);
    CHECK_IS(d->Close(other), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK(has("a", "12"));

#define DESCRIBED(change, status)                                                                                        \
    do {                                                                                                                 \
        memset(&how, 0, sizeof(how));                                                                                    \
        change;                                                                                                          \
        CHECK_IS(d->Create("new", 1, &how, h), status);                                                                  \
        if ((status) == 0) {                                                                                             \
            CHECK_IS(d->Delete(h), 0);                                                                                   \
            CHECK_IS(d->Close(h), 0);                                                                                    \
        }                                                                                                                \
        CHECK(!is_there("new"));                                                                                         \
    } while (0)
    DESCRIBED(how.flags.continuous = 1, -1015);
    DESCRIBED(how.flags.lazy_flush = 1, -1015);
    DESCRIBED(how.flags.storage_detect = 1, -1015);
    DESCRIBED(how.flags.reserved = 1, -1015);
    DESCRIBED(how.flags.execute = 1, -1015);
    DESCRIBED(how.flags.flush_on_close = 1, 0);
    DESCRIBED(how.security.software_attacks = 1, -1015);
    DESCRIBED(how.security.board_level_attacks = 1, -1015);
    DESCRIBED(how.security.chip_level_attacks = 1, -1015);
    DESCRIBED(how.security.side_channel_attacks = 1, -1015);
    DESCRIBED(how.security.reserved1 = 1, -1015);
    DESCRIBED(how.security.reserved2 = 1, -1015);
    DESCRIBED(how.security.internal_flash = 1, -1015);
    DESCRIBED(how.security.tamper_proof = 1, 0);
    DESCRIBED(how.security.rollback_protection = 1, 0);
    DESCRIBED((how.security.acls = 1, how.acl.perm_owner_write = 1), 0);
    DESCRIBED(how.acl.perm_owner_execute = 1, -1015);
    DESCRIBED(how.acl.perm_other_execute = 1, -1015);
    DESCRIBED(how.acl.reserved = 1, -1017);
    DESCRIBED((how.acl.perm_owner_execute = 1, how.acl.perm_owner_write = 1, how.security.acls = 1), 0);
    DESCRIBED(how.drl = 4, 0);
    DESCRIBED(how.drl = 3, 0);
    DESCRIBED(how.drl = 5, -1015);
    DESCRIBED(how.drl = 255, -1015);
}

static void reading_and_writing(void) {
    char text[16];
    char big[600];
    ARM_CFSTORE_SIZE length;
    size_t index;
    ARM_CFSTORE_HANDLE_INIT(h);
    ARM_CFSTORE_HANDLE_INIT(two);
    begin();
    CHECK_IS(d->Create("k", 10, &usual, h), 0);
    length = 4;
    CHECK_IS(d->Write(h, "abcd", &length), 4);
    CHECK_IS(length, 4);
    length = 100;
    CHECK_IS(d->Write(h, "efghijklmnop", &length), 6);
    CHECK_IS(length, 6);
    length = 1;
    CHECK_IS(d->Write(h, "z", &length), 0);
    CHECK_IS(d->Write(h, NULL, &length), -1013);
    CHECK_IS(d->Write(h, "z", NULL), -1013);
    CHECK_IS(d->Read(h, NULL, &length), -1016);
    CHECK_IS(d->Read(h, text, NULL), -1016);
    length = 3;
    CHECK_IS(d->Read(h, text, &length), 3);
    CHECK(memcmp(text, "abc", 3) == 0);
    CHECK_IS(d->Rseek(h, 8), 8);
    length = 16;
    memset(text, 7, sizeof(text));
    CHECK_IS(d->Read(h, text, &length), 2);
    CHECK_IS(length, 2);
    CHECK(memcmp(text, "ij", 2) == 0 && text[2] == 7);
    length = 16;
    CHECK_IS(d->Read(h, text, &length), 0);
    CHECK_IS(length, 0);
    CHECK_IS(d->Rseek(h, 10), 10);
    CHECK_IS(d->Rseek(h, 11), -1011);
    CHECK_IS(d->Rseek(h, SIZE_MAX), -1011);
    CHECK_IS(d->Rseek(h, 0), 0);
    CHECK_IS(d->GetValueLen(h, NULL), -1027);
    CHECK_IS(d->GetValueLen(h, &length), 10);
    CHECK_IS(length, 10);
    /* Handles have places of their own. */
    CHECK_IS(d->Open("k", neither, two), 0);
    length = 2;
    CHECK_IS(d->Read(two, text, &length), 2);
    CHECK(memcmp(text, "ab", 2) == 0);
    length = 1;
    CHECK_IS(d->Write(two, "x", &length), -1010);
    CHECK_IS(d->Close(two), 0);
    CHECK_IS(d->Open("k", writing, two), 0);
    length = 1;
    CHECK_IS(d->Write(two, "A", &length), 1);
    CHECK_IS(d->Rseek(two, 0), -1012);
    length = 1;
    CHECK_IS(d->Read(two, text, &length), 1);
    CHECK_IS(text[0], 'A');
    CHECK_IS(d->Close(two), 0);
    length = 10;
    CHECK_IS(d->Read(h, text, &length), 10);
    CHECK(memcmp(text, "Abcdefghij", 10) == 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Flush(), 0);
    CHECK(has("k", "Abcdefghij"));
    /* From the store, over several records, without loading it. */
    CHECK_IS(d->Create("big", sizeof(big), &usual, h), 0);
    for (index = 0; index < sizeof(big); index++) {
        big[index] = (char)(index * 3);
    }
    length = sizeof(big);
    CHECK_IS(d->Write(h, big, &length), (int32_t)sizeof(big));
    CHECK_IS(d->Flush(), 0);
    for (index = 0; index < sizeof(big); index += 97) {
        CHECK_IS(d->Rseek(h, index), (int32_t)index);
        length = 16;
        CHECK(d->Read(h, text, &length) > 0);
        CHECK(memcmp(text, big + index, length) == 0);
    }
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Open("k", both, h), 0);
    length = 1;
    CHECK_IS(d->Write(h, "B", &length), 1);
    CHECK_IS(d->Close(h), 0);
    CHECK(has("k", "Bbcdefghij"));
}

static void key_names(void) {
    char text[256];
    uint8_t length = 255;
    ARM_CFSTORE_HANDLE_INIT(h);
    begin();
    CHECK_IS(d->Create("com.arm", 1, &usual, h), 0);
    CHECK_IS(d->GetKeyName(h, text, &length), 8);
    CHECK_IS(length, 8);
    CHECK(strcmp(text, "com.arm") == 0);
    length = 4;
    memset(text, 7, sizeof(text));
    CHECK_IS(d->GetKeyName(h, text, &length), 4);
    CHECK_IS(length, 4);
    CHECK(strcmp(text, "com") == 0 && text[4] == 7);
    length = 1;
    CHECK_IS(d->GetKeyName(h, text, &length), 1);
    CHECK_IS(text[0], 0);
    length = 0;
    CHECK_IS(d->GetKeyName(h, text, &length), -1014);
    CHECK_IS(d->GetKeyName(h, text, NULL), -1014);
    length = 8;
    CHECK_IS(d->GetKeyName(h, NULL, &length), -1008);
    CHECK_IS(d->Close(h), 0);
}

/* What a caller's buffer holds is not believed. */
static void handles(void) {
    char text[8];
    uint8_t small;
    ARM_CFSTORE_SIZE length;
    unsigned char kept[24];
    int byte;
    int32_t status;
    ARM_CFSTORE_HANDLE_INIT(h);
    ARM_CFSTORE_HANDLE_INIT(next);
    begin();
    CHECK_IS(d->Create("k", 4, &usual, h), 0);
    memcpy(kept, h, 24);
    for (byte = -2; byte < 24; byte++) {
        ARM_CFSTORE_HANDLE bad = byte == -2 ? NULL : h;
        memcpy(h, kept, 24);
        if (byte == -1) {
            memset(h, 0, 24);
        } else if (byte >= 0) {
            h_buffer[byte] ^= 0x81;
        }
        length = 4;
        small = 8;
        CHECK_IS(d->Close(bad), -1003);
        CHECK_IS(d->Delete(bad), -1003);
        CHECK_IS(d->GetKeyName(bad, text, &small), -1003);
        CHECK_IS(d->GetValueLen(bad, &length), -1003);
        CHECK_IS(d->Read(bad, text, &length), -1003);
        CHECK_IS(d->Write(bad, text, &length), -1003);
        CHECK_IS(d->Rseek(bad, 0), -1003);
        status = d->Find("*", bad, next);
        CHECK_IS(status, byte < 0 ? 0 : -1006);
        if (status == 0) {
            CHECK_IS(d->Close(next), 0);
        }
    }
    memcpy(h, kept, 24);
    CHECK_IS(d->Open("k", reading, NULL), -1006);
    CHECK_IS(d->Open("none", reading, h), -1002);
    CHECK_IS(d->Find("*", NULL, NULL), -1006);
    /* It may be moved; closed, it's gone for good. */
    memcpy(next, h, 24);
    CHECK_IS(d->Close(next), 0);
    CHECK_IS(d->Close(h), -1003);
    for (byte = 0; byte < 24; byte++) {
        CHECK_IS(next_buffer[byte], 0);
    }
    CHECK_IS(d->Create("k2", 4, &usual, next), 0);
    CHECK_IS(d->GetValueLen(h, &length), -1003);
    /* Nor does another client's handle work. */
    lockstone_sim_set_client(9);
    CHECK_IS(d->GetValueLen(next, &length), -1003);
    lockstone_sim_set_client(0);
    CHECK_IS(d->GetValueLen(next, &length), 4);
    /* Nor one from before the last Uninitialize. */
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK_IS(d->GetValueLen(next, &length), -1003);
    CHECK_IS(put("k", "1234"), 0);
    CHECK_IS(d->GetValueLen(next, &length), -1003);
}

static void many_handles(void) {
    static unsigned char buffers[256][24];
    int index;
    begin();
    CHECK_IS(put("k", "1"), 0);
    for (index = 0; index < 255; index++) {
        int32_t status = d->Open("k", reading, buffers[index]);
        if (status != 0) {
            CHECK_IS(status, index);
        }
    }
    CHECK_IS(d->Open("k", reading, buffers[255]), -1022);
    CHECK_IS(put("other", "1"), 0);
    for (index = 0; index < 255; index++) {
        CHECK_IS(d->Close(buffers[index]), 0);
    }
    CHECK(is_there("k"));
    CHECK_IS(d->Open("k", reading, buffers[255]), 0);
    CHECK_IS(d->Close(buffers[255]), 0);
}

static void find(void) {
    static const char *const all[] = {"b.1", "a.2", "b.3", "c", "a.1", "zz.b.9"};
    char text[32];
    uint8_t small;
    ARM_CFSTORE_SIZE length;
    int flushed;
    size_t index;
    for (flushed = 0; flushed < 3; flushed++) {
        ARM_CFSTORE_HANDLE_INIT(prev);
        ARM_CFSTORE_HANDLE_INIT(next);
        begin();
        for (index = 0; index < 6; index++) {
            CHECK_IS(put(all[index], "v"), 0);
            if (flushed == 1 && index == 2) {
                CHECK_IS(d->Flush(), 0);
            }
        }
        if (flushed == 2) {
            CHECK_IS(d->Flush(), 0);
            CHECK_IS(d->Uninitialize(), 0);
            CHECK_IS(d->Initialize(NULL, NULL), 0);
        }
        /* In the order in which they were made. */
        for (index = 0; index < 6; index++) {
            CHECK_IS(d->Find("*", prev, next), 0);
            small = sizeof(text);
            CHECK(d->GetKeyName(next, text, &small) > 0);
            CHECK(strcmp(text, all[index]) == 0);
            length = 1;
            CHECK_IS(d->Read(next, text, &length), 1);
            CHECK_IS(d->GetValueLen(next, &length), 1);
            CHECK_IS(d->Rseek(next, 0), -1012);
            length = 1;
            CHECK_IS(d->Write(next, "x", &length), -1010);
            CFSTORE_HANDLE_SWAP(prev, next);
        }
        CHECK_IS(d->Find("*", prev, next), -1002);
        CHECK_IS(d->Close(prev), -1003);
        /* Patterns; what is deleted is passed over. */
        memset(prev, 0, 24);
        CHECK_IS(d->Find("b*", prev, next), 0);
        CFSTORE_HANDLE_SWAP(prev, next);
        CHECK_IS(d->Find("b*", prev, next), 0);
        CHECK_IS(d->Delete(next), 0);
        CFSTORE_HANDLE_SWAP(prev, next);
        CHECK_IS(d->Find("b*", prev, next), -1002);
        CHECK(!is_there("b.3"));
        CHECK(is_there("b.1"));
        CHECK_IS(d->Find("*b.9", NULL, next), 0);
        CHECK_IS(d->Close(next), 0);
        CHECK_IS(d->Find("*z*9", NULL, next), 0);
        CHECK_IS(d->Close(next), 0);
        CHECK_IS(d->Find("c", NULL, next), 0);
        CHECK_IS(d->Close(next), 0);
        CHECK_IS(d->Find("d", NULL, next), -1002);
        /* All deleted, one by one, as clients do it. */
        memset(prev, 0, 24);
        index = 0;
        while (d->Find("*", prev, next) == 0) {
            CHECK_IS(d->Delete(next), 0);
            CFSTORE_HANDLE_SWAP(prev, next);
            index++;
        }
        CHECK_IS(index, 5);
        CHECK_IS(d->Find("*", NULL, next), -1002);
        CHECK_IS(d->Flush(), 0);
        CHECK_IS(d->Find("*", NULL, next), -1002);
    }
}

static void deleting(void) {
    char text[8];
    ARM_CFSTORE_SIZE length;
    ARM_CFSTORE_KEYDESC how;
    ARM_CFSTORE_HANDLE_INIT(h);
    ARM_CFSTORE_HANDLE_INIT(two);
    ARM_CFSTORE_HANDLE_INIT(three);
    begin();
    CHECK_IS(put("k", "old"), 0);
    CHECK_IS(d->Flush(), 0);
    CHECK_IS(d->Open("k", reading, h), 0);
    CHECK_IS(d->Open("k", both, two), 0);
    CHECK_IS(d->Delete(h), 0);
    CHECK_IS(d->Open("k", reading, three), -1002);
    CHECK_IS(d->Create("k", 3, &usual, three), -1005);
    CHECK_IS(d->Create("k", 3, NULL, three), -1005);
    CHECK_IS(put("k2", "other"), 0);
    length = 8;
    CHECK_IS(d->Read(two, text, &length), 3);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Open("k", reading, three), -1002);
    CHECK_IS(d->Rseek(two, 0), 0);
    CHECK_IS(d->Delete(two), 0);
    CHECK_IS(d->Close(two), 0);
    CHECK(!is_there("k"));
    /* Made again before the deletion is flushed. */
    CHECK_IS(d->Create("k", 2, NULL, h), -1017);
    CHECK_IS(put("k", "new"), 0);
    CHECK(has("k", "new"));
    CHECK_IS(d->Flush(), 0);
    CHECK(has("k", "new"));
    CHECK_IS(d->Open("k", reading, h), 0);
    CHECK_IS(d->Delete(h), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK(has("k", "new"));
    CHECK_IS(d->Open("k", reading, h), 0);
    CHECK_IS(d->Delete(h), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Flush(), 0);
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK(!is_there("k"));
    CHECK(has("k2", "other"));
    /* Who may not write may not delete. */
    memset(&how, 0, sizeof(how));
    how.acl.perm_owner_read = 1;
    CHECK_IS(d->Create("ro", 1, &how, h), 0);
    CHECK_IS(d->Delete(h), -1019);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Open("ro", writing, h), -1019);
    CHECK_IS(d->Create("ro", 2, NULL, h), -1019);
    CHECK(is_there("ro"));
}

/* Nothing is stored before Flush, and what was not is lost at the last Uninitialize. */
static void durability(void) {
    ARM_CFSTORE_KEYDESC how;
    ARM_CFSTORE_FMODE mode;
    ARM_CFSTORE_SIZE length;
    uint64_t operations;
    ARM_CFSTORE_HANDLE_INIT(h);
    begin();
    operations = lockstone_sim_operations();
    CHECK_IS(put("a", "1"), 0);
    CHECK_IS(d->Flush(), 0);
    CHECK(lockstone_sim_operations() > operations);
    operations = lockstone_sim_operations();
    CHECK_IS(put("b", "2"), 0);
    CHECK_IS(d->Open("a", both, h), 0);
    length = 1;
    CHECK_IS(d->Write(h, "9", &length), 1);
    CHECK_IS(d->Close(h), 0);
    CHECK(has("a", "9"));
    CHECK_IS(lockstone_sim_operations(), operations);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK_IS(d->Uninitialize(), 0);
    CHECK(has("b", "2"));
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK(has("a", "1"));
    CHECK(!is_there("b"));
    operations = lockstone_sim_operations();
    CHECK_IS(d->Flush(), 0);
    CHECK_IS(lockstone_sim_operations(), operations);
    /* A key that is flushed on close. */
    memset(&how, 0, sizeof(how));
    how.flags.flush_on_close = 1;
    CHECK_IS(d->Create("c", 1, &how, h), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(put("d", "lost"), 0);
    mode = both;
    mode.flush_on_close = 1;
    CHECK_IS(d->Open("a", mode, h), 0);
    length = 1;
    CHECK_IS(d->Write(h, "5", &length), 1);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(reopen(), 0);
    CHECK_IS(lockstone_cfstore_configure(LOCKSTONE_CFSTORE_DURABLE_AT_CLOSE), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK(is_there("c"));
    CHECK(has("a", "5"));
    CHECK(!is_there("d"));
    /* The mode in which every key is. */
    CHECK_IS(put("e", "kept"), 0);
    CHECK_IS(d->Open("c", reading, h), 0);
    CHECK_IS(d->Delete(h), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Create("f", 4, &usual, h), 0);
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(reopen(), 0);
    CHECK_IS(lockstone_cfstore_configure(0), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK(has("e", "kept"));
    CHECK(!is_there("c"));
    CHECK(!is_there("f"));
}

/* Rights of the owner and of others. */
static void rights(void) {
    ARM_CFSTORE_KEYDESC how;
    ARM_CFSTORE_FMODE executing;
    ARM_CFSTORE_SIZE length = 1;
    char text[4];
    ARM_CFSTORE_HANDLE_INIT(h);
    memset(&executing, 0, sizeof(executing));
    executing.execute = 1;
    executing.read = 1;
    begin();
    lockstone_sim_set_client(1);
    CHECK_IS(put("mine", "1"), 0);
    memset(&how, 0, sizeof(how));
    how.acl.perm_owner_read = 1;
    how.acl.perm_owner_write = 1;
    how.acl.perm_other_read = 1;
    CHECK_IS(d->Create("shown", 1, &how, h), 0);
    CHECK_IS(d->Close(h), 0);
    how.acl.perm_other_write = 1;
    CHECK_IS(d->Create("shared", 1, &how, h), 0);
    CHECK_IS(d->Close(h), 0);
    how.acl.perm_other_read = 0;
    CHECK_IS(d->Create("mailbox", 1, &how, h), 0);
    CHECK_IS(d->Close(h), 0);
    memset(&how, 0, sizeof(how));
    how.acl.perm_owner_write = 1;
    how.security.acls = 1;
    CHECK_IS(d->Create("blind", 1, &how, h), 0);
    CHECK_IS(d->Read(h, text, &length), -1018);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Open("blind", reading, h), -1018);
    CHECK_IS(d->Open("blind", executing, h), -1018);
    how.acl.perm_owner_read = 1;
    CHECK_IS(d->Create("data", 1, &how, h), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Open("data", executing, h), -1020);
    how.acl.perm_owner_execute = 1;
    CHECK_IS(d->Create("code", 1, &how, h), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Open("code", executing, h), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Flush(), 0);

    lockstone_sim_set_client(2);
    CHECK_IS(d->Open("mine", reading, h), -1002);
    CHECK_IS(d->Create("mine", 1, &usual, h), -1021);
    CHECK_IS(d->Create("mine", 1, NULL, h), -1021);
    CHECK_IS(d->Find("m*e", NULL, h), -1002);
    CHECK_IS(d->Open("code", executing, h), -1002);
    CHECK_IS(d->Open("shown", reading, h), 0);
    CHECK_IS(d->Delete(h), -1019);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Open("shown", writing, h), -1019);
    CHECK_IS(d->Create("shown", 1, &usual, h), -1001);
    CHECK_IS(d->Create("shown", 1, NULL, h), -1019);
    CHECK_IS(d->Open("shared", both, h), 0);
    length = 1;
    CHECK_IS(d->Write(h, "2", &length), 1);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Open("mailbox", reading, h), -1018);
    CHECK_IS(d->Open("mailbox", writing, h), 0);
    length = 1;
    CHECK_IS(d->Write(h, "2", &length), 1);
    length = 1;
    CHECK_IS(d->Read(h, text, &length), -1018);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Find("sh*", NULL, h), 0);
    CHECK_IS(d->Close(h), 0);
    lockstone_sim_set_client(1);
    CHECK(has("shared", "2"));
    CHECK(has("mailbox", "2"));
    CHECK(has("mine", "1"));
    lockstone_sim_set_client(0);
}

/* rollback_protection is bound to the counter at Flush; internal_flash only where the flash is. */
static void security(void) {
    ARM_CFSTORE_KEYDESC how;
    ARM_CFSTORE_SIZE length = 1;
    lockstone_stats before;
    lockstone_stats after;
    lockstone_memory memory = test_memory();
    ARM_CFSTORE_HANDLE_INIT(h);
    begin();
    memset(&how, 0, sizeof(how));
    how.security.rollback_protection = 1;
    CHECK_IS(d->Create("fw", 1, &how, h), 0);
    CHECK_IS(d->Write(h, "1", &length), 1);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Flush(), 0);
    CHECK_IS(lockstone_get_stats(&before), 0);
    CHECK_IS(put("plain", "1"), 0);
    CHECK_IS(d->Flush(), 0);
    CHECK_IS(lockstone_get_stats(&after), 0);
    CHECK_IS(before.counter_left, after.counter_left);
    CHECK_IS(d->Open("fw", both, h), 0);
    CHECK_IS(d->Write(h, "2", &length), 1);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Flush(), 0);
    CHECK_IS(lockstone_get_stats(&after), 0);
    CHECK_IS(before.counter_left - after.counter_left, 1);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_save(), 0);
    CHECK_IS(reopen(), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK_IS(d->Open("fw", reading, h), 0);
    CHECK_IS(d->Delete(h), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(put("plain2", "1"), 0);
    CHECK_IS(d->Flush(), 0);
    CHECK(!is_there("fw"));
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_restore(0), 0);
    CHECK_IS(reopen(), LOCKSTONE_E_ROLLED_BACK);

    (void)lockstone_close();
    CHECK_IS(lockstone_sim_reset(FLASH_SIZE), 0);
    CHECK_IS(lockstone_sim_platform(&test_platform), 0);
    test_platform.counter_read = NULL;
    test_platform.counter_increment = NULL;
    CHECK_IS(lockstone_format(&test_platform, &memory), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK_IS(d->Create("fw", 1, &how, h), -1015);
    test_platform.flags = LOCKSTONE_FLASH_IS_TRUSTED;
    CHECK_IS(reopen(), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    how.security.internal_flash = 1;
    CHECK_IS(d->Create("fw", 1, &how, h), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Flush(), 0);
    CHECK(is_there("fw"));
}

/* Out of RAM, out of flash, and a driver that fails: said, and nothing lost. */
static void exhausted(void) {
    static char big[40000];
    static unsigned char many[700][24];
    ARM_CFSTORE_SIZE length;
    char name[16];
    unsigned count;
    unsigned index;
    int32_t status;
    ARM_CFSTORE_HANDLE_INIT(h);
    begin();
    CHECK_IS(d->Create("one", sizeof(big), &usual, h), 0);
    length = sizeof(big);
    CHECK_IS(d->Write(h, big, &length), (int32_t)sizeof(big));
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Create("two", sizeof(big), &usual, h), -1004);
    CHECK(!is_there("two"));
    CHECK_IS(d->Create("one", 2 * sizeof(big), NULL, h), -1004);
    CHECK_IS(d->Flush(), 0);
    CHECK_IS(d->Create("two", sizeof(big), &usual, h), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Open("one", both, h), 0);
    length = 1;
    CHECK_IS(d->Write(h, "x", &length), -1004);
    CHECK_IS(d->GetValueLen(h, &length), (int32_t)sizeof(big));
    CHECK_IS(d->Flush(), 0);
    length = 1;
    CHECK_IS(d->Write(h, "x", &length), 1);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Flush(), 0);

    /* Handles. */
    begin();
    CHECK_IS(put("a", "1"), 0);
    CHECK_IS(put("b", "1"), 0);
    for (count = 0; count < 700; count++) {
        status = d->Open(count % 2 ? "a" : "b", reading, many[count]);
        if (status != 0) {
            break;
        }
    }
    CHECK(status == -1004 || status == -1022);
    CHECK(count > 200);
    for (index = 0; index < count; index++) {
        CHECK_IS(d->Close(many[index]), 0);
    }

    /* Flash. */
    fresh_of(16u * 4096u);
    CHECK_IS(lockstone_cfstore_configure(0), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    for (count = 0; count < 100; count++) {
        sprintf(name, "k%u", count);
        CHECK_IS(d->Create(name, 2000, &usual, h), 0);
        CHECK_IS(d->Close(h), 0);
        status = d->Flush();
        if (status != 0) {
            break;
        }
    }
    CHECK_IS(status, -1028);
    CHECK(count > 5);
    CHECK(is_there(name));
    CHECK_IS(d->Flush(), -1028);
    /* What is new is taken back, and some of the old deleted: then there is room. */
    CHECK_IS(d->Open(name, reading, h), 0);
    CHECK_IS(d->Delete(h), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Flush(), 0);
    for (index = 0; index < 2; index++) {
        CHECK_IS(d->Open(index == 0 ? "k0" : "k1", reading, h), 0);
        CHECK_IS(d->Delete(h), 0);
        CHECK_IS(d->Close(h), 0);
    }
    CHECK_IS(d->Flush(), 0);
    CHECK(!is_there("k0"));
    CHECK_IS(d->Create(name, 2000, &usual, h), 0);
    CHECK_IS(d->Close(h), 0);
    CHECK_IS(d->Flush(), 0);
    CHECK(is_there(name));

    /* The driver. */
    CHECK_IS(put("late", "1"), 0);
    CHECK_IS(lockstone_sim_power(0), 0);
    status = d->Flush();
    CHECK(status == -1030 || status == -1023);
    CHECK_IS(lockstone_sim_power(1), 0);
    CHECK(has("late", "1"));
    CHECK_IS(d->Flush(), 0);
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK(has("late", "1"));
}

/* Callbacks. */
static struct {
    unsigned count;
    int32_t status;
    ARM_CFSTORE_OPCODE opcode;
    void *context;
    ARM_CFSTORE_HANDLE handle;
} called;

static void on_done(int32_t status, ARM_CFSTORE_OPCODE opcode, void *context, ARM_CFSTORE_HANDLE handle) {
    called.count++;
    called.status = status;
    called.opcode = opcode;
    called.context = context;
    called.handle = handle;
    /* The library may be called from here. */
    CHECK(d->GetVersion().api == 0x0100);
    (void)d->GetStatus();
}

static void on_nothing(int32_t status, ARM_CFSTORE_OPCODE opcode, void *context, ARM_CFSTORE_HANDLE handle) {
    (void)status;
    (void)opcode;
    (void)context;
    (void)handle;
    CHECK(0);
}

#define CALLS(call, wanted, code, of)                                                                                    \
    do {                                                                                                                 \
        unsigned before = called.count;                                                                                  \
        CHECK_IS(call, wanted);                                                                                          \
        CHECK_IS(called.count, before + 1);                                                                              \
        CHECK_IS(called.status, wanted);                                                                                 \
        CHECK_IS(called.opcode, code);                                                                                   \
        CHECK(called.context == &called);                                                                                \
        CHECK(called.handle == (of));                                                                                    \
    } while (0)

#define CALLS_NOBODY(call, wanted)                                                                                       \
    do {                                                                                                                 \
        unsigned before = called.count;                                                                                  \
        CHECK_IS(call, wanted);                                                                                          \
        CHECK_IS(called.count, before);                                                                                  \
    } while (0)

static void each_operation(void) {
    char text[16];
    uint8_t small = 16;
    ARM_CFSTORE_SIZE length = 1;
    ARM_CFSTORE_HANDLE_INIT(h);
    ARM_CFSTORE_HANDLE_INIT(next);
    CALLS(d->Create("a", 1, &usual, h), 0, CFSTORE_OPCODE_CREATE, h);
    CALLS(d->Create("a", 1, &usual, next), -1001, CFSTORE_OPCODE_CREATE, next);
    CALLS(d->Write(h, "x", &length), 1, CFSTORE_OPCODE_WRITE, h);
    CALLS(d->Rseek(h, 1), 1, CFSTORE_OPCODE_RSEEK, h);
    CALLS(d->Rseek(h, 0), 0, CFSTORE_OPCODE_RSEEK, h);
    CALLS(d->Read(h, text, &length), 1, CFSTORE_OPCODE_READ, h);
    CALLS(d->GetKeyName(h, text, &small), 2, CFSTORE_OPCODE_GET_KEY_NAME, h);
    CALLS(d->GetValueLen(h, &length), 1, CFSTORE_OPCODE_GET_VALUE_LEN, h);
    CALLS(d->Find("*", NULL, next), 0, CFSTORE_OPCODE_FIND, next);
    CALLS(d->Close(next), 0, CFSTORE_OPCODE_CLOSE, next);
    CALLS(d->Close(next), -1003, CFSTORE_OPCODE_CLOSE, next);
    CALLS(d->Open("none", reading, next), -1002, CFSTORE_OPCODE_OPEN, next);
    CALLS(d->Open("a", reading, next), 0, CFSTORE_OPCODE_OPEN, next);
    CALLS(d->Delete(next), 0, CFSTORE_OPCODE_DELETE, next);
    CALLS(d->PowerControl(ARM_POWER_LOW), 1, CFSTORE_OPCODE_POWER_CONTROL, NULL);
    CALLS_NOBODY(d->GetStatus().error, 0);
    CALLS_NOBODY(d->GetCapabilities().reserved, 0);
    CALLS(d->Close(next), 0, CFSTORE_OPCODE_CLOSE, next);
    CALLS(d->Close(h), 0, CFSTORE_OPCODE_CLOSE, h);
}

static void callbacks(void) {
    fresh();
    CHECK_IS(lockstone_cfstore_configure(0), 0);
    CALLS(d->Initialize(on_done, &called), 0, CFSTORE_OPCODE_INITIALIZE, NULL);
    CALLS_NOBODY(d->Initialize(on_nothing, NULL), 0);
    each_operation();
    CALLS(d->Flush(), 0, CFSTORE_OPCODE_FLUSH, NULL);
    CALLS(d->Uninitialize(), 0, CFSTORE_OPCODE_UNINITIALIZE, NULL);
    CALLS(d->Uninitialize(), 0, CFSTORE_OPCODE_UNINITIALIZE, NULL);
    CALLS_NOBODY(d->Uninitialize(), -1000);
    CALLS_NOBODY(d->Create("a", 1, &usual, NULL), -1000);
}

static void asynchronous(void) {
    ARM_CFSTORE_SIZE length = 1;
    uint8_t small = 4;
    char text[4];
    int what;
    ARM_CFSTORE_HANDLE_INIT(h);
    fresh();
    CHECK_IS(lockstone_cfstore_configure(LOCKSTONE_CFSTORE_ASYNCHRONOUS), 0);
    CHECK_IS(d->GetCapabilities().asynchronous_ops, 1);
    CALLS_NOBODY(d->Initialize(on_done, &called), 0);
    for (what = 0; what < 2; what++) {
        CHECK_IS(d->GetStatus().in_progress, 1);
        CHECK_IS(d->GetStatus().error, 0);
        CALLS_NOBODY(d->Initialize(on_nothing, NULL), -1035);
        CALLS_NOBODY(d->Create("a", 1, &usual, h), -1035);
        CALLS_NOBODY(d->Rseek(h, 0), -1035);
        CALLS(d->Open("a", reading, h), -1035, CFSTORE_OPCODE_OPEN, h);
        CALLS(d->Close(h), -1035, CFSTORE_OPCODE_CLOSE, h);
        CALLS(d->Delete(h), -1035, CFSTORE_OPCODE_DELETE, h);
        CALLS(d->Find("*", NULL, h), -1035, CFSTORE_OPCODE_FIND, h);
        CALLS(d->Flush(), -1035, CFSTORE_OPCODE_FLUSH, NULL);
        CALLS(d->Read(h, text, &length), -1035, CFSTORE_OPCODE_READ, h);
        CALLS(d->Write(h, text, &length), -1035, CFSTORE_OPCODE_WRITE, h);
        CALLS(d->GetKeyName(h, text, &small), -1035, CFSTORE_OPCODE_GET_KEY_NAME, h);
        CALLS(d->GetValueLen(h, &length), -1035, CFSTORE_OPCODE_GET_VALUE_LEN, h);
        CALLS(d->PowerControl(ARM_POWER_FULL), -1035, CFSTORE_OPCODE_POWER_CONTROL, NULL);
        CALLS(d->Uninitialize(), -1035, CFSTORE_OPCODE_UNINITIALIZE, NULL);
        {
            unsigned before = called.count;
            CHECK_IS(lockstone_cfstore_poll(), 1);
            CHECK_IS(called.count, before + 1);
            CHECK_IS(called.status, 0);
            CHECK_IS(called.opcode, what == 0 ? CFSTORE_OPCODE_INITIALIZE : CFSTORE_OPCODE_FLUSH);
        }
        CHECK_IS(lockstone_cfstore_poll(), 0);
        CHECK_IS(d->GetStatus().in_progress, 0);
        if (what == 0) {
            CALLS_NOBODY(d->Initialize(on_nothing, NULL), 1);
            CHECK_IS(d->Uninitialize(), 0);
            each_operation();
            CHECK_IS(d->Create("kept", 1, &usual, h), 0);
            CHECK_IS(d->Close(h), 0);
            CALLS_NOBODY(d->Flush(), 0);
        }
    }
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(lockstone_cfstore_configure(0), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK(is_there("kept"));
}

/* Nothing is open, and what is on the flash is no store. */
static void no_store(void) {
    begin();
    CHECK_IS(put("k", "1"), 0);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(d->GetStatus().error, 1);
    CHECK_IS(d->Flush(), -1000);
    CHECK_IS(reopen(), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK(!is_there("k"));
}

static char long_value[70000];

static int32_t put_long(const char *name, size_t length) {
    ARM_CFSTORE_HANDLE_INIT(h);
    ARM_CFSTORE_SIZE written = length;
    int32_t status = d->Create(name, length, &usual, h);
    if (status == 0) {
        CHECK_IS(d->Write(h, long_value, &written), (int32_t)length);
        status = d->Close(h);
    }
    return status;
}

/* A Create that fails leaves a key as it was, for readers too. */
static void failing_create(void) {
    static uint8_t handles[255][24];
    ARM_CFSTORE_SIZE length = 0;
    char text[16];
    int index;
    ARM_CFSTORE_HANDLE_INIT(a);
    ARM_CFSTORE_HANDLE_INIT(b);
    begin();
    CHECK_IS(put("k", "0123456789"), 0);
    CHECK_IS(d->Flush(), 0);
    for (index = 0; index < 255; index++) {
        CHECK_IS(d->Open("k", reading, handles[index]), 0);
    }
    CHECK_IS(d->Create("k", 3, NULL, a), ARM_CFSTORE_DRIVER_ERROR_HANDLE_COUNT_MAX);
    CHECK_IS(d->GetValueLen(handles[0], &length), 10);
    for (index = 0; index < 255; index++) {
        CHECK_IS(d->Close(handles[index]), 0);
    }
    CHECK_IS(d->Create("k", 60000, NULL, a), ARM_CFSTORE_DRIVER_ERROR_OUT_OF_MEMORY);
    CHECK_IS(d->Create("k", 65000, NULL, a), ARM_CFSTORE_DRIVER_ERROR_OUT_OF_MEMORY);
    CHECK(has("k", "0123456789"));
    CHECK_IS(d->Flush(), 0);
    CHECK(has("k", "0123456789"));
    /* A reader that stands behind the new end. */
    CHECK_IS(d->Open("k", reading, a), 0);
    length = 10;
    CHECK_IS(d->Read(a, text, &length), 10);
    CHECK_IS(d->Create("k", 4, NULL, b), 0);
    length = 10;
    CHECK_IS(d->Read(a, text, &length), 0);
    CHECK_IS(length, 0);
    CHECK_IS(d->Rseek(a, 0), 0);
    /* No caller can own so much. */
    length = SIZE_MAX;
    CHECK_IS(d->Read(a, text, &length), ARM_CFSTORE_DRIVER_ERROR_PARAMETER);
    CHECK_IS(d->Write(b, text, &length), ARM_CFSTORE_DRIVER_ERROR_PARAMETER);
    CHECK_IS(d->Close(a), 0);
    CHECK_IS(d->Close(b), 0);
}

/* Only what a client initialised can it take back. */
static void users(void) {
    begin();
    lockstone_sim_set_client(2);
    CHECK_IS(d->Uninitialize(), ARM_CFSTORE_DRIVER_ERROR_UNINITIALISED);
    lockstone_sim_set_client(0);
    CHECK_IS(put("mine", "value"), 0);
    lockstone_sim_set_client(2);
    CHECK_IS(d->Uninitialize(), ARM_CFSTORE_DRIVER_ERROR_UNINITIALISED);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(d->Uninitialize(), ARM_CFSTORE_DRIVER_ERROR_UNINITIALISED);
    lockstone_sim_set_client(0);
    CHECK(has("mine", "value"));
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(d->Uninitialize(), ARM_CFSTORE_DRIVER_ERROR_UNINITIALISED);
}

/* Who only reads stores nothing at Close: its writer may not be done. */
static void half_written(void) {
    ARM_CFSTORE_FMODE flushing = reading;
    ARM_CFSTORE_SIZE length = 2;
    ARM_CFSTORE_HANDLE_INIT(w);
    ARM_CFSTORE_HANDLE_INIT(r);
    ARM_CFSTORE_HANDLE_INIT(next);
    flushing.flush_on_close = 1;
    begin();
    CHECK_IS(put("k", "old!"), 0);
    CHECK_IS(d->Flush(), 0);
    CHECK_IS(d->Open("k", writing, w), 0);
    CHECK_IS(d->Write(w, "ne", &length), 2);
    CHECK_IS(d->Open("k", flushing, r), 0);
    CHECK_IS(d->Close(r), 0);
    CHECK_IS(reopen(), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK(has("k", "old!"));
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(lockstone_cfstore_configure(LOCKSTONE_CFSTORE_DURABLE_AT_CLOSE), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    memset(w, 0, 24);
    CHECK_IS(d->Open("k", writing, w), 0);
    length = 2;
    CHECK_IS(d->Write(w, "ne", &length), 2);
    CHECK_IS(d->Find("*", NULL, next), 0);
    CHECK_IS(d->Find("*", next, r), ARM_CFSTORE_DRIVER_ERROR_KEY_NOT_FOUND);
    CHECK_IS(reopen(), 0);
    CHECK_IS(d->Initialize(NULL, NULL), 0);
    CHECK(has("k", "old!"));
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(lockstone_cfstore_configure(0), 0);
}

/* Long values are deleted and made shorter, whatever was written before. */
static void shrinking(void) {
    unsigned round;
    for (round = 0; round < 60; round++) {
        unsigned step;
        ARM_CFSTORE_HANDLE_INIT(h);
        fresh_of(24u * 4096u);
        CHECK_IS(d->Initialize(NULL, NULL), 0);
        CHECK_IS(put_long("long", 30000), 0);
        CHECK_IS(d->Flush(), 0);
        for (step = 0; step < 200 + round * 7; step++) {
            (void)lockstone_put("churn", long_value, 200 + step % 90, 0);
        }
        if (round % 2 == 0) {
            CHECK_IS(d->Create("long", 10, NULL, h), 0);
        } else {
            CHECK_IS(d->Open("long", reading, h), 0);
            CHECK_IS(d->Delete(h), 0);
        }
        CHECK_IS(d->Close(h), 0);
        CHECK_IS(d->Flush(), 0);
    }
}

/* Deletes all keys but those whose number is a multiple of this; how many are left in the store. */
static unsigned delete_all_but(unsigned stay) {
    unsigned left = 0;
    ARM_CFSTORE_HANDLE_INIT(a);
    ARM_CFSTORE_HANDLE_INIT(b);
    while (d->Find("*", a, b) == 0) {
        char name[24];
        uint8_t length = sizeof(name);
        uint8_t *swap = a;
        CHECK(d->GetKeyName(b, name, &length) > 0);
        if (stay != 0 && atoi(name + 1) % stay == 0) {
            left++;
        } else {
            CHECK_IS(d->Delete(b), 0);
        }
        a = b;
        b = swap;
    }
    return left;
}

/* A full store removes, however many keys. */
static void full_store(void) {
    unsigned size;
    for (size = 10; size < 400; size += 97) {
        unsigned keys = 0, round;
        char name[24];
        fresh_of(16u * 4096u);
        CHECK_IS(d->Initialize(NULL, NULL), 0);
        for (;; keys++) {
            sprintf(name, "k%u", keys);
            if (put_long(name, size) != 0 || d->Flush() != 0) {
                break;
            }
        }
        CHECK(keys > 50);
        CHECK_IS(d->Uninitialize(), 0);
        for (round = 0; round < 500; round++) {
            sprintf(name, "f%u", round);
            if (lockstone_put(name, long_value, 1, 0) != 0) {
                break;
            }
        }
        for (round = 0; round < 2; round++) {
            unsigned left;
            CHECK_IS(d->Initialize(NULL, NULL), 0);
            left = delete_all_but(round == 0 ? 100 : 0);
            CHECK_IS(d->Flush(), 0);
            CHECK_IS(d->Flush(), 0);
            CHECK_IS(d->Uninitialize(), 0);
            CHECK_IS(reopen(), 0);
            CHECK_IS(d->Initialize(NULL, NULL), 0);
            CHECK_IS(delete_all_but(1), left);
            CHECK_IS(put("new", "value"), 0);
            CHECK_IS(d->Flush(), 0);
            CHECK_IS(d->Uninitialize(), 0);
        }
    }
}

/* A key that is damaged says so itself, and the others are there. */
static void damaged_keys(void) {
    unsigned at, passed = 0, said = 0;
    int index;
    char name[24];
    begin();
    for (index = 0; index < 40; index++) {
        sprintf(name, "k%d", index);
        CHECK_IS(put_long(name, 400), 0);
        CHECK_IS(d->Flush(), 0);
    }
    CHECK_IS(d->Uninitialize(), 0);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_sim_save(), 0);
    for (at = 300; at < 12000; at += 241) {
        int good = 0;
        CHECK_IS(lockstone_sim_flip(at, 0x10), 0);
        if (reopen() == 0) {
            unsigned found = 0;
            ARM_CFSTORE_HANDLE_INIT(a);
            ARM_CFSTORE_HANDLE_INIT(b);
            CHECK_IS(d->Initialize(NULL, NULL), 0);
            for (index = 0; index < 40; index++) {
                int32_t status;
                ARM_CFSTORE_HANDLE_INIT(h);
                sprintf(name, "k%d", index);
                status = d->Open(name, reading, h);
                CHECK(status == 0 || status == -1023);
                good += status == 0;
                said += status != 0;
            }
            while (d->Find("*", a, b) == 0) {
                uint8_t *swap = a;
                a = b;
                b = swap;
                found++;
            }
            CHECK(found <= 40 && (int)found <= good);
            passed += good > 0 && good < 40 && found > 0;
            (void)d->Uninitialize();
        }
        (void)lockstone_close();
        CHECK_IS(lockstone_sim_restore(0), 0);
    }
    CHECK(passed >= 5 && said >= 5);
    fprintf(stderr, "damaged: others were found %u times\n", passed);
}

int main(void) {
    size_t index;
    memset(&usual, 0, sizeof(usual));
    memset(&neither, 0, sizeof(neither));
    reading = writing = both = neither;
    reading.read = 1;
    writing.write = 1;
    both.read = both.write = 1;
    shapes();
    uninitialised();
    power();
    names();
    create();
    reading_and_writing();
    key_names();
    handles();
    many_handles();
    find();
    deleting();
    durability();
    rights();
    security();
    exhausted();
    callbacks();
    asynchronous();
    no_store();
    for (index = 0; index < sizeof(long_value); index++) {
        long_value[index] = (char)(index * 7 + index / 256);
    }
    failing_create();
    users();
    half_written();
    shrinking();
    full_store();
    damaged_keys();
    (void)lockstone_close();
    return summary("cfstore");
}
