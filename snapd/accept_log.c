/*
 * See accept_log.h.  A record: layout u32 (accept_layout.h), place u32, size of
 * what follows the head u32, the event u64, SipHash u64 of all but itself; so
 * it begins in every version.  Then run u64, kind u8, and of a message form u8,
 * time u64, delivery id, sender, recipients and body as texts; of a batch
 * account u32, history, wall clock, event and next blob (u64 each), its parts
 * as a text.  All little-endian.
 *
 * Those that stand on one event have one run, which is drawn anew whenever the
 * first place is given anew.  Else one that was never answered, left behind by
 * a write that was torn, could stand right behind those of the next life.
 */
#include "snapd/accept_log.h"

#include "common/buf.h"
#include "common/codec.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/table.h"
#include "snapd/accept_layout.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	HEAD_SIZE = 28,
	SUM_AT = 20,
	TEXT_HEAD = 4,
	KIND_HEAD = 8 + 1, /* run and kind */
	MAIL_HEAD =
	    KIND_HEAD + 1 + 8 + (int)sizeof(struct delivery_id) + 3 * TEXT_HEAD,
	BATCH_HEAD = KIND_HEAD + 4 + 4 * 8 + TEXT_HEAD,
	BASE_SIZE =
	    16, /* of a delivery id: the rest is the recipient's place */
	ZEROS = 64 << 10
};

enum kind {
	KIND_MAIL = 1,
	KIND_BATCH
};

static const char name[] = "accepted";

struct accept_log {
	int fd;
	uint8_t key[ACCEPT_LOG_KEY_SIZE];
	uint32_t layout;
	size_t room;       /* bytes of the file */
	uint64_t run;      /* of those that stand in it */
	uint64_t sequence; /* on which they stand, */
	uint32_t count;    /* so many */
	size_t synced;     /* bytes of them on disk, */
	struct buf added;  /* and the others */
	struct buf ids;    /* BASE_SIZE each, of all */
};

/* -- The file -- */

/* Zeros that are there before cost a record nothing but its own way to the
 * disk. */
static int
fill(int fd, size_t from, size_t to, struct error *error)
{
	static const uint8_t zeros[ZEROS];
	size_t at, size;

	for (at = from; at < to; at += size) {
		size = to - at < ZEROS ? to - at : ZEROS;
		if (file_write_at(fd, (off_t)at, zeros, size, error) != 0)
			return -1;
	}
	return file_sync(fd, error);
}

/* One that was cut off while it was made holds nothing; one of a version for
 * which it was shorter may, and is used as it is where there is no room to make
 * it longer.  `room` is what it has. */
static int
open_file(int dir_fd, size_t *room, struct error *error)
{
	struct stat st;
	int fd = file_open_write(dir_fd, name, 0600, error);

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		st.st_size = 0;
	*room = ACCEPT_LOG_BYTES;
	if (st.st_size == ACCEPT_LOG_BYTES)
		return fd;
	if (fill(fd, (size_t)st.st_size, *room, error) == 0 &&
	    file_sync_directory(dir_fd, error) == 0)
		return fd;
	*room = (size_t)st.st_size;
	if (st.st_size > 0 && error->code == ERROR_FULL)
		return fd;
	close(fd);
	if (st.st_size == 0)
		(void)file_unlink(dir_fd, name, NULL);
	return -1;
}

struct accept_log *
accept_log_open(const char *path, const uint8_t key[ACCEPT_LOG_KEY_SIZE],
    struct error *error)
{
	struct accept_log *log;
	size_t room;
	int dir_fd, fd;

	dir_fd = path[0] == '/' ? file_open_absolute_directory(path, error)
				: file_open_directory(AT_FDCWD, path, error);
	if (dir_fd == -1)
		return NULL;
	fd = open_file(dir_fd, &room, error);
	close(dir_fd);
	if (fd == -1)
		return NULL;
	log = memory_new(1, sizeof(*log));
	log->fd = fd;
	log->room = room;
	log->layout = accept_layout(NULL, 0);
	memcpy(log->key, key, sizeof(log->key));
	buf_init(&log->added, ACCEPT_LOG_BYTES);
	buf_init(&log->ids, ACCEPT_LOG_BYTES);
	return log;
}

void
accept_log_free(struct accept_log **log)
{
	if (*log == NULL)
		return;
	close((*log)->fd);
	buf_clear(&(*log)->added);
	buf_clear(&(*log)->ids);
	explicit_bzero((*log)->key, sizeof((*log)->key));
	memory_free(log);
}

/* -- Records -- */

/* Of head and rest, with zeros where it will stand. */
static uint64_t
sum_of(const struct accept_log *log, const uint8_t *record, size_t size)
{
	uint8_t head[HEAD_SIZE];
	uint64_t sums[2];

	memcpy(head, record, SUM_AT);
	memset(head + SUM_AT, 0, HEAD_SIZE - SUM_AT);
	sums[0] = table_siphash(log->key, head, sizeof(head));
	sums[1] = table_siphash(log->key, record + HEAD_SIZE, size - HEAD_SIZE);
	return table_siphash(log->key, sums, sizeof(sums));
}

/* Room for one of that size behind those that stand on the event; NULL: there
 * is none. */
static uint8_t *
reserve(struct accept_log *log, uint64_t sequence, size_t size)
{
	/* It was committed, and with it those before. */
	if (sequence != log->sequence)
		accept_log_clear(log);
	log->sequence = sequence;
	if (size > ACCEPT_LOG_MAX_RECORD ||
	    log->synced + log->added.size + size > log->room)
		return NULL;
	if (log->count == 0 && getrandom(&log->run, sizeof(log->run), 0) !=
				   (ssize_t)sizeof(log->run))
		return NULL;
	return buf_reserve(&log->added, size);
}

static void
put_head(
    const struct accept_log *log, struct writer *w, enum kind kind, size_t size)
{
	writer_put_u32(w, log->layout);
	writer_put_u32(w, log->count);
	writer_put_u32(w, (uint32_t)(size - HEAD_SIZE));
	writer_put_u64(w, log->sequence);
	writer_put_u64(w, 0);
	writer_put_u64(w, log->run);
	writer_put_u8(w, (uint8_t)kind);
}

/* It is whole. */
static void
added(struct accept_log *log, uint8_t *data, size_t size)
{
	struct writer w;

	writer_init(&w, data + SUM_AT, HEAD_SIZE - SUM_AT);
	writer_put_u64(&w, sum_of(log, data, size));
	buf_added(&log->added, size);
	log->count++;
}

bool
accept_log_add(struct accept_log *log, uint64_t sequence,
    const struct accept_record *record)
{
	size_t size = HEAD_SIZE + MAIL_HEAD + record->sender.size +
		      record->recipients.size + record->body.size;
	uint8_t *data = reserve(log, sequence, size);
	struct writer w;

	if (data == NULL)
		return false;
	writer_init(&w, data, size);
	put_head(log, &w, KIND_MAIL, size);
	writer_put_u8(&w, record->form);
	writer_put_u64(&w, (uint64_t)record->time);
	writer_put_raw(
	    &w, record->delivery.bytes, sizeof(record->delivery.bytes));
	writer_put_text(&w, record->sender, size);
	writer_put_text(&w, record->recipients, size);
	writer_put_text(&w, record->body, size);
	added(log, data, size);
	(void)buf_put(&log->ids, record->delivery.bytes, BASE_SIZE);
	return true;
}

bool
accept_log_add_batch(
    struct accept_log *log, uint64_t sequence, const struct accept_batch *batch)
{
	size_t size = HEAD_SIZE + BATCH_HEAD + batch->parts.size;
	uint8_t *data = reserve(log, sequence, size);
	struct writer w;

	if (data == NULL)
		return false;
	writer_init(&w, data, size);
	put_head(log, &w, KIND_BATCH, size);
	writer_put_u32(&w, batch->account);
	writer_put_u64(&w, batch->history);
	writer_put_u64(&w, (uint64_t)batch->wall_us);
	writer_put_u64(&w, batch->sequence);
	writer_put_u64(&w, batch->next_blob);
	writer_put_text(&w, batch->parts, size);
	added(log, data, size);
	return true;
}

int
accept_log_sync(struct accept_log *log, struct error *error)
{
	if (log->added.size == 0)
		return 0;
	if (file_write_at(log->fd, (off_t)log->synced, log->added.data,
		log->added.size, error) != 0 ||
	    file_sync(log->fd, error) != 0)
		return -1;
	log->synced += log->added.size;
	buf_reset(&log->added);
	return 0;
}

void
accept_log_clear(struct accept_log *log)
{
	log->count = 0;
	log->synced = 0;
	buf_reset(&log->added);
	buf_reset(&log->ids);
}

int
accept_log_wipe(struct accept_log *log, struct error *error)
{
	accept_log_clear(log);
	return fill(log->fd, 0, log->room, error);
}

bool
accept_log_is_begun(const struct accept_log *log, uint64_t sequence)
{
	return log->sequence == sequence && log->count > 0;
}

bool
accept_log_has(const struct accept_log *log)
{
	return log->synced > 0;
}

bool
accept_log_has_delivery(
    const struct accept_log *log, const struct delivery_id *delivery)
{
	for (size_t at = 0; at < log->ids.size; at += BASE_SIZE)
		if (memcmp(log->ids.data + at, delivery->bytes, BASE_SIZE) == 0)
			return true;
	return false;
}

/* -- After an unclean stop -- */

/* A sum that is right stands over what we wrote. */
static int
malformed(struct error *error)
{
	return error_set(error, ERROR_DAMAGED, "a record of accepted mail");
}

static int
read_mail(struct reader *r, const struct accept_log_handler *handler,
    void *context, struct error *error)
{
	struct accept_record record = { .form = reader_get_u8(r) };
	size_t size = r->size;

	record.time = (int64_t)reader_get_u64(r);
	reader_get_raw(r, record.delivery.bytes, sizeof(record.delivery.bytes));
	record.sender = reader_get_text(r, size);
	record.recipients = reader_get_text(r, size);
	record.body = reader_get_text(r, size);
	return reader_done(r) == 0 ? handler->accept(&record, context)
				   : malformed(error);
}

static int
read_batch(struct reader *r, const struct accept_log_handler *handler,
    void *context, struct error *error)
{
	struct accept_batch batch;
	size_t size = r->size;

	batch.account = reader_get_u32(r);
	batch.history = reader_get_u64(r);
	batch.wall_us = (int64_t)reader_get_u64(r);
	batch.sequence = reader_get_u64(r);
	batch.next_blob = reader_get_u64(r);
	batch.parts = reader_get_text(r, size);
	return reader_done(r) == 0 ? handler->apply(&batch, context)
				   : malformed(error);
}

static int
read_record(struct reader *r, const struct accept_log_handler *handler,
    void *context, struct error *error)
{
	switch (reader_get_u8(r)) {
	case KIND_MAIL:
		return read_mail(r, handler, context, error);
	case KIND_BATCH:
		return read_batch(r, handler, context, error);
	default:
		return malformed(error);
	}
}

/* Where the replay is. */
struct replay {
	const struct accept_log *log;
	struct text rest;
	uint64_t sequence; /* on which they stand */
	uint64_t run;
	uint32_t place; /* of the next one */
};

/* What follows the head of the next one.  1; 0: none that stands there follows;
 * -1: another version's does. */
static int
next_record(struct replay *replay, struct reader *body, struct error *error)
{
	const struct accept_log *log = replay->log;
	const uint8_t *bytes = (const uint8_t *)replay->rest.data;
	uint64_t sum, stands_on, run;
	uint32_t layout, place;
	struct reader r;
	size_t size;

	reader_init(&r, bytes, replay->rest.size);
	layout = reader_get_u32(&r);
	place = reader_get_u32(&r);
	size = reader_get_u32(&r);
	stands_on = reader_get_u64(&r);
	/* The first one says which event it is, if not an earlier one. */
	if (replay->place == 0 && stands_on > replay->sequence)
		replay->sequence = stands_on;
	sum = reader_get_u64(&r);
	if (place != replay->place || stands_on != replay->sequence ||
	    r.failed || size > r.size ||
	    sum_of(log, bytes, HEAD_SIZE + size) != sum)
		return 0;
	if (layout != log->layout)
		return error_set(error, ERROR_REFUSED,
		    "the log of accepted mail was written by another version: "
		    "that one has to start and stop once more");
	reader_init(body, bytes + HEAD_SIZE, size);
	run = reader_get_u64(body);
	if (replay->place++ == 0)
		replay->run = run;
	replay->rest = text_make(replay->rest.data + HEAD_SIZE + size,
	    replay->rest.size - HEAD_SIZE - size);
	return run == replay->run;
}

static int
replay_all(struct replay *replay, const struct accept_log_handler *handler,
    void *context, struct error *error)
{
	struct reader body;
	int got;

	while ((got = next_record(replay, &body, error)) == 1)
		if (read_record(&body, handler, context, error) != 0)
			return -1;
	return got;
}

int
accept_log_replay(const struct accept_log *log, uint64_t sequence,
    const struct accept_log_handler *handler, void *context,
    struct error *error)
{
	struct replay replay = { .log = log, .sequence = sequence };
	struct buf file;
	int result;

	buf_init(&file, ACCEPT_LOG_BYTES);
	(void)buf_reserve(&file, ACCEPT_LOG_BYTES);
	result = file_read_all(log->fd, &file, error);
	/* Of this life's own, those alone that were answered. */
	if (log->synced > 0 && file.size > log->synced)
		file.size = log->synced;
	replay.rest = text_make((const char *)file.data, file.size);
	if (result == 0)
		result = replay_all(&replay, handler, context, error);
	buf_clear(&file);
	return result;
}
