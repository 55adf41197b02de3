/*
 * Lockstone: secure key-value storage on raw flash, for C.
 *
 * On a host nothing need be called first: the device in the directory that the environment variable LOCKSTONE_DEVICE names,
 * or else ./lockstone-device, is opened by the first call, and made where nothing is. Elsewhere lockstone_open is given a
 * platform (flash, root key, and what else there is) and memory.
 *
 * All functions return 0 or a negative LOCKSTONE_E_* code. Whatever they return, what was stored before is still there; after
 * LOCKSTONE_E_FLASH and LOCKSTONE_E_COUNTER the call that failed may have had its effect, whole, or none.
 *
 * Threads: on a host any thread may call at any time. Elsewhere the platform's lock and unlock hooks are called around each
 * call, and no other thread calls while lockstone_open, lockstone_format or lockstone_close has not returned. Hooks must not
 * call the library: they are answered LOCKSTONE_E_BUSY. With an asynchronous driver (lockstone_storage.h) lock must not mask the
 * interrupt that ends its operations, and must allow for long waits.
 *
 * fork: a child has nothing open, and is told LOCKSTONE_E_DEVICE for as long as its parent has the device.
 *
 * docs/c.md says how to link, and what each interface promises and refuses.
 */
#ifndef LOCKSTONE_H
#define LOCKSTONE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* There is no such key. */
#define LOCKSTONE_E_NOT_FOUND (-1)
/* A pointer, a length, a name or a flag makes no sense. */
#define LOCKSTONE_E_ARGUMENT (-2)
/* Called from a hook, or a store is open already. */
#define LOCKSTONE_E_BUSY (-3)
/* No store is open. */
#define LOCKSTONE_E_NOT_OPEN (-4)
/* A mistake in the library: it refuses everything until lockstone_close, which then returns LOCKSTONE_E_NOT_OPEN. */
#define LOCKSTONE_E_INTERNAL (-5)
/* The buffer is shorter than the value; the length was set. */
#define LOCKSTONE_E_BUFFER_TOO_SMALL (-6)
/* The flash driver failed. */
#define LOCKSTONE_E_FLASH (-7)
/* No room. Deleting always works. */
#define LOCKSTONE_E_FULL (-8)
/* Too many blocks are bad: read-only from now on. */
#define LOCKSTONE_E_WORN_OUT (-9)
/* What is stored was damaged or forged, and the answer depends on it. */
#define LOCKSTONE_E_DAMAGED (-10)
/* The flash is older than the counter says. */
#define LOCKSTONE_E_ROLLED_BACK (-11)
/* The value is longer than the store could ever hold. */
#define LOCKSTONE_E_TOO_LARGE (-12)
/* The key is write-once, or an object that can't be read as a value, or the client's number is not one that has keys. */
#define LOCKSTONE_E_NOT_PERMITTED (-13)
/* This needs a counter, and the platform has none. */
#define LOCKSTONE_E_NO_COUNTER (-14)
/* The counter has no step left. */
#define LOCKSTONE_E_COUNTER_EXHAUSTED (-15)
/* The counter failed. */
#define LOCKSTONE_E_COUNTER (-16)
/* Nothing was ever stored on this flash: lockstone_format makes a store. */
#define LOCKSTONE_E_BLANK (-17)
/* There is something on the flash, but no store. */
#define LOCKSTONE_E_UNKNOWN (-18)
/* There is a store, but nothing of it fits the key: another key, or forged, or damaged. */
#define LOCKSTONE_E_NOT_AUTHENTIC (-19)
/* A store of another version, suite, geometry or number of heads. */
#define LOCKSTONE_E_INCOMPATIBLE (-20)
/* The part, or the memory that was handed in, can't hold a store. */
#define LOCKSTONE_E_LAYOUT (-21)
/* The root key refused. */
#define LOCKSTONE_E_ROOT_KEY (-22)
/* The random generator failed. */
#define LOCKSTONE_E_RANDOM (-23)
/* This name can't be stored: its hash is taken (one chance in 2^44 for a thousand keys). */
#define LOCKSTONE_E_COLLISION (-24)
/* The device directory can't be made, read or locked; another process may have it. Nothing was changed. */
#define LOCKSTONE_E_DEVICE (-25)
/* The memory that was handed in for this is used up. */
#define LOCKSTONE_E_OUT_OF_MEMORY (-26)
/* Parts of the object are missing. */
#define LOCKSTONE_E_INCOMPLETE (-27)
/* The content of an object or a slot has another digest. */
#define LOCKSTONE_E_WRONG_DIGEST (-28)
/* The key holds a plain value, no object. */
#define LOCKSTONE_E_NOT_AN_OBJECT (-29)
/* A range behind the end. */
#define LOCKSTONE_E_OUT_OF_RANGE (-30)

#define LOCKSTONE_PLATFORM_VERSION 1u

/* Platform flag: no attacker can write the flash (it is inside the chip), so nothing needs a counter against replay. */
#define LOCKSTONE_FLASH_IS_TRUSTED (1u << 0)

/*
 * What the system gives the library. A hook returns 0 when it did what it was asked, anything else when not; it must not call
 * the library, and keeps no pointer that it is given.
 */
typedef struct lockstone_platform {
    uint32_t version; /* LOCKSTONE_PLATFORM_VERSION */
    uint32_t flags;   /* LOCKSTONE_FLASH_IS_TRUSTED, or 0 */
    void *context;    /* handed to every hook */
    /* The flash: bytes in all, of a program unit (1 to 512, a power of two), of an erase block (128 to 262144). */
    uint32_t flash_size;
    uint32_t program_unit;
    uint32_t erase_block;
    uint32_t erased_value; /* what an erased byte reads: 0xff or 0x00 */
    /* Reads any address and length. */
    int32_t (*read)(void *context, uint32_t address, void *to, size_t length);
    /* Programs whole units that are erased (or were being programmed with the same bytes when power went). Returns when the
     * part has done it. */
    int32_t (*program)(void *context, uint32_t address, const void *from, size_t length);
    /* Erases whole blocks. Returns when the part has done it. */
    int32_t (*erase)(void *context, uint32_t address, size_t length);
    /* Derives 32 bytes from the root key for a label: equal labels, equal bytes. */
    int32_t (*derive_key)(void *context, const uint8_t *label, size_t length, uint8_t *key);
    /* Random bytes; only lockstone_format asks. May be null otherwise. */
    int32_t (*random)(void *context, uint8_t *to, size_t length);
    /* A counter that only goes up and that no attacker can write, for this store alone; both null: there is none. */
    int32_t (*counter_read)(void *context, uint64_t *value);
    int32_t (*counter_increment)(void *context, uint64_t *value); /* adds one; the new value */
    uint64_t counter_limit;                                       /* the largest value */
    /* Around each call; both null: only one thread calls. Not used on a host, where the library has a lock of its own. If a
     * hook might call the library, the lock must let the thread in that holds it: it is told LOCKSTONE_E_BUSY only then. */
    void (*lock)(void *context);
    void (*unlock)(void *context);
    /* The number of the client that is calling, from the system's boundary and never from the client; null: always 0. The
     * numbers from -2147483648 to -2147483393, and -1, have no keys in this interface. */
    int32_t (*client)(void *context);
    /* Not 0 while the device is being provisioned: PSA's write-once is not enforced then. Null: it is not. */
    int32_t (*provisioning)(void *context);
} lockstone_platform;

/*
 * RAM, and how to divide it. It is the library's from lockstone_open or lockstone_format until lockstone_close returns, or
 * until they fail, and holds secrets: see to it that nobody else reads it. It is wiped before it is given back.
 * LOCKSTONE_MEMORY_SIZE says how many bytes are enough.
 */
typedef struct lockstone_memory {
    void *start;
    size_t size;
    uint32_t heads;         /* 1 to 65535: about half the number of keys; a store keeps the number it was formatted with */
    uint32_t asset_bytes;   /* for psa_ps_create and psa_ps_set_extended: the largest capacity, and 4; 0: not supported */
    uint32_t cfstore_bytes; /* for names and values of CFSTORE that are open or not flushed */
} lockstone_memory;

#define LOCKSTONE_MEMORY_SIZE(heads, flash_size, asset_bytes, cfstore_bytes)                                             \
    (3072u + 8u * (size_t)(heads) + (size_t)(flash_size) / 2048u + (size_t)(asset_bytes) + (size_t)(cfstore_bytes))

/*
 * Opens the store on this platform's flash. Nothing is written, and nothing is ever formatted or repaired by itself.
 * Errors: ARGUMENT, BUSY (a store is open), and every one that says what is on the flash instead of a store.
 */
int32_t lockstone_open(const lockstone_platform *platform, const lockstone_memory *memory);

/*
 * ERASES THE FLASH, makes an empty store on it, and opens that. Takes two steps of the counter, so that no image from before is
 * ever accepted.
 */
int32_t lockstone_format(const lockstone_platform *platform, const lockstone_memory *memory);

#ifndef LOCKSTONE_NO_STD
/*
 * On a host: opens the device in this directory, and makes one where nothing is (1 MiB, for its owner alone, sealed with a
 * new random key). It is the same that the command line `lockstone` uses. Errors: DEVICE, and those of lockstone_open.
 */
int32_t lockstone_open_device(const char *directory);

/* The same, but where nothing is nothing is made: DEVICE. */
int32_t lockstone_open_existing_device(const char *directory);
#endif

/* Closes the store in order. Not to call it is always safe. Whatever is returned, the memory is the caller's again. */
int32_t lockstone_close(void);

/* Bind this write to the counter: once it has returned, no older image of the flash undoes it. */
#define LOCKSTONE_PROTECT (1u << 0)
/* The value is never changed again, nor the key deleted. Bound to the counter, where there is one. */
#define LOCKSTONE_WRITE_ONCE (1u << 1)

/*
 * Stores a value under a name of 1 to 255 bytes, replacing the old one. When it returns 0 the value survives any power cut;
 * until then the old one is there, whole. `value` may be null when `length` is 0.
 */
int32_t lockstone_put(const char *name, const void *value, size_t length, uint32_t flags);

/* Copies a value and says its length (`length` may be null). When the buffer is too small nothing is copied. */
int32_t lockstone_get(const char *name, void *buffer, size_t size, size_t *length);

/* Deletes a key. Works on a full store too. */
int32_t lockstone_delete(const char *name);

/* Where a search stands; all zero at the beginning. */
typedef struct lockstone_cursor {
    uint64_t next;
    uint32_t bucket;
    uint32_t reserved;
} lockstone_cursor;

/*
 * The next of the caller's names that begin with `prefix` ("" for all), with its NUL, in no particular order;
 * LOCKSTONE_E_NOT_FOUND at the end. A key that exists all the while is found once, whatever else is changed meanwhile.
 */
int32_t lockstone_find(lockstone_cursor *cursor, const char *prefix, char name[256]);

typedef struct lockstone_stats {
    uint32_t keys; /* of all clients and interfaces */
    uint32_t used_bytes;
    uint32_t capacity_bytes;
    uint32_t segments;
    uint32_t bad_segments;
    uint32_t erases_min; /* of a segment */
    uint32_t erases_max;
    uint32_t counter_left; /* steps; 0 without a counter */
} lockstone_stats;

int32_t lockstone_get_stats(lockstone_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
