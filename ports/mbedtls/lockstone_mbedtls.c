/*
 * What stands in for psa_its_file.c in a ready libmbedcrypto.a, whose calls were renamed as symbols.txt says. Mbed TLS that was built
 * with that file has its own idea of psa_storage_info_t: 8 bytes, where PSA's has 12 or 24, so that the functions of the standard,
 * called directly, would write beyond it. Built without MBEDTLS_PSA_ITS_FILE_C it calls those by itself, and this is not needed.
 */
#include "psa/internal_trusted_storage.h"

/* As in psa_crypto_its.h of Mbed TLS 2.28 and 3. */
struct their_info {
    uint32_t size;
    psa_storage_create_flags_t flags;
};

psa_status_t lockstone_mbedtls_set(psa_storage_uid_t uid, uint32_t length, const void *data, psa_storage_create_flags_t flags);
psa_status_t lockstone_mbedtls_get(psa_storage_uid_t uid, uint32_t offset, uint32_t size, void *data, size_t *length);
psa_status_t lockstone_mbedtls_get_info(psa_storage_uid_t uid, struct their_info *info);
psa_status_t lockstone_mbedtls_remove(psa_storage_uid_t uid);

psa_status_t lockstone_mbedtls_set(psa_storage_uid_t uid, uint32_t length, const void *data, psa_storage_create_flags_t flags) {
    return psa_its_set(uid, length, data, flags);
}

psa_status_t lockstone_mbedtls_get(psa_storage_uid_t uid, uint32_t offset, uint32_t size, void *data, size_t *length) {
    return psa_its_get(uid, offset, size, data, length);
}

psa_status_t lockstone_mbedtls_get_info(psa_storage_uid_t uid, struct their_info *info) {
    struct psa_storage_info_t found;
    psa_status_t status = psa_its_get_info(uid, &found);
    if (status == PSA_SUCCESS) {
        info->size = (uint32_t)found.size;
        info->flags = found.flags;
    }
    return status;
}

psa_status_t lockstone_mbedtls_remove(psa_storage_uid_t uid) {
    return psa_its_remove(uid);
}
