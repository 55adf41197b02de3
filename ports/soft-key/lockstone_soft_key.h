/*
 * The hook derive_key for a chip without key hardware: the root key is 32 bytes that only your code can read (fuses, a protected
 * page). It derives what `SoftRootKey` of the Rust library does, so that the command line opens an image with the same key.
 *
 * Where there is an engine that derives keys, use that instead: then the root key never leaves it.
 */
#ifndef LOCKSTONE_SOFT_KEY_H
#define LOCKSTONE_SOFT_KEY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fills `key` with 32 bytes that follow from the root key and the label: Ascon-XOF128 of NIST SP 800-232. */
void lockstone_soft_key_derive(const uint8_t root[32], const uint8_t *label, size_t length, uint8_t key[32]);

#ifdef __cplusplus
}
#endif

#endif
