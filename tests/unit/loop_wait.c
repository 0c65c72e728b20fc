/*
 * See loop_wait.h.
 */
#include "tests/unit/loop_wait.h"

#include "common/clock.h"

enum {
	DEADLINE_US = 60000000
};

struct wait {
	struct event_loop *loop;
	struct timer *timer;
	bool (*is_so)(void);
	int64_t deadline_us;
};

static void
look(void *context)
{
	struct wait *wait = context;

	if (wait->is_so() || clock_monotonic_us() > wait->deadline_us)
		event_loop_stop(wait->loop);
	else
		timer_start(wait->timer, 1);
}

bool
loop_wait(struct event_loop *loop, bool (*is_so)(void))
{
	struct wait wait = { .loop = loop,
		.is_so = is_so,
		.deadline_us = clock_monotonic_us() + DEADLINE_US };

	wait.timer = timer_new(loop, look, &wait);
	timer_start(wait.timer, 0);
	event_loop_run(loop);
	timer_free(&wait.timer);
	return is_so();
}
