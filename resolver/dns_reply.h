/*
 * One reply of the DNS (RFC 1035 section 4), as libunbound hands it out, to the
 * records that were asked for.  Pure: bytes in, rows of common/dns.h out.  The
 * bytes are the choice of whoever owns the name.
 */
#ifndef RESOLVER_DNS_REPLY_H
#define RESOLVER_DNS_REPLY_H

#include "common/dns.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DNS_REPLY_MAX_CHAIN = 10, /* CNAMEs that are followed */
	DNS_REPLY_MAX_DATA = 4096 /* of one TXT or TLSA */
};

struct dns_reply {
	enum dns_result result;
	uint32_t ttl_s; /* the least of all that counted */
	/* Where the chain of CNAMEs led; the name itself without one. */
	char canonical[DNS_MAX_NAME + 1];
};

/*
 * Takes the records of `name` (lower case, without the last dot) and `type`,
 * behind CNAMEs if need be, and puts them into `records` with dns_put_record:
 * at most DNS_MAX_RECORDS, and as many as it holds.
 *
 * Names are lower case; a record whose name has other bytes than letters,
 * digits and - _ / * + is left out, as is one whose data does not have its
 * type's form.  If that leaves none of several, the reply is malformed: what is
 * there must not look like what is not.
 *
 * 0, or -1 with ERROR_INPUT (malformed) or ERROR_LIMIT (a chain too long, no
 * record that fits).
 */
int dns_reply_parse(const uint8_t *packet, size_t size, struct text name,
    enum dns_type type, struct dns_reply *reply, struct writer *records,
    struct error *error);

/* What names are of, but for dots; upper case is none of it. */
bool dns_reply_is_name_byte(char c);

#endif
