/*
 * Replies of SMTP and LMTP servers (RFC 5321 section 4.2) as a stream of bytes
 * that may be cut anywhere.  The bytes are a stranger's: what is kept of them
 * is printable ASCII and bounded, and a reply that is no reply, or has no end,
 * is told from one that is only slow.
 */
#ifndef SMTPD_RELAY_REPLY_H
#define SMTPD_RELAY_REPLY_H

#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	RELAY_REPLY_MAX_LINE = 1024, /* kept of one; more is read past */
	RELAY_REPLY_MAX_TEXT = 500,  /* of the whole reply, for reports */
	RELAY_REPLY_MAX_BYTES = 65536,
	RELAY_REPLY_MAX_LINES = 500
};

enum relay_reply_step {
	RELAY_REPLY_MORE,  /* all bytes were used, the reply goes on */
	RELAY_REPLY_LINE,  /* a line of it that is not the last */
	RELAY_REPLY_DONE,  /* its last line */
	RELAY_REPLY_BROKEN /* not SMTP, or without an end: `text` says why */
};

/* Zeroed before the first byte; then as relay_reply_feed leaves it. */
struct relay_reply {
	unsigned int code;                   /* 200 to 599 */
	char enhanced[12];                   /* "5.1.1" (RFC 3463), or "" */
	char text[RELAY_REPLY_MAX_TEXT + 1]; /* cleaned, lines joined by SP */
	struct text line; /* of LINE and DONE: behind the code, cleaned */
	/* Private. */
	char bytes[RELAY_REPLY_MAX_LINE];
	uint32_t line_size;
	uint32_t size;
	uint32_t line_count;
	uint32_t text_size;
	bool is_done;
};

/* Takes bytes off `rest` up to the end of a line. After DONE the next call
 * begins the next reply. */
enum relay_reply_step relay_reply_feed(
    struct relay_reply *reply, struct text *rest);

static inline bool
relay_reply_is(const struct relay_reply *reply, unsigned int kind)
{
	return reply->code / 100 == kind;
}

/* Anything of a stranger's for logs and reports: printable ASCII, the rest
 * becomes '?'. At most size - 1 bytes and a NUL. */
void relay_reply_clean(struct text from, char *to, size_t size);

#endif
