/* Holds the keys that ports/soft-key derives against the table of soft_key.txt, on standard input. */
#include <lockstone_soft_key.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    uint8_t root[32], label[256], key[32];
    char line[256], wanted[65], seen[65];
    unsigned length, index, lines = 0;
    for (index = 0; index < sizeof(label); index++) {
        label[index] = (uint8_t)index;
    }
    memcpy(root, label, sizeof(root));
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (line[0] == '#') {
            continue;
        }
        if (sscanf(line, "%u %64s", &length, wanted) != 2 || length >= sizeof(label)) {
            fprintf(stderr, "not a line of the table: %s", line);
            return 1;
        }
        lockstone_soft_key_derive(root, label, length, key);
        for (index = 0; index < sizeof(key); index++) {
            sprintf(&seen[2 * index], "%02x", key[index]);
        }
        if (strcmp(seen, wanted) != 0) {
            fprintf(stderr, "label of %u bytes: %s, not %s\n", length, seen, wanted);
            return 1;
        }
        lines++;
    }
    printf("soft-key: %u keys as SoftRootKey derives them\n", lines);
    return lines < 10;
}
