/*
 * One mail transaction in the queue, from MAIL to the durable end of DATA.
 */
#ifndef SMTPD_TRANSACTION_H
#define SMTPD_TRANSACTION_H

#include "smtpd/queue.h"

/* A front's row 0x0301 to 0x0305; it is answered, now or when it is durable. */
void transaction_handle(struct front *front, const struct message *message);

/* The front is gone: what it had begun is forgotten, what waits for snapd is
 * not taken back. */
void transaction_drop_all(struct front *front);

/* snapd's answer to an accept. */
void transaction_accepted(
    struct queue *queue, uint64_t tag, enum status status);

/* Says the accepts that wait again, with the same delivery ids: snapd answers
 * a repeated one with what it decided before. */
void transaction_resend(struct queue *queue);

/* 451 to those that have waited too long. */
void transaction_expire(struct queue *queue, int64_t now_ms);

#endif
