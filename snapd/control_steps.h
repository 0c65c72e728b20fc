/*
 * What the steps of a job share: each takes up where the last one ended, adds
 * rows until the step is full and sets is_done at its end.  0, or -1 and
 * job->error.
 */
#ifndef SNAPD_CONTROL_STEPS_H
#define SNAPD_CONTROL_STEPS_H

#include "common/control_record.h"
#include "snapd/control_reading.h"

int control_step_list(struct control_job *job, struct transaction *t);
int control_step_log(struct control_job *job, struct transaction *t);
int control_step_walk(struct control_job *job, struct transaction *t);
int control_step_diff(struct control_job *job, struct transaction *t);
int control_step_proof(struct control_job *job, struct transaction *t);
int control_step_stats(struct control_job *job, struct transaction *t);
int control_step_deleted(struct control_job *job, struct transaction *t);

/* A row that does not fit its writer is left out. */
void control_put_row(struct control_job *job, enum control_row_kind kind,
    const struct writer *w);
void control_put_bytes(
    struct control_job *job, enum control_row_kind kind, struct text record);
/* The asker's note; its texts point into the event's. */
struct event_form;
struct control_note control_note_of(const struct event_form *event);

/* What a walk comes to, for a drill; and its end: false while only counted. */
void control_drill_event(struct control_job *job, enum walk_event event);
int control_drill_message(struct control_job *job, struct transaction *t,
    const struct message_row *row);
bool control_drill_ends(struct control_job *job);

/* The bytes of the message come next. */
int control_begin_body(struct control_job *job, struct transaction *t,
    const struct message_row *row);

/* job->error as a finding about "what number"; then there is none any more. */
void control_put_damage(
    struct control_job *job, const char *what, uint64_t number);
void control_put_account_number(struct control_job *job);
void control_put_mailbox(struct control_job *job);
void control_put_message(
    struct control_job *job, const struct message_row *row);
/* A message with its header, if its date is one that is looked for. */
int control_put_found(struct control_job *job, struct transaction *t,
    const struct message_row *row, int64_t date);
struct control_stats;
void control_stats_free(struct control_stats **stats);
struct control_proof;
void control_proof_free(struct control_proof **proof);
bool control_is_step_full(const struct control_job *job);

#endif
