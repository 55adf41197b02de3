/* What PSA Internal Trusted Storage and Protected Storage share (Secure Storage 1.0). */
#ifndef PSA_STORAGE_COMMON_H
#define PSA_STORAGE_COMMON_H

#include <stddef.h>
#include <stdint.h>

/* Names an asset within its caller's own space. Every value but 0. */
typedef uint64_t psa_storage_uid_t;

/* A set of the flags below. */
typedef uint32_t psa_storage_create_flags_t;

#define PSA_STORAGE_FLAG_NONE 0u
/* Never changed, extended or removed again. */
#define PSA_STORAGE_FLAG_WRITE_ONCE (1u << 0)
/* Stored in the clear, still authenticated and protected from replay. */
#define PSA_STORAGE_FLAG_NO_CONFIDENTIALITY (1u << 1)
/* Takes no step of the counter: whoever puts an older image of the flash back may undo it unnoticed. */
#define PSA_STORAGE_FLAG_NO_REPLAY_PROTECTION (1u << 2)

/* psa_ps_create and psa_ps_set_extended work. */
#define PSA_STORAGE_SUPPORT_SET_EXTENDED (1u << 0)

struct psa_storage_info_t {
    size_t capacity; /* bytes that the asset may have */
    size_t size;     /* bytes that it has */
    psa_storage_create_flags_t flags;
};

#endif
