/*
 * Lockstone under Zephyr: the fixed partition `lockstone_partition` as flash, a mutex as lock, and Zephyr's generator for the
 * identity of a new store.
 *
 * Any thread may call the library; no interrupt may. What is missing, the application fills in: `derive_key` always, a counter
 * where older flash must not come back.
 */
#ifndef LOCKSTONE_ZEPHYR_H
#define LOCKSTONE_ZEPHYR_H

#include <lockstone.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Fills in the flash, the lock and randomness. LOCKSTONE_E_FLASH: the partition is not there; LOCKSTONE_E_LAYOUT: its pages are
 * not all of one size.
 */
int32_t lockstone_zephyr_platform(lockstone_platform *platform);

/* RAM as Kconfig says; there is one, for one store. */
lockstone_memory lockstone_zephyr_memory(void);

#ifdef __cplusplus
}
#endif

#endif
