/* A stub of what ports/freertos uses of FreeRTOS, on POSIX threads: for tests, and to see that it compiles. */
#ifndef INC_FREERTOS_H
#define INC_FREERTOS_H

#include <stddef.h>
#include <stdint.h>

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
