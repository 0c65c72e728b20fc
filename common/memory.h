/*
 * Allocation that cannot fail: lack of memory and an overflowing size end the
 * process (fatal). Limits on input are the caller's and come before.
 */
#ifndef COMMON_MEMORY_H
#define COMMON_MEMORY_H

#include <stddef.h>

/* Zeroed memory for count * size bytes; released with free(). */
void *memory_new(size_t count, size_t size);

/* `p` made larger or smaller to count * size bytes; new bytes are undefined. */
void *memory_resize(void *p, size_t count, size_t size);

void *memory_copy(const void *p, size_t size);
char *memory_copy_text(const char *s);

/* For a process that holds much for a short time: what is as large as this is
 * given back to the system when it is freed, whatever else there is. */
void memory_return_above(int size);

/* What was freed goes back to the system: after work that takes much and seldom
 * comes. */
void memory_give_back(void);

/* Frees *p and makes it NULL; `p` is the address of any pointer. */
void memory_free(void *p);

#endif
