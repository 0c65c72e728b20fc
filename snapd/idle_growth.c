/* See idle_growth.h. */
#include "snapd/idle_growth.h"

#include "common/memory.h"

enum {
	BEGIN_MS = 500, /* everything else starts as well */
	IDLE_MS = 10,   /* nothing was committed for so long, */
	STEP_MS = 5,    /* then a step each */
	FULL_MS = 1000, /* the disk is full: perhaps no more */
	REST_MS = 1000  /* nothing was committed for so long: give back */
};

struct idle_growth {
	struct store *store;
	struct timer *timer;
	bool is_resting; /* nothing was committed since the timer started */
	bool is_stopped;
};

static void
grow(void *context)
{
	struct idle_growth *growth = context;
	struct store *store = growth->store;

	if (store_grow(store, true)) {
		timer_start(growth->timer,
		    store_disk_is_full(store) ? FULL_MS : STEP_MS);
	} else if (store_has_spare(store)) {
		if (growth->is_resting)
			store_give_back(store);
		growth->is_resting = true;
		timer_start(growth->timer, REST_MS);
	}
}

void
idle_growth_committed(struct idle_growth *growth)
{
	if (growth->is_stopped)
		return;
	growth->is_resting = false;
	if (store_grow(growth->store, false))
		timer_start(growth->timer, IDLE_MS);
	else if (store_has_spare(growth->store))
		timer_start(growth->timer, REST_MS);
}

void
idle_growth_stop(struct idle_growth *growth)
{
	growth->is_stopped = true;
	timer_stop(growth->timer);
}

struct idle_growth *
idle_growth_new(struct event_loop *loop, struct store *store)
{
	struct idle_growth *growth = memory_new(1, sizeof(*growth));

	growth->store = store;
	growth->timer = timer_new(loop, grow, growth);
	if (store != NULL && store_grow(store, false))
		timer_start(growth->timer, BEGIN_MS);
	return growth;
}

void
idle_growth_free(struct idle_growth **growth)
{
	timer_free(&(*growth)->timer);
	memory_free(growth);
}
