/*
 * The server's side of SASL PLAIN (RFC 4616) and LOGIN (the expired draft that
 * mail programs still speak): which prompt comes next, and what user name and
 * password came.  Pure: lines in, credentials out.  Both fronts use it.
 *
 * The caller wipes with sasl_clear as soon as the credentials were handed on.
 */
#ifndef COMMON_SASL_H
#define COMMON_SASL_H

#include "common/text.h"

#include <stddef.h>

enum {
	SASL_MAX_LINE_SIZE = 2048, /* encoded; longer is malformed */
	SASL_MAX_USER_SIZE = 320,
	SASL_MAX_PASSWORD_SIZE = 1024
};

enum sasl_step {
	SASL_DONE,      /* user and password are there */
	SASL_CHALLENGE, /* send sasl->challenge (base64, may be ""), read on */
	SASL_CANCELLED, /* the client said "*" */
	SASL_MALFORMED, /* not base64, or not of the mechanism's form */
	SASL_REFUSED,   /* an authorisation identity other than the user */
	SASL_UNKNOWN    /* no such mechanism */
};

enum sasl_mechanism {
	SASL_MECHANISM_NONE,
	SASL_MECHANISM_PLAIN,
	SASL_MECHANISM_LOGIN
};

struct sasl {
	enum sasl_mechanism mechanism;
	int step;                      /* private */
	const char *challenge;         /* static text */
	size_t user_size;              /* never 0 when done */
	size_t password_size;          /* never 0 when done */
	char user[SASL_MAX_USER_SIZE]; /* UTF-8 without NUL */
	char password[SASL_MAX_PASSWORD_SIZE];
};

/* `initial` is the initial response (RFC 4954 section 4: "=" is an empty one),
 * or has NULL data if the client sent none. */
enum sasl_step sasl_start(
    struct sasl *sasl, struct text mechanism, struct text initial);

/* The client's next line, without its line end. */
enum sasl_step sasl_continue(struct sasl *sasl, struct text line);

struct text sasl_user(const struct sasl *sasl);
struct text sasl_password(const struct sasl *sasl);

/* Wipes everything. */
void sasl_clear(struct sasl *sasl);

#endif
