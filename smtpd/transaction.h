/*
 * One mail transaction in the queue, from MAIL to the durable end of DATA.
 */
#ifndef SMTPD_TRANSACTION_H
#define SMTPD_TRANSACTION_H

#include "smtpd/queue.h"

/* Whose answer a transaction waits for. */
enum transaction_wait {
	WAITS_FOR_NOBODY,
	WAITS_FOR_SPOOL, /* spool_put */
	WAITS_FOR_STORE  /* accept */
};

/* A front's row 0x0301 to 0x0305; it is answered, now or when it is durable. */
void transaction_handle(struct front *front, const struct message *message);

/* The front is gone: what it had begun is forgotten, what waits for snapd is
 * not taken back. */
void transaction_drop_all(struct front *front);

/* snapd's answer to an accept. */
void transaction_accepted(
    struct queue *queue, uint64_t tag, enum status status);

/* The spool's answer to a spool_put. */
void transaction_kept(struct queue *queue, uint64_t tag, enum status status);

/* A report of the spool's is a transaction without a front: routed, made
 * durable and then answered. `fd` has its bytes if it has so many, and stays
 * the caller's. */
void transaction_report(
    struct queue *queue, const struct message_spool_report *report, int fd);

/* The same for mail of ours that was to go later. */
void transaction_release(
    struct queue *queue, const struct message_spool_due *release, int fd);

/* Says what waits for that one again, with the same delivery ids: a repeated
 * one is answered with what was decided before. */
void transaction_resend(struct queue *queue, enum transaction_wait wait);

/* The spool has one that is undecided; snapd's answer to find_delivery; snapd
 * is gone. */
void transaction_undecided(
    struct queue *queue, const struct message_spool_undecided *said);
void transaction_found(struct queue *queue, uint64_t tag, enum status status);
void transaction_forget_questions(struct queue *queue);

/* 451 to those that have waited too long. */
void transaction_expire(struct queue *queue, int64_t now_ms);

/* ---- What URLs name (transaction_url.c) ---- */

/* The account's worker is there; it is gone; and called every
 * QUEUE_RETRY_MS. */
void transaction_ask_urls(struct queue *queue, uint32_t account);
void transaction_unask_urls(struct queue *queue, uint32_t account);
void transaction_retry_urls(struct queue *queue, int64_t now_ms);
/* The worker's answer; takes over the descriptor, if it puts -1 there. */
void transaction_fetched(struct queue *queue, uint32_t account,
    const struct message_url_fetched *said, int *fd);

#endif
