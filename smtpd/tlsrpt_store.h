/*
 * What the relay says of TLS, counted in rows (tlsrpt_form.h) beside the mail:
 * sums for each policy of a domain, and a row for each kind of failure.  What a
 * stranger can make of it is bounded: a report holds so many policies and
 * failures, and the table so many rows; what is beyond is only in the sums, or
 * not counted.
 */
#ifndef SMTPD_TLSRPT_STORE_H
#define SMTPD_TLSRPT_STORE_H

#include "smtpd/spool_env.h"
#include "smtpd/tlsrpt_form.h"

enum {
	TLSRPT_MAX_POLICIES = 8, /* of a report */
	TLSRPT_MAX_FAILURES = 100,
	TLSRPT_MAX_ROWS = 100000 /* in all */
};

/* In the transaction: one session of the period. -1 and ERROR_LIMIT: there are
 * too many; ERROR_INPUT: it is none. */
int tlsrpt_store_count(struct spool_env *env, uint32_t period,
    const struct message_tls_session *said, struct error *error);

/* The first report that is not before `from`: 1, 0 if there is none, -1. Its
 * texts are valid until the next write or rest. */
int tlsrpt_store_find(struct spool_env *env, struct tlsrpt_id from,
    struct tlsrpt_domain *domain, struct error *error);
/* Exactly that one. */
int tlsrpt_store_get(struct spool_env *env, struct tlsrpt_id id,
    struct tlsrpt_domain *domain, struct error *error);
/* Its policies and failures, in order: each failure belongs to the policy
 * before it; one of the two is NULL. */
int tlsrpt_store_each(struct spool_env *env, struct tlsrpt_id id,
    void (*callback)(void *context, const struct tlsrpt_policy *policy,
	const struct tlsrpt_failure *failure),
    void *context, struct error *error);

/* In the transaction. `domain` may have been read before it. */
int tlsrpt_store_set(struct spool_env *env, const struct tlsrpt_domain *domain,
    struct error *error);
int tlsrpt_store_remove(
    struct spool_env *env, struct tlsrpt_id id, struct error *error);

/* When the administrator had all reports sent that were counted; 0: never. */
int tlsrpt_store_closed(
    struct spool_env *env, int64_t *closed, struct error *error);
int tlsrpt_store_close(
    struct spool_env *env, int64_t closed, struct error *error);

#endif
