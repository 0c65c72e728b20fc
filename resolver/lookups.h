/*
 * The lookups that others ask for: a request of the relay's or the fetcher's in,
 * one answer out, within a deadline.  Who asks no more is not worked for.
 */
#ifndef RESOLVER_LOOKUPS_H
#define RESOLVER_LOOKUPS_H

#include "common/messages.h"
#include "resolver/recursor.h"

enum {
	LOOKUPS_DEADLINE_MS = 30000
};

struct lookups;

/* `recursor` becomes theirs. */
struct lookups *lookups_new(
    struct event_loop *loop, struct recursor *recursor, int64_t deadline_ms);
void lookups_free(struct lookups **lookups);

/* After a reload: what is not answered yet is asked anew. */
void lookups_set_recursor(struct lookups *lookups, struct recursor *recursor);

/* Serves the channel `fd` (taken over) to ROLE_RELAY or ROLE_FETCHER, instead
 * of the one before it.  -1 and closed for any other role. */
int lookups_serve(
    struct lookups *lookups, int fd, enum role peer, uint64_t instance);

#endif
