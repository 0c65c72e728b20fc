/*
 * What the files of transactions share: the transaction itself, from MAIL to
 * the durable end (transaction.c, transaction_envelope.c, transaction_end.c),
 * of a report (transaction_report.c), of mail for later
 * (transaction_release.c), of parts that are in a mailbox (transaction_url.c),
 * and of what another queue had begun (transaction_question.c).
 */
#ifndef SMTPD_TRANSACTION_STATE_H
#define SMTPD_TRANSACTION_STATE_H

#include "smtpd/mail_body.h"
#include "common/route.h"
#include "smtpd/outgoing.h"
#include "smtpd/transaction.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	TRANSACTION_RECIPIENTS_SIZE = 40000, /* as in the row `accept` */
	TRANSACTION_WAYS_SIZE = 128 * 1024,
	TRANSACTION_FULL_SIZE = 1250 /* as in the row `transaction_verdict` */
};

struct url_fetch;

struct transaction {
	struct queue *queue;
	struct front *front; /* NULL: it is gone */
	uint64_t number;
	uint64_t tag; /* of what waits for an answer; 0: nothing */
	enum transaction_wait wait;
	int64_t deadline_ms;
	uint64_t report;  /* the spool's tag; 0: it is a client's */
	uint64_t release; /* the spool's job that it is; 0: none */
	bool is_submission;
	bool is_lmtp; /* of a mail server of ours: taken as it took it */
	bool is_authenticated;
	bool is_forwarding; /* somebody here passes it on to another host */
	unsigned int flags;
	int8_t priority;         /* RFC 6710 */
	int64_t not_before;      /* RFC 4865; 0: at once */
	int64_t deliver_by;      /* RFC 2852; 0: whenever */
	uint64_t declared;       /* SIZE, or 0 */
	unsigned int verdict;    /* the first bad one of the body */
	unsigned int defects;    /* of what came by URLs */
	bool is_at_seam;         /* such a part just ended, or begins */
	struct url_fetch *fetch; /* what an URL names is awaited; or NULL */
	char *sender;
	char *helo;
	char *client_ip;
	char *tls;
	char *only_recipient;
	uint32_t account; /* who sends it; 0: somebody from elsewhere */
	char *envelope_id;
	struct outgoing outgoing;
	uint32_t *accounts; /* of `count` recipients, each once */
	size_t count;
	size_t given;          /* RCPT commands that were taken */
	struct buf recipients; /* recipient records */
	struct buf ways;       /* LMTP: whom each RCPT leads to, */
	bool lacks_ways;       /* but for some */
	uint8_t full[TRANSACTION_FULL_SIZE]; /* of them, a bit each */
	size_t full_size;
	struct buf verdicts; /* of a release, for each recipient */
	struct delivery_id delivery;
	int64_t time;
	struct mail_body body;
	bool is_converted; /* a binary one: what accounts of ours get is */
	struct mail_body converted;
	uint64_t counted; /* bytes of ours in queue->bytes */
};

/* A copy with a NUL behind it, the caller's. */
char *transaction_copy_text(struct text text);
void transaction_free(struct transaction *transaction);
void transaction_queue_id(const struct transaction *transaction, char id[33]);

/* VERDICT_OK while mail can be taken. */
unsigned int transaction_store_verdict(const struct queue *queue);
/* A verdict of the transaction `number` to its front, which may be NULL. */
void transaction_say(struct front *front, uint64_t number, unsigned int verdict,
    const char *text);
/* To the end of the data: with the recipients that are left out. */
void transaction_say_end(
    const struct transaction *transaction, unsigned int verdict);

/* A new one of the front's, or why not. */
unsigned int transaction_begin(
    struct front *front, const struct message_transaction_begin *begin);
unsigned int transaction_recipient(struct transaction *transaction,
    const struct message_transaction_recipient *given);
/* Keeps some bytes of the body. After the first bad verdict nothing is kept:
 * the end gets that verdict. */
unsigned int transaction_put(struct transaction *transaction, struct text data);

/* All of the body is there: it is handed over, or answered and forgotten. */
void transaction_end(
    struct transaction *transaction, const struct message_transaction_end *end);

/* ---- transaction_url.c ---- */
/* VERDICT_OK: what the URL names becomes a part of the body, and is answered
 * then; or why not. */
unsigned int transaction_fetch(struct transaction *transaction,
    const struct message_transaction_url *said);
/* Nobody waits for it any more. */
void transaction_stop_fetch(struct transaction *transaction);

/* To the spool, then to snapd, as it is: VERDICT_OK, and transaction_finish
 * comes when they have answered; or why not. */
unsigned int transaction_hand_over(struct transaction *transaction);
/* Its verdict is given, and it is forgotten. */
void transaction_finish(struct transaction *transaction, unsigned int verdict);

/* ---- transaction_quota.c ---- */
/* Has the account, or any that the route leads to, room for what was
 * declared? */
bool transaction_has_room(
    const struct transaction *transaction, const struct account *account);
/* LMTP: the RCPT that is being taken leads to the route's accounts. */
void transaction_note_way(
    struct transaction *transaction, const struct route *route);
/* At the end of data: VERDICT_OVERQUOTA if all it is for are full; of LMTP's
 * recipients those that are full are left out. */
unsigned int transaction_check_quotas(struct transaction *transaction);
/* It was accepted for these accounts. */
void transaction_count_quotas(const struct transaction *transaction);
/* What became of one that the spool had (transaction_release.c). */
void transaction_say_released(
    struct transaction *transaction, unsigned int verdict);

/* A body for accounts of ours is made of a binary one. -1: it cannot be. */
int transaction_convert(struct transaction *transaction, struct error *error);

/* The spool goes on with what it has undecided, or drops it. */
void transaction_decide(
    struct queue *queue, const struct delivery_id *delivery, bool is_kept);

#endif
