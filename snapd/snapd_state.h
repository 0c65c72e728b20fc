/*
 * What the files of snapd.h know of each other: snapd.c begins and ends it,
 * snapd_clients.c has its channels, snapd_store.c opens and closes its store.
 */
#ifndef SNAPD_SNAPD_STATE_H
#define SNAPD_SNAPD_STATE_H

#include "snapd/snapd.h"

struct snapd {
	struct event_loop *loop;
	struct snapd_options options;
	struct store *store;
	struct journal *journal;
	struct segments *segments;
	struct accept_log *log; /* NULL: there is no room for it */
	struct sealer *sealer;
	struct reader_thread *reader;
	struct verify_client *verifier;
	struct table *clients; /* by id */
	uint64_t next_client;
	struct round *round;
	uint64_t broker; /* client id; 0: none */
	struct timer *clock;
	struct expire *expire;
	struct timer *expiry;
	struct restore *restore; /* at most one runs */
	struct reconciler *reconciler;
	bool is_damaged; /* the store: it was not opened */
	struct drill *drill;
	struct drill_timer *drill_timer;
	uint64_t driller; /* client id; 0: none */
	struct service_files *service_files;
};

/* snapd_clients.c: who is at the other ends. */
struct client *snapd_add_client(
    struct snapd *snapd, int fd, enum role peer, uint32_t account);
void snapd_free_client(struct client *client);
/* The reader thread has done its part: to whoever asked. */
void snapd_reading_done(struct reading *reading, void *context);

/* snapd_store.c. */
/* Opens the store only if it is the one that the settings name. */
int snapd_open_store(struct snapd *snapd, struct error *error);
/* A clean stop: what was not committed was not answered. */
void snapd_close_store(struct snapd *snapd, bool is_failed);

#endif
