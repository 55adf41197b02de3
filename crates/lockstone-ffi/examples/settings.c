/* Settings in CFSTORE: several keys change together, and all of them can be listed. */
#include <configuration_store.h>
#include <stdio.h>
#include <string.h>

static const ARM_CFSTORE_DRIVER *const store = &cfstore_driver;

static int32_t set(const char *name, const char *value) {
    ARM_CFSTORE_KEYDESC how;
    ARM_CFSTORE_FMODE writing;
    ARM_CFSTORE_SIZE length = strlen(value);
    int32_t status;
    ARM_CFSTORE_HANDLE_INIT(key);
    memset(&how, 0, sizeof(how));
    memset(&writing, 0, sizeof(writing));
    writing.write = 1;
    status = store->Create(name, length, &how, key);
    if (status == ARM_CFSTORE_DRIVER_ERROR_PREEXISTING_KEY) {
        status = store->Create(name, length, NULL, key); /* the length of the new value */
    }
    if (status < 0) {
        return status;
    }
    status = store->Write(key, value, &length);
    {
        int32_t closed = store->Close(key);
        return status < 0 ? status : closed;
    }
}

int main(void) {
    unsigned listed = 0;
    ARM_CFSTORE_HANDLE_INIT(previous);
    ARM_CFSTORE_HANDLE_INIT(next);
    if (store->Initialize(NULL, NULL) < 0) {
        return 1;
    }
    if (set("net.host", "broker.example") < 0 || set("net.port", "8883") < 0 || set("led", "on") < 0 ||
        store->Flush() < 0) { /* all of them, or after a power cut none */
        return 1;
    }
    while (store->Find("net.*", previous, next) == 0) {
        char name[CFSTORE_KEY_NAME_MAX_LENGTH + 1];
        char value[32];
        uint8_t size = (uint8_t)sizeof(name);
        ARM_CFSTORE_SIZE length = sizeof(value);
        if (store->GetKeyName(next, name, &size) < 0 || store->Read(next, value, &length) < 0) {
            return 1;
        }
        printf("%s = %.*s\n", name, (int)length, value);
        listed++;
        CFSTORE_HANDLE_SWAP(previous, next);
    }
    return store->Uninitialize() < 0 || listed != 2;
}
