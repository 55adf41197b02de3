/* Written for Zephyr 3.7 (LTS) and later. */
#include "lockstone_zephyr.h"

#include <zephyr/drivers/flash.h>
#include <zephyr/kernel.h>
#include <zephyr/random/random.h>
#include <zephyr/storage/flash_map.h>

#ifndef CONFIG_CSPRNG_ENABLED
#error "Lockstone needs a generator for sys_csrand_get: CONFIG_ENTROPY_GENERATOR, or CONFIG_CSPRNG_ENABLED by other means"
#endif

#define SIZE FIXED_PARTITION_SIZE(lockstone_partition)

/* Zephyr's mutex lets its owner in again, and inherits priority. */
static K_MUTEX_DEFINE(mutex);
static const struct flash_area *area;
static uint64_t ram[LOCKSTONE_MEMORY_SIZE(CONFIG_LOCKSTONE_HEADS, SIZE, CONFIG_LOCKSTONE_ASSET_BYTES,
                                          CONFIG_LOCKSTONE_CFSTORE_BYTES) / 8 + 1];

static int32_t read_area(void *context, uint32_t address, void *to, size_t length) {
    (void)context;
    return flash_area_read(area, (off_t)address, to, length);
}

static int32_t program_area(void *context, uint32_t address, const void *from, size_t length) {
    (void)context;
    return flash_area_write(area, (off_t)address, from, length);
}

/* Where memory needs no erase (MRAM, RRAM), it is filled with the erased value instead. */
static int32_t erase_area(void *context, uint32_t address, size_t length) {
    (void)context;
    return flash_area_flatten(area, (off_t)address, length);
}

static int32_t random_bytes(void *context, uint8_t *to, size_t length) {
    (void)context;
    return sys_csrand_get(to, length);
}

static void lock(void *context) {
    (void)context;
    (void)k_mutex_lock(&mutex, K_FOREVER);
}

static void unlock(void *context) {
    (void)context;
    (void)k_mutex_unlock(&mutex);
}

/* The size of a page, if all of the partition are alike, and begin and end with it; 0 if not. */
static uint32_t page_size(void) {
    const struct device *device = flash_area_get_device(area);
    struct flash_pages_info page = {0};
    size_t size = 0;
    off_t offset;
    for (offset = 0; offset < (off_t)area->fa_size; offset += (off_t)page.size) {
        if (flash_get_page_info_by_offs(device, area->fa_off + offset, &page) != 0 || page.size == 0 ||
            page.start_offset != area->fa_off + offset || page.size > area->fa_size - (size_t)offset ||
            (size != 0 && page.size != size)) {
            return 0;
        }
        size = page.size;
    }
    return (uint32_t)size;
}

int32_t lockstone_zephyr_platform(lockstone_platform *platform) {
    static const lockstone_platform nothing = {0};
    *platform = nothing;
    if (flash_area_open(FIXED_PARTITION_ID(lockstone_partition), &area) != 0) {
        return LOCKSTONE_E_FLASH;
    }
    platform->version = LOCKSTONE_PLATFORM_VERSION;
    platform->flash_size = (uint32_t)area->fa_size;
    platform->program_unit = flash_area_align(area);
    platform->erase_block = page_size();
    platform->erased_value = flash_area_erased_val(area);
    platform->read = read_area;
    platform->program = program_area;
    platform->erase = erase_area;
    platform->random = random_bytes;
    platform->lock = lock;
    platform->unlock = unlock;
    return platform->erase_block == 0 ? LOCKSTONE_E_LAYOUT : 0;
}

lockstone_memory lockstone_zephyr_memory(void) {
    lockstone_memory memory = {ram, sizeof(ram), CONFIG_LOCKSTONE_HEADS, CONFIG_LOCKSTONE_ASSET_BYTES,
                               CONFIG_LOCKSTONE_CFSTORE_BYTES};
    return memory;
}
