/*
 * What a sender asked to be told of (RFC 3461), as it travels with a message.
 */
#ifndef COMMON_DSN_H
#define COMMON_DSN_H

/* NOTIFY of a recipient; none of them: it was not given. */
enum dsn_notify {
	DSN_NOTIFY_NEVER = 1, /* stands alone */
	DSN_NOTIFY_SUCCESS = 2,
	DSN_NOTIFY_FAILURE = 4,
	DSN_NOTIFY_DELAY = 8
};

#endif
