/* The lock is a recursive mutex: it inherits priority, so a task that waits is not held up by those in between. */
#include "lockstone_freertos.h"

#include "semphr.h"

static StaticSemaphore_t mutex_memory;
static SemaphoreHandle_t mutex;

/* Before the scheduler runs there is one thread, and a mutex has no owner yet: nothing is locked, and it has no keys. */
static int is_alone(void) {
    return xTaskGetSchedulerState() == taskSCHEDULER_NOT_STARTED;
}

static void lock(void *context) {
    (void)context;
    if (!is_alone()) {
        (void)xSemaphoreTakeRecursive(mutex, portMAX_DELAY);
    }
}

static void unlock(void *context) {
    (void)context;
    if (!is_alone()) {
        (void)xSemaphoreGiveRecursive(mutex);
    }
}

/* The number and one: a task that nobody has assigned has a null pointer there, and so -1, which is nobody's number. */
static int32_t client(void *context) {
    (void)context;
    return is_alone() ? -1 : (int32_t)((intptr_t)pvTaskGetThreadLocalStoragePointer(NULL, LOCKSTONE_FREERTOS_SLOT) - 1);
}

void lockstone_freertos_platform(lockstone_platform *platform) {
    static const lockstone_platform nothing = {0};
    *platform = nothing;
    mutex = xSemaphoreCreateRecursiveMutexStatic(&mutex_memory);
    platform->lock = lock;
    platform->unlock = unlock;
    platform->client = client;
}

void lockstone_freertos_set_client(TaskHandle_t task, int32_t number) {
    vTaskSetThreadLocalStoragePointer(task, LOCKSTONE_FREERTOS_SLOT, (void *)((intptr_t)number + 1));
}
