/*
 * Which hosts take mail for a destination, and in what order (RFC 5321 section
 * 5.1, RFC 7505): answers of the resolver in, a short list out.
 */
#ifndef SMTPD_RELAY_HOSTS_H
#define SMTPD_RELAY_HOSTS_H

#include "common/dns.h"
#include "common/messages.h"
#include "common/text.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RELAY_MAX_HOSTS = 10,     /* of a destination; more are not tried */
	RELAY_MAX_ADDRESSES = 20, /* of a host */
	RELAY_ADDRESS_SIZE = 64   /* as text */
};

struct relay_host {
	char name[256];
	uint32_t preference;
};

struct relay_hosts {
	struct relay_host hosts[RELAY_MAX_HOSTS];
	size_t count;
};

enum relay_hosts_result {
	RELAY_HOSTS_FOUND,
	RELAY_HOSTS_FAILED,    /* the resolver did not get an answer: later */
	RELAY_HOSTS_BOGUS,     /* DNSSEC says that it is forged: later */
	RELAY_HOSTS_NO_DOMAIN, /* there is no such domain */
	RELAY_HOSTS_NULL_MX,   /* it says that it takes no mail */
	RELAY_HOSTS_LOOP       /* the best host is ourselves */
};

/*
 * From the answer to MX of `domain`.  Hosts of one preference come in an order
 * that `seed` chooses; without any MX the domain itself is the host.  Of `own`
 * names (in lower case) the first cuts the list: a host that is no better than
 * we are would send it back.
 */
enum relay_hosts_result relay_hosts_from_mx(struct relay_hosts *hosts,
    struct text domain, const struct message_relay_found *answer,
    const char *const *own, size_t own_count, uint64_t seed);

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]": its one host; false if it is none. */
bool relay_hosts_from_literal(struct relay_hosts *hosts, struct text domain);

/* The hosts of that preference and all that are worse go, from `at` on. */
void relay_hosts_cut(struct relay_hosts *hosts, size_t at, uint32_t preference);

struct relay_address {
	int family; /* AF_INET or AF_INET6 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
};

struct relay_addresses {
	struct relay_address all[RELAY_MAX_ADDRESSES];
	size_t count;
};

/* A numeric address; false if it is none. */
bool relay_address_parse(struct text text, struct relay_address *address);
void relay_address_format(
    const struct relay_address *address, char to[RELAY_ADDRESS_SIZE]);

/* Adds those of an answer to A or AAAA. */
void relay_addresses_add(struct relay_addresses *addresses, enum dns_type type,
    const struct message_relay_found *answer);
/* IPv6 and IPv4 by turns, so that a host whose one is out of order is still
 * reached soon. */
void relay_addresses_join(struct relay_addresses *addresses,
    const struct relay_addresses *v6, const struct relay_addresses *v4);

/* A name that may stand in a log, a command and a certificate. */
bool relay_hosts_is_name(struct text name);

#endif
