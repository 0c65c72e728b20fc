/*
 * IMAP URLs of a message or a part of it (RFC 5092), absolute or relative to the
 * selected mailbox.  Pure: it says what an URL names, not whether that is
 * there, or whose it is.
 */
#ifndef IMAPD_IMAP_URL_H
#define IMAPD_IMAP_URL_H

#include "common/pool.h"
#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	IMAP_URL_MAX_SIZE = 4096
};

struct imap_url {
	bool has_server;    /* imap://user@server/... */
	struct text user;   /* decoded; empty: none */
	struct text server; /* host or host:port, as written */
	/* UTF-8; empty: the selected one. A path that does not begin with "/" is
	 * relative to the level of that. */
	struct text mailbox;
	bool is_relative;
	uint32_t uidvalidity; /* 0: not said */
	uint32_t uid;
	struct text section; /* decoded, as between the "[]" of FETCH */
	bool is_partial;
	uint64_t first;
	uint64_t count; /* UINT64_MAX: all that is left */
};

/* Texts are in the pool, or in `text`. 0, or -1: not an URL of a message. */
int imap_url_parse(struct text text, struct pool *pool, struct imap_url *url);

#endif
