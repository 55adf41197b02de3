/*
 * The flash simulator as a platform, for C programs that test what power cuts and attackers do to them. Only in a library that
 * was built with the feature `sim`. Functions return 0, or -1 when they can't.
 */
#ifndef LOCKSTONE_SIM_H
#define LOCKSTONE_SIM_H

#include "Driver_Storage.h"
#include "lockstone.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In how many ways an operation can be cut. */
#define LOCKSTONE_SIM_TEARS 10u

/* A blank chip of `size` bytes (program unit 4, blocks of 4096) and a counter at 0. */
int32_t lockstone_sim_reset(uint32_t size);
/* The hooks of what is simulated. */
int32_t lockstone_sim_platform(lockstone_platform *platform);
/* Cuts the power in the operation that `after` others precede. */
int32_t lockstone_sim_cut(uint64_t after, uint32_t tear);
/* Switches the power on, with no cut armed, or off. */
int32_t lockstone_sim_power(int32_t on);
/* Operations so far that changed flash or counter. */
uint64_t lockstone_sim_operations(void);
/* Keeps an image; puts it back with the counter's value, or the flash alone. */
int32_t lockstone_sim_save(void);
int32_t lockstone_sim_restore(int32_t counter_too);
/* Flips bits of a byte of the flash. */
int32_t lockstone_sim_flip(uint32_t address, uint8_t bits);
/* Copies the flash. */
int32_t lockstone_sim_image(void *to, size_t length);
/* The open store keeps the table of lockstone_use_volumes from now on (feature `objects`, too), as a program in Rust may make it. */
int32_t lockstone_sim_keep_volumes(void);
/* What the hooks `client` and `provisioning` say from now on. */
void lockstone_sim_set_client(int32_t client);
void lockstone_sim_set_provisioning(int32_t provisioning);

/*
 * The same chip as a driver of CMSIS-Driver Storage, of two blocks (feature `storage`, too). Its functions answer as
 * Driver_Storage.h says; what is pending ends in the fourth GetStatus, which calls back.
 */
extern ARM_DRIVER_STORAGE lockstone_sim_storage;

/* Operations begin, and end later. */
#define LOCKSTONE_SIM_STORAGE_ASYNCHRONOUS (1u << 0)
/* Nobody is called back: only GetStatus says that they ended. */
#define LOCKSTONE_SIM_STORAGE_SILENT (1u << 1)
/* Reads and programs at most 64 bytes at once (but all of them where nobody would be told), erases one block. */
#define LOCKSTONE_SIM_STORAGE_SHORT (1u << 2)

/* How the driver works from now on, and the address of its first byte (at most 2^64 - 2^32 - 1); not while it is initialised.
 * lockstone_sim_reset sets 0 and 0. */
int32_t lockstone_sim_storage_configure(uint32_t mode, uint64_t base);
/* Bit 0: it is initialised. Bit 1: it is powered. */
uint32_t lockstone_sim_storage_state(void);

#ifdef __cplusplus
}
#endif

#endif
