/*
 * Addresses of clients as bytes, and the networks that they are in.  IPv4 is
 * its own part of IPv6 here (::ffff:a.b.c.d), so that there is one kind.  Pure.
 */
#ifndef COMMON_NETWORK_H
#define COMMON_NETWORK_H

#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NETWORK_BYTES = 16,
	NETWORK_V4_PREFIX = 96, /* what stands before an IPv4 address */
	NETWORK_TEXT_SIZE = 64, /* an address, a slash and a length */
	NETWORK_LIST_MAX = 16
};

struct network {
	uint8_t bytes[NETWORK_BYTES];
	uint8_t prefix; /* bits; of IPv4 with NETWORK_V4_PREFIX */
};

struct network_list {
	size_t count;
	struct network list[NETWORK_LIST_MAX];
};

/* Of a numeric address; -1: it is none ("local"). */
int network_address(const char *ip, uint8_t bytes[NETWORK_BYTES]);
bool network_is_v4(const uint8_t bytes[NETWORK_BYTES]);
bool network_is_loopback(const uint8_t bytes[NETWORK_BYTES]);
/* As people write it: IPv4 as such. */
void network_format_address(
    const uint8_t bytes[NETWORK_BYTES], char to[NETWORK_TEXT_SIZE]);

/* Zeros behind the first `prefix` bits. */
void network_cut(uint8_t bytes[NETWORK_BYTES], unsigned int prefix);

/* ADDRESS, or ADDRESS/LENGTH with no bit set behind the length. 0, or -1. */
int network_parse(struct text word, struct network *network);
void network_format(const struct network *network, char to[NETWORK_TEXT_SIZE]);

bool network_list_has(
    const struct network_list *networks, const uint8_t bytes[NETWORK_BYTES]);
bool network_list_has_ip(const struct network_list *networks, const char *ip);

#endif
