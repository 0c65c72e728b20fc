/*
 * The way to a destination: one host after the other that takes its mail, each
 * with its addresses and with what it must prove.  Names are asked for when a
 * host's turn comes, not before.
 *
 *	HOSTS (MX) - POLICY - ADDRESSES - (ALIAS) - TLSA - a target - ADDRESSES
 *...
 */
#ifndef SMTPD_RELAY_PATH_H
#define SMTPD_RELAY_PATH_H

#include "common/event_loop.h"
#include "common/relay_route.h"
#include "smtpd/relay_hosts.h"
#include "smtpd/relay_mail.h"
#include "smtpd/relay_names.h"
#include "smtpd/relay_policies.h"
#include "smtpd/relay_security.h"

struct relay_path;

/* A host that may get the mail. */
struct relay_target {
	char name[256];
	uint32_t preference;
	bool is_mx; /* it is the domain's own word that it is */
	uint16_t port;
	struct relay_addresses addresses;
	struct relay_security security;
	/* What the certificate must show. */
	char tls_name[256];
	char tls_other_name[256]; /* "": none */
	struct tls_tlsa tlsa[RELAY_MAX_TLSA];
	size_t tlsa_count;
	/* For reports: what it is judged by, and whose that is. */
	enum tls_policy policy_type;
	const char *policy_domain;
	struct text policy; /* of MTA-STS, as it came */
	bool is_unlisted;   /* in a policy of MTA-STS, enforced or not */
};

struct relay_path_setup {
	struct event_loop *loop;
	struct relay_names *names;
	struct relay_policies *policies;
	struct text domain; /* both must outlive the path */
	const struct relay_route *route;
	const char *const *own; /* names of ours, in lower case */
	size_t own_count;
	uint64_t seed;
	int64_t deadline_ms; /* for each step of it */
};

/* `target` or `ended` is called once for each relay_path_next, from the
 * loop. */
struct relay_path_handler {
	/* The path's, until the next call. */
	void (*target)(const struct relay_target *target, void *context);
	/* Before that, for reports: a policy that cannot be had, or a host that
	 * is passed over because of one. */
	void (*unsafe)(const struct relay_target *target,
	    enum tls_result result, void *context);
	/* There is no other; why, for recipients that no host took. */
	void (*ended)(const struct relay_verdict *verdict, void *context);
};

struct relay_path *relay_path_new(const struct relay_path_setup *setup,
    const struct relay_path_handler *handler, void *context);
void relay_path_free(struct relay_path **path);
void relay_path_next(struct relay_path *path);

/* The last target is ourselves: hosts that are no better are none. */
void relay_path_cut(struct relay_path *path);

#endif
