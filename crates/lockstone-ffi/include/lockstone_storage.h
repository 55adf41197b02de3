/*
 * A store on a driver of CMSIS-Driver Storage: whoever has ported one driver has ported the store. Only in a library with the
 * feature `storage`.
 */
#ifndef LOCKSTONE_STORAGE_H
#define LOCKSTONE_STORAGE_H

#include "Driver_Storage.h"
#include "lockstone.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Opens the store that lies in `size` bytes of the driver's storage, from the address `start` on. Nothing is written to it.
 *
 * The driver is initialised and powered first, and powered off and uninitialised by lockstone_close, or when this fails. It is the
 * library's alone until then, but one that answers ARM_DRIVER_ERROR_BUSY is asked again when GetStatus is not busy.
 *
 * It may work asynchronously. What it began to read, program or erase (it returned 0, and has asynchronous_ops) is over when it calls
 * back, from wherever, an interrupt or a thread, and until then the buffer is its own. A driver that does not call makes the call
 * wait for ever: that is for a watchdog. One whose Initialize returned 0, was not busy any more a thousand times in a row, and has
 * called back neither for that nor for PowerControl, is taken for one that never calls back. GetStatus of such a driver must say busy
 * for as long as it has a buffer; it must do all of what it is asked to read or program, and of an erase one unit at least.
 *
 * The hooks `lock` and `unlock` of the platform are held while the library waits: with an asynchronous driver, lock must not mask the
 * interrupt that ends its operations, and must be one that may be held as long as an erase takes.
 *
 * Of the platform the flash is ignored (flash_size to erase_block, erased_value, read, program, erase); the rest is as for
 * lockstone_open. What the driver says of its security is not believed: LOCKSTONE_FLASH_IS_TRUSTED is the platform's to say.
 * LOCKSTONE_MEMORY_SIZE is asked with `size`. The table is copied, and may go when this returns; its functions may not.
 *
 * The range must be whole erase units, in blocks that follow each other without a gap, are erasable and programmable, and have
 * the same erase_unit, counted from where a block begins; program_unit is a power of two of at most 512, erase_unit 128 to 262144;
 * programmability RAM or ERASABLE.
 *
 * Errors: those of lockstone_open; ARGUMENT (a pointer is null, a function that is needed is missing, or the API is not 1.x);
 * FLASH (the driver can't be initialised); LAYOUT (the range is not such a one).
 */
int32_t lockstone_storage_open(const ARM_DRIVER_STORAGE *driver, uint64_t start, uint32_t size,
                               const lockstone_platform *platform, const lockstone_memory *memory);

/* ERASES THE RANGE, makes an empty store there, and opens it. Otherwise as lockstone_storage_open, and as lockstone_format. */
int32_t lockstone_storage_format(const ARM_DRIVER_STORAGE *driver, uint64_t start, uint32_t size,
                                 const lockstone_platform *platform, const lockstone_memory *memory);

#ifdef __cplusplus
}
#endif

#endif
