/*
 * PSA Internal Trusted Storage 1.0 over Lockstone: small assets, sealed, protected from replay by the platform's counter.
 *
 * Each call is atomic under power cuts and durable when it returns. Nothing need be initialised on a host; elsewhere
 * lockstone_open comes first. In a linked library there is no isolation: whose assets are meant is what the platform's client
 * hook says.
 */
#ifndef PSA_INTERNAL_TRUSTED_STORAGE_H
#define PSA_INTERNAL_TRUSTED_STORAGE_H

#include "psa/error.h"
#include "psa/storage_common.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PSA_ITS_API_VERSION_MAJOR 1
#define PSA_ITS_API_VERSION_MINOR 0

/*
 * Replaces the whole asset, its flags too. p_data may be null when data_length is 0.
 * NOT_PERMITTED: it is write-once. NOT_SUPPORTED: a flag that is not known, or the counter that it needs is not there.
 * INSUFFICIENT_STORAGE. STORAGE_FAILURE. INVALID_ARGUMENT: uid 0, or no data.
 */
psa_status_t psa_its_set(psa_storage_uid_t uid, size_t data_length, const void *p_data,
                         psa_storage_create_flags_t create_flags);

/*
 * Copies data_size bytes from data_offset on, or as many as there are, and says how many.
 * DOES_NOT_EXIST. STORAGE_FAILURE: also when it is damaged, forged or rolled back. INVALID_ARGUMENT: uid 0, no buffer, or
 * an offset behind the end.
 */
psa_status_t psa_its_get(psa_storage_uid_t uid, size_t data_offset, size_t data_size, void *p_data,
                         size_t *p_data_length);

/* Errors as psa_its_get. */
psa_status_t psa_its_get_info(psa_storage_uid_t uid, struct psa_storage_info_t *p_info);

/* DOES_NOT_EXIST. INVALID_ARGUMENT: uid 0. NOT_PERMITTED: it is write-once. STORAGE_FAILURE. */
psa_status_t psa_its_remove(psa_storage_uid_t uid);

#ifdef __cplusplus
}
#endif

#endif
