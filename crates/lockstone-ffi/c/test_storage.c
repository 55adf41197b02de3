/*
 * CMSIS-Driver Storage, both ways: the simulated driver answers as Driver_Storage.h says, and a store lies on it, in all ways that a
 * driver may work, under power cuts, and whatever a driver says that lies.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>

#include "called.h"
#include "check.h"
#include "lockstone_objects.h"
#include "lockstone_storage.h"

#define DRIVER (&lockstone_sim_storage)
#define FAR ((uint64_t)5u << 32)
#define CHIP FLASH_SIZE
#define BLOCK 4096u
/* The store lies across both blocks of the driver, with room in front and behind. */
#define START (8u * BLOCK)
#define SIZE (48u * BLOCK)

static unsigned char image[CHIP];
static unsigned char bytes[BLOCK];

static void chip(uint32_t mode, uint64_t base) {
    (void)lockstone_close();
    CHECK_IS(lockstone_sim_reset(CHIP), 0);
    CHECK_IS(lockstone_sim_platform(&test_platform), 0);
    CHECK_IS(lockstone_sim_storage_configure(mode, base), 0);
    /* The platform's own flash is not used. */
    test_platform.read = NULL;
    test_platform.program = NULL;
    test_platform.erase = NULL;
    test_platform.flash_size = 0;
    test_platform.program_unit = 0;
    test_platform.erase_block = 0;
    test_platform.erased_value = 7;
}

/* The driver by itself: each function, and each error. */
static void the_driver_says_what_it_is(void) {
    ARM_STORAGE_INFO info;
    ARM_STORAGE_BLOCK block;
    uint64_t end = FAR;
    int blocks = 0;
    chip(0, FAR);
    CHECK_IS(DRIVER->GetVersion().api, ARM_STORAGE_API_VERSION);
    CHECK_IS(DRIVER->GetCapabilities().asynchronous_ops, 0);
    CHECK_IS(DRIVER->GetCapabilities().erase_all, 1);
    CHECK_IS(DRIVER->GetInfo(&info), ARM_DRIVER_OK);
    CHECK_IS(info.total_storage, CHIP);
    CHECK_IS(info.program_unit, 4);
    CHECK_IS(info.erased_value, 1);
    CHECK_IS(info.programmability, ARM_STORAGE_PROGRAMMABILITY_ERASABLE);
    CHECK_IS(info.retention_level, ARM_RETENTION_NVM);
    CHECK_IS(info.memory_mapped, 0);
    CHECK_IS(DRIVER->GetInfo(NULL), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->ResolveAddress(FAR), ARM_STORAGE_INVALID_ADDRESS);
    for (DRIVER->GetNextBlock(NULL, &block); ARM_STORAGE_VALID_BLOCK(&block); DRIVER->GetNextBlock(&block, &block)) {
        CHECK_IS(block.addr, end);
        CHECK_IS(block.attributes.erasable, 1);
        CHECK_IS(block.attributes.programmable, 1);
        CHECK_IS(block.attributes.erase_unit, BLOCK);
        end = block.addr + block.size;
        blocks++;
    }
    CHECK_IS(blocks, 2);
    CHECK_IS(end, FAR + CHIP);
    CHECK_IS(DRIVER->GetNextBlock(NULL, NULL), ARM_DRIVER_OK);
    CHECK_IS(DRIVER->GetBlock(FAR + CHIP - 1, &block), ARM_DRIVER_OK);
    CHECK_IS(block.addr, FAR + CHIP / 2);
    CHECK_IS(DRIVER->GetBlock(FAR, NULL), ARM_DRIVER_OK);
    CHECK(DRIVER->GetBlock(FAR + CHIP, &block) < 0);
    CHECK(!ARM_STORAGE_VALID_BLOCK(&block));
    CHECK(DRIVER->GetBlock(FAR - 1, &block) < 0);
    CHECK_IS(lockstone_sim_storage_configure(8, 0), -1);
    CHECK_IS(lockstone_sim_storage_configure(0, UINT64_MAX), -1);
}

static void the_driver_works_at_once(void) {
    chip(0, FAR);
    CHECK_IS(DRIVER->ReadData(FAR, bytes, 4), ARM_DRIVER_ERROR);
    CHECK_IS(DRIVER->PowerControl(ARM_POWER_FULL), ARM_DRIVER_ERROR);
    CHECK_IS(DRIVER->Initialize(note), 1);
    CHECK_IS(lockstone_sim_storage_configure(0, 0), -1);
    CHECK_IS(DRIVER->EraseAll(), ARM_DRIVER_ERROR);
    CHECK_IS(DRIVER->PowerControl(ARM_POWER_LOW), ARM_DRIVER_ERROR_UNSUPPORTED);
    CHECK_IS(DRIVER->PowerControl((ARM_POWER_STATE)3), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->PowerControl(ARM_POWER_FULL), 1);
    CHECK_IS(lockstone_sim_storage_state(), 3);
    CHECK_IS(DRIVER->ProgramData(FAR + 8, "abcdefgh", 8), 8);
    CHECK_IS(DRIVER->ReadData(FAR + 9, bytes, 3), 3);
    CHECK(memcmp(bytes, "bcd", 3) == 0);
    CHECK_IS(DRIVER->ProgramData(FAR + 2, bytes, 4), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->ProgramData(FAR + 4, bytes, 3), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->ProgramData(FAR + 4, NULL, 4), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->ProgramData(FAR + CHIP, bytes, 4), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->ReadData(FAR - 1, bytes, 1), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->ReadData(FAR + CHIP - 1, bytes, 2), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->ReadData(UINT64_MAX, bytes, 2), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->ReadData(FAR, bytes, UINT32_MAX), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->ReadData(FAR, NULL, 1), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->ReadData(FAR, bytes, 0), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->Erase(FAR + 4, BLOCK), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->Erase(FAR, BLOCK - 1), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(DRIVER->Erase(FAR, BLOCK), BLOCK);
    CHECK_IS(DRIVER->ReadData(FAR + 8, bytes, 1), 1);
    CHECK_IS(bytes[0], 0xff);
    CHECK_IS(DRIVER->GetStatus().error, 0);
    CHECK_IS(lockstone_sim_power(0), 0);
    CHECK_IS(DRIVER->Erase(FAR, BLOCK), ARM_DRIVER_ERROR);
    CHECK_IS(DRIVER->GetStatus().error, 1);
    CHECK_IS(lockstone_sim_power(1), 0);
    CHECK_IS(DRIVER->EraseAll(), 1);
    CHECK_IS(DRIVER->PowerControl(ARM_POWER_OFF), 1);
    CHECK_IS(DRIVER->ReadData(FAR, bytes, 1), ARM_DRIVER_ERROR);
    CHECK_IS(DRIVER->Uninitialize(), 1);
    CHECK_IS(lockstone_sim_storage_state(), 0);
    CHECK_IS(called, 0);
}

static void settle(void) {
    int polls;
    for (polls = 0; DRIVER->GetStatus().busy; polls++) {
        CHECK(polls < 10);
    }
}

static void the_driver_works_later(void) {
    chip(LOCKSTONE_SIM_STORAGE_ASYNCHRONOUS | LOCKSTONE_SIM_STORAGE_SHORT, 0);
    CHECK_IS(DRIVER->GetCapabilities().asynchronous_ops, 1);
    CHECK_IS(DRIVER->Initialize(note), ARM_DRIVER_OK);
    CHECK_IS(DRIVER->GetStatus().busy, 1);
    settle();
    CHECK_IS(called_operation, ARM_STORAGE_OPERATION_INITIALIZE);
    CHECK_IS(DRIVER->PowerControl(ARM_POWER_FULL), ARM_DRIVER_OK);
    settle();
    memset(bytes, 0x5a, sizeof(bytes));
    CHECK_IS(DRIVER->ProgramData(0, bytes, 128), ARM_DRIVER_OK);
    CHECK_IS(DRIVER->ReadData(0, bytes, 1), ARM_DRIVER_ERROR_BUSY);
    settle();
    CHECK_IS(called_operation, ARM_STORAGE_OPERATION_PROGRAM_DATA);
    CHECK_IS(called_status, 64);
    memset(bytes, 0, sizeof(bytes));
    CHECK_IS(DRIVER->ReadData(0, bytes, 128), ARM_DRIVER_OK);
    CHECK_IS(bytes[0], 0);
    settle();
    CHECK_IS(called_status, 64);
    CHECK(bytes[0] == 0x5a && bytes[63] == 0x5a && bytes[64] == 0);
    CHECK_IS(DRIVER->Erase(0, 3 * BLOCK), ARM_DRIVER_OK);
    settle();
    CHECK_IS(called_operation, ARM_STORAGE_OPERATION_ERASE);
    CHECK_IS(called_status, BLOCK);
    CHECK_IS(DRIVER->EraseAll(), ARM_DRIVER_OK);
    settle();
    CHECK_IS(called_operation, ARM_STORAGE_OPERATION_ERASE_ALL);
    CHECK_IS(called_status, 1);
    CHECK_IS(called, 6);
    CHECK_IS(DRIVER->Erase(0, BLOCK), ARM_DRIVER_OK);
    CHECK_IS(lockstone_sim_power(0), 0);
    settle();
    CHECK_IS(called_status, ARM_DRIVER_ERROR);
    CHECK_IS(DRIVER->GetStatus().error, 1);
}

static int32_t open_on(const ARM_DRIVER_STORAGE *driver, uint64_t start, uint32_t size, int format) {
    lockstone_memory memory = test_memory();
    (void)lockstone_close();
    return format ? lockstone_storage_format(driver, start, size, &test_platform, &memory)
                  : lockstone_storage_open(driver, start, size, &test_platform, &memory);
}

static int32_t put_many(void) {
    char name[16];
    int index;
    int32_t status = 0;
    for (index = 0; index < 60 && status == 0; index++) {
        sprintf(name, "key/%d", index % 7);
        memset(bytes, index, 700);
        status = lockstone_put(name, bytes, 700, 0);
    }
    return status;
}

/* A store in the middle of the driver's storage: in each way that it may work. */
static void a_store_lies_on_it_in_each_way(void) {
    static const lockstone_volume keys = {LOCKSTONE_VOLUME_KEYS, 0, 0, 0, START, SIZE};
    lockstone_memory memory = test_memory();
    lockstone_platform hooks;
    uint32_t mode;
    for (mode = 0; mode < 8; mode++) {
        size_t length = 0;
        uint32_t index;
        uint64_t base = mode % 2 == 0 ? FAR : 0;
        chip(mode, base);
        CHECK_IS(open_on(DRIVER, base + START, SIZE, 0), LOCKSTONE_E_BLANK);
        CHECK_IS(lockstone_sim_storage_state(), 0);
        CHECK_IS(open_on(DRIVER, base + START, SIZE, 1), 0);
        CHECK_IS(lockstone_sim_storage_state(), 3);
        CHECK_IS(open_on(DRIVER, base + START, SIZE, 0), 0);
        CHECK_IS(put_many(), 0);
        CHECK_IS(lockstone_close(), 0);
        CHECK_IS(lockstone_sim_storage_state(), 0);
        CHECK_IS(open_on(DRIVER, base + START, SIZE, 0), 0);
        CHECK_IS(lockstone_get("key/3", bytes, sizeof(bytes), &length), 0);
        CHECK(length == 700 && bytes[0] == 59 && bytes[699] == 59);
        CHECK_IS(lockstone_sim_image(image, sizeof(image)), 0);
        for (index = 0; index < CHIP && (image[index] == 0xff || (index >= START && index < START + SIZE)); index++) {
        }
        CHECK_IS(index, CHIP);
        CHECK_IS(lockstone_close(), 0);
        /* The same bytes are a store of the hooks, too. */
        CHECK_IS(lockstone_sim_platform(&hooks), 0);
        CHECK_IS(lockstone_use_volumes(&keys, 1), 0);
        CHECK_IS(lockstone_open(&hooks, &memory), 0);
        memset(bytes, 0, sizeof(bytes));
        CHECK_IS(lockstone_get("key/3", bytes, sizeof(bytes), &length), 0);
        CHECK(length == 700 && bytes[0] == 59 && bytes[699] == 59);
        CHECK_IS(lockstone_close(), 0);
        CHECK_IS(lockstone_use_volumes(NULL, 0), 0);
    }
}

static void arguments_are_checked(void) {
    lockstone_memory memory = test_memory();
    lockstone_platform platform;
    chip(0, 0);
    platform = test_platform;
    CHECK_IS(lockstone_storage_open(NULL, 0, SIZE, &platform, &memory), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_storage_open(DRIVER, 0, SIZE, NULL, &memory), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_storage_open(DRIVER, 0, SIZE, &platform, NULL), LOCKSTONE_E_ARGUMENT);
    memory.size = 100;
    CHECK_IS(lockstone_storage_open(DRIVER, 0, SIZE, &platform, &memory), LOCKSTONE_E_LAYOUT);
    memory = test_memory();
    platform.derive_key = NULL;
    CHECK_IS(lockstone_storage_open(DRIVER, 0, SIZE, &platform, &memory), LOCKSTONE_E_ARGUMENT);
    platform = test_platform;
    platform.version = 2;
    CHECK_IS(lockstone_storage_format(DRIVER, 0, SIZE, &platform, &memory), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(open_on(DRIVER, 0, 0, 0), LOCKSTONE_E_LAYOUT);
    CHECK_IS(open_on(DRIVER, 4, SIZE, 0), LOCKSTONE_E_LAYOUT);
    CHECK_IS(open_on(DRIVER, 0, SIZE + 4, 0), LOCKSTONE_E_LAYOUT);
    CHECK_IS(open_on(DRIVER, 0, CHIP + BLOCK, 1), LOCKSTONE_E_LAYOUT);
    CHECK_IS(open_on(DRIVER, CHIP - BLOCK, 2 * BLOCK, 1), LOCKSTONE_E_LAYOUT);
    CHECK_IS(open_on(DRIVER, UINT64_MAX - BLOCK + 1, BLOCK, 1), LOCKSTONE_E_LAYOUT);
    CHECK_IS(open_on(DRIVER, 0, BLOCK, 1), LOCKSTONE_E_LAYOUT);
    CHECK_IS(lockstone_sim_operations(), 0);
    CHECK_IS(lockstone_sim_storage_state(), 0);
    CHECK_IS(open_on(DRIVER, 0, SIZE, 1), 0);
    memory = test_memory();
    CHECK_IS(lockstone_storage_open(DRIVER, 0, SIZE, &test_platform, &memory), LOCKSTONE_E_BUSY);
    CHECK_IS(lockstone_open(&test_platform, &memory), LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lockstone_sim_storage_state(), 3);
}

/* A driver that lies in one way: the simulated one behind it. */
static struct {
    ARM_DRIVER_VERSION version;
    ARM_STORAGE_INFO info;
    ARM_STORAGE_BLOCK block;
    int32_t info_status;
    int32_t initialize;
    int32_t power;
    int32_t count; /* of each operation, from the one on that `honest` others precede */
    int honest;
    int blocks; /* how many it lists; -1: without end */
    int power_calls;
    int uninitialize_calls;
} lie;

static ARM_DRIVER_VERSION lie_version(void) {
    return lie.version;
}

static int32_t lie_initialize(ARM_Storage_Callback_t callback) {
    (void)callback;
    return lie.initialize == 1 ? DRIVER->Initialize(callback) : lie.initialize;
}

static int32_t lie_uninitialize(void) {
    lie.uninitialize_calls++;
    return DRIVER->Uninitialize();
}

static int32_t lie_power(ARM_POWER_STATE state) {
    lie.power_calls++;
    return lie.power == 1 ? DRIVER->PowerControl(state) : lie.power;
}

static int lies(void) {
    return lie.honest-- <= 0;
}

static int32_t lie_read(uint64_t addr, void *data, uint32_t size) {
    return lies() ? lie.count : DRIVER->ReadData(addr, data, size);
}

static int32_t lie_program(uint64_t addr, const void *data, uint32_t size) {
    return lies() ? lie.count : DRIVER->ProgramData(addr, data, size);
}

static int32_t lie_erase(uint64_t addr, uint32_t size) {
    return lies() ? lie.count : DRIVER->Erase(addr, size);
}

static int32_t lie_info(ARM_STORAGE_INFO *info) {
    *info = lie.info;
    return lie.info_status;
}

static int32_t lie_next(const ARM_STORAGE_BLOCK *before, ARM_STORAGE_BLOCK *next) {
    ARM_STORAGE_BLOCK block = lie.block;
    if (before != NULL) {
        block.addr = before->addr + before->size;
        if (lie.blocks >= 0 && block.addr >= lie.block.addr + (uint64_t)lie.blocks * lie.block.size) {
            return ARM_DRIVER_ERROR;
        }
    }
    *next = block;
    return ARM_DRIVER_OK;
}

static struct _ARM_DRIVER_STORAGE liar;

/* Honest from now on. */
static void be_honest(void) {
    chip(0, 0);
    memset(&lie, 0, sizeof(lie));
    lie.version = DRIVER->GetVersion();
    CHECK_IS(DRIVER->GetInfo(&lie.info), 0);
    CHECK_IS(DRIVER->GetBlock(0, &lie.block), 0);
    lie.initialize = 1;
    lie.power = 1;
    lie.honest = 1 << 30;
    lie.blocks = 2;
    liar = *DRIVER;
    liar.GetVersion = lie_version;
    liar.Initialize = lie_initialize;
    liar.Uninitialize = lie_uninitialize;
    liar.PowerControl = lie_power;
    liar.ReadData = lie_read;
    liar.ProgramData = lie_program;
    liar.Erase = lie_erase;
    liar.GetInfo = lie_info;
    liar.GetNextBlock = lie_next;
}

/* Refused with this code, before anything is written, and with the driver switched off again. */
static void refused(int32_t status) {
    CHECK_IS(open_on(&liar, 0, SIZE, 1), status);
    CHECK_IS(lockstone_sim_operations(), 0);
    CHECK_IS(lockstone_sim_storage_state(), 0);
}

static void what_a_driver_says_of_itself_is_checked(void) {
    static const uint32_t units[] = {3, 12, 1024, 8192, 0x80000000u, UINT32_MAX};
    static const uint32_t erase_units[] = {0, 1, 64, 100, 2048 + 4, SIZE, 0x80000000u, UINT32_MAX};
    static const uint32_t kinds[] = {ARM_STORAGE_PROGRAMMABILITY_ROM, ARM_STORAGE_PROGRAMMABILITY_WORM, 4, 15};
    size_t index;
    be_honest();
    CHECK_IS(open_on(&liar, 0, SIZE, 1), 0);
    CHECK_IS(put_many(), 0);
    CHECK_IS(lockstone_close(), 0);
    CHECK(lie.power_calls == 2 && lie.uninitialize_calls == 1);
    for (index = 0; index < sizeof(units) / sizeof(units[0]); index++) {
        be_honest();
        lie.info.program_unit = units[index];
        refused(LOCKSTONE_E_LAYOUT);
    }
    for (index = 0; index < sizeof(erase_units) / sizeof(erase_units[0]); index++) {
        be_honest();
        lie.block.attributes.erase_unit = erase_units[index];
        refused(LOCKSTONE_E_LAYOUT);
    }
    for (index = 0; index < sizeof(kinds) / sizeof(kinds[0]); index++) {
        be_honest();
        lie.info.programmability = kinds[index] & 15u;
        refused(LOCKSTONE_E_LAYOUT);
    }
    be_honest();
    lie.info.total_storage = SIZE - 1;
    refused(LOCKSTONE_E_LAYOUT);
    be_honest();
    lie.info_status = ARM_DRIVER_ERROR;
    refused(LOCKSTONE_E_FLASH);
    be_honest();
    lie.block.attributes.erasable = 0;
    refused(LOCKSTONE_E_LAYOUT);
    be_honest();
    lie.block.attributes.programmable = 0;
    refused(LOCKSTONE_E_LAYOUT);
    be_honest();
    lie.blocks = 1;
    refused(LOCKSTONE_E_LAYOUT);
    be_honest();
    lie.block.size = 0;
    refused(LOCKSTONE_E_LAYOUT);
    be_honest();
    lie.block.size = UINT64_MAX;
    lie.block.addr = 1;
    refused(LOCKSTONE_E_LAYOUT);
    be_honest();
    lie.block.addr = ARM_STORAGE_INVALID_OFFSET;
    refused(LOCKSTONE_E_LAYOUT);
    be_honest(); /* blocks of one byte, without end */
    lie.block.size = 1;
    lie.blocks = -1;
    refused(LOCKSTONE_E_LAYOUT);
    be_honest();
    lie.version.api = 0x0200;
    refused(LOCKSTONE_E_ARGUMENT);
    CHECK_IS(lie.uninitialize_calls, 0);
    be_honest();
    lie.initialize = ARM_DRIVER_ERROR;
    refused(LOCKSTONE_E_FLASH);
    CHECK_IS(lie.uninitialize_calls, 0);
    be_honest();
    lie.power = ARM_DRIVER_ERROR_BUSY;
    refused(LOCKSTONE_E_FLASH);
    CHECK_IS(lie.uninitialize_calls, 1);
    be_honest(); /* RAM will do, and a driver that says more than it has to */
    lie.info.programmability = ARM_STORAGE_PROGRAMMABILITY_RAM;
    lie.info.total_storage = UINT64_MAX;
    lie.info.program_cycles = UINT32_MAX;
    lie.info.optimal_program_unit = UINT32_MAX;
    CHECK_IS(open_on(&liar, 0, SIZE, 1), 0);
}

/* Functions that are needed are missing; others are not asked for. */
static void missing_functions_are_seen(void) {
    int index;
    for (index = 0; index < 14; index++) {
        int needed = index != 8 && index != 11 && index != 13;
        void (*none)(void) = NULL;
        be_honest();
        memcpy((char *)&liar + (size_t)index * sizeof(none), &none, sizeof(none));
        CHECK_IS(open_on(&liar, 0, SIZE, 1), needed ? LOCKSTONE_E_ARGUMENT : 0);
    }
}

/* Counts that make no sense, at each operation of a put: the call fails, or the answer is right, and the store is what it was. */
static void what_a_driver_says_it_did_is_checked(void) {
    static const int32_t counts[] = {0, -1, -2, -5, -1000, 3, 1 << 20, INT32_MAX, INT32_MIN};
    size_t index;
    for (index = 0; index < sizeof(counts) / sizeof(counts[0]); index++) {
        int honest;
        int32_t status = -1;
        be_honest();
        CHECK_IS(open_on(&liar, 0, SIZE, 1), 0);
        CHECK_IS(lockstone_put("witness", "still here", 10, 0), 0);
        CHECK_IS(lockstone_close(), 0);
        CHECK_IS(lockstone_sim_save(), 0);
        for (honest = 0; status != 0; honest++) {
            CHECK(honest < 200);
            (void)lockstone_close();
            CHECK_IS(lockstone_sim_restore(1), 0);
            CHECK_IS(open_on(&liar, 0, SIZE, 0), 0);
            lie.count = counts[index];
            lie.honest = honest;
            status = lockstone_put("new", bytes, 1500, 0);
            CHECK(status == 0 || status == LOCKSTONE_E_FLASH || status == LOCKSTONE_E_WORN_OUT ||
                  status == LOCKSTONE_E_DAMAGED);
            lie.honest = 1 << 30;
            CHECK_IS(open_on(&liar, 0, SIZE, 0), 0);
            CHECK_IS(lockstone_get("witness", bytes, sizeof(bytes), NULL), 0);
            CHECK(memcmp(bytes, "still here", 10) == 0);
        }
        CHECK(honest > 3);
    }
}

/* A driver that goes through each operation in many steps, and is busy only in every other one; it has the buffer until the last. */
static struct {
    ARM_STORAGE_OPERATION operation;
    uint64_t addr;
    void *to;
    const void *from;
    uint32_t size;
    unsigned steps; /* 0: none is under way */
    unsigned tick;
    unsigned each; /* how many an operation takes */
    int silent;
    ARM_Storage_Callback_t callback;
} slow;

static int32_t slow_begin(ARM_STORAGE_OPERATION operation, uint64_t addr, void *to, const void *from, uint32_t size) {
    if (slow.steps != 0) {
        return ARM_DRIVER_ERROR_BUSY;
    }
    slow.operation = operation;
    slow.addr = addr;
    slow.to = to;
    slow.from = from;
    slow.size = size;
    slow.steps = slow.each;
    return ARM_DRIVER_OK;
}

static ARM_STORAGE_STATUS slow_status(void) {
    ARM_STORAGE_STATUS status = {0, 0};
    if (slow.steps != 0 && --slow.steps == 0) {
        int32_t done = slow.operation == ARM_STORAGE_OPERATION_READ_DATA      ? DRIVER->ReadData(slow.addr, slow.to, slow.size)
                       : slow.operation == ARM_STORAGE_OPERATION_PROGRAM_DATA ? DRIVER->ProgramData(slow.addr, slow.from, slow.size)
                       : slow.operation == ARM_STORAGE_OPERATION_ERASE        ? DRIVER->Erase(slow.addr, slow.size)
                                                                              : 1;
        CHECK(done > 0);
        if (!slow.silent) {
            slow.callback(done, slow.operation);
        }
    }
    status.busy = slow.steps != 0 && (slow.tick++ & 1) != 0;
    return status;
}

static ARM_STORAGE_CAPABILITIES slow_capabilities(void) {
    ARM_STORAGE_CAPABILITIES capabilities = {1, 0, 0};
    return capabilities;
}

static int32_t slow_initialize(ARM_Storage_Callback_t callback) {
    slow.callback = callback;
    CHECK_IS(DRIVER->Initialize(NULL), 1);
    return slow.silent ? slow_begin(ARM_STORAGE_OPERATION_INITIALIZE, 0, NULL, NULL, 0) : 1;
}

static int32_t slow_read(uint64_t addr, void *data, uint32_t size) {
    return slow_begin(ARM_STORAGE_OPERATION_READ_DATA, addr, data, NULL, size);
}

static int32_t slow_program(uint64_t addr, const void *data, uint32_t size) {
    return slow_begin(ARM_STORAGE_OPERATION_PROGRAM_DATA, addr, NULL, data, size);
}

static int32_t slow_erase(uint64_t addr, uint32_t size) {
    return slow_begin(ARM_STORAGE_OPERATION_ERASE, addr, NULL, NULL, size);
}

static void a_busy_that_flickers_ends_nothing(void) {
    struct _ARM_DRIVER_STORAGE driver;
    int silent;
    for (silent = 0; silent < 2; silent++) {
        size_t length = 0;
        chip(0, 0);
        memset(&slow, 0, sizeof(slow));
        slow.silent = silent;
        slow.each = 2500;
        driver = *DRIVER;
        driver.GetCapabilities = slow_capabilities;
        driver.GetStatus = slow_status;
        driver.Initialize = slow_initialize;
        driver.ReadData = slow_read;
        driver.ProgramData = slow_program;
        driver.Erase = slow_erase;
        CHECK_IS(open_on(&driver, 0, 4 * BLOCK, 1), 0);
        CHECK_IS(slow.steps, 0);
        CHECK_IS(lockstone_put("k", "value", 5, 0), 0);
        CHECK_IS(slow.steps, 0);
        memset(bytes, 0, sizeof(bytes));
        CHECK_IS(lockstone_get("k", bytes, sizeof(bytes), &length), 0);
        CHECK_IS(slow.steps, 0);
        CHECK(length == 5 && memcmp(bytes, "value", 5) == 0);
        CHECK_IS(lockstone_close(), 0);
        CHECK_IS(slow.steps, 0);
    }
}

/* Nothing was begun: it is begun again, and nothing fails; unless the driver says so for ever, and is idle. */
static int refusals;
static int refused_in_a_row;

static int refuses(void) {
    refused_in_a_row = refused_in_a_row == 2 ? 0 : refused_in_a_row + 1;
    refusals += refused_in_a_row != 0;
    return refused_in_a_row != 0;
}

static int32_t refusing_read(uint64_t addr, void *data, uint32_t size) {
    return refuses() ? ARM_DRIVER_ERROR_BUSY : DRIVER->ReadData(addr, data, size);
}

static int32_t refusing_program(uint64_t addr, const void *data, uint32_t size) {
    return refuses() ? ARM_DRIVER_ERROR_BUSY : DRIVER->ProgramData(addr, data, size);
}

static int32_t refusing_erase(uint64_t addr, uint32_t size) {
    return refuses() ? ARM_DRIVER_ERROR_BUSY : DRIVER->Erase(addr, size);
}

static void a_driver_that_is_busy_is_asked_again(void) {
    struct _ARM_DRIVER_STORAGE driver;
    chip(0, 0);
    driver = *DRIVER;
    driver.ReadData = refusing_read;
    driver.ProgramData = refusing_program;
    driver.Erase = refusing_erase;
    refusals = 0;
    CHECK_IS(open_on(&driver, 0, SIZE, 1), 0);
    CHECK_IS(put_many(), 0);
    CHECK(refusals > 100);
    CHECK_IS(lockstone_close(), 0);
}

/* A driver that works on a thread of its own, and calls back from there. */
static pthread_t worker;
static int working;
static ARM_Storage_Callback_t worker_callback;
static volatile uint32_t worker_busy;
static struct {
    ARM_STORAGE_OPERATION operation;
    uint64_t addr;
    void *to;
    const void *from;
    uint32_t size;
} job;

static void *work(void *unused) {
    int32_t status = job.operation == ARM_STORAGE_OPERATION_READ_DATA      ? DRIVER->ReadData(job.addr, job.to, job.size)
                     : job.operation == ARM_STORAGE_OPERATION_PROGRAM_DATA ? DRIVER->ProgramData(job.addr, job.from, job.size)
                                                                           : DRIVER->Erase(job.addr, job.size);
    (void)unused;
    worker_callback(status, job.operation);
    return NULL;
}

static int32_t start_work(ARM_STORAGE_OPERATION operation, uint64_t addr, void *to, const void *from, uint32_t size) {
    if (working) {
        (void)pthread_join(worker, NULL);
    }
    job.operation = operation;
    job.addr = addr;
    job.to = to;
    job.from = from;
    job.size = size;
    working = pthread_create(&worker, NULL, work, NULL) == 0;
    return working ? ARM_DRIVER_OK : ARM_DRIVER_ERROR;
}

static ARM_STORAGE_CAPABILITIES thread_capabilities(void) {
    ARM_STORAGE_CAPABILITIES capabilities = {1, 0, 0};
    return capabilities;
}

static int32_t thread_initialize(ARM_Storage_Callback_t callback) {
    worker_callback = callback;
    return DRIVER->Initialize(NULL);
}

static int32_t thread_read(uint64_t addr, void *data, uint32_t size) {
    return start_work(ARM_STORAGE_OPERATION_READ_DATA, addr, data, NULL, size);
}

static int32_t thread_program(uint64_t addr, const void *data, uint32_t size) {
    return start_work(ARM_STORAGE_OPERATION_PROGRAM_DATA, addr, NULL, data, size);
}

static int32_t thread_erase(uint64_t addr, uint32_t size) {
    return start_work(ARM_STORAGE_OPERATION_ERASE, addr, NULL, NULL, size);
}

/* Busy until the callback came: only that ends the wait. */
static ARM_STORAGE_STATUS thread_status(void) {
    ARM_STORAGE_STATUS status = {1, 0};
    return status;
}

static void callbacks_may_come_from_another_thread(void) {
    struct _ARM_DRIVER_STORAGE threaded = *DRIVER;
    size_t length = 0;
    threaded.GetCapabilities = thread_capabilities;
    threaded.Initialize = thread_initialize;
    threaded.ReadData = thread_read;
    threaded.ProgramData = thread_program;
    threaded.Erase = thread_erase;
    threaded.GetStatus = thread_status;
    chip(0, 0);
    CHECK_IS(open_on(&threaded, 0, 16 * BLOCK, 1), 0);
    memset(&threaded, 0, sizeof(threaded)); /* the table was copied */
    CHECK_IS(lockstone_put("name", "value", 5, 0), 0);
    CHECK_IS(lockstone_get("name", bytes, sizeof(bytes), &length), 0);
    CHECK(length == 5 && memcmp(bytes, "value", 5) == 0);
    CHECK_IS(lockstone_close(), 0);
    (void)pthread_join(worker, NULL);
    working = 0;
}

/* Power goes at each operation of a few puts and a delete, in ten ways, and again while the store is opened. */
static int32_t change(void) {
    int32_t status;
    if ((status = lockstone_put("a", "new", 3, 0)) != 0 || (status = lockstone_put("b", bytes, 900, LOCKSTONE_PROTECT)) != 0) {
        return status;
    }
    status = lockstone_delete("c");
    return status == LOCKSTONE_E_NOT_FOUND ? 0 : status;
}

/* How many of the three changes are there; -1: one that is neither old nor new, or out of order. */
static int changed(void) {
    size_t length = 0;
    int a, b, c;
    int32_t status = lockstone_get("a", image, sizeof(image), &length);
    if (status != 0 || length != 3 || (memcmp(image, "old", 3) != 0 && memcmp(image, "new", 3) != 0)) {
        return -1;
    }
    a = image[0] == 'n';
    status = lockstone_get("b", image, sizeof(image), &length);
    if (status != 0 || (length != 900 && length != 5)) {
        return -1;
    }
    b = length == 900;
    status = lockstone_get("c", image, sizeof(image), &length);
    if (status != LOCKSTONE_E_NOT_FOUND && (status != 0 || length != 1)) {
        return -1;
    }
    c = status != 0;
    return a >= b && b >= c ? a + b + c : -1;
}

static void power_cuts_leave_old_or_new(void) {
    const char *stride = getenv("LOCKSTONE_STRIDE");
    uint64_t step = stride == NULL ? 1 : (uint64_t)atoi(stride);
    unsigned long cuts = 0;
    uint32_t tear;
    memset(bytes, 9, sizeof(bytes));
    for (tear = 0; tear < LOCKSTONE_SIM_TEARS; tear++) {
        uint64_t base = tear % 2 == 0 ? FAR : 0;
        uint64_t op;
        int32_t status = -1;
        chip(tear % 8, base);
        CHECK_IS(open_on(DRIVER, base + START, SIZE, 1), 0);
        CHECK_IS(lockstone_put("a", "old", 3, 0), 0);
        CHECK_IS(lockstone_put("b", "older", 5, 0), 0);
        CHECK_IS(lockstone_put("c", "1", 1, 0), 0);
        CHECK_IS(lockstone_close(), 0);
        CHECK_IS(lockstone_sim_save(), 0);
        for (op = 0; status != 0; op += step) {
            int before;
            CHECK_IS(lockstone_sim_restore(1), 0);
            CHECK_IS(open_on(DRIVER, base + START, SIZE, 0), 0);
            CHECK_IS(changed(), 0);
            CHECK_IS(lockstone_sim_cut(op, tear), 0);
            status = change();
            (void)lockstone_close();
            CHECK_IS(lockstone_sim_storage_state(), 0);
            CHECK_IS(lockstone_sim_power(1), 0);
            CHECK_IS(lockstone_sim_cut(op % 5, (uint32_t)((op + tear) % LOCKSTONE_SIM_TEARS)), 0);
            if (open_on(DRIVER, base + START, SIZE, 0) == 0) {
                (void)changed();
            }
            (void)lockstone_close();
            CHECK_IS(lockstone_sim_power(1), 0);
            CHECK_IS(open_on(DRIVER, base + START, SIZE, 0), 0);
            before = changed();
            CHECK(before >= 0 && (status != 0 || before == 3));
            CHECK_IS(change(), 0);
            CHECK_IS(open_on(DRIVER, base + START, SIZE, 0), 0);
            CHECK_IS(changed(), 3);
            (void)lockstone_close();
            cuts += status != 0;
        }
    }
    fprintf(stderr, "over a driver: %lu cuts\n", cuts);
    CHECK(cuts >= 10);
}

int main(void) {
    the_driver_says_what_it_is();
    the_driver_works_at_once();
    the_driver_works_later();
    a_store_lies_on_it_in_each_way();
    arguments_are_checked();
    what_a_driver_says_of_itself_is_checked();
    missing_functions_are_seen();
    what_a_driver_says_it_did_is_checked();
    a_busy_that_flickers_ends_nothing();
    a_driver_that_is_busy_is_asked_again();
    callbacks_may_come_from_another_thread();
    power_cuts_leave_old_or_new();
    (void)lockstone_close();
    return summary("storage");
}
