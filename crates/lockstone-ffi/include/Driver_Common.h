/*
 * What CMSIS drivers share: versions, power states, the first status codes. Interface of CMSIS-Driver; where a system brings its
 * own file of this name, either one may come first.
 */
#if !defined(DRIVER_COMMON_H_) && !defined(__DRIVER_COMMON_H)
#define DRIVER_COMMON_H_
#define __DRIVER_COMMON_H

#include <stddef.h>
#include <stdint.h>

#define ARM_DRIVER_VERSION_MAJOR_MINOR(major, minor) (((major) << 8) | (minor))

typedef struct _ARM_DRIVER_VERSION {
    uint16_t api; /* of the interface: major number in the high byte, minor in the low one */
    uint16_t drv; /* of the driver */
} ARM_DRIVER_VERSION;

#define ARM_DRIVER_OK 0
#define ARM_DRIVER_ERROR (-1)
#define ARM_DRIVER_ERROR_BUSY (-2)
#define ARM_DRIVER_ERROR_TIMEOUT (-3)
#define ARM_DRIVER_ERROR_UNSUPPORTED (-4)
#define ARM_DRIVER_ERROR_PARAMETER (-5)
/* The codes of one kind of driver begin below this one. */
#define ARM_DRIVER_ERROR_SPECIFIC (-6)

typedef enum _ARM_POWER_STATE { ARM_POWER_OFF, ARM_POWER_LOW, ARM_POWER_FULL } ARM_POWER_STATE;

#endif
