/*
 * Restore, mode missing: brings back what a sequence has and now is missing,
 * and never removes or changes anything.  Rows first, some at a time, each
 * step one durable event; then the account's worker is started if need be and
 * told to catch up and to write the files that are not there.  A restore that
 * was cut off can be asked for again: it goes on where it was.
 */
#ifndef SNAPD_RESTORE_H
#define SNAPD_RESTORE_H

#include "snapd/control_reading.h"
#include "snapd/snapd.h"

struct restore;

/* Takes over the job, whose request was checked. STATUS_OK, or the reason why
 * it does not begin (then the job stays the caller's). Its rows and its done
 * go to the client, if that is still there. */
enum status restore_start(
    struct client *client, struct control_job *job, struct error *error);
void restore_free(struct restore **restore);

/* What happens to workers; each looks whether it is waited for. */
void restore_worker_there(struct snapd *snapd, uint32_t account);
void restore_worker_gone(struct snapd *snapd, uint32_t account);
void restore_worker_failed(struct snapd *snapd, uint32_t account);
void restore_caught_up(struct snapd *snapd, uint32_t account,
    const struct message_caught_up *caught_up);

#endif
