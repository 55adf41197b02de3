/* off_t, which a compiler without a C library does not have. */
#ifndef STUB_TYPES_H
#define STUB_TYPES_H

#if __STDC_HOSTED__
#include <sys/types.h>
#else
typedef long off_t;
#endif

#endif
