/* A callback for drivers of CMSIS-Driver Storage that only takes a note. */
#ifndef CALLED_H
#define CALLED_H

#include "Driver_Storage.h"

/* What the callback said last. */
static int called;
static int32_t called_status;
static ARM_STORAGE_OPERATION called_operation;

static void note(int32_t status, ARM_STORAGE_OPERATION operation) {
    called++;
    called_status = status;
    called_operation = operation;
}

#endif
