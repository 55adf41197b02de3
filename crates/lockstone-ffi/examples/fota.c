/*
 * Firmware over the air with CFSTORE: an image in keys of 4 KiB, each stored as it arrives, and a head that makes it count.
 *
 * Every piece is flushed when it is closed, so RAM holds one piece at a time and a restart goes on where the last one ended.
 * The head comes last, protected from roll-back. (Images of hundreds of kilobytes belong into objects: see the Rust API.)
 */
#include <configuration_store.h>
#include <stdio.h>
#include <string.h>

#define PIECE 4096u
#define PIECES 12u

static const ARM_CFSTORE_DRIVER *const store = &cfstore_driver;

/* What the network would bring. */
static void fetch(unsigned number, char *piece) {
    unsigned index;
    for (index = 0; index < PIECE; index++) {
        piece[index] = (char)(number * 31u + index * 7u);
    }
}

static unsigned long sum(unsigned long so_far, const char *piece) {
    unsigned index;
    for (index = 0; index < PIECE; index++) {
        so_far = (so_far * 33u + (unsigned char)piece[index]) & 0xffffffffu;
    }
    return so_far;
}

static int32_t keep(const char *name, const char *value, ARM_CFSTORE_SIZE length, int is_head) {
    ARM_CFSTORE_KEYDESC how;
    int32_t status;
    ARM_CFSTORE_HANDLE_INIT(key);
    memset(&how, 0, sizeof(how));
    how.flags.flush_on_close = 1;
    how.security.rollback_protection = is_head ? 1u : 0u;
    status = store->Create(name, length, &how, key);
    if (status < 0) {
        return status;
    }
    status = store->Write(key, value, &length);
    {
        int32_t closed = store->Close(key); /* whatever Write said, or the handle stays open */
        return status < 0 ? status : closed;
    }
}

/* Fetches what is missing, but stops after so many pieces, as a device does that loses its power. */
static int32_t download(unsigned most, unsigned *fetched) {
    static char piece[PIECE];
    unsigned long digest = 0;
    unsigned number;
    char name[24];
    *fetched = 0;
    for (number = 0; number < PIECES; number++) {
        ARM_CFSTORE_FMODE reading;
        ARM_CFSTORE_SIZE length = PIECE;
        int32_t status;
        ARM_CFSTORE_HANDLE_INIT(key);
        memset(&reading, 0, sizeof(reading));
        sprintf(name, "fota.%03u", number);
        status = store->Open(name, reading, key);
        if (status == 0) {
            status = store->Read(key, piece, &length);
            (void)store->Close(key);
            if (status >= 0 && length != PIECE) {
                return ARM_DRIVER_ERROR;
            }
        } else if (status == ARM_CFSTORE_DRIVER_ERROR_KEY_NOT_FOUND) {
            if (*fetched == most) {
                return 0;
            }
            ++*fetched;
            fetch(number, piece);
            status = keep(name, piece, PIECE, 0);
        }
        if (status < 0) {
            return status;
        }
        digest = sum(digest, piece);
    }
    sprintf(name, "%lu", digest);
    return keep("fota-head", name, strlen(name), 1);
}

static unsigned clear(const char *pattern) {
    unsigned count = 0;
    ARM_CFSTORE_HANDLE_INIT(previous);
    ARM_CFSTORE_HANDLE_INIT(next);
    while (store->Find(pattern, previous, next) == 0) {
        (void)store->Delete(next);
        CFSTORE_HANDLE_SWAP(previous, next);
        count++;
    }
    return count;
}

int main(void) {
    unsigned fetched = 0;
    unsigned sessions = 0;
    unsigned all = 0;
    ARM_CFSTORE_HANDLE_INIT(head);
    ARM_CFSTORE_FMODE reading;
    memset(&reading, 0, sizeof(reading));
    do {
        if (store->Initialize(NULL, NULL) < 0 || download(5, &fetched) < 0 || store->Uninitialize() < 0) {
            return 1;
        }
        all += fetched;
        sessions++;
    } while (fetched == 5);
    printf("%u pieces in %u sessions\n", all, sessions);
    if (store->Initialize(NULL, NULL) < 0 || store->Open("fota-head", reading, head) < 0 || store->Close(head) < 0) {
        return 1;
    }
    return all == PIECES && clear("fota*") == PIECES + 1 && store->Flush() == 0 && store->Uninitialize() == 0 ? 0 : 1;
}
