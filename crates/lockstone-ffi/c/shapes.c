/*
 * Sizes and places of what crosses the boundary, on 64-bit and 32-bit targets. This file is only compiled; src/headers.rs reads
 * its lines and holds them against the Rust side.
 */
#include "configuration_store.h"
#include "lockstone.h"
#include "lockstone_sim.h"
#include "psa/internal_trusted_storage.h"
#include "psa/protected_storage.h"

#define ON(on64, on32) (sizeof(void *) == 8 ? (on64) : (on32))
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define SHAPE(type, on64, on32) typedef char JOIN(shape_, __LINE__)[sizeof(type) == ON(on64, on32) ? 1 : -1];
#define FIELD(type, field, on64, on32)                                                                                   \
    typedef char JOIN(field_, __LINE__)[offsetof(type, field) == ON(on64, on32) ? 1 : -1];

SHAPE(lockstone_platform, 128, 80)
FIELD(lockstone_platform, context, 8, 8)
FIELD(lockstone_platform, flash_size, 16, 12)
FIELD(lockstone_platform, erased_value, 28, 24)
FIELD(lockstone_platform, read, 32, 28)
FIELD(lockstone_platform, derive_key, 56, 40)
FIELD(lockstone_platform, random, 64, 44)
FIELD(lockstone_platform, counter_increment, 80, 52)
FIELD(lockstone_platform, counter_limit, 88, 56)
FIELD(lockstone_platform, lock, 96, 64)
FIELD(lockstone_platform, client, 112, 72)
FIELD(lockstone_platform, provisioning, 120, 76)
SHAPE(lockstone_memory, 32, 20)
FIELD(lockstone_memory, size, 8, 4)
FIELD(lockstone_memory, heads, 16, 8)
FIELD(lockstone_memory, cfstore_bytes, 24, 16)
SHAPE(lockstone_cursor, 16, 16)
FIELD(lockstone_cursor, bucket, 8, 8)
SHAPE(lockstone_stats, 32, 32)
FIELD(lockstone_stats, counter_left, 28, 28)
SHAPE(struct psa_storage_info_t, 24, 12)
FIELD(struct psa_storage_info_t, size, 8, 4)
FIELD(struct psa_storage_info_t, flags, 16, 8)
SHAPE(ARM_DRIVER_VERSION, 4, 4)
SHAPE(ARM_CFSTORE_KEYDESC, 16, 16)
FIELD(ARM_CFSTORE_KEYDESC, drl, 4, 4)
FIELD(ARM_CFSTORE_KEYDESC, security, 8, 8)
FIELD(ARM_CFSTORE_KEYDESC, flags, 12, 12)
SHAPE(ARM_CFSTORE_FMODE, 4, 4)
SHAPE(ARM_CFSTORE_DRIVER, 136, 68)
FIELD(ARM_CFSTORE_DRIVER, Close, 8, 4)
FIELD(ARM_CFSTORE_DRIVER, Create, 16, 8)
FIELD(ARM_CFSTORE_DRIVER, Delete, 24, 12)
FIELD(ARM_CFSTORE_DRIVER, Find, 32, 16)
FIELD(ARM_CFSTORE_DRIVER, Flush, 40, 20)
FIELD(ARM_CFSTORE_DRIVER, GetCapabilities, 48, 24)
FIELD(ARM_CFSTORE_DRIVER, GetKeyName, 56, 28)
FIELD(ARM_CFSTORE_DRIVER, GetStatus, 64, 32)
FIELD(ARM_CFSTORE_DRIVER, GetValueLen, 72, 36)
FIELD(ARM_CFSTORE_DRIVER, Initialize, 80, 40)
FIELD(ARM_CFSTORE_DRIVER, PowerControl, 88, 44)
FIELD(ARM_CFSTORE_DRIVER, Read, 96, 48)
FIELD(ARM_CFSTORE_DRIVER, Open, 104, 52)
FIELD(ARM_CFSTORE_DRIVER, Rseek, 112, 56)
FIELD(ARM_CFSTORE_DRIVER, Uninitialize, 120, 60)
FIELD(ARM_CFSTORE_DRIVER, Write, 128, 64)
