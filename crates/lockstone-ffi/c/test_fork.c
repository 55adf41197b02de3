/* A child of the process that has the device open gets nothing of it, and what the parent was told is true. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "configuration_store.h"
#include "psa/internal_trusted_storage.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned char value[400] = {1};
static unsigned char found[400];

/* How many of the calls of a child are not as they should be. */
static int child(void) {
    size_t length;
    int bad = 0;
    unsigned uid;
    ARM_CFSTORE_HANDLE_INIT(h);
    ARM_CFSTORE_KEYDESC how;
    memset(&how, 0, sizeof(how));
    bad += psa_its_get(1, 0, sizeof(found), found, &length) != PSA_ERROR_STORAGE_FAILURE;
    for (uid = 0; uid < 10; uid++) {
        bad += psa_its_set(2000 + uid, sizeof(value), value, PSA_STORAGE_FLAG_NONE) != PSA_ERROR_STORAGE_FAILURE;
    }
    bad += lockstone_put("a", "b", 1, 0) != LOCKSTONE_E_DEVICE;
    bad += cfstore_driver.Create("k", 1, &how, h) != ARM_CFSTORE_DRIVER_ERROR_UNINITIALISED;
    bad += lockstone_close() != LOCKSTONE_E_NOT_OPEN;
    return bad;
}

int main(void) {
    unsigned round;
    unsigned uid;
    size_t length;
    CHECK_IS(lockstone_open_device("forked"), 0);
    CHECK_IS(cfstore_driver.Initialize(NULL, NULL), 0);
    CHECK_IS(psa_its_set(1, sizeof(value), value, PSA_STORAGE_FLAG_NONE), PSA_SUCCESS);
    for (round = 0; round < 3; round++) {
        int status = -1;
        pid_t process = fork();
        if (process == 0) {
            _exit(child());
        }
        CHECK(process > 0);
        for (uid = 0; uid < 10; uid++) {
            CHECK_IS(psa_its_set(1000 + 10 * round + uid, sizeof(value), value, PSA_STORAGE_FLAG_NONE), PSA_SUCCESS);
        }
        CHECK_IS(waitpid(process, &status, 0), process);
        CHECK_IS(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
    }
    CHECK_IS(lockstone_close(), 0);
    CHECK_IS(lockstone_open_device("forked"), 0);
    CHECK_IS(psa_its_get(1, 0, sizeof(found), found, &length), PSA_SUCCESS);
    for (uid = 0; uid < 30; uid++) {
        CHECK_IS(psa_its_get(1000 + uid, 0, sizeof(found), found, &length), PSA_SUCCESS);
        CHECK_IS(psa_its_get(2000 + uid, 0, sizeof(found), found, &length), PSA_ERROR_DOES_NOT_EXIST);
    }
    /* A parent that has closed leaves the device to its child. */
    CHECK_IS(lockstone_close(), 0);
    {
        int status = -1;
        pid_t process = fork();
        if (process == 0) {
            _exit(lockstone_open_device("forked") != 0 || lockstone_put("a", "b", 1, 0) != 0 || lockstone_close() != 0);
        }
        CHECK_IS(waitpid(process, &status, 0), process);
        CHECK_IS(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
    }
    CHECK_IS(lockstone_open_device("forked"), 0);
    CHECK_IS(lockstone_get("a", found, sizeof(found), NULL), 0);
    CHECK_IS(lockstone_close(), 0);
    return summary("fork");
}
