/*
 * The messages that go out, until they have gone: rows (spool_form.h) and
 * bodies (spool_body.h) together.  Everything that changes is done between
 * spool_store_begin and spool_store_commit, and is on disk when that returns;
 * whoever asked is answered after it, and what the scheduler knows is changed
 * after it.
 *
 * Nothing here walks all messages but the start.
 */
#ifndef SMTPD_SPOOL_STORE_H
#define SMTPD_SPOOL_STORE_H

#include "common/buf.h"
#include "common/error.h"
#include "smtpd/spool_form.h"

#include <stdbool.h>

struct spool_store;

/* A message as it is handed in. */
struct spool_mail {
	struct delivery_id delivery;
	int64_t time;
	int64_t next;       /* seconds since 1970: not before; 0: at once */
	int64_t deliver_by; /* likewise; 0: whenever */
	int8_t priority;
	uint32_t account;
	uint16_t flags;
	struct text sender;
	struct text envelope_id;
	struct text recipients; /* outgoing records (common/record.h) */
	uint64_t size;
	struct text data; /* the body, or it is in `fd` */
	int fd;
	/* Of one that wants a file: its number, under which the body lies there
	 * already (spool_writer.h). */
	uint64_t id;
	uint32_t send_per_day; /* the account's limit; 0: none */
	uint32_t decider;      /* it is undecided, and that account's too */
	/* What `sender` stands for, to be kept until then; or empty. */
	struct text origin;
	int64_t origin_until;
};

/* In the folder `path`, "." inside the walls. */
struct spool_store *spool_store_open(
    const char *path, uint64_t map_bytes, struct error *error);
void spool_store_close(struct spool_store **store);
struct spool_env *spool_store_env(struct spool_store *store);

bool spool_store_has_room(struct spool_store *store, uint64_t bytes);

int spool_store_begin(struct spool_store *store, struct error *error);
/* As spool_env_commit. */
int spool_store_commit(struct spool_store *store, struct error *error);
void spool_store_abort(struct spool_store *store);
void spool_store_rest(struct spool_store *store);

/* A body that is too large for rows is written first (spool_bodies_write, to
 * that folder, under a new number), and dropped if the mail is not taken. */
bool spool_store_wants_file(const struct spool_mail *mail);
int spool_store_body_folder(const struct spool_store *store);
uint64_t spool_store_new_id(struct spool_store *store);
void spool_store_drop_body(struct spool_store *store, uint64_t id);

/* 1 and its number; 0: that delivery was taken before; -1: ERROR_INPUT for what
 * no one should hand in, ERROR_LIMIT: the account has sent enough, else as
 * spool_env_put. */
int spool_store_put(struct spool_store *store, const struct spool_mail *mail,
    uint64_t *id, struct error *error);
/* The same for a report of ours to `mail->recipients`, which waits for the
 * queue and is no parcel. */
int spool_store_put_report(struct spool_store *store,
    const struct spool_mail *mail, uint64_t *id, struct error *error);

/* An undecided message becomes one like any other, or was never there: 1, its
 * number and whose it is. 0: none of that delivery is undecided. */
int spool_store_decide(struct spool_store *store,
    const struct delivery_id *delivery, bool is_kept, uint64_t *id,
    uint32_t *account, struct error *error);
/* It ends early with what the callback returns if that is not 0. */
int spool_store_each_undecided(struct spool_store *store,
    int (*callback)(void *context, uint64_t id, uint32_t decider),
    void *context, struct error *error);

/* Parcels of a message, or of all (0), by number; a callback may write nothing.
 * It ends early with what the callback returns if that is not 0. */
int spool_store_each_parcel(struct spool_store *store, uint64_t id,
    int (*callback)(void *context, const struct spool_parcel *parcel),
    void *context, struct error *error);
/* The same for those from that one on, of all messages. */
int spool_store_each_parcel_from(struct spool_store *store, uint64_t id,
    uint16_t number,
    int (*callback)(void *context, const struct spool_parcel *parcel),
    void *context, struct error *error);
int spool_store_each_report(struct spool_store *store,
    int (*callback)(void *context, uint64_t id), void *context,
    struct error *error);

/* 1, 0 if there is none, -1. Texts are valid until the next write or rest. */
int spool_store_message(struct spool_store *store, uint64_t id,
    struct spool_message *message, struct error *error);
int spool_store_parcel(struct spool_store *store, uint64_t id, uint16_t number,
    struct spool_parcel *parcel, struct error *error);
int spool_store_recipient(struct spool_store *store, uint64_t id,
    uint16_t number, struct spool_recipient *recipient, struct error *error);
/* By the first bytes of its delivery id, if only one begins so; a message that
 * has gone is found for a while. */
int spool_store_find_id(struct spool_store *store, const uint8_t *start,
    size_t size, uint64_t *id, struct error *error);

int spool_store_set_parcel(struct spool_store *store,
    const struct spool_parcel *parcel, struct error *error);
int spool_store_set_recipient(struct spool_store *store, uint64_t id,
    uint16_t number, const struct spool_recipient *recipient,
    struct error *error);
/* The parcel is over; with the last one the message is. `now` in seconds. */
int spool_store_end_parcel(struct spool_store *store, uint64_t id,
    uint16_t number, int64_t now, struct error *error);
/* One that has no parcel. */
int spool_store_end_message(
    struct spool_store *store, uint64_t id, int64_t now, struct error *error);
int spool_store_end_report(
    struct spool_store *store, uint64_t id, int64_t now, struct error *error);

/* The body for reading; its first bytes. */
int spool_store_open_body(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct error *error);
int spool_store_read_body(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct buf *to, struct error *error);

/* Delivery ids of what went long ago, a few at a time: they were kept for a
 * queue that asks again. */
int spool_store_forget(
    struct spool_store *store, int64_t now, struct error *error);

#endif
