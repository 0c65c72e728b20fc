/*
 * The index's file is made longer ahead of its use while nothing is committed
 * (growth.h), and what was reserved too far is given back when nothing was for
 * a while.
 */
#ifndef SNAPD_IDLE_GROWTH_H
#define SNAPD_IDLE_GROWTH_H

#include "common/event_loop.h"
#include "snapd/store.h"

struct idle_growth;

/* Begins by itself, a little later. `store` NULL: there is nothing to do. */
struct idle_growth *idle_growth_new(
    struct event_loop *loop, struct store *store);
void idle_growth_free(struct idle_growth **growth);

/* Something was committed just now. */
void idle_growth_committed(struct idle_growth *growth);

/* The disk failed: nothing more is written. */
void idle_growth_stop(struct idle_growth *growth);

#endif
