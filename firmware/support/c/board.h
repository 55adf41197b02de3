/* What a board under emulation gives a C program: a console, an exit code, and a platform for the store. */
#ifndef BOARD_H
#define BOARD_H

#include <lockstone.h>

/* Bytes of the flash: 64 blocks of 4 KiB, in the file flash.bin of the debugger. */
#define BOARD_FLASH_SIZE (64u * 4096u)

/* Opens the flash, and makes it, erased, where there is none; fills in the platform. Not 0: it can't be had. */
int32_t board_platform(lockstone_platform *platform);

void say(const char *text);
void say_number(const char *before, uint32_t number, const char *behind);
void board_exit(int code);

#endif
