#ifndef INC_TASK_H
#define INC_TASK_H

#include "FreeRTOS.h"

typedef struct stub_task *TaskHandle_t;
typedef void (*TaskFunction_t)(void *);

#define taskSCHEDULER_NOT_STARTED ((BaseType_t)1)
#define taskSCHEDULER_RUNNING ((BaseType_t)2)

BaseType_t xTaskCreate(TaskFunction_t function, const char *name, uint16_t words, void *parameter, UBaseType_t priority,
                       TaskHandle_t *created);
void vTaskDelete(TaskHandle_t task);
void vTaskDelay(TickType_t ticks);
void vTaskStartScheduler(void);
BaseType_t xTaskGetSchedulerState(void);
void vTaskSetThreadLocalStoragePointer(TaskHandle_t task, BaseType_t index, void *value);
void *pvTaskGetThreadLocalStoragePointer(TaskHandle_t task, BaseType_t index);

#endif
