/*
 * Restore: brings a selection of the store as of a sequence back, in one of
 * three modes (common/control_record.h), and never deletes.  Rows first, some
 * at a time, each step one durable event; then the account's worker is started
 * if need be and told to catch up and to write the files that are not there,
 * while the next account's rows are looked at.  A restore that was cut off, by
 * whatever, can be asked for again: it goes on where it was.  It ends when who
 * asked is gone.
 */
#ifndef SNAPD_RESTORE_H
#define SNAPD_RESTORE_H

#include "snapd/control_reading.h"
#include "snapd/snapd.h"

struct restore;

/* Takes over the job, whose request was checked. STATUS_OK, or the reason why
 * it does not begin (then the job stays the caller's). Its rows and its done
 * go to the client. */
enum status restore_start(
    struct client *client, struct control_job *job, struct error *error);
void restore_free(struct restore **restore);

/* What happens to workers; each looks whether it is waited for. */
void restore_worker_there(struct client *worker);
void restore_worker_gone(struct snapd *snapd, uint32_t account);
void restore_worker_failed(struct snapd *snapd, uint32_t account);
/* `missing` as in the message, or what its descriptor holds. */
void restore_caught_up(struct client *worker,
    const struct message_caught_up *caught_up, struct text missing);
/* A worker got a body, or did not. */
void restore_body_read(
    struct snapd *snapd, uint32_t account, uint64_t blob, enum status status);

#endif
