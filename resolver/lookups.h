/*
 * The lookups that others ask for: a request of the relay's, the fetcher's or
 * the administrator's in, one answer out, within a deadline.  Who asks no more
 * is not worked for.
 */
#ifndef RESOLVER_LOOKUPS_H
#define RESOLVER_LOOKUPS_H

#include "common/messages.h"
#include "resolver/recursor.h"

enum {
	LOOKUPS_DEADLINE_MS = 30000,
	LOOKUPS_MAX_ADMINS = 4
};

struct lookups;

/* `recursor` becomes theirs. */
struct lookups *lookups_new(
    struct event_loop *loop, struct recursor *recursor, int64_t deadline_ms);
void lookups_free(struct lookups **lookups);

/* After a reload: what is not answered yet is asked anew. */
void lookups_set_recursor(struct lookups *lookups, struct recursor *recursor);

/* Serves the channel `fd` (taken over) to ROLE_RELAY or ROLE_FETCHER, instead
 * of the one before it, or to one more ROLE_FIRNMAIL, whose uid was checked. -1
 * and closed for any other role, and if there are LOOKUPS_MAX_ADMINS. */
int lookups_serve(
    struct lookups *lookups, int fd, enum role peer, uint64_t instance);

#endif
