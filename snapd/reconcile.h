/*
 * Has the account's worker look at the whole Maildir: what other programs put
 * there is adopted, what they took away is marked and made again.  While a
 * worker runs it notices by itself; this is for accounts without one, each in
 * its turn as often as the settings say, and for an administrator who asks.
 * Nothing here changes a row: the worker does, over its own channel.
 */
#ifndef SNAPD_RECONCILE_H
#define SNAPD_RECONCILE_H

#include "snapd/snapd.h"

enum {
	RECONCILE_EVERY_S = 24 * 60 * 60
};

struct reconciler;

/* 0 is the default of either. */
struct reconciler *reconciler_new(
    struct snapd *snapd, uint32_t every_s, int64_t tick_ms);
void reconciler_configure(struct reconciler *reconciler, uint32_t every_s);
void reconciler_free(struct reconciler **reconciler);

/* Progress rows, then a done when the worker has looked and all is in the
 * store. Not more than one such question of an account at a time. */
void reconcile_request_received(
    struct client *client, const struct message_control_reconcile *request);

struct wanted_mark;

/* What other programs changed up to now is in the store first, then the mark is
 * made (control_make_mark), also if that could not be had. Takes it over. */
void reconcile_before_mark(
    struct client *client, uint32_t account, struct wanted_mark *mark);

/* What happens to workers; each looks whether it is waited for. A look outlives
 * its worker, as long as something was committed by one of the last few. */
void reconcile_worker_there(struct reconciler *reconciler, uint32_t account);
void reconcile_worker_gone(
    struct reconciler *reconciler, uint32_t account, bool has_committed);
void reconcile_worker_failed(struct reconciler *reconciler, uint32_t account);
/* False if the answer is not one to a question of ours. */
bool reconcile_caught_up(struct reconciler *reconciler, uint32_t account,
    const struct message_caught_up *caught_up);

/* A worker that is there applies what changed in the store. */
void reconcile_tell_worker(struct snapd *snapd, uint32_t account);

/* Whether the turn of `account` is in the seconds (after, now] of a clock that
 * begins with the process. Pure. */
bool reconcile_is_due(
    uint32_t account, uint64_t after_s, uint64_t now_s, uint32_t every_s);

#endif
