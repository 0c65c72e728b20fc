/*
 * Takes connections from a bound socket, within budgets (budget.h).  Both
 * fronts use it.  What is beyond a budget is handed over as refused, so that
 * the protocol can say so.  Where proxies are given, connections come from them
 * alone, and the client is the one that their header names (proxy_header.h).
 */
#ifndef COMMON_LISTENER_H
#define COMMON_LISTENER_H

#include "common/budget.h"
#include "common/event_loop.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	LISTENER_ADDRESS_SIZE = 64,
	/* Connections of proxies whose headers have not come. */
	LISTENER_MAX_WAITS = 256
};

/* Who is at the other end. */
struct listener_client {
	char ip[LISTENER_ADDRESS_SIZE]; /* numeric, or "local" */
	bool is_loopback; /* and no proxy said so from elsewhere */
	struct budget_client budget;
};

/* Somebody at a numeric address, or "local". */
struct listener_client listener_client_at(
    const struct budget *budget, const char *ip);

struct listener_rules {
	struct budget *budget;
	const struct network_list *proxies; /* an empty one: no proxy */
	bool may_use_kept; /* his clients will log in: budget.h */
};

struct listener;

/*
 * `accepted` gets each connection: non-blocking, close-on-exec, without delay
 * of small packets, with keep-alive; it owns `fd`.  BUDGET_OK: it has a place,
 * which is given back with budget_release; else it is refused.
 */
typedef void listener_accepted(int fd, const struct listener_client *client,
    enum budget_verdict verdict, void *context);

/* Listens on `fd` and takes it over; what `rules` point to stays the
 * caller's. */
struct listener *listener_new(struct event_loop *loop, int fd,
    const struct listener_rules *rules, listener_accepted *accepted,
    void *context);
void listener_free(struct listener **listener);

/* While paused, clients wait in the kernel's backlog. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

#endif
