/*
 * What the files that answer snapctl share: rows and the end of an answer, both
 * sent after this round's commit.
 */
#ifndef SNAPD_CONTROL_H
#define SNAPD_CONTROL_H

#include "common/control_record.h"
#include "snapd/snapd.h"

void control_answer_row(struct client *client, uint64_t tag,
    enum control_row_kind kind, const struct writer *w);
/* The text of `error` goes with the status, if it has one. */
void control_answer_done(struct client *client, uint64_t tag,
    enum status status, const struct error *error);

/* control_create.c: what was asked for, and the mark, once the account was
 * looked at with that result. */
struct wanted_mark;
void control_create_received(
    struct client *client, const struct message_control_create *request);
void control_make_mark(
    struct client *client, const struct wanted_mark *mark, enum status looked);
void control_forget_mark(struct wanted_mark **mark);

/* keep_show, keep_set, hold, holds, release: control_promises.c. */
void control_promise_received(
    struct client *client, const struct message *message);

#endif
