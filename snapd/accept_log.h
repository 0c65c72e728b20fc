/*
 * Mail that was accepted, and batches of changes that were applied, since the
 * index was committed last, in a file beside it that never grows: they are
 * durable with one wait for the disk instead of the index's two, and the
 * index's commit comes later, for many.  What the file has and the index has
 * not is done again when the store is opened (repeat.h).
 *
 * Every record names the event of the index on which it stands (the last one
 * that is committed), and its place among those that stand on it.  Records
 * stand from the file's start on; so those of before, over which new ones are
 * written, are known by the event they name, and nobody has to wait for the
 * disk to be told that they are over.  docs/design, "Mail is accepted beside
 * the index".
 */
#ifndef SNAPD_ACCEPT_LOG_H
#define SNAPD_ACCEPT_LOG_H

#include "common/messages.h"
#include "common/text.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ACCEPT_LOG_KEY_SIZE = 16,
	ACCEPT_LOG_BYTES = 4 << 20,       /* of the file */
	ACCEPT_LOG_MAX_RECORD = 256 << 10 /* a larger one is not for it */
};

struct accept_log;

/* As in the message `accept`. */
struct accept_record {
	struct delivery_id delivery;
	uint8_t form;
	int64_t time;
	struct text sender;
	struct text recipients;
	struct text body;
};

/* A batch of changes (batch.h), and which numbers it led to. */
struct accept_batch {
	uint32_t account;
	uint64_t history;   /* of the event on which it stands */
	int64_t wall_us;    /* its event's */
	uint64_t sequence;  /* of its event */
	uint64_t next_blob; /* after it */
	struct text parts;  /* batch_put_parts */
};

/* The one in the store's directory, which is made if it is not there; records
 * are authentic by a key, which stays the store's.  NULL and error:
 * ERROR_FULL if there is no room to make it; any other may hide records. */
struct accept_log *accept_log_open(const char *path,
    const uint8_t key[ACCEPT_LOG_KEY_SIZE], struct error *error);
void accept_log_free(struct accept_log **log);

/* Each says 0, or -1: then the replay ends. */
struct accept_log_handler {
	int (*accept)(const struct accept_record *record, void *context);
	int (*apply)(const struct accept_batch *batch, void *context);
};

/*
 * Calls the handler for each record that stands on that event, or all on one
 * that is later (the index is older than the log: it was made anew, or put
 * back), in order, with texts that are valid during the call; 0 after the last
 * one, -1 if it said so or the file cannot be read.
 */
int accept_log_replay(const struct accept_log *log, uint64_t sequence,
    const struct accept_log_handler *handler, void *context,
    struct error *error);

/* Puts a record behind those that stand on the same event; false: there is no
 * room.  It is on disk after accept_log_sync. */
bool accept_log_add(struct accept_log *log, uint64_t sequence,
    const struct accept_record *record);
bool accept_log_add_batch(struct accept_log *log, uint64_t sequence,
    const struct accept_batch *batch);
/* -1: the disk failed.  Nothing may be answered any more. */
int accept_log_sync(struct accept_log *log, struct error *error);
/* The index has them all: the next one is the first. */
void accept_log_clear(struct accept_log *log);
/* The same, and nothing of before is left on disk. */
int accept_log_wipe(struct accept_log *log, struct error *error);

/* Whether there are records on that event; the first one of an event is put
 * over those of before. */
bool accept_log_is_begun(const struct accept_log *log, uint64_t sequence);
/* Whether some are on disk that the index may not have yet, */
bool accept_log_has(const struct accept_log *log);
/* and that one is among them, or will be; for any of its recipients. */
bool accept_log_has_delivery(
    const struct accept_log *log, const struct delivery_id *delivery);

#endif
