/*
 * IMAP URLs of a message or a part of it (RFC 5092), absolute or relative to
 * the selected mailbox, and whom one may be shown to (URLAUTH, RFC 4467). Pure:
 * it says what an URL names, not whether that is there, or whose it is.
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

/* Who may be shown what the URL names. */
enum url_access {
	URL_ACCESS_NONE, /* it does not say */
	URL_ACCESS_SUBMIT,
	URL_ACCESS_USER,
	URL_ACCESS_AUTHUSER,
	URL_ACCESS_ANONYMOUS
};

struct imap_url {
	bool has_server;    /* imap://user@server/... */
	struct text user;   /* decoded; empty: none */
	struct text server; /* host or host:port, as written */
	/* UTF-8; empty: the selected one. A path that does not begin with "/"
	 * is relative to the level of that. */
	struct text mailbox;
	bool is_relative;
	uint32_t uidvalidity; /* 0: not said */
	uint32_t uid;
	struct text section; /* decoded, as between the "[]" of FETCH */
	bool is_partial;
	uint64_t first;
	uint64_t count; /* UINT64_MAX: all that is left */
	enum url_access access;
	struct text access_user; /* of submit+ and user+, decoded */
	bool expires;
	int64_t expire_time;   /* in seconds since 1970 */
	struct text rump;      /* as written, up to the access identifier */
	struct text mechanism; /* empty: the URL is not authorized yet */
	struct text token;     /* in hexadecimal */
};

/* Texts are in the pool, or in `text`. 0, or -1: not an URL of a message. */
int imap_url_parse(struct text text, struct pool *pool, struct imap_url *url);

#endif
