/*
 * Senders that are too long to stand in the address under which their mail is
 * passed on (srs.h): kept here under the token that stands there instead, until
 * nobody may send to it any more.  There are SPOOL_MAX_SENDERS at most; then
 * the one whose time comes first goes for a new one.
 */
#ifndef SMTPD_SPOOL_SENDERS_H
#define SMTPD_SPOOL_SENDERS_H

#include "common/buf.h"
#include "common/error.h"
#include "smtpd/spool_env.h"

enum {
	SPOOL_MAX_SENDERS = 100000,
	SPOOL_TOKEN_SIZE = 16 /* letters, of either case */
};

/* In the write transaction: keeps `sender` under the token at the end of the
 * local part of `address`. ERROR_INPUT: there is none. */
int spool_senders_keep(struct spool_env *env, struct text address,
    struct text sender, int64_t until, struct error *error);

/* Outgoing records with the addresses of those who are OUTGOING_BACK in the
 * place of their tokens: 1 and the records in `to`; 0: there is none of them.
 * ERROR_MISSING: nobody is kept under such a token. */
int spool_senders_resolve(struct spool_env *env, struct text records,
    struct buf *to, struct error *error);

/* Some of those whose time has come. */
int spool_senders_forget(
    struct spool_env *env, int64_t now, struct error *error);

#endif
