/*
 * What the spool tells the administrator's command of mail that waits, and what
 * that asks for.  Pure encoding and decoding; a page is its records one after
 * the other.
 */
#ifndef COMMON_QUEUE_RECORD_H
#define COMMON_QUEUE_RECORD_H

#include "common/codec.h"
#include "common/messages.h"
#include "common/text.h"

#include <stdint.h>

/* Which parcels are meant. */
enum queue_selector {
	QUEUE_ALL,
	QUEUE_ID,      /* the word is a queue id in hex, or its start */
	QUEUE_ADDRESS, /* the word is the sender or a recipient */
	QUEUE_DOMAIN,  /* the word is where it goes */
	QUEUE_HELD
};

enum queue_action {
	QUEUE_FLUSH,   /* tried at once */
	QUEUE_HOLD,    /* neither tried nor given up */
	QUEUE_RELEASE, /* no longer held */
	QUEUE_BOUNCE   /* given up, and returned to the sender */
};

enum queue_state {
	QUEUE_WAITS, /* until its next try */
	QUEUE_READY, /* for its turn */
	QUEUE_RUNS,
	QUEUE_IS_HELD,
	QUEUE_PAUSED, /* its destination is left alone for a while */
	QUEUE_STATES
};

/* A message's recipients at one domain. */
struct queue_parcel_record {
	uint64_t message;
	uint16_t parcel;
	struct delivery_id delivery;
	uint32_t account; /* who sends it; 0: from elsewhere */
	int64_t time;     /* seconds since 1970, as is next */
	int64_t next;     /* try; of a destination that is left alone, its */
	uint64_t size;
	uint16_t tries;
	uint16_t recipients;
	uint8_t state;      /* enum queue_state */
	struct text sender; /* "": it is a report */
	struct text domain;
	struct text first;    /* recipient */
	uint16_t code;        /* of the last reply; 0: the words are ours */
	struct text enhanced; /* its RFC 3463 code, or "" */
	struct text words;
	struct text host;
};

enum queue_recipient_state {
	QUEUE_TO_GO,
	QUEUE_DELIVERED,
	QUEUE_PASSED_ON,
	QUEUE_FAILED,
	QUEUE_FILED,   /* here: the store has it */
	QUEUE_EXPANDED /* an alias: who is behind it has a row of his own */
};

struct queue_recipient_record {
	uint8_t state;
	uint8_t notify; /* enum dsn_notify */
	int64_t time;   /* of the last word; 0: there was none */
	struct text address;
	struct text original;
	uint16_t code;
	struct text enhanced;
	struct text words;
	struct text host;
};

/* A report of TLS (RFC 8460) that is counted, or waits. */
struct queue_tls_report_record {
	int64_t begin; /* of its period, seconds since 1970 */
	int64_t due;   /* when it is sent, or tried next */
	uint64_t good; /* sessions */
	uint64_t bad;
	uint8_t tries;
	struct text domain;
};

void queue_put_parcel(
    struct writer *w, const struct queue_parcel_record *record);
void queue_put_recipient(
    struct writer *w, const struct queue_recipient_record *record);

void queue_put_tls_report(
    struct writer *w, const struct queue_tls_report_record *record);

/* 1, 0 at the end, -1 if it is none; texts point into the reader's bytes. */
int queue_get_parcel(struct reader *r, struct queue_parcel_record *record);
int queue_get_recipient(
    struct reader *r, struct queue_recipient_record *record);
int queue_get_tls_report(
    struct reader *r, struct queue_tls_report_record *record);

#endif
