/*
 * What the sealer's thread (sealer_thread.c) and its other half in the loop
 * (sealer.c) share.  Nobody else includes it.  One lock, over all but what is
 * said to be of one of them.
 */
#ifndef SNAPD_SEALER_PARTS_H
#define SNAPD_SEALER_PARTS_H

#include "snapd/sealer.h"
#include "snapd/sealing.h"

#include <pthread.h>

struct bulk_queue {
	struct bulk *first;
	struct bulk **last;
};

/* Who waits for a pass. */
struct waiter {
	struct waiter *next;
	uint64_t after; /* passes that must have ended */
	void (*done)(void *context, const struct error *error);
	void *context;
};

struct sealer {
	struct journal *journal;
	struct waiter *waiters;
	struct sealer_options options;
	struct sealing sealing; /* the thread's */
	struct watch *watch;
	struct timer *pause;
	int event_fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct seal_batch *batch; /* that the loop applies */
	struct error batch_error;
	bool is_failed;   /* the batch */
	bool is_in_round; /* something of it stands in the open round */
	bool is_requested;
	bool is_working;
	bool is_stopping;
	bool is_broken;
	int64_t behind_ms; /* when that was first seen; 0: it is not */
	bool is_quiet;     /* nothing came for a second; the thread's */
	struct sealer_state state;
	bool is_last_bad;             /* the pass that ended last */
	struct bulk_queue come, gone; /* to be written, and written */
	/* Bytes of bulk that no pass followed; the thread's. */
	uint64_t written;
	uint64_t bulk;         /* bytes that came since the last pass began */
	uint64_t bulk_in_pass; /* that it moves */
	uint64_t reported;     /* failures that were logged; the loop's */
};

void bulk_queue_put(struct bulk_queue *queue, struct bulk *list);
struct bulk *bulk_queue_take(struct bulk_queue *queue);

/* Of the thread: its beginning, and what its sealing calls. */
void *sealer_thread_run(void *context);
int sealer_thread_apply(
    void *context, struct seal_batch *batch, struct error *error);
bool sealer_thread_is_stopping(void *context);

#endif
