/*
 * Flash Journal, over the objects of an open store: one blob, of which the newest committed one is there, whole. Only in a library with
 * the feature `journal`.
 *
 * Beside the store, its volume of objects must be open (lockstone_objects_open), with memory for a blob. Each client has one journal.
 * The storage (`mtd`) that the interface names is not used, and may be null: a blob is sealed, and lies where the store's objects do.
 * All calls are over when they return, with more than 0, or with an error; no callback is ever called.
 *
 * A commit is one step: a power cut leaves the blob before or the new one. What was logged and not committed is forgotten by a cut, by
 * initialize, and when another object is begun or written in between, also by another handle of the same journal: log and commit then
 * return JOURNAL_STATUS_STORAGE_RUNTIME_OR_INTEGRITY_FAILURE, and the sequence must be logged anew. Until a log begins it, or reset or
 * initialize forgets it, a commit returns that again, and the blob before stays.
 */
#ifndef FLASH_JOURNAL_H
#define FLASH_JOURNAL_H

#include "Driver_Storage.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _FlashJournal_Status {
    JOURNAL_STATUS_OK = 0,
    JOURNAL_STATUS_ERROR = -1,
    JOURNAL_STATUS_BUSY = -2,    /* called from a hook */
    JOURNAL_STATUS_TIMEOUT = -3, /* not used */
    JOURNAL_STATUS_UNSUPPORTED = -4,
    JOURNAL_STATUS_PARAMETER = -5,
    JOURNAL_STATUS_BOUNDED_CAPACITY = -6, /* longer than the capacity, or the volume is full */
    JOURNAL_STATUS_STORAGE_API_ERROR = -7,
    JOURNAL_STATUS_STORAGE_IO_ERROR = -8,   /* the flash or the counter failed */
    JOURNAL_STATUS_NOT_INITIALIZED = -9,    /* the journal was not, or store or objects are not open */
    JOURNAL_STATUS_EMPTY = -10,             /* nothing was committed, or all of it was read */
    JOURNAL_STATUS_SMALL_LOG_REQUEST = -11, /* not used: any length is taken */
    JOURNAL_STATUS_NOT_FORMATTED = -12,
    JOURNAL_STATUS_METADATA_ERROR = -13,                     /* what the store says of the journal makes no sense */
    JOURNAL_STATUS_STORAGE_RUNTIME_OR_INTEGRITY_FAILURE = -14 /* damaged or forged, or what was logged is gone */
} FlashJournal_Status_t;

typedef enum _FlashJournal_OpCode {
    FLASH_JOURNAL_OPCODE_FORMAT,
    FLASH_JOURNAL_OPCODE_INITIALIZE,
    FLASH_JOURNAL_OPCODE_GET_INFO,
    FLASH_JOURNAL_OPCODE_READ_BLOB,
    FLASH_JOURNAL_OPCODE_LOG_BLOB,
    FLASH_JOURNAL_OPCODE_COMMIT,
    FLASH_JOURNAL_OPCODE_RESET
} FlashJournal_OpCode_t;

typedef struct _FlashJournal_Info {
    uint64_t capacity;            /* bytes of the longest blob */
    uint64_t sizeofJournaledBlob; /* bytes of the committed one; 0: none, or an empty one */
    uint32_t program_unit;        /* 1 */
} FlashJournal_Info_t;

typedef void (*FlashJournal_Callback_t)(int32_t status, FlashJournal_OpCode_t cmd_code);

#define FLASH_JOURNAL_HANDLE_MAX_SIZE 160

struct FlashJournal_t;

typedef struct FlashJournal_Ops_t {
    int32_t (*initialize)(struct FlashJournal_t *journal, ARM_DRIVER_STORAGE *mtd, const struct FlashJournal_Ops_t *ops,
                          FlashJournal_Callback_t callback);
    FlashJournal_Status_t (*getInfo)(struct FlashJournal_t *journal, FlashJournal_Info_t *info);
    int32_t (*read)(struct FlashJournal_t *journal, void *buffer, size_t size);
    int32_t (*readFrom)(struct FlashJournal_t *journal, size_t offset, void *buffer, size_t size);
    int32_t (*log)(struct FlashJournal_t *journal, const void *blob, size_t size);
    int32_t (*commit)(struct FlashJournal_t *journal);
    int32_t (*reset)(struct FlashJournal_t *journal);
} FlashJournal_Ops_t;

/* The caller's; the library believes nothing that it holds. */
typedef struct FlashJournal_t {
    FlashJournal_Ops_t ops;
    union {
        uint64_t aligned;
        uint32_t data[FLASH_JOURNAL_HANDLE_MAX_SIZE / sizeof(uint32_t)];
    } opaque;
} FlashJournal_t;

/* The strategy, under the name of the original's. */
extern const FlashJournal_Ops_t FLASH_JOURNAL_STRATEGY_SEQUENTIAL;

/*
 * Makes the caller's journal, empty. Its capacity is the part of the volume that numSlots, 2 at least, leave for each: room for the blob
 * before and the new one, if nobody else takes it. Returns 1, PARAMETER, BOUNDED_CAPACITY (nothing would fit), NOT_INITIALIZED.
 */
int32_t flashJournalStrategySequential_format(ARM_DRIVER_STORAGE *mtd, uint32_t numSlots, FlashJournal_Callback_t callback);

/* Makes the handle one of the caller's journal; `ops` must not be null. Returns 1, PARAMETER, NOT_FORMATTED, METADATA_ERROR or
 * NOT_INITIALIZED. */
static inline int32_t FlashJournal_initialize(FlashJournal_t *journal, ARM_DRIVER_STORAGE *mtd, const FlashJournal_Ops_t *ops,
                                              FlashJournal_Callback_t callback) {
    return ops->initialize(journal, mtd, ops, callback);
}

static inline FlashJournal_Status_t FlashJournal_getInfo(FlashJournal_t *journal, FlashJournal_Info_t *info) {
    return journal->ops.getInfo(journal, info);
}

/* Reads on in the committed blob: the number of bytes. At its end EMPTY, and the next one reads from the start. */
static inline int32_t FlashJournal_read(FlashJournal_t *journal, void *buffer, size_t size) {
    return journal->ops.read(journal, buffer, size);
}

/* The same from an offset on. */
static inline int32_t FlashJournal_readFrom(FlashJournal_t *journal, size_t offset, void *buffer, size_t size) {
    return journal->ops.readFrom(journal, offset, buffer, size);
}

/* Goes on with the next blob, or begins it: `size`. PARAMETER and a length beyond the capacity change nothing; after any other error the
 * sequence must be logged anew. */
static inline int32_t FlashJournal_log(FlashJournal_t *journal, const void *blob, size_t size) {
    return journal->ops.log(journal, blob, size);
}

/* What was logged takes the place of the blob before; nothing logged since the last commit, reset or initialize: an empty one. Returns 1.
 * After an error it has, or it has not, and it must be logged anew. */
static inline int32_t FlashJournal_commit(FlashJournal_t *journal) {
    return journal->ops.commit(journal);
}

/* Deletes the blob, and what was logged. Returns 1. */
static inline int32_t FlashJournal_reset(FlashJournal_t *journal) {
    return journal->ops.reset(journal);
}

#ifdef __cplusplus
}
#endif

#endif
