/*
 * The Storage Volume Manager: each function and each error, volumes that nothing gets out of, stores on them, and a store beside a
 * volume that is busy.
 */
#include "called.h"
#include "check.h"
#include "lockstone_storage.h"
#include "storage_volume_manager.h"

#define BLOCK 4096u
#define BASE ((uint64_t)3u << 33)
#define CHIP FLASH_SIZE
#define SIM (&lockstone_sim_storage)

static unsigned char bytes[2 * BLOCK];
static unsigned char image[CHIP];

static void chip(uint32_t mode) {
    ARM_DRIVER_STORAGE *volume;
    uint32_t block;
    (void)lockstone_close();
    for (block = 0; block < CHIP / BLOCK; block++) {
        if (StorageVolumeManager_lookupVolume(BASE + block * BLOCK, &volume) == ARM_DRIVER_OK) {
            CHECK_IS(volume->Uninitialize(), 1);
        }
    }
    CHECK_IS(lockstone_sim_reset(CHIP), 0);
    CHECK_IS(lockstone_sim_platform(&test_platform), 0);
    CHECK_IS(lockstone_sim_storage_configure(mode, BASE), 0);
}

static void before_and_while_it_is_initialised(void) {
    ARM_DRIVER_STORAGE *volume = NULL;
    struct _ARM_DRIVER_STORAGE copy = *SIM;
    chip(0);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, BLOCK, &volume), STORAGE_VOLUME_MANAGER_STATUS_ERROR_NOT_INITIALIZED);
    CHECK_IS(StorageVolumeManager_lookupVolume(BASE, &volume), STORAGE_VOLUME_MANAGER_STATUS_ERROR_NOT_INITIALIZED);
    CHECK_IS(StorageVolumeManager_initialize(NULL, NULL), ARM_DRIVER_ERROR_PARAMETER);
    copy.Erase = NULL;
    CHECK_IS(StorageVolumeManager_initialize(&copy, NULL), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(StorageVolumeManager_initialize(SIM, NULL), 1);
    CHECK_IS(lockstone_sim_storage_state(), 3);
    CHECK_IS(StorageVolumeManager_lookupVolume(BASE, &volume), STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED);
}

static ARM_DRIVER_VERSION other_version(void) {
    ARM_DRIVER_VERSION version = {0x0200, 0};
    return version;
}

static int32_t fails(ARM_Storage_Callback_t callback) {
    (void)callback;
    return ARM_DRIVER_ERROR_TIMEOUT;
}

static int32_t fails_later(ARM_Storage_Callback_t callback) {
    callback(ARM_DRIVER_ERROR_TIMEOUT, ARM_STORAGE_OPERATION_INITIALIZE);
    return ARM_DRIVER_OK;
}

static int32_t goes_on(ARM_Storage_Callback_t callback) {
    (void)callback;
    return ARM_DRIVER_OK;
}

static ARM_STORAGE_STATUS has_failed(void) {
    ARM_STORAGE_STATUS status = {0, 1};
    return status;
}

static int32_t any_power(ARM_POWER_STATE state) {
    (void)state;
    return 1;
}

static void storages_that_fail_are_not_managed(void) {
    struct _ARM_DRIVER_STORAGE copy = *SIM;
    ARM_DRIVER_STORAGE *volume = NULL;
    chip(0);
    copy.GetVersion = other_version;
    CHECK_IS(StorageVolumeManager_initialize(&copy, NULL), ARM_DRIVER_ERROR_PARAMETER);
    copy = *SIM;
    copy.Initialize = fails;
    CHECK_IS(StorageVolumeManager_initialize(&copy, NULL), ARM_DRIVER_ERROR_TIMEOUT);
    copy.Initialize = fails_later;
    CHECK_IS(StorageVolumeManager_initialize(&copy, NULL), ARM_DRIVER_ERROR_TIMEOUT);
    copy.Initialize = goes_on; /* only its status says that it failed */
    copy.GetStatus = has_failed;
    copy.PowerControl = any_power;
    CHECK_IS(StorageVolumeManager_initialize(&copy, NULL), ARM_DRIVER_ERROR);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, BLOCK, &volume), STORAGE_VOLUME_MANAGER_STATUS_ERROR_NOT_INITIALIZED);
}

static void volumes_do_not_overlap_and_are_whole_units(void) {
    ARM_DRIVER_STORAGE *volume = NULL;
    ARM_DRIVER_STORAGE *other = NULL;
    struct _ARM_DRIVER_STORAGE copy;
    uint64_t index;
    chip(0);
    CHECK_IS(StorageVolumeManager_initialize(SIM, NULL), 1);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, BLOCK, NULL), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(StorageVolumeManager_addVolume_C(BASE, BLOCK, NULL), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, 0, &volume), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(StorageVolumeManager_addVolume(BASE + 4, BLOCK, &volume), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, BLOCK + 4, &volume), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, UINT64_MAX, &volume), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, CHIP + BLOCK, &volume), ARM_DRIVER_ERROR);
    CHECK_IS(StorageVolumeManager_addVolume(BASE - BLOCK, BLOCK, &volume), ARM_DRIVER_ERROR);
    CHECK_IS(StorageVolumeManager_addVolume(BASE + CHIP, BLOCK, &volume), ARM_DRIVER_ERROR);
    CHECK(volume == NULL);
    CHECK_IS(StorageVolumeManager_addVolume(BASE + 2 * BLOCK, 2 * BLOCK, &volume), ARM_DRIVER_OK);
    CHECK_IS(StorageVolumeManager_addVolume(BASE + BLOCK, 2 * BLOCK, &other), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(StorageVolumeManager_addVolume(BASE + 3 * BLOCK, BLOCK, &other), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, CHIP, &other), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(StorageVolumeManager_lookupVolume(BASE + 2 * BLOCK, &other), ARM_DRIVER_OK);
    CHECK(other == volume);
    CHECK_IS(StorageVolumeManager_lookupVolume(BASE + 4 * BLOCK - 1, &other), ARM_DRIVER_OK);
    CHECK(other == volume);
    CHECK_IS(StorageVolumeManager_lookupVolume(BASE + 4 * BLOCK, &other), STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED);
    CHECK_IS(StorageVolumeManager_lookupVolume(BASE + 2 * BLOCK - 1, &other), STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED);
    CHECK_IS(StorageVolumeManager_lookupVolume(BASE, NULL), ARM_DRIVER_ERROR_PARAMETER);
    for (index = 1; index < STORAGE_VOLUME_MANAGER_MAX_VOLUMES; index++) {
        CHECK_IS(StorageVolumeManager_addVolume_C(BASE + (9 + index) * BLOCK, BLOCK, &copy), ARM_DRIVER_OK);
        CHECK_IS(StorageVolumeManager_lookupVolume(BASE + (9 + index) * BLOCK, &other), ARM_DRIVER_OK);
        CHECK(memcmp(other, &copy, sizeof(copy)) == 0);
    }
    CHECK_IS(StorageVolumeManager_addVolume(BASE + 40 * BLOCK, BLOCK, &other), STORAGE_VOLUME_MANAGER_STATUS_ERROR_EXHASTED_VOLUMES);
    /* Initialised anew, they are gone: also for those who still have the driver. */
    CHECK_IS(StorageVolumeManager_initialize(SIM, NULL), 1);
    CHECK_IS(volume->ReadData(0, bytes, 1), STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED);
    CHECK_IS(volume->Initialize(NULL), STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED);
    CHECK_IS(volume->Uninitialize(), STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED);
    CHECK_IS(volume->PowerControl(ARM_POWER_FULL), STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED);
    CHECK_IS(volume->ProgramData(0, bytes, 4), STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED);
    CHECK_IS(volume->Erase(0, BLOCK), STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED);
    CHECK_IS(volume->EraseAll(), STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED);
    CHECK_IS(volume->GetVersion().api, 0);
    CHECK_IS(volume->GetStatus().error, 1);
    CHECK_IS(volume->GetCapabilities().erase_all, 0);
    CHECK_IS(volume->ResolveAddress(0), ARM_STORAGE_INVALID_ADDRESS);
    CHECK_IS(lockstone_sim_operations(), 0);
}

static void nothing_outside_of_a_volume_is_reached(void) {
    static const uint64_t addresses[] = {2 * BLOCK, 2 * BLOCK + 4, UINT64_MAX, UINT64_MAX - 3, UINT64_MAX - BLOCK + 1,
                                         (uint64_t)1 << 63, BASE, BASE + 20 * BLOCK, 0 - (uint64_t)20 * BLOCK};
    ARM_DRIVER_STORAGE *volume = NULL;
    ARM_STORAGE_INFO info;
    ARM_STORAGE_BLOCK block;
    size_t index;
    uint64_t end = 0;
    chip(0);
    CHECK_IS(StorageVolumeManager_initialize(SIM, NULL), 1);
    memset(bytes, 0, sizeof(bytes));
    CHECK_IS(SIM->ProgramData(BASE, bytes, BLOCK), BLOCK);
    CHECK_IS(SIM->ProgramData(BASE + 33 * BLOCK, bytes, BLOCK), BLOCK);
    /* Across the end of the storage's first block, so it has two itself. */
    CHECK_IS(StorageVolumeManager_addVolume(BASE + 31 * BLOCK, 2 * BLOCK, &volume), ARM_DRIVER_OK);
    CHECK_IS(volume->Initialize(note), 1);
    CHECK_IS(volume->PowerControl(ARM_POWER_FULL), 1);
    CHECK_IS(volume->PowerControl(ARM_POWER_LOW), ARM_DRIVER_ERROR_UNSUPPORTED);
    CHECK_IS(volume->PowerControl((ARM_POWER_STATE)9), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(volume->GetVersion().api, ARM_STORAGE_API_VERSION);
    CHECK_IS(volume->GetCapabilities().erase_all, 0);
    CHECK_IS(volume->GetInfo(NULL), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(volume->GetInfo(&info), ARM_DRIVER_OK);
    CHECK(info.total_storage == 2 * BLOCK && info.program_unit == 4 && info.erased_value == 1);
    for (index = 0; volume->GetNextBlock(index == 0 ? NULL : &block, &block) == ARM_DRIVER_OK; index++) {
        CHECK(block.addr == end && block.size == BLOCK && block.attributes.erase_unit == BLOCK);
        end += block.size;
    }
    CHECK(index == 2 && !ARM_STORAGE_VALID_BLOCK(&block));
    CHECK_IS(volume->GetBlock(BLOCK + 7, &block), ARM_DRIVER_OK);
    CHECK(block.addr == BLOCK && block.size == BLOCK);
    CHECK(volume->GetBlock(2 * BLOCK, &block) < 0);
    CHECK(volume->GetBlock(UINT64_MAX, NULL) < 0);
    CHECK_IS(volume->ResolveAddress(0), ARM_STORAGE_INVALID_ADDRESS);
    for (index = 0; index < sizeof(addresses) / sizeof(addresses[0]); index++) {
        CHECK_IS(volume->ReadData(addresses[index], bytes, 4), ARM_DRIVER_ERROR_PARAMETER);
        CHECK_IS(volume->ProgramData(addresses[index], bytes, 4), ARM_DRIVER_ERROR_PARAMETER);
        CHECK_IS(volume->Erase(addresses[index], BLOCK), ARM_DRIVER_ERROR_PARAMETER);
        CHECK_IS(volume->ResolveAddress(addresses[index]), ARM_STORAGE_INVALID_ADDRESS);
    }
    CHECK_IS(volume->ReadData(0, bytes, 2 * BLOCK + 1), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(volume->ReadData(4, bytes, UINT32_MAX), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(volume->ReadData(0, NULL, 4), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(volume->ReadData(0, bytes, 0), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(volume->ProgramData(BLOCK, bytes, 2 * BLOCK), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(volume->ProgramData(0, NULL, 4), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(volume->ProgramData(2, bytes, 4), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(volume->Erase(BLOCK, 2 * BLOCK), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(volume->Erase(4, BLOCK), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(volume->EraseAll(), ARM_DRIVER_ERROR_UNSUPPORTED);
    CHECK_IS(volume->ProgramData(0, bytes, 2 * BLOCK), 2 * BLOCK);
    CHECK_IS(volume->ReadData(2 * BLOCK - 4, bytes, 4), 4);
    CHECK_IS(bytes[3], 0);
    CHECK_IS(volume->Erase(0, 2 * BLOCK), 2 * BLOCK);
    CHECK_IS(lockstone_sim_image(image, sizeof(image)), 0);
    CHECK(image[0] == 0 && image[BLOCK] == 0xff && image[31 * BLOCK] == 0xff && image[33 * BLOCK] == 0);
    CHECK_IS(volume->PowerControl(ARM_POWER_OFF), 1);
    CHECK_IS(volume->Uninitialize(), 1);
    CHECK_IS(lockstone_sim_storage_state(), 3);
    CHECK_IS(called, 0);
    /* All of the storage. */
    CHECK_IS(StorageVolumeManager_initialize(SIM, NULL), 1);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, CHIP, &volume), ARM_DRIVER_OK);
    CHECK_IS(volume->EraseAll(), ARM_DRIVER_ERROR);
    CHECK_IS(volume->Initialize(NULL), 1);
    CHECK_IS(volume->GetCapabilities().erase_all, 1);
    CHECK_IS(volume->EraseAll(), 1);
    CHECK_IS(lockstone_sim_image(image, sizeof(image)), 0);
    CHECK_IS(image[33 * BLOCK], 0xff);
}

/* A storage that does what it is told here, and what the test wants in between. */
static struct _ARM_DRIVER_STORAGE odd;
static ARM_DRIVER_STORAGE *other_volume;
static ARM_Storage_Callback_t odd_callback;
static int depth;
static int deepest;
static int calls_to_all;
static int32_t within[3];

static int32_t odd_program(uint64_t addr, const void *data, uint32_t size) {
    (void)addr;
    (void)data;
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (depth == 1) {
        within[0] = other_volume->ProgramData(0, "efgh", 4);
        within[1] = (int32_t)other_volume->GetStatus().busy;
        within[2] = other_volume->ProgramData(UINT64_MAX, "efgh", 4);
    }
    depth--;
    return (int32_t)size;
}

static void one_operation_at_a_time_also_within_a_call(void) {
    ARM_DRIVER_STORAGE *first = NULL;
    chip(0);
    odd = *SIM;
    odd.ProgramData = odd_program;
    CHECK_IS(StorageVolumeManager_initialize(&odd, NULL), 1);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, BLOCK, &first), ARM_DRIVER_OK);
    CHECK_IS(StorageVolumeManager_addVolume(BASE + BLOCK, BLOCK, &other_volume), ARM_DRIVER_OK);
    CHECK_IS(first->ProgramData(0, "abcd", 4), ARM_DRIVER_ERROR); /* not initialised */
    CHECK_IS(first->Initialize(NULL), 1);
    CHECK_IS(other_volume->Initialize(NULL), 1);
    CHECK_IS(StorageVolumeManager_initialize(&odd, NULL), ARM_DRIVER_ERROR_BUSY);
    CHECK_IS(first->ProgramData(0, "abcd", 4), 4);
    CHECK_IS(within[0], ARM_DRIVER_ERROR_BUSY);
    CHECK_IS(within[1], 1);
    CHECK_IS(within[2], ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(deepest, 1);
    CHECK_IS(first->GetStatus().busy, 0);
    CHECK_IS(first->ProgramData(0, "abcd", 4), 4);
}

static int32_t late_initialize(ARM_Storage_Callback_t callback) {
    odd_callback = callback;
    (void)SIM->Initialize(NULL);
    return 1;
}

static ARM_STORAGE_CAPABILITIES late_capabilities(void) {
    ARM_STORAGE_CAPABILITIES capabilities = {1, 0, 0};
    return capabilities;
}

static int32_t late_program(uint64_t addr, const void *data, uint32_t size) {
    (void)addr;
    (void)data;
    (void)size;
    return ARM_DRIVER_OK;
}

static int called_of_other;

static void note_other(int32_t status, ARM_STORAGE_OPERATION operation) {
    (void)status;
    (void)operation;
    called_of_other++;
}

/* Not busy, and it calls back later: until then nobody else is let in, and who began is told. */
static void a_late_callback_is_whose_operation_it_was(void) {
    ARM_DRIVER_STORAGE *first = NULL;
    ARM_DRIVER_STORAGE *second = NULL;
    chip(0);
    odd = *SIM;
    odd.Initialize = late_initialize;
    odd.GetCapabilities = late_capabilities;
    odd.ProgramData = late_program;
    CHECK_IS(StorageVolumeManager_initialize(&odd, NULL), 1);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, BLOCK, &first), ARM_DRIVER_OK);
    CHECK_IS(StorageVolumeManager_addVolume(BASE + BLOCK, BLOCK, &second), ARM_DRIVER_OK);
    CHECK_IS(first->Initialize(note), 1);
    CHECK_IS(second->Initialize(note_other), 1);
    called = 0;
    CHECK_IS(first->ProgramData(0, "abcd", 4), ARM_DRIVER_OK);
    CHECK_IS(first->GetStatus().busy, 0);
    CHECK_IS(second->ProgramData(0, "efghijkl", 8), ARM_DRIVER_ERROR_BUSY);
    CHECK_IS(second->ProgramData(99999, "efgh", 4), ARM_DRIVER_ERROR_PARAMETER);
    CHECK_IS(first->Uninitialize(), ARM_DRIVER_ERROR_BUSY);
    CHECK_IS(first->Initialize(NULL), ARM_DRIVER_ERROR_BUSY);
    odd_callback(1, ARM_STORAGE_OPERATION_POWER_CONTROL); /* late, and not about this */
    CHECK_IS(called, 0);
    odd_callback(4, ARM_STORAGE_OPERATION_PROGRAM_DATA);
    CHECK(called == 1 && called_status == 4 && called_of_other == 0);
    odd_callback(4, ARM_STORAGE_OPERATION_PROGRAM_DATA); /* nobody is at work */
    CHECK(called == 1 && called_of_other == 0);
    CHECK_IS(second->ProgramData(0, "efghijkl", 8), ARM_DRIVER_OK);
    odd_callback(8, ARM_STORAGE_OPERATION_PROGRAM_DATA);
    CHECK(called == 1 && called_of_other == 1);
    CHECK_IS(first->Uninitialize(), 1);
    CHECK_IS(first->ProgramData(0, "abcd", 4), ARM_DRIVER_ERROR);
}

static int32_t small_info(ARM_STORAGE_INFO *info) {
    int32_t status = SIM->GetInfo(info);
    info->total_storage = 32 * BLOCK;
    return status;
}

static int32_t all(void) {
    calls_to_all++;
    return 1;
}

static int32_t endless(const ARM_STORAGE_BLOCK *before, ARM_STORAGE_BLOCK *next) {
    int32_t status = SIM->GetNextBlock(before, next);
    if (status != ARM_DRIVER_OK) {
        next->addr = before->addr; /* nonsense, and not an end */
        next->size = before->size;
        status = ARM_DRIVER_OK;
    }
    return status;
}

/* Whatever a storage says of its size: what is erased is the volume's. */
static void erase_all_stays_within_the_volume(void) {
    ARM_DRIVER_STORAGE *first = NULL;
    ARM_DRIVER_STORAGE *second = NULL;
    chip(0);
    odd = *SIM;
    odd.GetInfo = small_info;
    odd.EraseAll = all;
    CHECK_IS(StorageVolumeManager_initialize(&odd, NULL), 1);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, 32 * BLOCK, &first), ARM_DRIVER_OK);
    CHECK_IS(StorageVolumeManager_addVolume(BASE + 32 * BLOCK, 32 * BLOCK, &second), ARM_DRIVER_OK);
    CHECK_IS(second->Initialize(NULL), 1);
    CHECK_IS(second->GetCapabilities().erase_all, 0);
    CHECK_IS(second->EraseAll(), ARM_DRIVER_ERROR_UNSUPPORTED);
    chip(0);
    odd.GetInfo = SIM->GetInfo;
    odd.GetNextBlock = endless;
    CHECK_IS(StorageVolumeManager_initialize(&odd, NULL), 1);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, CHIP, &first), ARM_DRIVER_OK);
    CHECK_IS(first->Initialize(NULL), 1);
    CHECK_IS(first->EraseAll(), ARM_DRIVER_ERROR_UNSUPPORTED);
    CHECK_IS(calls_to_all, 0);
    /* A driver of before does nothing to a volume of now. */
    chip(0);
    CHECK_IS(StorageVolumeManager_initialize(SIM, NULL), 1);
    CHECK_IS(StorageVolumeManager_addVolume(BASE + 8 * BLOCK, BLOCK, &second), ARM_DRIVER_OK);
    CHECK_IS(first->Erase(0, BLOCK), ARM_DRIVER_ERROR);
    CHECK_IS(lockstone_sim_operations(), 0);
}

/* A store works on while another volume's operation is under way. */
static void a_store_beside_a_busy_volume(void) {
    ARM_DRIVER_STORAGE *volume = NULL;
    ARM_DRIVER_STORAGE *beside = NULL;
    lockstone_memory memory = test_memory();
    int round;
    chip(LOCKSTONE_SIM_STORAGE_ASYNCHRONOUS);
    CHECK_IS(StorageVolumeManager_initialize(SIM, NULL), 1);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, 16 * BLOCK, &volume), ARM_DRIVER_OK);
    CHECK_IS(StorageVolumeManager_addVolume(BASE + 32 * BLOCK, 4 * BLOCK, &beside), ARM_DRIVER_OK);
    CHECK_IS(beside->Initialize(NULL), 1);
    CHECK_IS(beside->Erase(0, BLOCK), ARM_DRIVER_OK);
    CHECK_IS(lockstone_storage_format(volume, 0, 16 * BLOCK, &test_platform, &memory), 0);
    for (round = 0; round < 100; round++) {
        CHECK_IS(beside->Erase(0, BLOCK), ARM_DRIVER_OK);
        CHECK_IS(lockstone_put("k", bytes, 500, 0), 0);
        CHECK_IS(beside->Erase(0, BLOCK), ARM_DRIVER_OK);
        CHECK_IS(lockstone_get("k", image, sizeof(image), NULL), 0);
    }
    CHECK_IS(beside->Erase(0, BLOCK), ARM_DRIVER_OK);
    CHECK_IS(lockstone_close(), 0);
}

/* Asynchronously: one at a time, and its own callback. */
static void volumes_take_turns(void) {
    ARM_DRIVER_STORAGE *first = NULL;
    ARM_DRIVER_STORAGE *second = NULL;
    int polls = 0;
    chip(LOCKSTONE_SIM_STORAGE_ASYNCHRONOUS);
    CHECK_IS(StorageVolumeManager_initialize(SIM, NULL), 1);
    CHECK_IS(StorageVolumeManager_addVolume(BASE, BLOCK, &first), ARM_DRIVER_OK);
    CHECK_IS(StorageVolumeManager_addVolume(BASE + BLOCK, BLOCK, &second), ARM_DRIVER_OK);
    CHECK_IS(first->Initialize(note), 1);
    CHECK_IS(second->Initialize(NULL), 1);
    CHECK_IS(first->GetCapabilities().asynchronous_ops, 1);
    CHECK_IS(first->ProgramData(0, "abcd", 4), ARM_DRIVER_OK);
    CHECK_IS(second->ProgramData(0, "efgh", 4), ARM_DRIVER_ERROR_BUSY);
    CHECK_IS(called, 0);
    for (; first->GetStatus().busy; polls++) {
        CHECK(polls < 10);
    }
    CHECK(called == 1 && called_status == 4 && called_operation == ARM_STORAGE_OPERATION_PROGRAM_DATA);
    CHECK_IS(second->ProgramData(0, "efgh", 4), ARM_DRIVER_OK);
    for (; second->GetStatus().busy; polls++) {
        CHECK(polls < 20);
    }
    CHECK_IS(called, 1);
    CHECK_IS(lockstone_sim_image(image, sizeof(image)), 0);
    CHECK(memcmp(image, "abcd", 4) == 0 && memcmp(image + BLOCK, "efgh", 4) == 0);
}

/* A store on a volume, under each way that the storage may work; what is beside it stays. */
static void a_store_lies_on_a_volume(void) {
    uint32_t mode;
    for (mode = 0; mode < 8; mode++) {
        ARM_DRIVER_STORAGE *volume = NULL;
        ARM_DRIVER_STORAGE *beside = NULL;
        lockstone_memory memory = test_memory();
        size_t length = 0;
        uint32_t index;
        char name[16];
        chip(mode);
        CHECK_IS(StorageVolumeManager_initialize(SIM, NULL), 1);
        CHECK_IS(StorageVolumeManager_addVolume(BASE + 4 * BLOCK, 16 * BLOCK, &volume), ARM_DRIVER_OK);
        CHECK_IS(StorageVolumeManager_addVolume(BASE, 4 * BLOCK, &beside), ARM_DRIVER_OK);
        CHECK_IS(lockstone_storage_open(volume, 0, 17 * BLOCK, &test_platform, &memory), LOCKSTONE_E_LAYOUT);
        CHECK_IS(lockstone_storage_format(volume, 0, 16 * BLOCK, &test_platform, &memory), 0);
        for (index = 0; index < 100; index++) {
            sprintf(name, "k%u", (unsigned)(index % 9));
            CHECK_IS(lockstone_put(name, bytes, 600, 0), 0);
        }
        CHECK_IS(lockstone_close(), 0);
        CHECK_IS(lockstone_storage_open(volume, 0, 16 * BLOCK, &test_platform, &memory), 0);
        CHECK_IS(lockstone_get("k8", bytes, sizeof(bytes), &length), 0);
        CHECK_IS(length, 600);
        CHECK_IS(lockstone_close(), 0);
        CHECK_IS(lockstone_sim_image(image, sizeof(image)), 0);
        for (index = 0; index < CHIP && (image[index] == 0xff || (index >= 4 * BLOCK && index < 20 * BLOCK)); index++) {
        }
        CHECK_IS(index, CHIP);
    }
}

int main(void) {
    before_and_while_it_is_initialised();
    storages_that_fail_are_not_managed();
    volumes_do_not_overlap_and_are_whole_units();
    nothing_outside_of_a_volume_is_reached();
    volumes_take_turns();
    one_operation_at_a_time_also_within_a_call();
    a_late_callback_is_whose_operation_it_was();
    erase_all_stays_within_the_volume();
    a_store_beside_a_busy_volume();
    a_store_lies_on_a_volume();
    (void)lockstone_close();
    return summary("volumes");
}
