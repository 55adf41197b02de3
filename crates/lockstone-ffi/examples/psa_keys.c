/*
 * A persistent key as a crypto library keeps it: one asset of Internal Trusted Storage per key, with a small head.
 *
 * Mbed TLS and TF-PSA-Crypto do this by themselves once they are linked with this library in place of their file back-end.
 */
#include <psa/internal_trusted_storage.h>
#include <stdio.h>
#include <string.h>

struct stored_key {
    uint8_t magic[8];
    uint32_t lifetime;
    uint32_t length;
    uint8_t material[2350]; /* RSA-4096 */
};

static psa_status_t save(psa_storage_uid_t id, const struct stored_key *key) {
    struct psa_storage_info_t info;
    psa_status_t status = psa_its_get_info(id, &info);
    if (status == PSA_SUCCESS) {
        return PSA_ERROR_ALREADY_EXISTS;
    }
    if (status != PSA_ERROR_DOES_NOT_EXIST) {
        return status;
    }
    status = psa_its_set(id, sizeof(*key), key, PSA_STORAGE_FLAG_NONE);
    if (status == PSA_SUCCESS) {
        status = psa_its_get_info(id, &info); /* believe it when it is there */
    }
    return status == PSA_SUCCESS && info.size != sizeof(*key) ? PSA_ERROR_STORAGE_FAILURE : status;
}

int main(void) {
    static struct stored_key key;
    static struct stored_key again;
    size_t length = 0;
    psa_status_t status;
    memcpy(key.magic, "EXAMPLE", 8);
    key.length = sizeof(key.material);
    memset(key.material, 0x5c, sizeof(key.material));
    (void)psa_its_remove(0x12345);
    status = save(0x12345, &key);
    if (status == PSA_SUCCESS) {
        status = psa_its_get(0x12345, 0, sizeof(again), &again, &length);
    }
    if (status != PSA_SUCCESS || length != sizeof(key) || memcmp(&key, &again, sizeof(key)) != 0) {
        fprintf(stderr, "the key is not there: %d\n", (int)status);
        return 1;
    }
    if (save(0x12345, &key) != PSA_ERROR_ALREADY_EXISTS) {
        return 1;
    }
    printf("a key of %lu bytes is kept\n", (unsigned long)length);
    return psa_its_remove(0x12345) == PSA_SUCCESS ? 0 : 1;
}
