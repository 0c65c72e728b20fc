/*
 * master's four children: started in order, started again with back-off,
 * introduced to each other, stopped in the reverse order.  What they may ask
 * of root is make_home, reap and reload.
 */
#ifndef MASTER_SUPERVISOR_H
#define MASTER_SUPERVISOR_H

#include "common/event_loop.h"
#include "master/resources.h"

struct supervisor;

struct supervisor_hooks {
	void (*all_ready)(void *context);         /* once */
	enum error_code (*reload)(void *context); /* ERROR_NONE: done */
	void (*stopped)(void *context);
	void *context;
};

/* Starts all. `config` is looked at through the pointer, which a reload
 * swaps. */
struct supervisor *supervisor_new(struct event_loop *loop,
    const struct resources *resources, struct config *const *config,
    const struct supervisor_hooks *hooks);

/* New settings are in *config: tells everybody. */
void supervisor_reloaded(struct supervisor *supervisor);

/* Ends all in order; then hooks->stopped. */
void supervisor_stop(struct supervisor *supervisor);

/* To be called at SIGCHLD. */
void supervisor_reap(struct supervisor *supervisor);

#endif
