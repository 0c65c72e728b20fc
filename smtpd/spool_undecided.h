/*
 * Messages that wait for the word of the snapshot store: whose queue they are,
 * and who is asked when that one is gone.
 */
#ifndef SMTPD_SPOOL_UNDECIDED_H
#define SMTPD_SPOOL_UNDECIDED_H

#include "smtpd/spool.h"

struct spool_undecided;

/* Knows those that are there. NULL and error. */
struct spool_undecided *spool_undecided_new(
    struct spool *spool, struct error *error);
void spool_undecided_free(struct spool_undecided **undecided);

/* One more is on disk, put by that instance of the queue, which may be gone. */
void spool_undecided_add(struct spool_undecided *undecided, uint64_t id,
    uint64_t instance, bool is_gone);
/* A queue is there, or has gone: what nobody is at work on is offered. */
void spool_undecided_offer(struct spool_undecided *undecided);
void spool_undecided_lose(struct spool_undecided *undecided, uint64_t instance);

void spool_undecided_hear(
    struct spool_undecided *undecided, const struct message_spool_decide *said);

#endif
