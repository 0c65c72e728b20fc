/*
 * The only reader of clocks.  Everything below takes the time as an argument.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970-01-01T00:00:00Z; may jump. */
int64_t clock_wall_us(void);

/* Microseconds since some start; never goes back (CLOCK_MONOTONIC). */
int64_t clock_monotonic_us(void);

/* The same, untouched by time synchronisation (CLOCK_MONOTONIC_RAW). */
int64_t clock_raw_us(void);

#endif
