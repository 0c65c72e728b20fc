/* What waits for the end of a round (round.h): an answer, or a reading. */
#ifndef SNAPD_PENDING_H
#define SNAPD_PENDING_H

#include "snapd/snapd.h"

struct pending {
	struct pending *next;
	uint64_t client;
	struct message answer;
	struct buf data;
	struct reading *reading;
	uint64_t bulk;  /* bytes that it is the answer to */
	size_t patient; /* changes */
	bool is_in_log; /* or will be, in this round; or needs not to be */
};

/* To its client, if that is still there: the answer with its data, or with
 * `status` if that is not OK; a reading goes on. */
void pending_send(
    struct snapd *snapd, struct pending *pending, enum status status);
void pending_free(struct pending *pending);

#endif
