/*
 * The clock by which retention is measured (after SnapLock's ComplianceClock).
 * It is a number of microseconds in the store that goes on with
 * CLOCK_MONOTONIC_RAW while snapd runs and is put on disk with each commit and
 * each minute.  Nobody can set it: not the host's clock, which it never reads,
 * and no message.  While snapd does not run it stands still, because nothing
 * that could tell how long that was is to be trusted; data may be kept for too
 * long, never for too short.  Pure.
 */
#ifndef SNAPD_GUARD_CLOCK_H
#define SNAPD_GUARD_CLOCK_H

#include <stdint.h>

enum {
	/* snapd looks at least each minute: who says that more has passed was
	 * not running, or has a raw clock that jumped. */
	GUARD_CLOCK_MAX_STEP_S = 600
};

/* How far the guard clock goes on when the raw clock, which showed `before_us`
 * at the last look (0: there was none), shows `raw_us`. */
uint64_t guard_clock_step(int64_t before_us, int64_t raw_us);

#endif
