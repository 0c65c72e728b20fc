/*
 * Mail comes to the spool: a body too large for rows goes to the thread that
 * writes files, everything else into the round of this turn; the queue hears
 * `spool_kept` when body and rows are on disk.  Who comes with a small body
 * does not wait for who came with a large one.
 */
#ifndef SMTPD_SPOOL_PUTS_H
#define SMTPD_SPOOL_PUTS_H

#include "common/messages.h"

struct spool;
struct spool_puts;

struct spool_puts *spool_puts_new(struct spool *spool);
/* Waits for the body that is being written; before the round's last run. */
void spool_puts_free(struct spool_puts **puts);

/* From the queue of that instance; takes fds[0] over. */
void spool_puts_take(struct spool_puts *puts, uint64_t queue,
    const struct message_spool_put *said, int *fds);

#endif
