/*
 * The rows of what is counted for reports of TLS (RFC 8460), in the spool's
 * environment: keys, and values with a version in front.  Pure.
 *
 *	period u32, domain u64                          struct tlsrpt_domain
 *	period u32, domain u64, policy u64              struct tlsrpt_policy
 *	period u32, domain u64, policy u64, failure u64 struct tlsrpt_failure
 *
 * so that the rows of a report lie side by side, in the order in which it is
 * written.  A period is named by the second in which it began; a domain, a
 *policy and a failure by a hash of what they are.
 */
#ifndef SMTPD_TLSRPT_FORM_H
#define SMTPD_TLSRPT_FORM_H

#include "smtpd/spool_form.h"

enum {
	/* Of a row; that of the spool's. */
	TLSRPT_MAX_TEXT = 2000,
	TLSRPT_MAX_REASON = 200,
	TLSRPT_MAX_ADDRESS = 64
};

/* A report: of a domain and a period. */
struct tlsrpt_id {
	uint32_t period; /* seconds since 1970 */
	uint64_t domain;
};

struct tlsrpt_domain {
	struct tlsrpt_id id; /* of the key */
	uint16_t policies;
	uint16_t failures; /* rows */
	/* How its sending goes. */
	int64_t end;  /* of the period; 0: it was not tried yet */
	int64_t next; /* try */
	uint8_t tries;
	uint8_t done; /* a bit for each address of the record */
	struct text name;
	struct text record; /* the newest */
};

struct tlsrpt_policy {
	uint8_t type; /* enum tls_policy */
	uint64_t good;
	uint64_t bad;
	struct text domain;
	struct text lines;
};

struct tlsrpt_failure {
	uint8_t result; /* enum tls_result */
	uint64_t count;
	struct text mx;
	struct text helo;
	struct text sending_ip;
	struct text receiving_ip;
	struct text reason;
};

/* Keys; the hash of a row is that of its value without its counts. */
struct spool_key tlsrpt_domain_key(struct tlsrpt_id id);
struct spool_key tlsrpt_policy_key(
    struct tlsrpt_id id, const struct tlsrpt_policy *policy);
struct spool_key tlsrpt_failure_key(
    const struct spool_key *policy, const struct tlsrpt_failure *failure);
uint64_t tlsrpt_hash(struct text name);
/* Of which kind a key is, by its size. */
enum tlsrpt_row {
	TLSRPT_NO_ROW,
	TLSRPT_DOMAIN,
	TLSRPT_POLICY,
	TLSRPT_FAILURE
};
enum tlsrpt_row tlsrpt_key_row(struct text key);
struct tlsrpt_id tlsrpt_key_id(struct text key);

/* How many bytes the value has, or 0 if a text is beyond its limit. `to` has
 * room for SPOOL_MAX_VALUE. */
size_t tlsrpt_put_domain(uint8_t *to, const struct tlsrpt_domain *domain);
size_t tlsrpt_put_policy(uint8_t *to, const struct tlsrpt_policy *policy);
size_t tlsrpt_put_failure(uint8_t *to, const struct tlsrpt_failure *failure);

/* 0, or -1 if it is none. Texts point into `value`. */
int tlsrpt_get_domain(
    struct text key, struct text value, struct tlsrpt_domain *domain);
int tlsrpt_get_policy(struct text value, struct tlsrpt_policy *policy);
int tlsrpt_get_failure(struct text value, struct tlsrpt_failure *failure);

#endif
