/* A stub of what ports/zephyr uses of Zephyr, on POSIX threads: for tests, and to see that it compiles. */
#ifndef ZEPHYR_INCLUDE_KERNEL_H_
#define ZEPHYR_INCLUDE_KERNEL_H_

#include <stddef.h>
#include <stdint.h>

/* What Kconfig would say where there is an entropy driver; cargo xtask ports takes it away, and the port must not compile then. */
#ifndef WITHOUT_CSPRNG_ENABLED
#define CONFIG_CSPRNG_ENABLED 1
#endif

struct k_mutex {
    int number;
};

typedef struct {
    int64_t ticks;
} k_timeout_t;

#define K_FOREVER ((k_timeout_t){-1})
#define K_MUTEX_DEFINE(name) struct k_mutex name = {0}

int k_mutex_lock(struct k_mutex *mutex, k_timeout_t timeout);
int k_mutex_unlock(struct k_mutex *mutex);
void printk(const char *format, ...);

#endif
