/*
 * Answers of the resolver, as they travel between processes: what was found,
 * whether DNSSEC vouches for it (RFC 4035 section 4.3), and the records.
 */
#ifndef COMMON_DNS_H
#define COMMON_DNS_H

#include "common/codec.h"
#include "common/text.h"

#include <stdint.h>

enum {
	DNS_MAX_NAME = 255,   /* as text, without the last dot */
	DNS_MAX_RECORDS = 256 /* of one answer; more are left out */
};

/* IANA's numbers of record types. */
enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_TLSA = 52
};

enum dns_result {
	DNS_FOUND,   /* at least one record */
	DNS_NO_DATA, /* the name exists, with no record of this type */
	DNS_NO_NAME, /* NXDOMAIN */
	DNS_FAILED   /* no answer, SERVFAIL, bogus: ask again later */
};

enum dns_security {
	DNS_INSECURE, /* there is no signature, provably */
	DNS_SECURE,   /* validated up to the trust anchor */
	DNS_BOGUS     /* should be signed well, and is not: result DNS_FAILED */
};

/* One record; what its type has no use for is 0. */
struct dns_record {
	uint16_t preference; /* MX; SRV: priority */
	uint16_t weight;     /* SRV */
	uint16_t port;       /* SRV */
	uint8_t usage;       /* TLSA: RFC 6698 section 2.1 */
	uint8_t selector;    /* TLSA */
	uint8_t matching;    /* TLSA */
	struct text name; /* MX, SRV, PTR, CNAME: lower case; "" is the root */
	struct text data; /* A 4 bytes, AAAA 16, TLSA, TXT joined */
};

void dns_put_record(
    struct writer *w, enum dns_type type, const struct dns_record *record);
/* 1, 0 at the end, -1 if it is none; texts point into the reader's bytes. */
int dns_get_record(
    struct reader *r, enum dns_type type, struct dns_record *record);

#endif
