/*
 * Lockstone under FreeRTOS: a lock, and which task is which client. The flash, the root key and what else there is you fill in.
 *
 * Call the library from tasks, also to open the store: never from an interrupt, nor while the scheduler is suspended, nor before it
 * runs, as FreeRTOS then has interrupts masked. A task that is in a call must not be deleted by another: it would keep the lock.
 */
#ifndef LOCKSTONE_FREERTOS_H
#define LOCKSTONE_FREERTOS_H

#include "FreeRTOS.h"
#include "task.h"

#include <lockstone.h>

#if configUSE_MUTEXES != 1 || configUSE_RECURSIVE_MUTEXES != 1
#error "Lockstone needs configUSE_MUTEXES 1 and configUSE_RECURSIVE_MUTEXES 1 in FreeRTOSConfig.h"
#endif
#if configSUPPORT_STATIC_ALLOCATION != 1
#error "Lockstone needs configSUPPORT_STATIC_ALLOCATION 1 in FreeRTOSConfig.h"
#endif
#if INCLUDE_xTaskGetSchedulerState != 1 && configUSE_TIMERS != 1
#error "Lockstone needs INCLUDE_xTaskGetSchedulerState 1 in FreeRTOSConfig.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The thread local storage pointer of a task in which its client's number is kept. */
#ifndef LOCKSTONE_FREERTOS_SLOT
#define LOCKSTONE_FREERTOS_SLOT 0
#endif
#if configNUM_THREAD_LOCAL_STORAGE_POINTERS <= LOCKSTONE_FREERTOS_SLOT
#error "Lockstone needs configNUM_THREAD_LOCAL_STORAGE_POINTERS larger than LOCKSTONE_FREERTOS_SLOT in FreeRTOSConfig.h"
#endif

/*
 * Zeros the platform, and fills in lock, unlock and client: call it first, and fill in the rest then. Once, before the store is
 * opened, by the task that opens it.
 */
void lockstone_freertos_platform(lockstone_platform *platform);

/*
 * Says which client a task is: 0 or more. Until then the task has no keys: its calls for keys end with LOCKSTONE_E_NOT_PERMITTED. Before
 * the task can run: suspend the scheduler around both, or let the task that makes others have the higher priority. For whoever makes the tasks: FreeRTOS keeps no task from calling this,
 * so clients are kept apart from each other's mistakes, not from each other's malice.
 */
void lockstone_freertos_set_client(TaskHandle_t task, int32_t client);

#ifdef __cplusplus
}
#endif

#endif
