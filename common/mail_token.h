/*
 * The tokens that structured header fields are made of (RFC 5322 3.2, RFC
 * 2045 5.1), read from a view.  Each reader skips the space and comments
 * behind what it took and says 1 if more follows, 0 at the end, -1 if the
 * token is malformed.  Tolerant of 8-bit bytes; NUL becomes U+FFFD.
 */
#ifndef COMMON_MAIL_TOKEN_H
#define COMMON_MAIL_TOKEN_H

#include "common/buf.h"
#include "common/pool.h"
#include "common/text.h"

#include <stdbool.h>

struct mail_tokens {
	const char *next;
	const char *end;
	struct buf *comment; /* the last comment is put here; may be NULL */
};

void mail_tokens_init(
    struct mail_tokens *t, struct text value, struct buf *comment);
bool mail_tokens_at(const struct mail_tokens *t, char c);

int mail_tokens_skip_space(struct mail_tokens *t);
int mail_tokens_get_atom(struct mail_tokens *t, struct buf *out);
int mail_tokens_get_dot_atom(struct mail_tokens *t, struct buf *out);
int mail_tokens_get_phrase(struct mail_tokens *t, struct buf *out);
int mail_tokens_get_quoted(struct mail_tokens *t, struct buf *out);
int mail_tokens_get_domain(struct mail_tokens *t, struct buf *out);
int mail_tokens_get_mime_token(struct mail_tokens *t, struct buf *out);

/* "type/subtype"; `out` is empty if it is malformed. */
int mail_tokens_get_content_type(struct mail_tokens *t, struct buf *out);

struct mail_parameter {
	struct text name;  /* with a '*' at the end if value is extended */
	struct text value; /* RFC 2231 pieces joined, still encoded */
	struct mail_parameter *next;
};

enum {
	MAIL_MAX_PARAMETERS = 1000,
	MAIL_MAX_VALUE = 1024 * 1024
};

/* All parameters behind the first value of a field, RFC 2231 pieces joined;
 * what cannot be read is skipped. */
struct mail_parameter *mail_tokens_get_parameters(
    struct mail_tokens *t, struct pool *pool);

#endif
