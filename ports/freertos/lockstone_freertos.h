/*
 * Lockstone under FreeRTOS: a lock, and which task is which client. The flash, the root key and what else there is you fill in.
 *
 * FreeRTOSConfig.h needs configUSE_RECURSIVE_MUTEXES 1, configSUPPORT_STATIC_ALLOCATION 1, INCLUDE_xTaskGetSchedulerState 1 and
 * configNUM_THREAD_LOCAL_STORAGE_POINTERS of at least one more than LOCKSTONE_FREERTOS_SLOT.
 *
 * Call the library from tasks, never from interrupts: an erase takes tens of milliseconds, and others wait for the lock.
 */
#ifndef LOCKSTONE_FREERTOS_H
#define LOCKSTONE_FREERTOS_H

#include "FreeRTOS.h"
#include "task.h"

#include <lockstone.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The thread local storage pointer of a task in which its client's number is kept. */
#ifndef LOCKSTONE_FREERTOS_SLOT
#define LOCKSTONE_FREERTOS_SLOT 0
#endif

/* Fills in lock, unlock and client. Once, before the store is opened. */
void lockstone_freertos_platform(lockstone_platform *platform);

/*
 * Says which client a task is; all are client 0 until then. For whoever makes the tasks: FreeRTOS keeps no task from calling this,
 * so clients are kept apart from each other's mistakes, not from each other's malice.
 */
void lockstone_freertos_set_client(TaskHandle_t task, int32_t client);

#ifdef __cplusplus
}
#endif

#endif
