/*
 * TLS as a client: opportunistic, with a certificate of the public authorities
 * (RFC 6125), or with DANE (RFC 7672).  What is asked for is what the handshake
 * insists on: where proof is needed and is not given there is no session.
 */
#ifndef COMMON_TLS_CLIENT_H
#define COMMON_TLS_CLIENT_H

#include "common/error.h"
#include "common/text.h"
#include "common/tls.h"
#include "common/tls_result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_client;

/* What the certificate must show. */
enum tls_proof {
	TLS_PROOF_NONE,  /* nothing */
	TLS_PROOF_TRIED, /* the name; what is wrong is only told */
	TLS_PROOF_NAME,  /* the name, by an authority */
	TLS_PROOF_DANE   /* one of the TLSA records */
};

struct tls_tlsa {
	uint8_t usage; /* 2 (DANE-TA) or 3 (DANE-EE) */
	uint8_t selector;
	uint8_t matching;
	struct text data;
};

/* The caller's, filled in when the handshake ends, well or not. */
struct tls_outcome {
	bool is_done;
	bool is_proven;  /* the name or the records: also where only tried */
	bool is_offered; /* a session of before was, to be resumed, */
	bool is_resumed; /* and was taken: nothing had to be shown */
	/* What is wrong with the certificate, whether or not it matters. */
	enum tls_result result;
};

struct tls_wish {
	enum tls_proof proof;
	const char *name;       /* SNI, and in the certificate */
	const char *other_name; /* in the certificate; NULL */
	const struct tls_tlsa *tlsa;
	size_t tlsa_count;
	struct tls_outcome *outcome; /* must outlive the session */
	/* Where it goes, as bytes that tell one place from another: a session
	 * of before with the same place, names, proof and records is resumed.
	 * "": never. */
	struct text place;
};

enum {
	TLS_CLIENT_MAX_KEPT = 1000 /* sessions that may be resumed */
};

/* `authorities` is PEM text of any number of certificates; what is none among
 * them is passed over. NULL and error if OpenSSL cannot. */
struct tls_client *tls_client_new(struct text authorities, struct error *error);
/* Its sessions live on. */
void tls_client_free(struct tls_client **client);
size_t tls_client_authorities(const struct tls_client *client);

/* For connection_start_tls_client. NULL and error if the wish cannot be had:
 * no record is usable, no memory. */
struct tls_session *tls_client_session(struct tls_client *client, int fd,
    const struct tls_wish *wish, struct error *error);
extern const struct tls_operations tls_client_operations;

/* How many sessions are kept to be resumed. */
size_t tls_client_kept(const struct tls_client *client);

#endif
