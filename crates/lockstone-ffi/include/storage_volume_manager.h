/*
 * Storage Volume Manager: one driver of CMSIS-Driver Storage, divided into volumes that are drivers themselves. The calls of the
 * class of that name as C functions; there is one manager. Only in a library with the feature `volume-manager`.
 *
 * A volume begins at address 0 and ends at its size: nothing outside of it can be read, programmed or erased through it. A store lies
 * on one with lockstone_storage_open, or on the whole driver with volumes of its own (lockstone_use_volumes).
 *
 * A volume works as its storage does, at once or asynchronously, and hands on what that says. One operation is under way on all
 * volumes at a time, others are answered ARM_DRIVER_ERROR_BUSY: until its call returns anything but 0, else until the storage calls
 * back. A storage that did not call back when it was initialised and powered is taken for one that never does: its operations are over
 * when GetStatus is not busy. GetStatus of a volume is busy while the storage is, or another volume's call has not returned.
 *
 * A volume works between its Initialize and its Uninitialize, else it is answered ARM_DRIVER_ERROR. Initialize, Uninitialize and
 * PowerControl concern nobody else and return 1 (LOW: ARM_DRIVER_ERROR_UNSUPPORTED; Initialize on a storage that never calls back:
 * ARM_DRIVER_OK, and it does not call back either); the first two are answered ARM_DRIVER_ERROR_BUSY while the volume's own operation
 * is under way. EraseAll is there when every block that the storage lists is in the volume.
 *
 * Threads: nothing else is called while initialize or addVolume has not returned, and a volume is used by one thread at a time; two
 * volumes may be used by two threads, or a thread and an interrupt. Only on processors without atomic compare-and-swap, such as Cortex-M0,
 * is that for a lock of the caller's.
 */
#ifndef STORAGE_VOLUME_MANAGER_H
#define STORAGE_VOLUME_MANAGER_H

#include "Driver_Storage.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STORAGE_VOLUME_MANAGER_MAX_VOLUMES 8

/* Beside those of CMSIS drivers. The first is spelt as in the interface. */
typedef enum _StorageVolumeManager_Status {
    STORAGE_VOLUME_MANAGER_STATUS_ERROR_EXHASTED_VOLUMES = -7,
    STORAGE_VOLUME_MANAGER_STATUS_ERROR_NOT_ERASABLE = -8,
    STORAGE_VOLUME_MANAGER_STATUS_ERROR_NOT_PROGRAMMABLE = -9,
    STORAGE_VOLUME_MANAGER_STATUS_ERROR_PROTECTED = -10,
    STORAGE_VOLUME_MANAGER_STATUS_ERROR_NOT_INITIALIZED = -11,
    STORAGE_VOLUME_MANAGER_STATUS_ERROR_VOLUME_NOT_ALLOCATED = -12
} StorageVolumeManager_Status_t;

typedef void (*InitializeCallback_t)(int32_t status);

/*
 * Initialises and powers the storage, and forgets all volumes. It is over when this returns, so the callback, which may be null, is not
 * called. Returns 1, or ARM_DRIVER_ERROR_PARAMETER (null, a function is missing, or the API is not 1.x), ARM_DRIVER_ERROR_BUSY (a volume
 * is initialised; nothing was changed), or what the storage said. The drivers of volumes that were are those of volumes to come: keep none.
 */
int32_t StorageVolumeManager_initialize(ARM_DRIVER_STORAGE *mtd, InitializeCallback_t callback);

/*
 * A new volume of `size` bytes from `addr` on the storage; `volume` is its driver, which stays where it is. Returns ARM_DRIVER_OK, or
 * ARM_DRIVER_ERROR (not within blocks of the storage that follow each other), ARM_DRIVER_ERROR_PARAMETER (no bytes, shares bytes with
 * another volume, does not begin and end with an erase unit, or `volume` is null), -7 or -11.
 */
int32_t StorageVolumeManager_addVolume(uint64_t addr, uint64_t size, ARM_DRIVER_STORAGE **volume);

/* The same, with the driver's table copied. */
int32_t StorageVolumeManager_addVolume_C(uint64_t addr, uint64_t size, struct _ARM_DRIVER_STORAGE *volume);

/* The driver of the volume that an address of the storage is in. Returns ARM_DRIVER_OK, ARM_DRIVER_ERROR_PARAMETER, -11 or -12. */
int32_t StorageVolumeManager_lookupVolume(uint64_t addr, ARM_DRIVER_STORAGE **volume);

#ifdef __cplusplus
}
#endif

#endif
