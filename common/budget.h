/*
 * What one client may take of a front: connections at a time, connections in a
 * while, errors in a while; counted by his address and by his network, so that
 * neither many connections nor many addresses of one hand keep others out.
 *
 * Connections at a time are counted exactly, by who is there; what was in a
 * while is in rate sketches, whose size is fixed and which no flood of
 * addresses makes forget.  Clients on this host and of `trusted` networks have
 * no budget but their share of all places.  Pure: time is an argument, and the
 * key of the hash.
 */
#ifndef COMMON_BUDGET_H
#define COMMON_BUDGET_H

#include "common/network.h"
#include "common/rate_sketch.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	/* What one client has: an IPv4 address, a /64 of IPv6 (RFC 6177: the
	 * least that a site gets, any address of which is his). */
	BUDGET_ADDRESS_V4 = NETWORK_V4_PREFIX + 32,
	BUDGET_ADDRESS_V6 = 64,
	/* What one provider's customer can have: a /24 is the least that is
	 * routed by itself, a /48 what registries give to a site. */
	BUDGET_NETWORK_V4 = NETWORK_V4_PREFIX + 24,
	BUDGET_NETWORK_V6 = 48
};

struct budget_limits {
	struct network_list trusted; /* they have no budget */
	uint32_t all;                /* connections of the front */
	uint32_t kept;               /* of them for who will log in */
	uint32_t per_address;        /* at a time */
	uint32_t per_network;
	struct rate address_connections;
	struct rate network_connections;
	struct rate address_errors;
	struct rate network_errors;
};

enum budget_verdict {
	BUDGET_OK,
	BUDGET_ALL,
	BUDGET_ADDRESS,
	BUDGET_NETWORK,
	BUDGET_ADDRESS_RATE,
	BUDGET_NETWORK_RATE,
	BUDGET_ADDRESS_ERRORS,
	BUDGET_NETWORK_ERRORS,
	BUDGET_VERDICT_COUNT
};

/* Which budget is used up, for the log: "address-rate". */
const char *budget_name(enum budget_verdict verdict);

/* Whose connection it is, for as long as it lasts. */
struct budget_client {
	bool is_limited;
	uint8_t address[NETWORK_BYTES]; /* cut to what one client has */
	uint8_t network[NETWORK_BYTES];
};

struct budget;

struct budget *budget_new(const uint8_t key[16]);
void budget_free(struct budget **budget);

/* After a reload; connections that are there stay. */
void budget_set(struct budget *budget, const struct budget_limits *limits);

/* `ip` is numeric; another ("local") has no budget. */
struct budget_client budget_client_of(
    const struct budget *budget, const char *ip);

/* A place for one connection more, given back with budget_release: BUDGET_OK;
 * or which budget is used up, and nothing is counted. `may_use_kept`: he is one
 * of those for whom some are kept. */
enum budget_verdict budget_take(struct budget *budget,
    const struct budget_client *client, bool may_use_kept, int64_t now_us);
/* One is there that was counted by another, whatever the budgets say. */
void budget_inherit(struct budget *budget, const struct budget_client *client);
/* The place of one is another's now; what is refused changes nothing. */
enum budget_verdict budget_move(struct budget *budget,
    const struct budget_client *from, const struct budget_client *to,
    int64_t now_us);
void budget_release(struct budget *budget, const struct budget_client *client);

/* He has made a mistake. BUDGET_OK, or which budget of errors that has used
 * up. */
enum budget_verdict budget_error(
    struct budget *budget, const struct budget_client *client, int64_t now_us);

#endif
