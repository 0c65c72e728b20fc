/*
 * The TXT record of _smtp._tls.DOMAIN (RFC 8460 section 3): where a domain
 * wants reports of TLS to be sent.  Pure.
 */
#ifndef SMTPD_TLSRPT_RECORD_H
#define SMTPD_TLSRPT_RECORD_H

#include "common/text.h"

#include <stddef.h>

enum {
	TLSRPT_MAX_URIS = 8,
	TLSRPT_URI_SIZE = 1001 /* with its NUL; as post_report has it */
};

enum tlsrpt_scheme {
	TLSRPT_MAIL, /* mailto: */
	TLSRPT_HTTPS
};

struct tlsrpt_record {
	size_t uri_count;
	struct tlsrpt_uri {
		enum tlsrpt_scheme scheme;
		/* HTTPS: the whole URI. Mail: the address, decoded. */
		char text[TLSRPT_URI_SIZE];
	} uris[TLSRPT_MAX_URIS];
};

/*
 * 1 with the URIs of the schemes above, in their order; 0 if it is another
 * record; -1 if it begins as one and is malformed, or has no URI for us.
 */
int tlsrpt_record_parse(struct text text, struct tlsrpt_record *record);

#endif
