/*
 * Firmware over the air with CFSTORE, asynchronously: a client that never waits. Each step begins an operation and returns to the main
 * loop; the callback says that it ended, and the next step follows. Beside it a blocking client works on the same store, in a context of
 * its own, and neither knows of the other.
 *
 * An image is kept in keys of 4 KiB, flushed piece by piece, so that a restart goes on where the last one ended. The head comes last.
 */
#include <configuration_store.h>
#include <stdio.h>
#include <string.h>

#define PIECE 4096u
#define PIECES 10u

/* The client: where it stands, and its driver. */
typedef struct {
    const ARM_CFSTORE_DRIVER *store;
    enum { STARTING, LOOKING, STORING, FINISHING, DONE, FAILED } state;
    unsigned number; /* of the piece */
    unsigned fetched;
    unsigned stop_after; /* as a device does that loses its power */
    int called;          /* the operation that was begun has ended */
    int32_t status;
} client;

static void ended(int32_t status, ARM_CFSTORE_OPCODE opcode, void *context, ARM_CFSTORE_HANDLE key) {
    client *c = (client *)context;
    (void)key;
    /* Only Initialize and Flush end later; others have ended when they return, and call back too. */
    if (opcode == CFSTORE_OPCODE_INITIALIZE || opcode == CFSTORE_OPCODE_FLUSH) {
        c->called = 1;
        c->status = status;
    }
}

/* What the network would bring. */
static void fetch(unsigned number, char *piece) {
    unsigned index;
    for (index = 0; index < PIECE; index++) {
        piece[index] = (char)(number * 31u + index * 7u);
    }
}

static int is_there(client *c, const char *name) {
    ARM_CFSTORE_FMODE reading;
    ARM_CFSTORE_HANDLE_INIT(key);
    memset(&reading, 0, sizeof(reading));
    return c->store->Open(name, reading, key) == 0 && c->store->Close(key) == 0;
}

/* Into RAM; the Flush that follows stores it. */
static int32_t keep(client *c, const char *name, const char *value, ARM_CFSTORE_SIZE length, int is_head) {
    ARM_CFSTORE_KEYDESC how;
    int32_t status;
    ARM_CFSTORE_HANDLE_INIT(key);
    memset(&how, 0, sizeof(how));
    how.security.rollback_protection = is_head ? 1u : 0u;
    status = c->store->Create(name, length, &how, key);
    if (status >= 0) {
        int32_t closed;
        status = c->store->Write(key, value, &length);
        closed = c->store->Close(key);
        status = status < 0 ? status : closed;
    }
    return status;
}

/* Begins what comes next, if what came before has ended. */
static void step(client *c) {
    static char piece[PIECE];
    char name[24];
    int32_t status = 0;
    if (!c->called) {
        return;
    }
    if (c->status < 0) {
        c->state = FAILED;
        return;
    }
    if (c->state == STORING) {
        c->number++;
        c->state = LOOKING;
    } else if (c->state == STARTING) {
        c->state = LOOKING;
    } else if (c->state == FINISHING) {
        c->state = DONE;
        return;
    }
    sprintf(name, "fota.%03u", c->number);
    if (c->number < PIECES && is_there(c, name)) {
        c->number++; /* from before the restart; the next step looks further */
        return;
    }
    if (c->number < PIECES && c->fetched == c->stop_after) {
        c->state = DONE;
        return;
    }
    if (c->number < PIECES) {
        fetch(c->number, piece);
        c->fetched++;
        status = keep(c, name, piece, PIECE, 0);
        c->state = STORING;
    } else {
        status = keep(c, "fota-head", "10 pieces", 9, 1);
        c->state = FINISHING;
    }
    c->called = 0;
    if (status < 0 || (status = c->store->Flush()) < 0) {
        c->state = FAILED;
    }
}

/* The blocking client: counts in a key. */
static int32_t count(const ARM_CFSTORE_DRIVER *store, unsigned char *rounds) {
    ARM_CFSTORE_FMODE mode;
    ARM_CFSTORE_SIZE length = 1;
    int32_t status;
    ARM_CFSTORE_HANDLE_INIT(key);
    memset(&mode, 0, sizeof(mode));
    mode.read = mode.write = 1;
    if (store->Open("rounds", mode, key) < 0) {
        ARM_CFSTORE_KEYDESC how;
        memset(&how, 0, sizeof(how));
        *rounds = 0;
        if ((status = store->Create("rounds", 1, &how, key)) < 0) {
            return status;
        }
    } else if (store->Read(key, rounds, &length) != 1) {
        return ARM_DRIVER_ERROR;
    }
    ++*rounds;
    length = 1;
    if ((status = store->Write(key, (const char *)rounds, &length)) < 0 || (status = store->Close(key)) < 0) {
        return status;
    }
    return store->Flush();
}

/* One session, from Initialize to Uninitialize, with whatever else the main loop does. */
static int session(client *c, const ARM_CFSTORE_DRIVER *blocking, unsigned char *rounds) {
    c->state = STARTING;
    c->number = c->fetched = 0;
    c->called = 0;
    c->status = 0;
    if (c->store->Initialize(ended, c) != 0 || blocking->Initialize(NULL, NULL) < 0) {
        return 0;
    }
    while (c->state != DONE && c->state != FAILED) {
        step(c);
        /* What is pending goes first: the Flush of the other client would store it, too. */
        if (lockstone_cfstore_poll() < 0 || count(blocking, rounds) < 0) {
            return 0;
        }
    }
    return c->state == DONE && c->store->Uninitialize() == 0 && blocking->Uninitialize() == 0;
}

int main(void) {
    client c;
    const ARM_CFSTORE_DRIVER *blocking = lockstone_cfstore_context(1);
    unsigned char rounds = 0;
    unsigned sessions = 0;
    unsigned all = 0;
    memset(&c, 0, sizeof(c));
    c.store = &cfstore_driver;
    c.stop_after = 4;
    if (lockstone_cfstore_configure(LOCKSTONE_CFSTORE_ASYNCHRONOUS) != 0 || !c.store->GetCapabilities().asynchronous_ops) {
        return 1;
    }
    do {
        if (!session(&c, blocking, &rounds)) {
            return 1;
        }
        all += c.fetched;
        sessions++;
    } while (c.fetched == c.stop_after);
    printf("%u pieces in %u sessions, %u rounds of the other\n", all, sessions, (unsigned)rounds);
    if (blocking->Initialize(NULL, NULL) < 0) {
        return 1;
    }
    c.store = blocking;
    return all == PIECES && sessions == 3 && is_there(&c, "fota-head") && is_there(&c, "fota.009") && rounds > 10 &&
                   blocking->Uninitialize() == 0
               ? 0
               : 1;
}
