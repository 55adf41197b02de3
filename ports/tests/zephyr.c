/* Zephyr's stub, the sample started three times on it, and threads that call at once. */
#include <lockstone_zephyr.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zephyr/drivers/flash.h>
#include <zephyr/kernel.h>
#include <zephyr/random/random.h>
#include <zephyr/storage/flash_map.h>

#include "part.h"

/* The partition begins somewhere on its device, where there are larger pages before it. */
#define START 0x40000
#define THREADS 4
#define ROUNDS 60

struct device {
    int is_uniform;
};

static struct device flash_device = {1};
static struct flash_area partition = {FIXED_PARTITION_ID(lockstone_partition), START, PART_SIZE, &flash_device};
static pthread_mutex_t mutex;
static char said[64];

int flash_area_open(uint8_t id, const struct flash_area **area) {
    *area = &partition;
    return id == partition.fa_id ? 0 : -2;
}

int flash_area_read(const struct flash_area *area, off_t offset, void *to, size_t length) {
    return area == &partition ? part_read((uint32_t)offset, to, length) : -22;
}

int flash_area_write(const struct flash_area *area, off_t offset, const void *from, size_t length) {
    return area == &partition ? part_program((uint32_t)offset, from, length) : -22;
}

int flash_area_flatten(const struct flash_area *area, off_t offset, size_t length) {
    return area == &partition ? part_erase((uint32_t)offset, length) : -22;
}

uint32_t flash_area_align(const struct flash_area *area) {
    return area == &partition ? PART_UNIT : 0;
}

uint8_t flash_area_erased_val(const struct flash_area *area) {
    return area == &partition ? 0xff : 0;
}

const struct device *flash_area_get_device(const struct flash_area *area) {
    return area->fa_dev;
}

int flash_get_page_info_by_offs(const struct device *device, off_t offset, struct flash_pages_info *info) {
    const int is_before = offset < START || offset >= START + (off_t)PART_SIZE;
    const int is_small = device->is_uniform || offset < START + (off_t)PART_SIZE / 2;
    info->size = is_before ? 16 * PART_BLOCK : is_small ? PART_BLOCK : 2 * PART_BLOCK;
    info->start_offset = offset - offset % (off_t)info->size;
    return 0;
}

int sys_csrand_get(void *to, size_t length) {
    memset(to, 0x5a, length);
    return 0;
}

/* With BROKEN_LOCK nothing is locked, and the test must fail: otherwise it would show nothing. */
int k_mutex_lock(struct k_mutex *unused, k_timeout_t timeout) {
    (void)unused;
    if (timeout.ticks != -1) {
        stop("not until it is free");
    }
#ifndef BROKEN_LOCK
    (void)pthread_mutex_lock(&mutex);
#endif
    return 0;
}

int k_mutex_unlock(struct k_mutex *unused) {
    (void)unused;
#ifndef BROKEN_LOCK
    if (pthread_mutex_unlock(&mutex) != 0) {
        stop("given by who does not hold it");
    }
#endif
    return 0;
}

void printk(const char *format, ...) {
    va_list values;
    va_start(values, format);
    (void)vsnprintf(said, sizeof(said), format, values);
    va_end(values);
}

int sample_main(void);

/* The first that fails says so, and the others wait for the end. */
static void failed(int32_t status) {
    static int is_said;
    if (__sync_lock_test_and_set(&is_said, 1) == 0) {
        fprintf(stderr, "a thread was told %d\n", (int)status);
        stop("a call failed");
    }
    for (;;) {
        (void)pause();
    }
}

static void *write_mine(void *number) {
    char name[] = {'t', *(const char *)number, '\0'};
    uint32_t round;
    for (round = 1; round <= ROUNDS; round++) {
        uint32_t found = 0;
        int32_t status = lockstone_put(name, &round, sizeof(round), 0);
        if (status == 0) {
            status = lockstone_get(name, &found, sizeof(found), NULL);
        }
        if (status != 0) {
            failed(status);
        }
        if (found != round) {
            stop("a thread does not find what it wrote");
        }
    }
    return NULL;
}

int main(void) {
    static const char numbers[THREADS] = {'a', 'b', 'c', 'd'};
    const char *expected[] = {"boot 1\n", "boot 2\n", "boot 3\n"};
    pthread_t threads[THREADS];
    pthread_mutexattr_t kind;
    lockstone_platform platform;
    int index;
    (void)pthread_mutexattr_init(&kind);
    (void)pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&mutex, &kind);
    for (index = 0; index < 3; index++) {
        if (index > 0 && lockstone_close() != 0) {
            stop("close");
        }
        if (sample_main() != 0 || strcmp(said, expected[index]) != 0) {
            fprintf(stderr, "start %d said: %s\n", index + 1, said);
            stop("not the boots that there were");
        }
    }
    for (index = 0; index < THREADS; index++) {
        if (pthread_create(&threads[index], NULL, write_mine, (void *)&numbers[index]) != 0) {
            stop("no thread");
        }
    }
    for (index = 0; index < THREADS; index++) {
        (void)pthread_join(threads[index], NULL);
    }
    memset(&platform, 0xa5, sizeof(platform)); /* as a stack leaves it */
    if (lockstone_zephyr_platform(&platform) != 0 || platform.counter_read != NULL || platform.flags != 0 ||
        platform.context != NULL || platform.client != NULL) {
        stop("the platform was not zeroed");
    }
    flash_device.is_uniform = 0;
    if (lockstone_zephyr_platform(&platform) != LOCKSTONE_E_LAYOUT) {
        stop("pages of two sizes were taken");
    }
    flash_device.is_uniform = 1;
    partition.fa_off += PART_BLOCK / 2;
    if (lockstone_zephyr_platform(&platform) != LOCKSTONE_E_LAYOUT) {
        stop("a partition that begins in the midst of a page was taken");
    }
    partition.fa_off -= PART_BLOCK / 2;
    partition.fa_size -= PART_BLOCK / 2;
    if (lockstone_zephyr_platform(&platform) != LOCKSTONE_E_LAYOUT) {
        stop("a partition that ends in the midst of a page was taken");
    }
    printf("zephyr: 3 starts, %u writes, %d threads, each waits for the others\n", part_writes(), THREADS);
    return 0;
}
