/*
 * What authd granted: connection C of front instance I belongs to an account.
 * Each works once, for 30 s, and ends with its front.  Pure: time comes in.
 */
#ifndef BROKER_GRANTS_H
#define BROKER_GRANTS_H

#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	GRANT_LIFE_US = 30 * 1000 * 1000,
	GRANTS_MAX = 10000
};

struct grant {
	uint64_t instance;
	uint64_t connection;
	uint32_t account;
	int64_t until_us;
	char user[321];
	char client_ip[65];
};

struct grants;

struct grants *grants_new(void);
void grants_free(struct grants **grants);

/* Replaces one of the same connection. False when there are too many. */
bool grants_add(
    struct grants *grants, const struct grant *grant, int64_t now_us);
/* Takes it out: true and *grant if there is one that still holds. */
bool grants_take(struct grants *grants, uint64_t instance, uint64_t connection,
    int64_t now_us, struct grant *grant);
void grants_drop_instance(struct grants *grants, uint64_t instance);

#endif
