/*
 * The policies of MTA-STS that the relay has in memory, by domain.  Those that
 * were fetched come from relay_policies.c, those of before from the spool,
 * which remembers them across restarts; so any may go when there are too many.
 * Pure: times are seconds since 1970, and the caller's.
 */
#ifndef SMTPD_RELAY_KEPT_H
#define SMTPD_RELAY_KEPT_H

#include "common/text.h"
#include "common/tls_result.h"
#include "smtpd/sts_policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RELAY_KEPT_MAX = 10000 /* domains */
};

struct relay_kept;

struct kept_policy {
	char domain[256];
	char id[STS_ID_SIZE]; /* of the record that announced it */
	char *text;           /* NULL: none was had so far */
	size_t size;
	int64_t since;
	int64_t until;
	int64_t retry;          /* not to be fetched before */
	enum tls_result result; /* of the last fetch */
};

struct relay_kept *relay_kept_new(void);
void relay_kept_free(struct relay_kept **kept);

/* NULL: nothing is known of it. Valid until the next get. */
struct kept_policy *relay_kept_find(
    const struct relay_kept *kept, const char *domain);
/* Room is made for it, if there is none. */
struct kept_policy *relay_kept_get(struct relay_kept *kept, const char *domain);

/* It has this one now; `id` has its NUL. */
void relay_kept_set(struct kept_policy *policy, const char *id,
    struct text text, int64_t since, int64_t until);

/* Both also of NULL. */
bool relay_kept_is_in_force(const struct kept_policy *policy, int64_t now);
/* It is in force, and to be fetched again before it is not. */
bool relay_kept_is_old(const struct kept_policy *policy, int64_t now);

#endif
