/*
 * The rows of the spool's environment: keys, and values with a version in
 * front (1).  Numbers in keys are big-endian, so that rows of one message lie
 * side by side and times sort; in values they are little-endian.  Pure.
 *
 * A message is for recipients, whose numbers are their places when sorted by
 * domain; a parcel is a run of them that one job can carry: one domain, at most
 * SPOOL_PARCEL_RECIPIENTS of them.  What is tried, and tried again, is a
 * parcel.
 */
#ifndef SMTPD_SPOOL_FORM_H
#define SMTPD_SPOOL_FORM_H

#include "common/messages.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number goes into the sums: append only. */
enum spool_table {
	SPOOL_META,      /* text -> see spool_store.c */
	SPOOL_MESSAGE,   /* message u64 -> struct spool_message */
	SPOOL_PARCEL,    /* message u64, number u16 -> struct spool_parcel */
	SPOOL_RECIPIENT, /* message u64, number u16 -> struct spool_recipient */
	SPOOL_BODY, /* message u64, number u32 -> up to 4,080 bytes, no sum */
	SPOOL_DELIVERY,  /* delivery 18 -> message u64, also when it has gone */
	SPOOL_GONE,      /* when it went i64, message u64 -> delivery 18 */
	SPOOL_REPORT,    /* message u64 -> it is a report for the queue */
	SPOOL_SENT,      /* account u32 -> struct spool_allowance */
	SPOOL_UNDECIDED, /* message u64 -> u32: the account that decides */
	SPOOL_DRAFT,     /* as SPOOL_PARCEL, of a message that is undecided */
	SPOOL_TLSRPT,    /* see tlsrpt_form.h */
	SPOOL_POLICY,    /* hash of a domain u64 -> struct spool_policy */
	SPOOL_SENDER,    /* token 16 -> until i64, address (spool_senders.h) */
	SPOOL_SENDER_DUE, /* until i64, token 16 -> it may go then */
	SPOOL_TABLES
};

enum {
	SPOOL_MAX_KEY = 32,
	/* The byte of a delivery that tells a report, which waits for the
	 * queue, from the mail that the queue makes of it, which may come back
	 * for another host under the same id. */
	SPOOL_REPORT_MARK = 16,
	SPOOL_MAX_VALUE = 4096, /* of a row but a chunk, with its sum */
	SPOOL_CHUNK_SIZE = 4080,
	SPOOL_PARCEL_RECIPIENTS = 100,
	SPOOL_PARCEL_BYTES = 40000,   /* as in the row `relay_job` */
	SPOOL_MAX_RECIPIENTS = 10000, /* of a message */
	SPOOL_MAX_ADDRESS = 512,
	SPOOL_MAX_DOMAIN = 255,
	SPOOL_MAX_ENVELOPE_ID = 100,
	SPOOL_MAX_WORDS = 500, /* of a host's reply */
	SPOOL_MAX_HOST = 255,
	SPOOL_MAX_POLICY = 16000, /* as in the row `sts_keep` */
	SPOOL_MAX_POLICY_VALUE = SPOOL_MAX_POLICY + 512
};

struct spool_key {
	uint8_t bytes[SPOOL_MAX_KEY];
	size_t size;
};

void spool_key_u16(struct spool_key *key, uint16_t value);
void spool_key_u32(struct spool_key *key, uint32_t value);
void spool_key_u64(struct spool_key *key, uint64_t value);
void spool_key_raw(struct spool_key *key, const void *data, size_t size);
/* Of a message; of its n-th parcel or recipient; of a delivery. */
struct spool_key spool_message_key(uint64_t id);
struct spool_key spool_numbered_key(uint64_t id, uint16_t number);
struct spool_key spool_delivery_key(const struct delivery_id *delivery);
/* Of what is kept of a domain. */
uint64_t spool_hash(struct text name);
struct spool_key spool_policy_key(struct text domain);
struct text spool_key_text(const struct spool_key *key);
/* Of a key that was read; 0 where it is too short. */
uint64_t spool_key_get(struct text key, size_t offset, size_t size);

enum spool_place {
	SPOOL_IN_ROWS, /* chunks */
	SPOOL_IN_FILE  /* a file of its own beside the environment */
};

struct spool_message {
	struct delivery_id delivery;
	int64_t time;     /* seconds since 1970: when it was taken */
	uint32_t account; /* whose it is; 0: it came from elsewhere */
	uint16_t flags;   /* TRANSACTION_ bits of common/smtp_verdict.h */
	uint8_t place;    /* enum spool_place */
	uint64_t size;    /* of the body */
	uint64_t sum;     /* of the body in rows; 0 for a file */
	uint16_t recipients;
	uint16_t parcels; /* that are not over */
	struct text sender;
	struct text envelope_id;
};

/* What a host said, or we. */
struct spool_words {
	uint16_t code; /* of his reply; 0: ours */
	struct text enhanced;
	struct text text;
	struct text host;
};

/* Bits of a parcel's `flags`. */
enum {
	SPOOL_HELD = 1, /* by the administrator, until he lets it go */
	SPOOL_NOTICED =
	    2,           /* the sender was told that it is late, if he cared */
	SPOOL_HOME = 4,  /* for recipients of ours: the queue gets it */
	SPOOL_LATER = 8, /* its sender said when it may go */
	SPOOL_BY_RETURN = 16 /* returned at deliver_by; else it is late then */
};

struct spool_parcel {
	uint64_t message; /* of the key, as is number */
	uint16_t number;
	uint16_t first; /* recipient */
	uint16_t count;
	uint16_t tries; /* that came to an end */
	uint8_t flags;
	int8_t priority; /* of RFC 6710, -9 to 9 */
	uint32_t account;
	int64_t time;             /* as of the message, or when it may go */
	int64_t next;             /* seconds since 1970: not before */
	int64_t deliver_by;       /* RFC 2852; 0: whenever */
	struct text domain;       /* lower case */
	struct spool_words words; /* of the last try as a whole */
};

enum spool_state {
	SPOOL_WAITING,
	SPOOL_DELIVERED,
	SPOOL_PASSED_ON, /* to one who tells nobody of success */
	SPOOL_FAILED,
	/* It never was the spool's: */
	SPOOL_FILED,   /* the snapshot store has it, */
	SPOOL_EXPANDED /* or it is an alias, and who is behind it is here */
};

struct spool_recipient {
	uint8_t state;
	uint8_t notify; /* enum dsn_notify of common/dsn.h */
	int64_t time;   /* of the last word on it; 0: there was none */
	struct text address;
	struct text original; /* ORCPT */
	struct spool_words words;
};

/* A policy of MTA-STS as the relay gave it. Times are seconds since 1970. */
struct spool_policy {
	int64_t since; /* it was fetched */
	int64_t until; /* it counts */
	struct text domain;
	struct text id;
	struct text policy;
};

/* How many bytes the value has, or 0 if a text is beyond its limit. `to` has
 * room for SPOOL_MAX_VALUE. */
size_t spool_put_message(uint8_t *to, const struct spool_message *message);
size_t spool_put_parcel(uint8_t *to, const struct spool_parcel *parcel);
size_t spool_put_recipient(
    uint8_t *to, const struct spool_recipient *recipient);

/* 0, or -1 if it is none. Texts point into `value`. */
int spool_get_message(struct text value, struct spool_message *message);
int spool_get_parcel(
    struct text key, struct text value, struct spool_parcel *parcel);
int spool_get_recipient(struct text value, struct spool_recipient *recipient);

/* `to` has room for SPOOL_MAX_POLICY_VALUE. */
size_t spool_put_policy(uint8_t *to, const struct spool_policy *policy);
int spool_get_policy(struct text value, struct spool_policy *policy);

/* What is around each value: a version in front, room for `size` bytes, 0 for
 * what was too long. */
struct writer;
struct reader;
void spool_value_begin(struct writer *w, uint8_t *to, size_t size);
size_t spool_value_end(const struct writer *w);
void spool_value_open(struct reader *r, struct text value);

/* The domain of an address, behind its last "@"; empty if there is none. */
struct text spool_domain(struct text address);

#endif
