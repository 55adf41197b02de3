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
using lockstone::storage::Driver;
using lockstone::storage::Volumes;

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

static std::int32_t no_power(ARM_POWER_STATE) {
    return ARM_DRIVER_ERROR_TIMEOUT;
}

static std::int32_t fixed_power(ARM_POWER_STATE) {
    return ARM_DRIVER_ERROR_UNSUPPORTED;
}

static std::int32_t no_start(ARM_Storage_Callback_t) {
    return ARM_DRIVER_ERROR_SPECIFIC;
}

/* A driver is initialised for as long as somebody owns it, and no longer. */
static void owned_drivers() {
    unsigned char found[8];
    struct _ARM_DRIVER_STORAGE copy = lockstone_sim_storage;
    (void)lockstone_close();
    CHECK_IS(lockstone_sim_reset(FLASH_SIZE), 0);
    CHECK_IS(lockstone_sim_storage_configure(0, 0), 0);
    CHECK_IS(lockstone_sim_storage_state(), 0);
    {
        Driver driver(lockstone_sim_storage);
        CHECK(driver);
        CHECK(driver.status() >= 0);
        CHECK_IS(lockstone_sim_storage_state(), 3);
        auto info = driver.info();
        CHECK(info);
        CHECK_IS(info.value.total_storage, FLASH_SIZE);
        std::uint64_t bytes = 0;
        driver.each_block([&](const ARM_STORAGE_BLOCK &block) { return bytes += block.size, true; });
        CHECK_IS(bytes, FLASH_SIZE);
        int calls = 0;
        driver.each_block([&](const ARM_STORAGE_BLOCK &) { return ++calls < 1; });
        CHECK_IS(calls, 1);
        CHECK_IS(driver.program(4096, "programs").value, 8);
        CHECK_IS(driver.read(4096, found, 8).value, 8);
        CHECK(std::memcmp(found, "programs", 8) == 0);
        CHECK(!driver.program(4096, "odd"));
        CHECK_IS(driver.program(4096, "odd").value, 0);
        CHECK(!driver.program(0, {found, static_cast<std::size_t>(UINT32_MAX) + 9}));
        CHECK_IS(driver.erase(4096, 4096).value, 4096);
        CHECK(!driver.read(FLASH_SIZE, found, 8));
        Driver moved = std::move(driver);
        CHECK(!driver);
        CHECK_IS(driver.read(4096, found, 8).status, ARM_DRIVER_ERROR);
        CHECK_IS(driver.info().status, ARM_DRIVER_ERROR);
        driver.each_block([&](const ARM_STORAGE_BLOCK &) { return ++calls < 1; });
        CHECK_IS(calls, 1);
        CHECK_IS(driver.close(), ARM_DRIVER_ERROR);
        CHECK_IS(lockstone_sim_storage_state(), 3);
        CHECK_IS(moved.read(4096, found, 8).value, 8);
        CHECK(found[0] == 0xff);
        moved = Driver();
        CHECK_IS(lockstone_sim_storage_state(), 0);
        moved = Driver(lockstone_sim_storage);
        CHECK(moved);
        CHECK(moved.close() >= 0);
        CHECK(!moved);
        CHECK_IS(lockstone_sim_storage_state(), 0);
        moved = Driver(lockstone_sim_storage);
        /* The same again, which is not to be stopped as the old one's. */
        moved = Driver(lockstone_sim_storage);
        CHECK(moved);
        CHECK_IS(lockstone_sim_storage_state(), 3);
        CHECK_IS(moved.read(4096, found, 8).value, 8);
    }
    CHECK_IS(lockstone_sim_storage_state(), 0);
    /* One that fails is given back at once. */
    copy.PowerControl = no_power;
    CHECK_IS(Driver(copy).status(), ARM_DRIVER_ERROR_TIMEOUT);
    CHECK_IS(lockstone_sim_storage_state(), 0);
    copy.PowerControl = fixed_power;
    CHECK(Driver(copy));
    copy.Initialize = no_start;
    CHECK_IS(Driver(copy).status(), ARM_DRIVER_ERROR_SPECIFIC);
    CHECK(!Driver(copy));
}

/* Volumes, and a store on one beside a driver on another. */
static void owned_volumes() {
    unsigned char found[8];
    lockstone_memory memory = test_memory();
    CHECK_IS(lockstone_sim_reset(FLASH_SIZE), 0);
    CHECK_IS(lockstone_sim_platform(&test_platform), 0);
    struct _ARM_DRIVER_STORAGE copy = lockstone_sim_storage;
    copy.Erase = nullptr;
    Volumes none(copy);
    CHECK(!none);
    CHECK_IS(none.status(), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(none.add(0, 4096).status, ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(none.at(0).status, ARM_DRIVER_ERROR_PARAMETER);
    Volumes volumes(lockstone_sim_storage);
    CHECK(volumes);
    auto spare = volumes.add(0, 8 * 4096);
    auto keys = volumes.add(8 * 4096, 24 * 4096);
    CHECK(spare);
    CHECK(keys);
    CHECK_IS(volumes.add(4096, 4096).status, ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(volumes.at(40 * 4096).status, STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED);
    CHECK(volumes.at(4096).value == spare.value);
    {
        Driver driver(*spare.value);
        CHECK(driver);
        CHECK(!driver.read(8 * 4096, found, 1));
        CHECK_IS(driver.program(4096, "beside").status, ARM_DRIVER_ERROR_PARAMETER);
        CHECK_IS(driver.program(4096, "besides!").value, 8);
        CHECK_IS(Volumes(lockstone_sim_storage).status(), ARM_DRIVER_ERROR_BUSY);
        {
            CHECK_IS(Store::open(*keys.value, 0, 24 * 4096, test_platform, memory).status(), LOCKSTONE_E_BLANK);
            Store store = Store::format(*keys.value, 0, 24 * 4096, test_platform, memory);
            CHECK(store);
            CHECK_IS(store.put("a", "kept"), 0);
        }
        CHECK(Store::open(*keys.value, 0, 24 * 4096, test_platform, memory).get("a", found, 4));
        CHECK_IS(Store::open(*keys.value, 1, 24 * 4096, test_platform, memory).status(), LOCKSTONE_E_LAYOUT);
        CHECK_IS(driver.read(4096, found, 8).value, 8);
        CHECK(std::memcmp(found, "besides!", 8) == 0);
    }
    CHECK(Volumes(lockstone_sim_storage));
    CHECK_IS(Driver(*spare.value).status(), STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED);
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
    owned_drivers();
    owned_volumes();
    drivers();
    CHECK_IS(psa_its_get_info(0, nullptr), PSA_ERROR_INVALID_ARGUMENT);
    return summary("cpp");
}
