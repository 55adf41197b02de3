#ifndef INC_SEMPHR_H
#define INC_SEMPHR_H

#include "FreeRTOS.h"

typedef struct stub_mutex *SemaphoreHandle_t;

SemaphoreHandle_t xSemaphoreCreateRecursiveMutexStatic(StaticSemaphore_t *memory);
BaseType_t xSemaphoreTakeRecursive(SemaphoreHandle_t mutex, TickType_t ticks);
BaseType_t xSemaphoreGiveRecursive(SemaphoreHandle_t mutex);

#endif
