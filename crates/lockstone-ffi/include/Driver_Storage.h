/*
 * CMSIS-Driver Storage, API 1.00: the interface of a driver for flash and other storage, 14 functions in a table. Where a system
 * brings its own file of this name, either one may come first.
 *
 * lockstone_storage.h puts a store on such a driver; lockstone_sim.h has one that is simulated.
 *
 * Addresses and sizes are in bytes. A function that may work asynchronously returns
 *   - an error, below 0: nothing was begun;
 *   - ARM_DRIVER_OK, 0: it was begun, and the callback says how it ended, with the number of bytes or an error;
 *   - more than 0: it is over. Of ReadData, ProgramData and Erase this is the number of bytes, of the others 1.
 */
#if !defined(DRIVER_STORAGE_H_) && !defined(__DRIVER_STORAGE_H)
#define DRIVER_STORAGE_H_
#define __DRIVER_STORAGE_H

#include "Driver_Common.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ARM_STORAGE_API_VERSION ARM_DRIVER_VERSION_MAJOR_MINOR(1, 0)

/* The usual name of a system's driver number n. */
#define _ARM_Driver_Storage_(n) Driver_Storage##n
#define ARM_Driver_Storage_(n) _ARM_Driver_Storage_(n)

/* No address of the storage: a block that begins here is none. */
#define ARM_STORAGE_INVALID_OFFSET 0xFFFFFFFFFFFFFFFFULL
/* No address of the processor's: ResolveAddress knows none. */
#define ARM_STORAGE_INVALID_ADDRESS 0xFFFFFFFFUL

/* A part of the range can't be erased; can't be programmed; is protected. Nothing was changed. */
#define ARM_STORAGE_ERROR_NOT_ERASABLE (ARM_DRIVER_ERROR_SPECIFIC - 1)
#define ARM_STORAGE_ERROR_NOT_PROGRAMMABLE (ARM_DRIVER_ERROR_SPECIFIC - 2)
#define ARM_STORAGE_ERROR_PROTECTED (ARM_DRIVER_ERROR_SPECIFIC - 3)
/* The storage failed, or did not take what it was given. */
#define ARM_STORAGE_ERROR_RUNTIME_OR_INTEGRITY_FAILURE (ARM_DRIVER_ERROR_SPECIFIC - 4)

typedef struct _ARM_STORAGE_BLOCK_ATTRIBUTES {
    uint32_t erasable : 1;
    uint32_t programmable : 1;
    uint32_t executable : 1;
    uint32_t protectable : 1;
    uint32_t reserved : 28;
    uint32_t erase_unit;      /* bytes that are erased at once, at least; 0 when it is not erasable */
    uint32_t protection_unit; /* bytes that are protected at once, at least */
} ARM_STORAGE_BLOCK_ATTRIBUTES;

/* A range in which everything has the same attributes. */
typedef struct _ARM_STORAGE_BLOCK {
    uint64_t addr;
    uint64_t size;
    ARM_STORAGE_BLOCK_ATTRIBUTES attributes;
} ARM_STORAGE_BLOCK;

#define ARM_STORAGE_VALID_BLOCK(block) (((block)->addr != ARM_STORAGE_INVALID_OFFSET) && ((block)->size != 0))

/* ARM_STORAGE_INFO::programmability */
#define ARM_STORAGE_PROGRAMMABILITY_RAM 0x0
#define ARM_STORAGE_PROGRAMMABILITY_ROM 0x1
#define ARM_STORAGE_PROGRAMMABILITY_WORM 0x2     /* written once */
#define ARM_STORAGE_PROGRAMMABILITY_ERASABLE 0x3 /* written again after an erase */

/* ARM_STORAGE_INFO::retention_level: what the content survives. */
#ifndef ARM_RETENTION_NVM
#define ARM_RETENTION_WHILE_DEVICE_ACTIVE 0x0
#define ARM_RETENTION_ACROSS_SLEEP 0x1
#define ARM_RETENTION_ACROSS_DEEP_SLEEP 0x2
#define ARM_RETENTION_BATTERY_BACKED 0x3
#define ARM_RETENTION_NVM 0x4
#endif

/* What the storage is hardened against, its driver says. */
typedef struct _ARM_STORAGE_SECURITY_FEATURES {
    uint32_t acls : 1;
    uint32_t rollback_protection : 1;
    uint32_t tamper_proof : 1;
    uint32_t internal_flash : 1;
    uint32_t reserved1 : 12;
    uint32_t software_attacks : 1;
    uint32_t board_level_attacks : 1;
    uint32_t chip_level_attacks : 1;
    uint32_t side_channel_attacks : 1;
    uint32_t reserved2 : 12;
} ARM_STORAGE_SECURITY_FEATURES;

/* ARM_STORAGE_INFO::program_cycles: unknown, or without end. */
#define ARM_STORAGE_PROGRAM_CYCLES_INFINITE 0UL

typedef struct _ARM_STORAGE_INFO {
    uint64_t total_storage;        /* bytes in all */
    uint32_t program_unit;         /* bytes that are programmed at once, at least, and how they are aligned; 0 as 1 */
    uint32_t optimal_program_unit; /* bytes that are programmed at once best */
    uint32_t program_cycles;       /* how often a place can be programmed */
    uint32_t erased_value : 1;     /* 1: an erased byte reads 0xFF, 0: it reads 0x00 */
    uint32_t memory_mapped : 1;
    uint32_t programmability : 4;
    uint32_t retention_level : 4;
    uint32_t reserved : 22;
    ARM_STORAGE_SECURITY_FEATURES security;
} ARM_STORAGE_INFO;

typedef struct _ARM_STORAGE_STATUS {
    uint32_t busy : 1;
    uint32_t error : 1; /* the last operation failed */
} ARM_STORAGE_STATUS;

typedef struct _ARM_STORAGE_CAPABILITIES {
    uint32_t asynchronous_ops : 1; /* operations may be over later, which the callback says */
    uint32_t erase_all : 1;
    uint32_t reserved : 30;
} ARM_STORAGE_CAPABILITIES;

/* Which operation a callback is about: the functions in the order of the table, from 0. */
typedef enum _ARM_STORAGE_OPERATION {
    ARM_STORAGE_OPERATION_GET_VERSION,
    ARM_STORAGE_OPERATION_GET_CAPABILITIES,
    ARM_STORAGE_OPERATION_INITIALIZE,
    ARM_STORAGE_OPERATION_UNINITIALIZE,
    ARM_STORAGE_OPERATION_POWER_CONTROL,
    ARM_STORAGE_OPERATION_READ_DATA,
    ARM_STORAGE_OPERATION_PROGRAM_DATA,
    ARM_STORAGE_OPERATION_ERASE,
    ARM_STORAGE_OPERATION_ERASE_ALL,
    ARM_STORAGE_OPERATION_GET_STATUS,
    ARM_STORAGE_OPERATION_GET_INFO,
    ARM_STORAGE_OPERATION_RESOLVE_ADDRESS,
    ARM_STORAGE_OPERATION_GET_NEXT_BLOCK,
    ARM_STORAGE_OPERATION_GET_BLOCK
} ARM_STORAGE_OPERATION;

/* An operation that was begun is over: bytes or 1, or an error below 0. May come from an interrupt. */
typedef void (*ARM_Storage_Callback_t)(int32_t status, ARM_STORAGE_OPERATION operation);

typedef const struct _ARM_DRIVER_STORAGE {
    ARM_DRIVER_VERSION (*GetVersion)(void);
    ARM_STORAGE_CAPABILITIES (*GetCapabilities)(void);
    /* Before anything but the two above; the callback may be null. */
    int32_t (*Initialize)(ARM_Storage_Callback_t callback);
    int32_t (*Uninitialize)(void);
    int32_t (*PowerControl)(ARM_POWER_STATE state);
    /* Buffers are the driver's until the operation is over. */
    int32_t (*ReadData)(uint64_t addr, void *data, uint32_t size);
    int32_t (*ProgramData)(uint64_t addr, const void *data, uint32_t size); /* whole program units */
    /* Whole erase units. May erase fewer bytes than it was asked to: the caller goes on. */
    int32_t (*Erase)(uint64_t addr, uint32_t size);
    int32_t (*EraseAll)(void);
    ARM_STORAGE_STATUS (*GetStatus)(void);
    int32_t (*GetInfo)(ARM_STORAGE_INFO *info);
    uint32_t (*ResolveAddress)(uint64_t addr); /* where it is mapped in memory */
    /* The block behind a block; for null the first one. Behind the last one: an error, and a block that is not valid. */
    int32_t (*GetNextBlock)(const ARM_STORAGE_BLOCK *prev_block, ARM_STORAGE_BLOCK *next_block);
    int32_t (*GetBlock)(uint64_t addr, ARM_STORAGE_BLOCK *block); /* the block that an address is in */
} ARM_DRIVER_STORAGE;

#ifdef __cplusplus
}
#endif

#endif
