/*
 * SMTP with Firnmail, over the socket of this machine's own programs.
 */
#ifndef SENDMAIL_TALK_H
#define SENDMAIL_TALK_H

#include "common/buf.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	TALK_MAX_LINE = 2048,
	TALK_TIMEOUT_S = 300
};

struct talk {
	int fd;
	bool is_shown; /* what is said, on standard error */
	struct buf input;
	unsigned int code;         /* of the last reply */
	char reply[TALK_MAX_LINE]; /* its last line, without CR LF */
	char origin[256];          /* domain of addresses without one */
	uint64_t max_size;         /* 0: not said */
};

/* Connects, and says hello: 0, or -1 with error (ERROR_UNAVAILABLE). */
int talk_begin(struct talk *talk, const char *path, struct error *error);
void talk_end(struct talk *talk);

/* Says the line and waits for the reply: its code is in `talk`. -1: there is
 * nobody any more, or it is no reply. */
int talk_say(struct talk *talk, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The message, as one chunk (RFC 3030). */
int talk_send(
    struct talk *talk, const struct buf *message, struct error *error);

/* Bytes from standard input to the socket and back, until one side ends. */
int talk_copy(const char *path, struct error *error);

#endif
