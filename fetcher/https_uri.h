/*
 * An https URI (RFC 9110 section 4.2.2) that somebody else wrote, such as the
 * one to which a domain wants its reports.  Pure.  Only what cannot be read in
 * two ways is taken: a host of the DNS, a port, a path.
 */
#ifndef FETCHER_HTTPS_URI_H
#define FETCHER_HTTPS_URI_H

#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	HTTPS_HOST_SIZE = 254,
	HTTPS_PATH_SIZE = 1001,
	HTTPS_PORT = 443
};

struct https_uri {
	char host[HTTPS_HOST_SIZE]; /* lower case, without the last dot */
	uint16_t port;
	char path[HTTPS_PATH_SIZE]; /* begins with / */
};

/* 0, or -1: it is none, is longer, or has a part that it may not have: a user,
 * a numeric host, a fragment, bytes that are to be escaped. */
int https_uri_parse(struct text text, struct https_uri *uri);

/* Whether it can be a host's name: two labels at least, and the last one is no
 * number, so that nothing takes it for an address. */
bool https_uri_is_host(struct text host);

#endif
