/* Derives a key on a stack of our own, and looks through that for what the sponge held at its end. */
#include "../soft-key/lockstone_soft_key.c"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static uint64_t stack[8192];
static const uint8_t root[32] = {1, 2, 3}, label[4] = {9};
static uint8_t key[32];

static void *derive(void *unused) {
    lockstone_soft_key_derive(root, label, sizeof(label), key);
    return unused;
}

/* The state behind the last byte, and in the midst of the last round, as the key's bytes let it be computed again. */
static xof last(void) {
    static const char purpose[] = "lockstone root key derivation 01";
    xof sponge = {{0x0000080000cc0003u, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, 0};
    unsigned index;
    permute(&sponge);
    absorb(&sponge, (const uint8_t *)purpose, sizeof(purpose) - 1);
    absorb(&sponge, root, sizeof(root));
    absorb(&sponge, label, sizeof(label));
    sponge.state[0] ^= (uint64_t)1 << 8 * sponge.filled;
    sponge.filled = 0;
    permute(&sponge);
    for (index = 0; index < 32; index++) {
        if (key[index] != (uint8_t)(sponge.state[0] >> 8 * sponge.filled)) {
            fprintf(stderr, "byte %u of the key is another\n", index);
        }
        next_byte(&sponge);
    }
    return sponge;
}

int main(void) {
    pthread_t thread;
    pthread_attr_t how;
    size_t place, used = 0, found = 0;
    xof sought;
    if (pthread_attr_init(&how) != 0 || pthread_attr_setstack(&how, stack, sizeof(stack)) != 0 ||
        pthread_create(&thread, &how, derive, NULL) != 0 || pthread_join(thread, NULL) != 0) {
        fprintf(stderr, "no thread\n");
        return 1;
    }
    sought = last();
    for (place = 0; place < sizeof(stack) / sizeof(stack[0]); place++) {
        unsigned word;
        used += stack[place] != 0;
        for (word = 0; word < 5; word++) {
            found += stack[place] == sought.state[word] || stack[place] == sought.between[word];
        }
    }
    if (used == 0 || found != 0) {
        fprintf(stderr, "of %u words of stack, %u are of the sponge\n", (unsigned)used, (unsigned)found);
        return 1;
    }
    return 0;
}
