/*
 * PSA Protected Storage 1.0 over Lockstone: assets on flash that an attacker may read and write. See
 * psa/internal_trusted_storage.h for what both promise.
 */
#ifndef PSA_PROTECTED_STORAGE_H
#define PSA_PROTECTED_STORAGE_H

#include "psa/error.h"
#include "psa/storage_common.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PSA_PS_API_VERSION_MAJOR 1
#define PSA_PS_API_VERSION_MINOR 0

/* As psa_its_set, and GENERIC_ERROR. */
psa_status_t psa_ps_set(psa_storage_uid_t uid, size_t data_length, const void *p_data,
                        psa_storage_create_flags_t create_flags);

/*
 * As psa_its_get, and GENERIC_ERROR, DATA_CORRUPT (damaged or forged), INVALID_SIGNATURE (rolled back, or another key's).
 */
psa_status_t psa_ps_get(psa_storage_uid_t uid, size_t data_offset, size_t data_size, void *p_data,
                        size_t *p_data_length);

/* Errors as psa_ps_get. */
psa_status_t psa_ps_get_info(psa_storage_uid_t uid, struct psa_storage_info_t *p_info);

/* As psa_its_remove, and GENERIC_ERROR. */
psa_status_t psa_ps_remove(psa_storage_uid_t uid);

/*
 * Makes an empty asset that may grow to `capacity` bytes. The room is reserved: psa_ps_set_extended finds it on a full store
 * too. INSUFFICIENT_STORAGE, also for more than the memory that was handed in allows. NOT_SUPPORTED: write-once, an unknown
 * flag, or no memory for it. INVALID_ARGUMENT: uid 0. ALREADY_EXISTS. STORAGE_FAILURE. GENERIC_ERROR.
 */
psa_status_t psa_ps_create(psa_storage_uid_t uid, size_t capacity, psa_storage_create_flags_t create_flags);

/*
 * Writes into an asset, without gaps and within its capacity.
 * INVALID_ARGUMENT: uid 0, no data, or a range that begins behind the end or goes beyond the capacity. DOES_NOT_EXIST.
 * NOT_PERMITTED: it is write-once. NOT_SUPPORTED: it is larger than the memory that was handed in. GENERIC_ERROR: an asset
 * that was set, not created, has nothing reserved and finds no room. STORAGE_FAILURE, DATA_CORRUPT, INVALID_SIGNATURE.
 */
psa_status_t psa_ps_set_extended(psa_storage_uid_t uid, size_t data_offset, size_t data_length, const void *p_data);

/* PSA_STORAGE_SUPPORT_SET_EXTENDED, or 0. */
uint32_t psa_ps_get_support(void);

#ifdef __cplusplus
}
#endif

#endif
