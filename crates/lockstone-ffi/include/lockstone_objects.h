/*
 * Volumes, objects and slots. Only in a library with the feature `objects`.
 *
 * A flash is divided into volumes: one of keys, which is the store; one of objects, for values too large for it, such as firmware;
 * slots for code that is executed where it lies; and spare ones, which the library never touches.
 *
 * An object is begun under a name, takes its bytes in any order and over any number of starts, and is there in one step when it
 * is finished; until then the name keeps what it had. Its name is a key of the caller's: lockstone_find lists it and
 * lockstone_delete deletes it, lockstone_get is answered LOCKSTONE_E_NOT_PERMITTED, and lockstone_put puts a value in its place.
 *
 * All functions return 0 or a negative LOCKSTONE_E_* code, lengths and addresses are in bytes. Beside what is said below, any may
 * return NOT_OPEN (the store or the volume of objects is not open), ARGUMENT, FLASH, and what lockstone_get and lockstone_put
 * return. Finished objects are then what they were. Pointers for results may be null.
 */
#ifndef LOCKSTONE_OBJECTS_H
#define LOCKSTONE_OBJECTS_H

#include "lockstone.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOCKSTONE_VOLUMES_MAX 16u

#define LOCKSTONE_VOLUME_KEYS 0u
#define LOCKSTONE_VOLUME_OBJECTS 1u
#define LOCKSTONE_VOLUME_SLOT 2u
#define LOCKSTONE_VOLUME_SPARE 3u

typedef struct lockstone_volume {
    uint8_t kind;
    uint8_t number; /* which one of that kind; of keys and objects 0 */
    uint8_t part;   /* 0: the flash of the platform or the driver */
    uint8_t reserved;
    uint32_t start;
    uint32_t length;
} lockstone_volume;

/*
 * Which volumes the flash has that lockstone_open, lockstone_format or lockstone_storage_* is given from now on; a count of 0: all
 * of it is for keys, as at the start. lockstone_format then erases the volume of keys alone, and LOCKSTONE_MEMORY_SIZE is asked
 * with its length. A table that the store keeps goes before this one; it must say the same of the volume of keys, or all that asks for
 * another volume is LAYOUT.
 * Errors: BUSY (a store is open), ARGUMENT (kind, part), LAYOUT (more than 16, none of keys, two that overlap or are the same).
 * Volumes that are not whole erase blocks, or end behind the flash, are LAYOUT when the store is opened. On a host device.toml
 * says the volumes instead.
 */
int32_t lockstone_use_volumes(const lockstone_volume *volumes, size_t count);

/* The volumes of the table in force, from index 0 on; NOT_FOUND behind the last one. */
int32_t lockstone_get_volume(size_t index, lockstone_volume *volume);
/* The volume of a kind and number, or NOT_FOUND. */
int32_t lockstone_find_volume(uint8_t kind, uint8_t number, lockstone_volume *volume);

/* Bytes of memory for objects of at most `length` bytes. */
#define LOCKSTONE_OBJECTS_SIZE(length) (3080u + (size_t)(length) / 4096u)

/*
 * Opens the volume of objects. Nothing is written. The memory is the library's until lockstone_objects_close or lockstone_close, or
 * until this fails, and is wiped before it is given back.
 * Errors: NOT_FOUND (no such volume), BUSY (open already), LAYOUT (too little memory, or too small a volume; or the store keeps a table
 * that has the keys elsewhere), ARGUMENT (it's memory of the store), NOT_AUTHENTIC (the volume is another store's), UNKNOWN (it holds
 * something else).
 */
int32_t lockstone_objects_open(void *memory, size_t size);
/* ERASES THE VOLUME of objects, and opens it. Names of objects that were there are damaged then: for a new store. */
int32_t lockstone_objects_format(void *memory, size_t size);
int32_t lockstone_objects_close(void);

/* lockstone_object_begin: the length is found out at the end. */
#define LOCKSTONE_OBJECT_OPEN UINT32_MAX

/*
 * Begins an object; an unfinished one of the same name is given up. One object is written at a time without a cost: when calls
 * alternate between two, each is looked up on the flash again, and what fills no chunk yet is lost, as by a power cut.
 * Errors: TOO_LARGE (the volume or the memory can't hold it), FULL, RANDOM. Nothing was changed, of the one that is being written neither.
 */
int32_t lockstone_object_begin(const char *name, uint32_t length);

/*
 * Takes bytes at an offset, in any order; those that are there already are ignored. Whole chunks (of 512 or 1024 bytes, and the
 * last one) survive any power cut when this returns; a part of one is in RAM until bytes go on behind it.
 * Errors: NOT_FOUND (none was begun, or it was given up), OUT_OF_RANGE, FULL. What was taken before is there.
 */
int32_t lockstone_object_write(const char *name, uint32_t offset, const void *data, size_t length);

/* The first range at or behind `from` that is missing, also after a power cut; a length of 0: there is none. `length` must be
 * given. Errors: NOT_FOUND. */
int32_t lockstone_object_missing(const char *name, uint32_t from, uint32_t *start, uint32_t *length);

typedef struct lockstone_object_info {
    uint32_t length;
    uint32_t pending; /* of a slot: 1 when it was requested and not confirmed */
    uint8_t digest[32]; /* SHA-256 */
} lockstone_object_info;

/*
 * Reads all of it back, compares its SHA-256 with `digest` (null: with none), and puts it under its name in one step. Flags are those
 * of lockstone_put.
 * Errors: NOT_FOUND, INCOMPLETE (missing says what), WRONG_DIGEST: nothing was changed, and writing may go on.
 */
int32_t lockstone_object_finish(const char *name, const uint8_t *digest, uint32_t flags, lockstone_object_info *info);

/* Gives an unfinished object up, and erases what was written of it. Errors: NOT_FOUND. */
int32_t lockstone_object_abort(const char *name);

/* Length and digest of a finished object. Errors: NOT_FOUND, NOT_AN_OBJECT (a plain value). */
int32_t lockstone_object_get(const char *name, lockstone_object_info *info);

/*
 * Copies bytes from an offset on, as many as there are and fit, each verified before it is handed out; `length` says how many.
 * Errors: NOT_FOUND, NOT_AN_OBJECT, OUT_OF_RANGE (behind the end), DAMAGED (nothing of the damaged chunk is in the buffer).
 */
int32_t lockstone_object_read(const char *name, uint32_t offset, void *buffer, size_t size, size_t *length);

/* Erases the blocks of objects that are no more, which otherwise happens when they are needed; how many. */
int32_t lockstone_objects_reclaim(uint32_t *blocks);

/*
 * Slots. The application requests that a slot holds an object; the boot loader installs it, however often power goes, and verifies
 * the slot at each boot; the new firmware confirms that it runs well. Flags: 0 or LOCKSTONE_PROTECT. Whoever can call this can call
 * it for any slot. NOT_FOUND: there is no such volume, object or request; LAYOUT: the volume can't be a slot.
 */

/* Nothing is written to the slot. The object is kept until the install is confirmed, even if it is deleted. Errors: TOO_LARGE, BUSY
 * (the object is being installed into another slot), NOT_AN_OBJECT. */
int32_t lockstone_slot_request(uint8_t number, const char *name, uint32_t flags);
/* Copies what was requested over the slot, going on where it was cut, and verifies it; what it holds. On an error, WRONG_DIGEST
 * above all, THE SLOT MUST NOT BE EXECUTED; calling again goes on. */
int32_t lockstone_slot_install(uint8_t number, lockstone_object_info *info);
/* Errors: WRONG_DIGEST (the slot was not written to its end): nothing was changed. */
int32_t lockstone_slot_confirm(uint8_t number, uint32_t flags);
/* Takes the first `length` bytes of the slot for what belongs there: for code that came with the device. Errors: TOO_LARGE. */
int32_t lockstone_slot_adopt(uint8_t number, uint32_t length, uint32_t flags, lockstone_object_info *info);
/* The store forgets what belongs into the slot, which is refused by install then. */
int32_t lockstone_slot_forget(uint8_t number, uint32_t flags);
/* What belongs into the slot, the store says; the slot is not read. */
int32_t lockstone_slot_get(uint8_t number, lockstone_object_info *info);

#ifdef __cplusplus
}
#endif

#endif
