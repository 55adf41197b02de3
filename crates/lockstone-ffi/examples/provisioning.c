/*
 * Provisioning: a device gets its identity once, in the factory; in the field nobody changes it.
 *
 * The certificate and the serial number are write-once and bound to the counter, so no older flash brings another one back.
 */
#include <lockstone.h>
#include <stdio.h>
#include <string.h>

static const char certificate[] = "-----BEGIN CERTIFICATE-----\n(about a kilobyte of it)\n-----END CERTIFICATE-----\n";

int main(void) {
    char found[1024];
    size_t length = 0;
    int32_t status = lockstone_get("id/certificate", found, sizeof(found), &length);
    if (status == LOCKSTONE_E_NOT_FOUND) {
        status = lockstone_put("id/serial", "LS-0042", 7, LOCKSTONE_WRITE_ONCE);
        if (status == 0) {
            status = lockstone_put("id/certificate", certificate, sizeof(certificate) - 1, LOCKSTONE_WRITE_ONCE);
        }
        if (status == 0) {
            puts("provisioned");
            status = lockstone_get("id/certificate", found, sizeof(found), &length);
        }
    }
    if (status != 0 || length != sizeof(certificate) - 1 || memcmp(found, certificate, length) != 0) {
        fprintf(stderr, "no identity: %d\n", (int)status);
        return 1;
    }
    if (lockstone_put("id/serial", "LS-6666", 7, 0) != LOCKSTONE_E_NOT_PERMITTED ||
        lockstone_delete("id/certificate") != LOCKSTONE_E_NOT_PERMITTED) {
        fputs("the identity was changed\n", stderr);
        return 1;
    }
    printf("a certificate of %lu bytes, for good\n", (unsigned long)length);
    return lockstone_close() == 0 ? 0 : 1;
}
