/* See clock.h. */
#include "common/clock.h"

#include "common/log.h"

#include <time.h>

static int64_t
read_us(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) == -1)
		fatal("what=\"no clock\" clock=%d", (int)clock);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

int64_t
clock_monotonic_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_raw_us(void)
{
	return read_us(CLOCK_MONOTONIC_RAW);
}
