/*
 * Mail addresses.  The tolerant reader gives the addresses of a From or To
 * field (RFC 5322 section 3.4 with the obsolete forms of 4.4) in the shape of
 * an IMAP ENVELOPE, and never fails: what cannot be read is given as text.
 * The strict reader takes the Mailbox and Path of SMTP (RFC 5321 4.1.2, RFC
 * 6531) and refuses whatever is not exactly that.
 */
#ifndef COMMON_MAIL_ADDRESS_H
#define COMMON_MAIL_ADDRESS_H

#include "common/error.h"
#include "common/pool.h"
#include "common/text.h"

#include <stdbool.h>

enum {
	MAIL_ADDRESS_MAX_COUNT = 10000, /* in one list; what follows is cut */
	MAIL_ADDRESS_MAX_LOCAL = 64,    /* RFC 5321 4.5.3.1.1 */
	MAIL_ADDRESS_MAX_DOMAIN = 255,
	MAIL_ADDRESS_MAX_PATH = 254 /* without the angle brackets */
};

/* RFC 3501 7.4.2.  A member whose data is NULL is NIL.  A group starts with
 * {mailbox = its name, host NIL} and ends with all NIL. */
struct mail_address {
	struct text name;
	struct text route;
	struct text mailbox;
	struct text host;
	struct mail_address *next;
};

/* Reads an address list; NULL if it holds none.  Texts live in `pool`.
 * Missing parts are filled as Dovecot does (MISSING_MAILBOX,
 * MISSING_DOMAIN). */
struct mail_address *mail_address_parse_list(
    struct text value, struct pool *pool);

struct mailbox_address {
	struct text address; /* as it came, without a source route; "" for <> */
	struct text local;   /* unquoted */
	struct text domain;  /* without brackets around a literal's */
	struct text user;    /* local up to the first separator */
	struct text detail;  /* behind it; data NULL if there is none */
	bool is_literal;     /* [192.0.2.1], [IPv6:...] */
	bool is_utf8;        /* needs SMTPUTF8 */
	bool is_quoted;      /* local part came in quotes */
	char local_space[MAIL_ADDRESS_MAX_LOCAL + 1]; /* private */
};

/* The whole of `a` is a Mailbox (local@domain).  `separator` splits user and
 * detail, 0 for none.  UTF-8 only if `allow_utf8`.  0 or -1; `address` must
 * not be copied, its texts point into it and into `a`. */
int mail_address_parse_mailbox(struct text a, bool allow_utf8, char separator,
    struct mailbox_address *address, struct error *error);

/*
 * A Path, "<" at the start of `rest`; takes it off.  A source route is
 * accepted and dropped.  "<>" gives an empty local and domain and is allowed
 * for the reverse path only; "<postmaster>" without a domain for the forward
 * path only (domain empty).
 */
enum mail_path {
	MAIL_PATH_REVERSE,
	MAIL_PATH_FORWARD
};
int mail_address_parse_path(struct text *rest, enum mail_path kind,
    bool allow_utf8, char separator, struct mailbox_address *address,
    struct error *error);

/* A domain of RFC 5321 (with U-labels if allow_utf8), or false. */
bool mail_address_is_domain(struct text a, bool allow_utf8);

#endif
