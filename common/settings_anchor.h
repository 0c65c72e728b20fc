/*
 * A trust anchor of DNSSEC as a line of a zone file: a DS or a DNSKEY record
 * (RFC 4034 sections 5.3 and 2.2), as IANA, Debian's dns-root-data and unbound
 * write it.  Pure.
 */
#ifndef COMMON_SETTINGS_ANCHOR_H
#define COMMON_SETTINGS_ANCHOR_H

#include "common/text.h"

enum {
	SETTINGS_ANCHOR_SIZE = 1500 /* with its NUL; a DNSKEY of 4096 bits */
};

/*
 * Checks the line and writes it with single blanks, the name lower case with a
 * dot at its end, and without what is behind `;`.  0, or -1: it is none.
 */
int settings_parse_anchor(struct text line, char to[SETTINGS_ANCHOR_SIZE]);

/* Without a comment and the blanks around; empty if it says nothing. */
struct text settings_anchor_line(struct text line);

#endif
