/*
 * Where a recipient's mail goes: to accounts of ours, to addresses elsewhere
 * that it is passed on to, or nowhere.  A domain that is another name of one of
 * ours is that one.  In order: aliases of the full address; the account of that
 * address; aliases of the local part in every domain; the same for what stands
 * before a "+".  postmaster and abuse, if nothing names them, are the first
 * account's, so that they always reach somebody (RFC 5321 section 4.5.1, RFC
 * 2142).  What is left is the catch-all's of the domain.
 *
 * The queue delivers by this, and `firnmail alias test` looks on.
 */
#ifndef COMMON_ROUTE_H
#define COMMON_ROUTE_H

#include "common/account.h"
#include "common/mail_address.h"
#include "common/settings.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	ROUTE_MAX_TARGETS = 1000, /* behind one address: as account_parser.h */
	ROUTE_ADDRESS_SIZE =
	    MAIL_ADDRESS_MAX_LOCAL + MAIL_ADDRESS_MAX_DOMAIN + 2
};

struct route {
	size_t count;
	const struct account *accounts[ROUTE_MAX_TARGETS];
	size_t remote_count;
	const char *remotes[ROUTE_MAX_TARGETS];
};

/* VERDICT_OK and at least one of them, or why not: VERDICT_BAD_RECIPIENT,
 * VERDICT_RELAYING, VERDICT_UNKNOWN_USER. */
unsigned int route_find(const struct settings *settings,
    const struct account_table *accounts, struct text address,
    struct route *route);

/* What was found on the way, and by which name. */
enum route_step {
	ROUTE_OTHER_DOMAIN, /* `name` is the same address in that domain */
	ROUTE_SUBADDRESS,   /* without its tag it is `name` */
	ROUTE_ALIAS,        /* an alias has it */
	ROUTE_ACCOUNT,      /* it is an account's */
	ROUTE_EVERYBODY,    /* postmaster or abuse: the first account's */
	ROUTE_CATCH_ALL     /* nobody has it: the domain's */
};

struct route_trace {
	void (*step)(void *context, enum route_step step, struct text name);
	void *context;
};

/* route_find, telling the trace of each step. */
unsigned int route_look(const struct settings *settings,
    const struct account_table *accounts, struct text address,
    struct route *route, const struct route_trace *trace);

/* Whether `account` may send as `address`: it is its own, or mail to it reaches
 * the account by an alias or a tag. A catch-all makes nobody an owner. */
bool route_is_owner(const struct settings *settings,
    const struct account_table *accounts, struct text address,
    uint32_t account);

#endif
