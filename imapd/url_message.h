/*
 * The bytes that an URL of a message names, of the account at hand: the message
 * or a section of it, as they are on the wire, a chunk at a time.  For
 * CATENATE, URLFETCH and what the queue asks for.  Whether who asks may have
 * them is not asked here.
 */
#ifndef IMAPD_URL_MESSAGE_H
#define IMAPD_URL_MESSAGE_H

#include "imapd/fetch_body.h"
#include "imapd/imap_url.h"
#include "imapd/mailbox.h"

struct url_message {
	struct mailbox_view *view;
	uint32_t uid;
	struct section section;
	struct account_store *account;
	struct pool *pool;
	void (*ready)(void *context);
	void *context;
	bool is_reading; /* its body is asked for, and `ready` will come */
	enum status status;
	bool has_body;
	struct mailbox_body body;
	uint64_t offset; /* as stored */
	uint64_t end;
	struct line_ends line_ends;
	bool is_filtered; /* what there is stands in `fields` */
	struct buf fields;
	uint64_t size; /* on the wire, when url_message_find was OK */
};

/* Zeroed or cleared before. Relative URLs are looked for beside `selected`, the
 * name of a mailbox, or {NULL, 0}. NULL, and then `ready`, perhaps before this
 * returns; or why it names nothing. */
const char *url_message_open(struct url_message *message,
    struct account_store *account, const struct imap_url *url,
    struct text selected, struct pool *pool, void (*ready)(void *context),
    void *context);
/* `ready` does not come any more. */
void url_message_clear(struct url_message *message);

/* After `ready`: STATUS_OK, and then there are message->size bytes;
 * STATUS_MISSING, and why. */
enum status url_message_find(struct url_message *message, const char **why);

/* A chunk more at the end of `to`, URL_MESSAGE_CHUNK bytes at most: 1, or 0
 * when all are there; -1: they cannot be read. */
enum {
	URL_MESSAGE_CHUNK = 64 * 1024
};
int url_message_next(struct url_message *message, struct buf *to);

#endif
