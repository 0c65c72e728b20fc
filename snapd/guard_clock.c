/* See guard_clock.h. */
#include "snapd/guard_clock.h"

uint64_t
guard_clock_step(int64_t before_us, int64_t raw_us)
{
	const uint64_t most_us = (uint64_t)GUARD_CLOCK_MAX_STEP_S * 1000000;
	uint64_t step_us;

	/* A raw clock that went back is another one: the host was booted. */
	if (before_us == 0 || raw_us <= before_us)
		return 0;
	step_us = (uint64_t)raw_us - (uint64_t)before_us;
	return step_us < most_us ? step_us : most_us;
}
