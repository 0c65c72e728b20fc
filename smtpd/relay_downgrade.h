/*
 * A message with 8-bit or binary parts for a host that takes 7 bits only (RFC
 * 6152 section 3): each such part gets a Content-Transfer-Encoding, all else
 * stays as it is.
 */
#ifndef SMTPD_RELAY_DOWNGRADE_H
#define SMTPD_RELAY_DOWNGRADE_H

#include "common/error.h"
#include "smtpd/relay_body.h"

#include <stdint.h>

enum {
	RELAY_DOWNGRADE_MAX_SIZE = 256 * 1024 * 1024,
	RELAY_DOWNGRADE_MAX_HEADER = 256 * 1024 /* of one part */
};

/*
 * The converted message in memory of its own, as a descriptor, and its size.
 * -1 and error if it cannot be: its header is not ASCII, a signature covers
 * what would be changed, it is too large.
 */
int relay_downgrade(
    const struct relay_body *body, uint64_t *size, struct error *error);

#endif
