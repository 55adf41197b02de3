#ifndef ZEPHYR_INCLUDE_STORAGE_FLASH_MAP_H_
#define ZEPHYR_INCLUDE_STORAGE_FLASH_MAP_H_

#include <stddef.h>
#include <stdint.h>

#include "part.h"
#include "stub_types.h"

struct device;

struct flash_area {
    uint8_t fa_id;
    off_t fa_off;
    size_t fa_size;
    const struct device *fa_dev;
};

/* What devicetree would say of the partition. */
#define FIXED_PARTITION_ID(label) stub_id_of_##label
#define FIXED_PARTITION_SIZE(label) stub_size_of_##label
enum { stub_id_of_lockstone_partition = 7, stub_size_of_lockstone_partition = PART_SIZE };

int flash_area_open(uint8_t id, const struct flash_area **area);
int flash_area_read(const struct flash_area *area, off_t offset, void *to, size_t length);
int flash_area_write(const struct flash_area *area, off_t offset, const void *from, size_t length);
int flash_area_flatten(const struct flash_area *area, off_t offset, size_t length);
uint32_t flash_area_align(const struct flash_area *area);
uint8_t flash_area_erased_val(const struct flash_area *area);
const struct device *flash_area_get_device(const struct flash_area *area);

#endif
