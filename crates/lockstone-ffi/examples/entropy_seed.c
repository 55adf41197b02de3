/*
 * An entropy seed over restarts: read the seed, replace it at once, and only then use it.
 *
 * A seed that is used twice is worth nothing, so the new one must be stored before the old one is used, and no older image
 * of the flash may bring the old one back: the asset is protected from replay.
 */
#include <psa/protected_storage.h>
#include <stdio.h>
#include <string.h>

#define SEED 64u
#define UID 0x5eedu

/* Stands for the generator of the system: mixes what it is given. */
static void stir(unsigned char *pool, const unsigned char *more) {
    unsigned index;
    for (index = 0; index < SEED; index++) {
        pool[index] = (unsigned char)((pool[index] ^ more[index]) * 167u + index + 1u);
    }
}

/* At each start. */
static psa_status_t start(unsigned char *pool) {
    unsigned char seed[SEED];
    unsigned char next[SEED];
    size_t length = 0;
    psa_status_t status = psa_ps_get(UID, 0, sizeof(seed), seed, &length);
    if (status == PSA_ERROR_DOES_NOT_EXIST) {
        memset(seed, 0, sizeof(seed)); /* the first start: the system's own entropy is all there is */
        length = SEED;
    } else if (status != PSA_SUCCESS) {
        return status;
    }
    if (length != SEED) {
        return PSA_ERROR_DATA_INVALID;
    }
    stir(pool, seed);
    memcpy(next, pool, sizeof(next));
    stir(next, seed);
    status = psa_ps_set(UID, sizeof(next), next, PSA_STORAGE_FLAG_NONE);
    memset(seed, 0, sizeof(seed));
    memset(next, 0, sizeof(next));
    return status;
}

int main(void) {
    unsigned char first[SEED] = {1};
    unsigned char second[SEED] = {1};
    if (start(first) != PSA_SUCCESS || start(second) != PSA_SUCCESS) {
        return 1;
    }
    if (memcmp(first, second, SEED) == 0) {
        fputs("the same seed twice\n", stderr);
        return 1;
    }
    puts("no seed was used twice");
    return 0;
}
