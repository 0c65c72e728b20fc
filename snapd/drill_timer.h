/*
 * Has a drill begin every so often, as the drill line of firnmail.conf says,
 * and an eye on the one that goes on.
 */
#ifndef SNAPD_DRILL_TIMER_H
#define SNAPD_DRILL_TIMER_H

#include "snapd/drill.h"

enum {
	DRILL_TICK_MS = 60 * 1000
};

struct drill_timer;

/* `tick_ms` 0: the default. */
struct drill_timer *drill_timer_new(struct snapd *snapd, int64_t tick_ms);
void drill_timer_free(struct drill_timer **timer);

/* `every_s` 0: none by itself; `sample` 0: of all messages. */
void drill_timer_configure(
    struct drill_timer *timer, uint32_t every_s, uint32_t sample);

#endif
