/* A stub of what ports/freertos uses of FreeRTOS, on POSIX threads: for tests, and to see that it compiles. */
#ifndef INC_FREERTOS_H
#define INC_FREERTOS_H

#include <stddef.h>
#include <stdint.h>

/* What FreeRTOSConfig.h would say, as the guide has it; cargo xtask ports takes each away, and the port must not compile then. */
#ifndef WITHOUT_MUTEXES
#define configUSE_MUTEXES 1
#endif
#ifndef WITHOUT_RECURSIVE_MUTEXES
#define configUSE_RECURSIVE_MUTEXES 1
#endif
#ifndef WITHOUT_STATIC_ALLOCATION
#define configSUPPORT_STATIC_ALLOCATION 1
#endif
#ifndef WITHOUT_STORAGE_POINTERS
#define configNUM_THREAD_LOCAL_STORAGE_POINTERS 1
#endif
#ifndef WITHOUT_SCHEDULER_STATE
#define INCLUDE_xTaskGetSchedulerState 1
#endif
#define configSUPPORT_DYNAMIC_ALLOCATION 1
#define INCLUDE_vTaskDelay 1
#define INCLUDE_vTaskDelete 1

typedef long BaseType_t;
typedef unsigned long UBaseType_t;
typedef uint32_t TickType_t;

#define pdPASS ((BaseType_t)1)
#define pdTRUE ((BaseType_t)1)
#define portMAX_DELAY ((TickType_t)0xffffffffu)

typedef struct {
    void *reserved[8];
} StaticSemaphore_t;

#endif
