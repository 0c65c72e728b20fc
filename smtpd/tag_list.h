/*
 * TXT records of the form `v=VERSION; key=value; ...`, as MTA-STS (RFC 8461
 * section 3.1) and reports of TLS (RFC 8460 section 3) have them.  Pure.
 */
#ifndef SMTPD_TAG_LIST_H
#define SMTPD_TAG_LIST_H

#include "common/text.h"

#include <stdbool.h>

/* Whether it begins with `version` ("v=...") and a semicolon; `rest` is what
 * follows. */
bool tag_list_begins(struct text text, const char *version, struct text *rest);

/* The next pair, without blanks around key and value; empty places are passed
 * over. 1, 0 at the end, -1 if it is no pair. */
int tag_list_next(struct text *rest, struct text *key, struct text *value);

#endif
