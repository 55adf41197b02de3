/* A boot counter that survives power cuts. */
#include <lockstone_soft_key.h>
#include <lockstone_zephyr.h>
#include <zephyr/kernel.h>

/* A PRODUCT HAS ITS OWN KEY, which nobody can read: in a protected page, fuses, a key slot of its TrustZone. */
static int32_t derive_key(void *context, const uint8_t *label, size_t length, uint8_t *key) {
    static const uint8_t everybody_knows_it[32] = "lockstone sample: never ship it";
    (void)context;
    lockstone_soft_key_derive(everybody_knows_it, label, length, key);
    return 0;
}

/* Formats a partition that is blank, and nothing else. */
static int32_t open_store(void) {
    lockstone_platform platform;
    lockstone_memory memory = lockstone_zephyr_memory();
    int32_t status = lockstone_zephyr_platform(&platform);
    if (status != 0) {
        return status;
    }
    platform.derive_key = derive_key;
    status = lockstone_open(&platform, &memory);
    return status == LOCKSTONE_E_BLANK ? lockstone_format(&platform, &memory) : status;
}

int main(void) {
    uint32_t boots = 0;
    int32_t status = open_store();
    if (status == 0) {
        status = lockstone_get("boots", &boots, sizeof(boots), NULL);
        status = status == LOCKSTONE_E_NOT_FOUND ? 0 : status; /* nothing there at the first start */
    }
    if (status == 0) {
        boots++;
        status = lockstone_put("boots", &boots, sizeof(boots), 0);
    }
    if (status != 0) {
        printk("failed: %d\n", (int)status);
        return 0;
    }
    printk("boot %u\n", (unsigned)boots); /* it returned: no power cut takes it back */
    return 0;
}
