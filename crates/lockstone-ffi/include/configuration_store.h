/*
 * Arm's Configuration Store (CFSTORE), API 1.0, over Lockstone: the symbol cfstore_driver.
 *
 * Values are in RAM until Flush, which stores all of them in one step that no power cut divides; what was not flushed is lost
 * at the last Uninitialize. A key with flush_on_close, or all keys in the mode LOCKSTONE_CFSTORE_DURABLE_AT_CLOSE, are stored
 * when a handle to them is closed that may write, or that made the key.
 *
 * Functions return an error (negative), or what each of them says. When Initialize was given a callback, every operation
 * calls it once it is over, before the function returns; it may call the driver. GetVersion, GetCapabilities and GetStatus
 * call nobody back, nor does an operation that is refused because nothing was initialised, nor Create and Rseek while another
 * one is pending. In the asynchronous mode Initialize and Flush return 0 and are done by lockstone_cfstore_poll, which then
 * calls back.
 *
 * A handle is a buffer of 24 bytes of the caller's. The library believes nothing that it holds; it may be copied and moved.
 */
#ifndef CONFIGURATION_STORE_H
#define CONFIGURATION_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "Driver_Common.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ARM_CFSTORE_API_VERSION ARM_DRIVER_VERSION_MAJOR_MINOR(1, 0)
#define ARM_CFSTORE_DRV_VERSION ARM_DRIVER_VERSION_MAJOR_MINOR(0, 1)

/* Nothing is initialised. */
#define ARM_CFSTORE_DRIVER_ERROR_UNINITIALISED (-1000)
/* Create with a description: there is such a key. */
#define ARM_CFSTORE_DRIVER_ERROR_PREEXISTING_KEY (-1001)
#define ARM_CFSTORE_DRIVER_ERROR_KEY_NOT_FOUND (-1002)
#define ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE (-1003)
/* The memory for what is not flushed, or for handles, is used up. */
#define ARM_CFSTORE_DRIVER_ERROR_OUT_OF_MEMORY (-1004)
/* Create: such a key was deleted and is still open. */
#define ARM_CFSTORE_DRIVER_ERROR_PREEXISTING_KEY_DELETING (-1005)
/* No buffer for a handle, or a previous handle of Find that is none. */
#define ARM_CFSTORE_DRIVER_ERROR_INVALID_HANDLE_BUF (-1006)
#define ARM_CFSTORE_DRIVER_ERROR_INTERNAL (-1007)
#define ARM_CFSTORE_DRIVER_ERROR_INVALID_KEY_NAME (-1008)
#define ARM_CFSTORE_DRIVER_ERROR_VALUE_SIZE_TOO_LARGE (-1009)
/* The handle can't write. */
#define ARM_CFSTORE_DRIVER_ERROR_KEY_READ_ONLY (-1010)
#define ARM_CFSTORE_DRIVER_ERROR_INVALID_SEEK (-1011)
/* Rseek: the handle can't read. */
#define ARM_CFSTORE_DRIVER_ERROR_KEY_UNREADABLE (-1012)
#define ARM_CFSTORE_DRIVER_ERROR_INVALID_WRITE_BUFFER (-1013)
#define ARM_CFSTORE_DRIVER_ERROR_INVALID_KEY_LEN (-1014)
/* A flag or a protection that can't be given. */
#define ARM_CFSTORE_DRIVER_ERROR_NOT_SUPPORTED (-1015)
#define ARM_CFSTORE_DRIVER_ERROR_INVALID_READ_BUFFER (-1016)
/* A new key without a description, or one that makes no sense. */
#define ARM_CFSTORE_DRIVER_ERROR_INVALID_KEY_DESCRIPTOR (-1017)
#define ARM_CFSTORE_DRIVER_ERROR_PERM_NO_READ_ACCESS (-1018)
#define ARM_CFSTORE_DRIVER_ERROR_PERM_NO_WRITE_ACCESS (-1019)
#define ARM_CFSTORE_DRIVER_ERROR_PERM_NO_EXECUTE_ACCESS (-1020)
/* The name is another client's, who shares nothing of it. */
#define ARM_CFSTORE_DRIVER_ERROR_PERM_NO_PERMISSIONS (-1021)
#define ARM_CFSTORE_DRIVER_ERROR_HANDLE_COUNT_MAX (-1022)
/* What is stored is damaged, forged, rolled back or not ours. */
#define ARM_CFSTORE_DRIVER_ERROR_JOURNAL_ERROR (-1023)
#define ARM_CFSTORE_DRIVER_ERROR_BUSY (-1024)
#define ARM_CFSTORE_DRIVER_ERROR_TIMEOUT (-1025)
#define ARM_CFSTORE_DRIVER_ERROR_UNSUPPORTED (-1026)
#define ARM_CFSTORE_DRIVER_ERROR_PARAMETER (-1027)
/* No room on the flash. Nothing was stored, and everything is still in RAM. */
#define ARM_CFSTORE_DRIVER_ERROR_BOUNDED_CAPACITY (-1028)
#define ARM_CFSTORE_DRIVER_ERROR_STORAGE_API_ERROR (-1029)
#define ARM_CFSTORE_DRIVER_ERROR_STORAGE_IO_ERROR (-1030)
/* No store is open, or the flash is blank. */
#define ARM_CFSTORE_DRIVER_ERROR_NOT_INITIALIZED (-1031)
#define ARM_CFSTORE_DRIVER_ERROR_COMMIT_WITHOUT_WRITE (-1032)
#define ARM_CFSTORE_DRIVER_ERROR_EMPTY (-1033)
#define ARM_CFSTORE_DRIVER_ERROR_SMALL_LOG_REQUEST (-1034)
#define ARM_CFSTORE_DRIVER_ERROR_OPERATION_PENDING (-1035)

/* Longest name in bytes, without its NUL. */
#define CFSTORE_KEY_NAME_MAX_LENGTH 220
/* Longest value in bytes. */
#define CFSTORE_VALUE_SIZE_MAX (1 << 26)
/* Most open handles of one key. */
#define CFSTORE_HANDLE_COUNT_MAX 255

typedef enum ARM_CFSTORE_OPCODE {
    CFSTORE_OPCODE_CLOSE = 1,
    CFSTORE_OPCODE_CREATE,
    CFSTORE_OPCODE_DELETE,
    CFSTORE_OPCODE_FIND,
    CFSTORE_OPCODE_FLUSH,
    CFSTORE_OPCODE_GET_KEY_NAME,
    CFSTORE_OPCODE_GET_STATUS,
    CFSTORE_OPCODE_GET_VALUE_LEN,
    CFSTORE_OPCODE_INITIALIZE,
    CFSTORE_OPCODE_OPEN,
    CFSTORE_OPCODE_POWER_CONTROL,
    CFSTORE_OPCODE_READ,
    CFSTORE_OPCODE_RSEEK,
    CFSTORE_OPCODE_UNINITIALIZE,
    CFSTORE_OPCODE_WRITE,
    CFSTORE_OPCODE_MAX
} ARM_CFSTORE_OPCODE;

/* Who may do what. All zero: the owner may read and write. The owner is the client that makes the key. */
typedef struct ARM_CFSTORE_ACL {
    uint32_t perm_owner_read : 1;
    uint32_t perm_owner_write : 1;
    uint32_t perm_owner_execute : 1;
    uint32_t perm_other_read : 1;
    uint32_t perm_other_write : 1;
    uint32_t perm_other_execute : 1;
    uint32_t reserved : 26;
} ARM_CFSTORE_ACL;

/* What is asked of the protection. What can't be given is refused. */
typedef struct ARM_CFSTORE_SECURITY_FEATURES {
    uint32_t acls : 1;                /* the list above binds the owner too; needed for the rights to execute */
    uint32_t rollback_protection : 1; /* no older image of the flash undoes a change once it is flushed; needs a counter */
    uint32_t tamper_proof : 1;        /* changes by others are detected: true of every key */
    uint32_t internal_flash : 1;      /* only where the platform says that its flash is trusted */
    uint32_t reserved1 : 12;
    uint32_t software_attacks : 1; /* these are refused */
    uint32_t board_level_attacks : 1;
    uint32_t chip_level_attacks : 1;
    uint32_t side_channel_attacks : 1;
    uint32_t reserved2 : 12;
} ARM_CFSTORE_SECURITY_FEATURES;

/* How a handle is opened. */
typedef struct ARM_CFSTORE_FMODE {
    uint32_t continuous : 1; /* refused */
    uint32_t lazy_flush : 1; /* refused */
    uint32_t flush_on_close : 1;
    uint32_t read : 1;
    uint32_t write : 1;
    uint32_t execute : 1;
    uint32_t storage_detect : 1; /* refused */
    uint32_t reserved : 25;
} ARM_CFSTORE_FMODE;

/* How long a value must last: 0 active, 1 sleep, 2 deep sleep, 3 battery, 4 non-volatile. All are given. */
typedef struct ARM_CFSTORE_KEYDESC {
    ARM_CFSTORE_ACL acl;
    uint8_t drl;
    ARM_CFSTORE_SECURITY_FEATURES security;
    ARM_CFSTORE_FMODE flags; /* of the handle that Create gives; neither read nor write: both */
} ARM_CFSTORE_KEYDESC;

typedef struct ARM_CFSTORE_CAPABILITIES {
    uint32_t asynchronous_ops : 1;
    uint32_t reserved : 31;
} ARM_CFSTORE_CAPABILITIES;

typedef struct ARM_CFSTORE_STATUS {
    uint32_t in_progress : 1; /* an operation is pending */
    uint32_t error : 1;       /* nothing is initialised */
    uint32_t reserved : 30;
} ARM_CFSTORE_STATUS;

typedef size_t ARM_CFSTORE_SIZE;
typedef void *ARM_CFSTORE_HANDLE;
typedef void (*ARM_CFSTORE_CALLBACK)(int32_t status, ARM_CFSTORE_OPCODE cmd_code, void *client_context,
                                     ARM_CFSTORE_HANDLE handle);

/* Bytes of a handle's buffer. */
#define CFSTORE_HANDLE_BUFSIZE 24
/* A handle with its buffer, empty. */
#define ARM_CFSTORE_HANDLE_INIT(handle)                                                                                  \
    uint8_t handle##_buffer[CFSTORE_HANDLE_BUFSIZE] = {0};                                                               \
    ARM_CFSTORE_HANDLE handle = (ARM_CFSTORE_HANDLE)handle##_buffer
/* Exchanges two handles, between two steps of Find. */
#define CFSTORE_HANDLE_SWAP(first, second)                                                                               \
    do {                                                                                                                 \
        ARM_CFSTORE_HANDLE cfstore_swapped = (first);                                                                    \
        (first) = (second);                                                                                              \
        (second) = cfstore_swapped;                                                                                      \
    } while (0)

typedef struct ARM_CFSTORE_DRIVER {
    ARM_DRIVER_VERSION (*GetVersion)(void);
    /* 0. Closes the handle, whatever it returns; a key that was deleted goes with its last handle. */
    int32_t (*Close)(ARM_CFSTORE_HANDLE hkey);
    /* 0. A new key with a description, its value zeros; or, with none, one that is there grows or shrinks. */
    int32_t (*Create)(const char *key_name, ARM_CFSTORE_SIZE value_len, const ARM_CFSTORE_KEYDESC *kdesc,
                      ARM_CFSTORE_HANDLE hkey);
    /* 0. Nobody opens or finds the key from now on; who has it open reads on. The handle is still to be closed. */
    int32_t (*Delete)(ARM_CFSTORE_HANDLE hkey);
    /* 0, or KEY_NOT_FOUND at the end. The first of those that fit the pattern, or the next after `previous`, which is closed;
     * in the order in which they were made. What is found can be read, named and deleted, not written. */
    int32_t (*Find)(const char *key_name_query, const ARM_CFSTORE_HANDLE previous, ARM_CFSTORE_HANDLE next);
    /* 0. */
    int32_t (*Flush)(void);
    ARM_CFSTORE_CAPABILITIES (*GetCapabilities)(void);
    /* Bytes with the NUL, clipped to the length given. */
    int32_t (*GetKeyName)(ARM_CFSTORE_HANDLE hkey, char *key_name, uint8_t *key_name_len);
    ARM_CFSTORE_STATUS (*GetStatus)(void);
    /* The length. */
    int32_t (*GetValueLen)(ARM_CFSTORE_HANDLE hkey, ARM_CFSTORE_SIZE *value_len);
    /* 0. Counted: only the first one's callback is kept. */
    int32_t (*Initialize)(ARM_CFSTORE_CALLBACK callback, void *client_context);
    /* The state. Stops nothing. */
    int32_t (*PowerControl)(ARM_POWER_STATE state);
    /* Bytes read, 0 at the end. */
    int32_t (*Read)(ARM_CFSTORE_HANDLE hkey, void *data, ARM_CFSTORE_SIZE *len);
    /* 0. Neither read nor write: read. */
    int32_t (*Open)(const char *key_name, ARM_CFSTORE_FMODE flags, ARM_CFSTORE_HANDLE hkey);
    /* The offset. */
    int32_t (*Rseek)(ARM_CFSTORE_HANDLE hkey, ARM_CFSTORE_SIZE offset);
    /* 0. The last one drops what was not flushed, and every handle. It is done whatever it returns: with contexts, an error says that
     * a delete that another had flushed, of a key that was open here, was not stored. */
    int32_t (*Uninitialize)(void);
    /* Bytes written, clipped at the value's length. */
    int32_t (*Write)(ARM_CFSTORE_HANDLE hkey, const char *data, ARM_CFSTORE_SIZE *len);
} ARM_CFSTORE_DRIVER;

extern const ARM_CFSTORE_DRIVER cfstore_driver;

/* Lockstone's own. */
#define LOCKSTONE_CFSTORE_ASYNCHRONOUS (1u << 0)
#define LOCKSTONE_CFSTORE_DURABLE_AT_CLOSE (1u << 1)

/* How it works from the next first Initialize on; 0, or a LOCKSTONE_E_* code: BUSY while it is initialised. */
int32_t lockstone_cfstore_configure(uint32_t mode);
/* In the asynchronous mode: does what is pending, of one context, the next one that has something, and calls back. 1, or 0 if there
 * was nothing to do. */
int32_t lockstone_cfstore_poll(void);

#ifndef LOCKSTONE_NO_CFSTORE_MUX
/*
 * Contexts, for clients in one program that know nothing of each other (feature `cfstore-mux`). Each is a driver with a mode, a
 * callback, a count of Initialize, handles and a pending operation of its own: one may be blocking while another is asynchronous. A
 * handle of one is INVALID_HANDLE to another; the last Uninitialize of one closes its handles. The keys are the same, under the same
 * rights: it is the `client` hook that says whose they are.
 *
 * A Flush stores what its context wrote, and the last Uninitialize of a context takes back what it has not flushed. All see the same
 * meanwhile. A key that two contexts wrote, or that one deleted and another made again, is stored by the first Flush of either, unless
 * the other wrote it and has it open for writing; what one leaves unflushed and another has open is that one's from there on.
 *
 * What one deleted and flushed while another has it open is deleted in the store when that one closes it, or goes. What one deleted is
 * gone for all with its last handle, with what another wrote and had not flushed. A Close that stores stores what a Flush would.
 */
#define LOCKSTONE_CFSTORE_CONTEXTS 4u

/* The driver of a context, from 0 on, which is cfstore_driver; null behind the last. */
const ARM_CFSTORE_DRIVER *lockstone_cfstore_context(uint32_t number);
/* lockstone_cfstore_configure of a context. */
int32_t lockstone_cfstore_configure_context(uint32_t number, uint32_t mode);
#endif

#ifdef __cplusplus
}
#endif

#endif
