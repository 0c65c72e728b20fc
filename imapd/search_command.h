/*
 * What SEARCH, SORT and THREAD share: the search itself, a message at a time.
 */
#ifndef IMAPD_SEARCH_COMMAND_H
#define IMAPD_SEARCH_COMMAND_H

#include "imapd/imap_command.h"
#include "imapd/object_id.h"
#include "imapd/search_keys.h"

/* What is looked at in the header of each that was found (search_headers.h). */
struct search_headers {
	const char *const *fields; /* may be none: the rows are enough */
	size_t field_count;
	/* `header` holds these fields at least, as far as the message has them;
	 * search->pool is cleared behind it. */
	void (*look)(struct imap_command *command,
	    const struct mailbox_row *row, struct text header);
	enum command_step (*done)(struct imap_command *command);
	size_t at; /* of what was found: looked at next */
};

struct search_state {
	struct search_request request;
	bool is_whole;   /* an order is of all that is found */
	int64_t now;     /* when it began, in seconds since 1970 */
	size_t first;    /* looked at, of all */
	size_t number;   /* looked at next */
	size_t count;    /* messages when the search began */
	uint32_t *found; /* UIDs, by number */
	size_t found_count;
	uint64_t highest_modseq; /* of those found */
	bool is_reading;         /* a body, for mailbox_read_cancel */
	bool has_read;           /* one at least */
	bool is_learning;        /* when messages came: mailbox_learn_cancel */
	enum status worst;
	struct pool *pool; /* of one body */
	struct search_headers headers;
	/* All is found; frees it with search_free, and answers. */
	enum command_step (*finish)(struct imap_command *command);
};

/* After search_keys_parse gave `parsed`; command->state is the state, zeroed
 * but for `request`, `headers` and `finish`. */
enum command_step search_start(struct imap_command *command, int parsed);
void search_free(struct imap_command *command);
/* ESEARCH: what was found, in that order, as UIDs; numbered if the client did
 * not ask for UIDs. And "$". `found` is changed. */
void search_put_extended(
    struct imap_command *command, uint32_t *found, size_t count);
/* Bytes of a body, from its beginning, into an empty buf: as many as its limit
 * admits. 0 or -1. */
int search_read_body(const struct mailbox_body *body, struct buf *stored);

#endif
