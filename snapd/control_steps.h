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

/* A row that does not fit its writer is left out. */
void control_put_row(struct control_job *job, enum control_row_kind kind,
    const struct writer *w);
void control_put_bytes(
    struct control_job *job, enum control_row_kind kind, struct text record);
bool control_is_step_full(const struct control_job *job);

#endif
