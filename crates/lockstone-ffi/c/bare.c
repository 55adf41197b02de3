/* A program without an operating system, linked with the library for one: nothing but the compiler's own headers and memory. */
#include "configuration_store.h"
#include "lockstone.h"
#include "lockstone_storage.h"
#include "psa/internal_trusted_storage.h"
#include "psa/protected_storage.h"

#define FLASH_SIZE (64u * 4096u)

/* A part that is mapped at some address; the drivers of a real one stand here. */
#define PART ((volatile unsigned char *)0x60000000u)

static int32_t read_part(void *context, uint32_t address, void *to, size_t length) {
    size_t index;
    (void)context;
    for (index = 0; index < length; index++) {
        ((unsigned char *)to)[index] = PART[address + index];
    }
    return 0;
}

static int32_t program_part(void *context, uint32_t address, const void *from, size_t length) {
    size_t index;
    (void)context;
    for (index = 0; index < length; index++) {
        PART[address + index] = ((const unsigned char *)from)[index];
    }
    return 0;
}

static int32_t erase_part(void *context, uint32_t address, size_t length) {
    (void)context;
    PART[address] = (unsigned char)length;
    return 0;
}

static int32_t derive_key(void *context, const uint8_t *label, size_t length, uint8_t *key) {
    (void)context;
    return read_part(context, (uint32_t)(length + label[0]), key, 32);
}

/* The system's own driver. A real one is elsewhere, and has its functions. */
static const struct _ARM_DRIVER_STORAGE Driver_Storage0 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

static uint64_t ram[LOCKSTONE_MEMORY_SIZE(64, FLASH_SIZE, 4100, 8192) / 8 + 1];

void _start(void) {
    lockstone_platform platform = {LOCKSTONE_PLATFORM_VERSION, LOCKSTONE_FLASH_IS_TRUSTED, 0, FLASH_SIZE, 4, 4096, 0xff,
                                   read_part, program_part, erase_part, derive_key, 0, 0, 0, 0, 0, 0, 0, 0};
    lockstone_memory memory = {ram, sizeof(ram), 64, 4100, 8192};
    int32_t status = lockstone_open(&platform, &memory);
    if (status == LOCKSTONE_E_BLANK) {
        status = lockstone_format(&platform, &memory); /* the application decides, never the library */
    }
    if (status == LOCKSTONE_E_FLASH) { /* elsewhere, on a driver of CMSIS-Driver Storage */
        status = lockstone_storage_open(&Driver_Storage0, 0x80000u, FLASH_SIZE, &platform, &memory);
    }
    if (status == 0) {
        status = psa_its_set(1, 4, "1234", PSA_STORAGE_FLAG_NONE) + psa_ps_create(2, 1024, PSA_STORAGE_FLAG_NONE);
    }
    if (status == 0) {
        status = cfstore_driver.Initialize(0, 0);
    }
    for (;;) {
        PART[0] = (unsigned char)status;
    }
}
