/*
 * Paths and mailboxes of RFC 5321 section 4.1.2, with RFC 6531's UTF-8.
 * Strict and pure: what is not a Path is refused, nothing is repaired.
 */
#ifndef SMTPD_SMTP_PATH_H
#define SMTPD_SMTP_PATH_H

#include "common/text.h"

#include <stdbool.h>

enum {
	SMTP_PATH_MAX_LOCAL_SIZE = 64,   /* RFC 5321 4.5.3.1.1 */
	SMTP_PATH_MAX_DOMAIN_SIZE = 255, /* 4.5.3.1.2 */
	SMTP_PATH_MAX_SIZE = 512 /* with a source route, which we drop */
};

struct smtp_path {
	struct text address; /* local@domain as it came, "" for <> */
	struct text local;   /* as it came: a quoted string has its quotes */
	struct text domain;  /* empty for <> and <postmaster> */
	bool is_utf8;        /* holds bytes beyond ASCII */
};

/*
 * Reads "<...>" from the start of `text`; *rest is what follows the '>'. 0, or
 * -1 if it is malformed. "<>" and "<postmaster>" are taken: the caller knows
 * where they may stand. The texts point into `text`.
 */
int smtp_path_parse(
    struct text text, struct smtp_path *path, struct text *rest);

/* local@domain alone, whole. */
int smtp_mailbox_parse(struct text text, struct smtp_path *path);

/* A host name of RFC 5321 (letters, digits, hyphens, UTF-8 if permitted) or an
 * address literal. */
bool smtp_is_domain(struct text domain);

/* The local part without quotes and backslashes into `to` (at least
 * SMTP_PATH_MAX_LOCAL_SIZE bytes): what two spellings have in common. */
struct text smtp_local_unquote(struct text local, char *to);

#endif
