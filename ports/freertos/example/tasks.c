/*
 * Two tasks with a store: a sensor that keeps its newest reading, and a network stack that keeps its session, both under a name of
 * "state". Neither knows of the other.
 */
#include "lockstone_freertos.h"

/* Yours: fills in flash, root key, and randomness for the first start, and leaves the rest as it is; see docs/c.md. */
int32_t board_platform(lockstone_platform *platform);

#define FLASH_SIZE (64u * 4096u)
#define HEADS 50
#define SENSOR 1
#define NETWORK 2
#define ROUNDS 50

static uint64_t ram[LOCKSTONE_MEMORY_SIZE(HEADS, FLASH_SIZE, 0, 0) / 8 + 1];

/* What failed last: a product reports it. */
volatile int32_t failure;

static void sensor(void *unused) {
    uint32_t reading;
    (void)unused;
    for (reading = 1; reading <= ROUNDS && failure == 0; reading++) {
        int32_t status = lockstone_put("state", &reading, sizeof(reading), 0);
        if (status != 0) {
            failure = status;
        }
        vTaskDelay(1);
    }
    vTaskDelete(NULL);
}

static void network(void *unused) {
    uint8_t session[40] = {0};
    (void)unused;
    for (session[0] = 1; session[0] <= ROUNDS && failure == 0; session[0]++) {
        size_t length = 0;
        uint8_t found[sizeof(session)];
        int32_t status = lockstone_put("state", session, sizeof(session), 0);
        if (status == 0) {
            status = lockstone_get("state", found, sizeof(found), &length);
        }
        if (status == 0 && (length != sizeof(found) || found[0] != session[0])) {
            status = LOCKSTONE_E_DAMAGED; /* somebody else wrote it, which can't be */
        }
        if (status != 0) {
            failure = status;
        }
    }
    vTaskDelete(NULL);
}

/* Formats a flash that is blank, and nothing else. */
static int32_t open_store(void) {
    lockstone_platform platform;
    lockstone_memory memory = {ram, sizeof(ram), HEADS, 0, 0};
    int32_t status;
    lockstone_freertos_platform(&platform);
    status = board_platform(&platform);
    if (status != 0) {
        return status;
    }
    status = lockstone_open(&platform, &memory);
    return status == LOCKSTONE_E_BLANK ? lockstone_format(&platform, &memory) : status;
}

/* A call takes up to 4.3 kB of stack: see docs/footprint.md. The unit here is words. */
#define STACK 1280

static int32_t start(TaskFunction_t function, const char *name, UBaseType_t priority, int32_t number) {
    TaskHandle_t task;
    if (xTaskCreate(function, name, STACK, NULL, priority, &task) != pdPASS) {
        return LOCKSTONE_E_OUT_OF_MEMORY;
    }
    lockstone_freertos_set_client(task, number);
    return 0;
}

/*
 * The first task opens the store: before the scheduler runs, FreeRTOS has interrupts masked once anything was asked of it, and a flash
 * driver may wait for one. Its priority is above those of the tasks that it makes, so none runs before it has its number.
 */
static void boundary(void *unused) {
    int32_t status = open_store();
    (void)unused;
    if (status == 0) {
        status = start(sensor, "sensor", 2, SENSOR);
    }
    if (status == 0) {
        status = start(network, "network", 1, NETWORK);
    }
    if (status != 0) {
        failure = status;
    }
    vTaskDelete(NULL);
}

int main(void) {
    if (xTaskCreate(boundary, "boundary", STACK, NULL, 3, NULL) == pdPASS) {
        vTaskStartScheduler();
    }
    return 1; /* only when there is no RAM for a task */
}
