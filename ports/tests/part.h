/* A flash in RAM, which outlives a restart and stops the program when two threads are in it at once. */
#ifndef PART_H
#define PART_H

#include <stddef.h>
#include <stdint.h>

#ifndef PART_BLOCKS
#define PART_BLOCKS 64u
#endif
#define PART_SIZE (PART_BLOCKS * PART_BLOCK)
#define PART_BLOCK 4096u
#define PART_UNIT 4u

int32_t part_read(uint32_t address, void *to, size_t length);
int32_t part_program(uint32_t address, const void *from, size_t length);
int32_t part_erase(uint32_t address, size_t length);

/* How often it was erased or programmed. */
unsigned part_writes(void);

/* Says what went wrong, and ends the program. */
void stop(const char *what);

#endif
