/*
 * A store from C, without an operating system: a boot counter, a serial number that nobody changes, and a session key under PSA
 * Internal Trusted Storage that each start replaces.
 */
#include "board.h"

#include <psa/internal_trusted_storage.h>

/* About half as many heads as there will be keys; no room for PSA's reservations, nor for CFSTORE. */
#define HEADS 50
#define SESSION_KEY 17

static uint64_t ram[LOCKSTONE_MEMORY_SIZE(HEADS, BOARD_FLASH_SIZE, 0, 0) / 8 + 1];

/* Formats a flash that is blank, and nothing else. */
static int32_t open_store(void) {
    lockstone_platform platform;
    lockstone_memory memory = {ram, sizeof(ram), HEADS, 0, 0};
    int32_t status;
    if (board_platform(&platform) != 0) {
        return LOCKSTONE_E_FLASH;
    }
    status = lockstone_open(&platform, &memory);
    return status == LOCKSTONE_E_BLANK ? lockstone_format(&platform, &memory) : status;
}

/* Counts the start: when it returned 0, no power cut takes it back. */
static int32_t count_boot(uint32_t *boots) {
    int32_t status = lockstone_get("boots", boots, sizeof(*boots), NULL);
    if (status != 0 && status != LOCKSTONE_E_NOT_FOUND) {
        return status;
    }
    ++*boots;
    return lockstone_put("boots", boots, sizeof(*boots), 0);
}

/* The factory writes it once; whoever tries again is refused. */
static int32_t keep_serial(void) {
    static const char serial[] = "LS-000017";
    int32_t status = lockstone_put("serial", serial, sizeof(serial), LOCKSTONE_WRITE_ONCE);
    char found[sizeof(serial)] = {0};
    if (status == LOCKSTONE_E_NOT_PERMITTED) {
        say("the serial number stays\n");
    } else if (status == 0) {
        say("factory: a serial number\n");
    } else {
        return status;
    }
    status = lockstone_get("serial", found, sizeof(found), NULL);
    say(found);
    say("\n");
    return status;
}

/* The key of the last start is read, and replaced in one step. */
static psa_status_t renew_session_key(uint32_t boots) {
    uint8_t key[32] = {0};
    size_t length = 0, index;
    psa_status_t status = psa_its_get(SESSION_KEY, 0, sizeof(key), key, &length);
    if (status == PSA_SUCCESS) {
        for (index = 0; index < length; index++) {
            if (key[index] != (uint8_t)(boots - 1)) {
                return PSA_ERROR_DATA_CORRUPT;
            }
        }
        say_number("session key of start ", key[0], "");
        say_number(": ", (uint32_t)length, " bytes\n");
    } else if (status == PSA_ERROR_DOES_NOT_EXIST) {
        say("no session key yet\n");
    } else {
        return status;
    }
    for (index = 0; index < sizeof(key); index++) {
        key[index] = (uint8_t)boots;
    }
    return psa_its_set(SESSION_KEY, sizeof(key), key, PSA_STORAGE_FLAG_NONE);
}

int main(void) {
    uint32_t boots = 0;
    int32_t status = open_store();
    if (status == 0) {
        status = count_boot(&boots);
        say_number("boot ", boots, "\n");
    }
    if (status == 0) {
        status = keep_serial();
    }
    if (status == 0) {
        status = renew_session_key(boots);
    }
    if (status != 0) {
        say_number("failed: -", (uint32_t)-status, "\n");
        return 1;
    }
    return lockstone_close() == 0 ? 0 : 1; /* not to call it would be as safe */
}
