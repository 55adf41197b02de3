/* The C++ wrapper: what it owns it gives back, once; what was moved does nothing. */
#include <cstring>
#include <set>
#include <string>

#include "check.h"
#include "flash_journal.h"
#include "lockstone.hpp"
#include "lockstone_objects.h"
#include "lockstone_storage.h"
#include "psa/internal_trusted_storage.h"
#include "psa/protected_storage.h"
#include "storage_volume_manager.h"

using lockstone::Store;
using lockstone::cfstore::Key;
using lockstone::cfstore::Session;

static void stores() {
    lockstone_memory memory = test_memory();
    char buffer[16];
    CHECK_IS(lockstone_sim_reset(FLASH_SIZE), 0);
    CHECK_IS(lockstone_sim_platform(&test_platform), 0);
    CHECK_IS(Store::open(test_platform, memory).status(), LOCKSTONE_E_BLANK);
    {
        Store store = Store::format(test_platform, memory);
        CHECK(store);
        CHECK_IS(store.status(), 0);
        CHECK_IS(Store::open(test_platform, memory).status(), LOCKSTONE_E_BUSY);
        CHECK_IS(store.put("a/1", "one"), 0);
        CHECK_IS(store.put("a/2", {"two", 3}, LOCKSTONE_PROTECT), 0);
        CHECK_IS(store.put("b", lockstone::Bytes()), 0);
        auto got = store.get("a/1", buffer, sizeof(buffer));
        CHECK(got);
        CHECK(std::string(buffer, got.value) == "one");
        got = store.get("a/1", buffer, 1);
        CHECK(!got);
        CHECK_IS(got.status, LOCKSTONE_E_BUFFER_TOO_SMALL);
        CHECK_IS(got.value, 3);
        std::set<std::string> names;
        CHECK_IS(store.each("a/", [&](std::string_view name) { return names.emplace(name).second; }), 0);
        CHECK(names == (std::set<std::string>{"a/1", "a/2"}));
        int calls = 0;
        CHECK_IS(store.each("", [&](std::string_view) { return ++calls < 2; }), 0);
        CHECK_IS(calls, 2);
        CHECK_IS(store.stats().value.keys, 3);
        Store moved = std::move(store);
        CHECK(!store);
        CHECK_IS(store.put("c", "lost"), LOCKSTONE_E_NOT_OPEN);
        CHECK_IS(store.close(), LOCKSTONE_E_NOT_OPEN);
        CHECK(moved);
        CHECK_IS(moved.remove("b"), 0);
        CHECK_IS(moved.remove("b"), LOCKSTONE_E_NOT_FOUND);
        CHECK_IS(moved.close(), 0);
        CHECK_IS(moved.get("a/1", buffer, sizeof(buffer)).status, LOCKSTONE_E_NOT_OPEN);
        moved = Store::open(test_platform, memory);
        CHECK(moved);
        CHECK(moved.get("a/2", buffer, sizeof(buffer)));
    }
    CHECK_IS(lockstone_close(), LOCKSTONE_E_NOT_OPEN);
}

static void keys() {
    lockstone_memory memory = test_memory();
    char buffer[16];
    ARM_CFSTORE_FMODE both{};
    both.read = both.write = 1;
    Store store = Store::format(test_platform, memory);
    CHECK(store);
    CHECK_IS(Key::open("early").status(), ARM_CFSTORE_DRIVER_ERROR_UNINITIALISED);
    {
        Session session;
        CHECK(session);
        {
            Key key = Key::create("k.1", 4);
            CHECK(key);
            CHECK_IS(key.write("12345").value, 4);
            Key moved = std::move(key);
            CHECK(!key);
            CHECK_IS(key.close(), ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE);
            CHECK_IS(key.length().status, ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE);
            CHECK_IS(moved.length().value, 4);
            CHECK_IS(moved.seek(2), 2);
            CHECK_IS(moved.read(buffer, sizeof(buffer)).value, 2);
            CHECK(std::memcmp(buffer, "34", 2) == 0);
        }
        CHECK_IS(Key::create("k.1", 4).status(), ARM_CFSTORE_DRIVER_ERROR_PREEXISTING_KEY);
        CHECK(Key::create("k.2", 1));
        CHECK(Key::create("other", 1));
        Key found;
        std::string names;
        while (found.find("k.*")) {
            CHECK(found.name(buffer, sizeof(buffer)) > 0);
            names += buffer;
            if (names == "k.1") {
                CHECK_IS(found.remove(), 0);
            }
        }
        CHECK(names == "k.1k.2");
        {
            Key kept = Key::open("k.2");
            CHECK(!kept.find("[no pattern]"));
            CHECK_IS(kept.status(), ARM_CFSTORE_DRIVER_ERROR_INVALID_KEY_NAME);
            CHECK_IS(kept.length().value, 1);
            CHECK_IS(kept.write("x").status, ARM_CFSTORE_DRIVER_ERROR_KEY_READ_ONLY);
            CHECK_IS(kept.write("x").value, 0);
            CHECK_IS(kept.close(), 0);
            CHECK_IS(kept.read(buffer, 4).value, 0);
        }
        CHECK_IS(found.status(), ARM_CFSTORE_DRIVER_ERROR_KEY_NOT_FOUND);
        CHECK_IS(Key::open("k.1").status(), ARM_CFSTORE_DRIVER_ERROR_KEY_NOT_FOUND);
        CHECK_IS(session.flush(), 0);
        CHECK(Key::create("late", 1));
    }
    Session again;
    CHECK(Key::open("k.2", both));
    CHECK(Key::open("other"));
    CHECK_IS(Key::open("late").status(), ARM_CFSTORE_DRIVER_ERROR_KEY_NOT_FOUND);
}

/* The headers without a wrapper are C++ too: a store with objects and a journal, on a volume of a driver. */
static void drivers() {
    static const lockstone_volume table[] = {{LOCKSTONE_VOLUME_KEYS, 0, 0, 0, 0, 16 * 4096},
                                             {LOCKSTONE_VOLUME_OBJECTS, 0, 0, 0, 16 * 4096, 8 * 4096}};
    static unsigned char ram[LOCKSTONE_OBJECTS_SIZE(8 * 4096)];
    lockstone_memory memory = test_memory();
    ARM_DRIVER_STORAGE *volume = nullptr;
    FlashJournal_t journal;
    char buffer[4] = {};
    (void)lockstone_close();
    CHECK_IS(lockstone_sim_reset(FLASH_SIZE), 0);
    CHECK_IS(lockstone_sim_platform(&test_platform), 0);
    CHECK_IS(StorageVolumeManager_initialize(&lockstone_sim_storage, nullptr), 1);
    CHECK_IS(StorageVolumeManager_addVolume(4096, 24 * 4096, &volume), ARM_DRIVER_OK);
    CHECK_IS(lockstone_use_volumes(table, 2), 0);
    CHECK_IS(lockstone_storage_format(volume, 0, 24 * 4096, &test_platform, &memory), 0);
    CHECK_IS(lockstone_objects_format(ram, sizeof(ram)), 0);
    CHECK_IS(flashJournalStrategySequential_format(volume, 4, nullptr), 1);
    CHECK_IS(FlashJournal_initialize(&journal, volume, &FLASH_JOURNAL_STRATEGY_SEQUENTIAL, nullptr), 1);
    CHECK_IS(FlashJournal_log(&journal, "abc", 3), 3);
    CHECK_IS(FlashJournal_commit(&journal), 1);
    CHECK_IS(FlashJournal_read(&journal, buffer, 4), 3);
    CHECK(std::strcmp(buffer, "abc") == 0);
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_use_volumes(nullptr, 0), 0);
}

int main() {
    stores();
    keys();
    drivers();
    CHECK_IS(psa_its_get_info(0, nullptr), PSA_ERROR_INVALID_ARGUMENT);
    return summary("cpp");
}
