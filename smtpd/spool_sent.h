/*
 * How much each account has sent: rows beside the mail, written in its commit.
 * Account 0 is from elsewhere, and is not counted.  Times are seconds since
 * 1970.
 */
#ifndef SMTPD_SPOOL_SENT_H
#define SMTPD_SPOOL_SENT_H

#include "smtpd/spool_env.h"

/* Recipients that were taken in the day before `now`. */
int spool_sent_find(struct spool_env *env, uint32_t account, int64_t now,
    uint32_t *sent, struct error *error);
/* -1 and ERROR_LIMIT: `count` more would be more than `limit` (0: none). */
int spool_sent_check(struct spool_env *env, uint32_t account, int64_t now,
    uint32_t count, uint32_t limit, struct error *error);
int spool_sent_add(struct spool_env *env, uint32_t account, int64_t now,
    uint32_t count, struct error *error);

/* They were added with that `then`, and are not sent. */
int spool_sent_give_back(struct spool_env *env, uint32_t account, int64_t then,
    uint32_t count, struct error *error);

/* Each account that has sent something in that day. */
int spool_sent_each(struct spool_env *env, int64_t now,
    void (*callback)(void *context, uint32_t account, uint32_t sent),
    void *context, struct error *error);

#endif
