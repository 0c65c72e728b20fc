/*
 * What SEARCH and SORT share: the search itself, a message at a time.
 */
#ifndef IMAPD_SEARCH_COMMAND_H
#define IMAPD_SEARCH_COMMAND_H

#include "imapd/imap_command.h"
#include "imapd/search_keys.h"

struct search_state {
	struct search_request request;
	size_t number;   /* looked at next */
	size_t count;    /* messages when the search began */
	uint32_t *found; /* UIDs, by number */
	size_t found_count;
	uint64_t highest_modseq; /* of those found */
	uint64_t first_modseq;   /* of the first and the last one */
	uint64_t last_modseq;
	bool is_reading; /* a body, for mailbox_read_cancel */
	enum status worst;
	struct pool *pool; /* of one body */
	/* All is found; frees it with search_free, and answers. */
	enum command_step (*finish)(struct imap_command *command);
};

/* After search_keys_parse gave `parsed`; command->state is the state, zeroed
 * but for `request` and `finish`. */
enum command_step search_start(struct imap_command *command, int parsed);
void search_free(struct imap_command *command);
/* Bytes of a body, from its beginning, into an empty buf: as many as its limit
 * admits. 0 or -1. */
int search_read_body(const struct mailbox_body *body, struct buf *stored);

#endif
