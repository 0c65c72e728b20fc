/*
 * What a server says that it can do: the lines of its answer to EHLO or LHLO
 * (RFC 5321 section 4.1.1.1).
 */
#ifndef SMTPD_RELAY_EXTENSIONS_H
#define SMTPD_RELAY_EXTENSIONS_H

#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

struct relay_extensions {
	bool has_pipelining; /* RFC 2920 */
	bool has_8bitmime;   /* RFC 6152 */
	bool has_smtputf8;   /* RFC 6531 */
	bool has_dsn;        /* RFC 3461 */
	bool has_chunking;   /* RFC 3030 */
	bool has_binarymime; /* RFC 3030 */
	bool has_starttls;   /* RFC 3207 */
	bool has_requiretls; /* RFC 8689 */
	bool has_priority;   /* RFC 6710 */
	bool has_deliverby;  /* RFC 2852 */
	bool has_enhanced;   /* RFC 2034 */
	bool has_size;       /* RFC 1870 */
	bool has_plain;      /* AUTH (RFC 4954) with these */
	bool has_login;
	uint64_t max_size;       /* 0: none was said */
	uint32_t max_recipients; /* RCPTMAX of LIMITS (RFC 9422); 0: as above */
	uint32_t max_mails;      /* MAILMAX; 0: as above */
	uint32_t min_by_s;       /* of DELIVERBY; 0: none was said */
};

/* A line behind its code; the first one, which names the host, is not one. */
void relay_extensions_take(
    struct relay_extensions *extensions, struct text line);

#endif
