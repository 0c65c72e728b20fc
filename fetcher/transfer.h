/*
 * One exchange over HTTPS with a host whose addresses are known: libcurl on our
 * loop, and its only user.  The certificate is checked, TLS is 1.2 at least, no
 * redirect is followed, nothing is kept, and no file, proxy or cookie counts.
 */
#ifndef FETCHER_TRANSFER_H
#define FETCHER_TRANSFER_H

#include "common/event_loop.h"
#include "common/status.h"
#include "common/text.h"
#include "fetcher/https_uri.h"

#include <stddef.h>

enum {
	TRANSFER_MAX_BODY = 60000, /* as policy_fetched has it */
	TRANSFER_MAX_HEADER = 32 * 1024,
	TRANSFER_MAX_ADDRESSES = 8,
	TRANSFER_ADDRESS_SIZE = 46
};

struct transfers;
struct transfer;

struct transfer_request {
	struct https_uri uri;
	size_t address_count;
	char addresses[TRANSFER_MAX_ADDRESSES][TRANSFER_ADDRESS_SIZE];
	/* POST of `body` as `body_type`, or GET if that is NULL. The body stays
	 * the caller's until the end. */
	const char *body_type;
	struct text body;
	/* GET: what must come; others are refused. */
	const char *wanted_type;
};

/* OK with the body of a 200 (POST: any 2xx); MISSING for 404 and 410, REFUSED
 * for a certificate that is not good, LIMIT for too much, INVALID for another
 * status or type, else UNAVAILABLE. */
struct transfer_result {
	enum status status;
	struct text body; /* valid during the call */
	const char *why;
};

typedef void (*transfer_callback)(
    const struct transfer_result *result, void *context);

/* Before the sandbox shuts: it reads what libraries read, and opens what the
 * sandbox does not let it open. Fatal if it cannot. */
void transfers_prepare(void);

/* After transfers_prepare; one at a time. `authorities` is PEM, copied, or
 * NULL: then nobody is believed. */
struct transfers *transfers_new(struct event_loop *loop);
void transfers_free(struct transfers **transfers);
void transfers_set_authorities(struct transfers *transfers, const char *pem);

/* `callback` comes once, from the loop, unless transfer_cancel comes first.
 * After it the transfer is gone. */
struct transfer *transfer_start(struct transfers *transfers,
    const struct transfer_request *request, transfer_callback callback,
    void *context);
void transfer_cancel(struct transfer **transfer);

#endif
