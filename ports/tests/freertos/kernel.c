/*
 * The stub itself. Tasks are threads, which begin with the scheduler. One that is made by a task begins when that ends, as if its
 * priority were less; so a task has its number when it begins. When all have ended, `scheduler_ended` is called.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "../part.h"
#include "FreeRTOS.h"
#include "semphr.h"
#include "task.h"

#define TASKS_MAX 8

struct stub_task {
    pthread_t thread;
    TaskFunction_t function;
    void *parameter;
    void *local;
};

struct stub_mutex {
    pthread_mutex_t mutex;
};

void scheduler_ended(void);

static struct stub_task tasks[TASKS_MAX];
static unsigned count;
static int is_running;
static pthread_key_t self;
static struct stub_mutex only_mutex;

BaseType_t xTaskCreate(TaskFunction_t function, const char *name, uint16_t words, void *parameter, UBaseType_t priority,
                       TaskHandle_t *created) {
    (void)name, (void)words, (void)priority;
    if (count == TASKS_MAX) {
        return 0;
    }
    tasks[count].function = function;
    tasks[count].parameter = parameter;
    tasks[count].local = NULL;
    if (created != NULL) {
        *created = &tasks[count];
    }
    count++;
    return pdPASS;
}

static void *run(void *task) {
    struct stub_task *me = task;
    (void)pthread_setspecific(self, me);
    me->function(me->parameter);
    stop("a task returned, which no task may");
    return NULL;
}

void vTaskDelete(TaskHandle_t task) {
    if (task != NULL) {
        stop("the stub deletes no other task");
    }
    pthread_exit(NULL);
}

void vTaskDelay(TickType_t ticks) {
    (void)usleep(ticks * 100);
}

void vTaskStartScheduler(void) {
    unsigned first = 0;
    if (pthread_key_create(&self, NULL) != 0) {
        return;
    }
    is_running = 1;
    while (first < count) {
        unsigned index, end = count;
        for (index = first; index < end; index++) {
            if (pthread_create(&tasks[index].thread, NULL, run, &tasks[index]) != 0) {
                stop("no thread");
            }
        }
        for (index = first; index < end; index++) {
            (void)pthread_join(tasks[index].thread, NULL);
        }
        first = end;
    }
    is_running = 0;
    scheduler_ended();
    exit(0);
}

BaseType_t xTaskGetSchedulerState(void) {
    return is_running ? taskSCHEDULER_RUNNING : taskSCHEDULER_NOT_STARTED;
}

static struct stub_task *meant(TaskHandle_t task, BaseType_t index) {
    if (index != 0) {
        stop("the stub has one pointer for each task");
    }
    return task != NULL ? task : pthread_getspecific(self);
}

void vTaskSetThreadLocalStoragePointer(TaskHandle_t task, BaseType_t index, void *value) {
    meant(task, index)->local = value;
}

void *pvTaskGetThreadLocalStoragePointer(TaskHandle_t task, BaseType_t index) {
    return meant(task, index)->local;
}

SemaphoreHandle_t xSemaphoreCreateRecursiveMutexStatic(StaticSemaphore_t *memory) {
    pthread_mutexattr_t kind;
    (void)memory;
    (void)pthread_mutexattr_init(&kind);
    (void)pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&only_mutex.mutex, &kind);
    return &only_mutex;
}

/* With BROKEN_LOCK nothing is locked, and the test must fail: otherwise it would show nothing. */
BaseType_t xSemaphoreTakeRecursive(SemaphoreHandle_t mutex, TickType_t ticks) {
    if (!is_running || ticks != portMAX_DELAY) {
        stop("taken before the scheduler, or not until it is free");
    }
#ifdef BROKEN_LOCK
    (void)mutex;
#else
    (void)pthread_mutex_lock(&mutex->mutex);
#endif
    return pdTRUE;
}

BaseType_t xSemaphoreGiveRecursive(SemaphoreHandle_t mutex) {
#ifdef BROKEN_LOCK
    (void)mutex;
#else
    if (pthread_mutex_unlock(&mutex->mutex) != 0) {
        stop("given by who does not hold it");
    }
#endif
    return pdTRUE;
}
