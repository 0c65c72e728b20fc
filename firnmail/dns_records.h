/*
 * The DNS records that a domain of ours should have, and whether what the DNS
 * has is that.  Pure: settings in, records out; answers of the resolver in, a
 * state out.
 */
#ifndef FIRNMAIL_DNS_RECORDS_H
#define FIRNMAIL_DNS_RECORDS_H

#include "common/dns.h"
#include "common/messages.h"
#include "common/pool.h"
#include "common/settings.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	DNS_MAX_WANTS = 64,
	DNS_MAX_ADDRESSES = 16,
	DNS_VALUE_SIZE = 700 /* of a record as text */
};

/* What the host shows, beside its settings. */
struct dns_host {
	/* Where it is reached; none: whatever the DNS says is taken. 4 or 16
	 * bytes each. */
	size_t address_count;
	struct {
		uint8_t bytes[16];
		size_t size;
	} addresses[DNS_MAX_ADDRESSES];
	/* SHA-256 of the public keys of its certificates. */
	size_t key_count;
	struct hash keys[SETTINGS_MAX_KEYS];
};

struct dns_want {
	const char *name; /* without the last dot */
	enum dns_type type;
	bool is_required; /* mail does not work without it, or not well */
	/* Data of size 0 (A, AAAA): any address will do. */
	struct dns_record record;
};

struct dns_wants {
	struct pool *pool; /* all texts */
	size_t count;
	struct dns_want list[DNS_MAX_WANTS];
};

/* For `domain`, in lower case. dns_wants_free ends it. */
struct dns_wants *dns_wants_new(const struct settings *settings,
    const char *domain, const struct dns_host *host);
void dns_wants_free(struct dns_wants **wants);

/* One more: that an address leads back to the host. */
void dns_wants_add_ptr(
    struct dns_wants *wants, struct text address, const char *host);

enum dns_state {
	DNS_STATE_OK,
	DNS_STATE_MISSING,
	DNS_STATE_DIFFERS,
	DNS_STATE_UNSIGNED, /* a TLSA that DNSSEC does not vouch for */
	DNS_STATE_FAILED    /* no answer, or a bogus one */
};
extern const char *const dns_state_names[];

enum dns_state dns_want_compare(const struct dns_want *want,
    enum dns_result result, enum dns_security security, struct text records);

const char *dns_type_name(enum dns_type type);
/* As the right side of a line of a zone file. */
void dns_record_format(enum dns_type type, const struct dns_record *record,
    char to[DNS_VALUE_SIZE]);

/* The policy of MTA-STS that the TXT record's id stands for, to be put at
 * https://mta-sts.DOMAIN/.well-known/mta-sts.txt. */
void dns_format_policy(
    const struct settings *settings, char to[DNS_VALUE_SIZE]);

#endif
