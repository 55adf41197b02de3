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
 * Zeros the platform, and fills in the flash, the lock and randomness: call it first, and fill in the rest then. That is derive_key,
 * and either a counter, or LOCKSTONE_FLASH_IS_TRUSTED in `flags` where the partition is inside the chip and nobody can write it; with
 * neither, PSA's functions store nothing without PSA_STORAGE_FLAG_NO_REPLAY_PROTECTION. LOCKSTONE_E_FLASH: the partition is not there; LOCKSTONE_E_LAYOUT: its
 * pages are not all of one size, or it does not begin or end with one.
 *
 * The library reads any address and length: where the flash driver reads whole blocks only, set a `read` of your own.
 */
int32_t lockstone_zephyr_platform(lockstone_platform *platform);

/* RAM as Kconfig says; there is one, for one store. */
lockstone_memory lockstone_zephyr_memory(void);

#ifdef __cplusplus
}
#endif

#endif
