/*
 * What the files of the requests of queue and workers know of each other:
 * mail_requests.c, mail_batches.c and mail_readings.c.
 */
#ifndef SNAPD_MAIL_PARTS_H
#define SNAPD_MAIL_PARTS_H

#include "snapd/snapd.h"

/* The bytes of a body that came as a descriptor: a regular file of exactly the
 * size that was announced, read once and never mapped. NULL if it is not; the
 * caller frees it. */
uint8_t *mail_read_descriptor(int fd, uint64_t size);

/* mail_batches.c: a batch begins, gets a part, is applied. */
void mail_begin_batch(
    struct client *client, const struct message_batch_begin *begin);
void mail_add_part(
    struct client *client, const struct message *message, int fd);
void mail_end_batch(struct client *client, uint64_t counter);

/* mail_readings.c: the answer comes with mail_reading_done(). */
void mail_read(struct client *client, const struct message *message);
/* What was asked for of the past, beside the past of all listings. */
void mail_read_past(struct client *client, const struct message *message);

#endif
