/*
 * Keys derived in software, with Ascon-XOF128: key = XOF("lockstone root key derivation 01" | root | label).
 *
 * Nothing here branches on, or indexes by, what is secret.
 */
#include "lockstone_soft_key.h"

typedef struct xof {
    uint64_t state[5];
    uint64_t between[5]; /* the state in the midst of a round: as secret, and here so that it is wiped too */
    unsigned filled;     /* bytes absorbed into, or given from, the present block of eight */
} xof;

static uint64_t turned(uint64_t word, unsigned by) {
    return word >> by | word << (64 - by);
}

/* Twelve rounds (SP 800-232, 3): a constant, 64 S-boxes side by side, and a linear layer. */
static void permute(xof *sponge) {
    volatile uint64_t *s = sponge->state, *t = sponge->between; /* volatile: no copy of the state on the stack */
    uint64_t constant;
    for (constant = 0xf0; constant >= 0x4b; constant -= 0x0f) {
        unsigned index;
        s[2] ^= constant;
        s[0] ^= s[4];
        s[4] ^= s[3];
        s[2] ^= s[1];
        for (index = 0; index < 5; index++) {
            t[index] = s[index] ^ (~s[(index + 1) % 5] & s[(index + 2) % 5]);
        }
        t[1] ^= t[0];
        t[0] ^= t[4];
        t[3] ^= t[2];
        t[2] = ~t[2];
        s[0] = t[0] ^ turned(t[0], 19) ^ turned(t[0], 28);
        s[1] = t[1] ^ turned(t[1], 61) ^ turned(t[1], 39);
        s[2] = t[2] ^ turned(t[2], 1) ^ turned(t[2], 6);
        s[3] = t[3] ^ turned(t[3], 10) ^ turned(t[3], 17);
        s[4] = t[4] ^ turned(t[4], 7) ^ turned(t[4], 41);
    }
}

static void next_byte(xof *sponge) {
    sponge->filled = (sponge->filled + 1) % 8;
    if (sponge->filled == 0) {
        permute(sponge);
    }
}

static void absorb(xof *sponge, const uint8_t *bytes, size_t length) {
    size_t index;
    for (index = 0; index < length; index++) {
        sponge->state[0] ^= (uint64_t)bytes[index] << 8 * sponge->filled;
        next_byte(sponge);
    }
}

void lockstone_soft_key_derive(const uint8_t root[32], const uint8_t *label, size_t length, uint8_t key[32]) {
    static const char purpose[] = "lockstone root key derivation 01";
    xof sponge = {{0x0000080000cc0003u, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, 0};
    volatile uint64_t *state = sponge.state, *between = sponge.between;
    unsigned index;
    permute(&sponge);
    absorb(&sponge, (const uint8_t *)purpose, sizeof(purpose) - 1);
    absorb(&sponge, root, 32);
    absorb(&sponge, label, length);
    sponge.state[0] ^= (uint64_t)1 << 8 * sponge.filled; /* the padding: a one, and zeros to the end of the block */
    sponge.filled = 0;
    permute(&sponge);
    for (index = 0; index < 32; index++) {
        key[index] = (uint8_t)(sponge.state[0] >> 8 * sponge.filled);
        next_byte(&sponge);
    }
    for (index = 0; index < 5; index++) {
        state[index] = 0;
        between[index] = 0;
    }
}
