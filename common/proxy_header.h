/*
 * The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): the
 * first bytes of a connection that a proxy made, which say whose it really is.
 * Pure: bytes in, an address out.
 */
#ifndef COMMON_PROXY_HEADER_H
#define COMMON_PROXY_HEADER_H

#include "common/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PROXY_HEADER_V1_MAX_SIZE = 107, /* section 2.1 */
	PROXY_HEADER_V2_HEAD = 16,
	/* Of version 2 with all that may follow the addresses (section 2.2.x);
	 * what is known of that takes some hundred bytes. */
	PROXY_HEADER_MAX_SIZE = 2048
};

enum proxy_header_step {
	PROXY_HEADER_MORE, /* all bytes so far belong to it, and more will */
	PROXY_HEADER_DONE, /* it is the first `size` of the bytes */
	PROXY_HEADER_BAD
};

struct proxy_header {
	size_t size;
	/* False: the proxy speaks for itself (LOCAL), or for one whose address
	 * it does not know. */
	bool has_client;
	uint8_t client[NETWORK_BYTES];
};

enum proxy_header_step proxy_header_parse(
    const uint8_t *data, size_t size, struct proxy_header *header);

#endif
