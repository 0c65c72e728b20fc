/*
 * See parse_note.h.  A write of 33 bytes a parse, into the page cache: what
 * must outlive the process, not the machine.
 */
#include "imapd/parse_note.h"

#include "common/codec.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/text.h"

#include <string.h>
#include <unistd.h>

enum {
	ENTRY_SIZE = 33,
	MAGIC_SIZE = 8,
	FILE_SIZE = MAGIC_SIZE + (1 + PARSE_KEPT) * ENTRY_SIZE
};

static const char magic[MAGIC_SIZE + 1] = "parsing1";

struct entry {
	uint8_t deaths; /* 0: free */
	struct hash key;
};

struct parse_note {
	int fd; /* -1: none could be had */
	struct entry now;
	struct entry kept[PARSE_KEPT]; /* the oldest first */
	bool has_failed;               /* said once */
	bool is_end_due;               /* in the file */
	struct timer *end_timer;
};

/* -- The file -- */

static void
put_entry(struct writer *w, const struct entry *entry)
{
	writer_put_u8(w, entry->deaths);
	writer_put_raw(w, entry->key.bytes, sizeof(entry->key.bytes));
}

static void
get_entry(struct reader *r, struct entry *entry)
{
	entry->deaths = reader_get_u8(r);
	reader_get_raw(r, entry->key.bytes, sizeof(entry->key.bytes));
}

static void
write_at(struct parse_note *note, off_t at, const uint8_t *bytes, size_t size)
{
	struct error error;

	if (note->fd == -1 ||
	    file_write_at(note->fd, at, bytes, size, &error) == 0)
		return;
	if (!note->has_failed)
		log_warning("parse-note", "error=\"%s\"", error.text);
	note->has_failed = true;
}

static void
write_now(struct parse_note *note)
{
	uint8_t bytes[ENTRY_SIZE];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	put_entry(&w, &note->now);
	write_at(note, MAGIC_SIZE, bytes, w.size);
}

static void
write_whole(struct parse_note *note)
{
	uint8_t bytes[FILE_SIZE];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	writer_put_raw(&w, magic, MAGIC_SIZE);
	put_entry(&w, &note->now);
	for (size_t i = 0; i < PARSE_KEPT; i++)
		put_entry(&w, &note->kept[i]);
	write_at(note, 0, bytes, w.size);
}

/* What cannot be read is as if nothing had died. */
static void
read_file(struct parse_note *note)
{
	char found[MAGIC_SIZE];
	struct error error;
	struct reader r;
	struct buf buf;

	buf_init(&buf, FILE_SIZE);
	if (file_read_all(note->fd, &buf, &error) == 0 &&
	    buf.size == FILE_SIZE && memcmp(buf.data, magic, MAGIC_SIZE) == 0) {
		reader_init(&r, buf.data, buf.size);
		reader_get_raw(&r, found, sizeof(found));
		get_entry(&r, &note->now);
		for (size_t i = 0; i < PARSE_KEPT; i++)
			get_entry(&r, &note->kept[i]);
	}
	buf_clear(&buf);
}

/* -- Those that killed -- */

static struct entry *
find(const struct parse_note *note, const struct hash *key)
{
	for (size_t i = 0; i < PARSE_KEPT; i++)
		if (note->kept[i].deaths > 0 &&
		    memcmp(&note->kept[i].key, key, sizeof(*key)) == 0)
			return (struct entry *)(uintptr_t)&note->kept[i];
	return NULL;
}

/* A place at the end; the oldest goes if there is none. */
static struct entry *
new_entry(struct parse_note *note, const struct hash *key)
{
	size_t at = 0;

	while (at < PARSE_KEPT && note->kept[at].deaths > 0)
		at++;
	if (at == PARSE_KEPT)
		at = 0;
	memmove(&note->kept[at], &note->kept[at + 1],
	    (PARSE_KEPT - 1 - at) * sizeof(struct entry));
	note->kept[PARSE_KEPT - 1] = (struct entry){ 0, *key };
	return &note->kept[PARSE_KEPT - 1];
}

/* The worker before us died over a message. */
static void
count_death(struct parse_note *note)
{
	struct entry *entry = find(note, &note->now.key);
	char hex[65];

	if (entry == NULL)
		entry = new_entry(note, &note->now.key);
	if (entry->deaths < UINT8_MAX)
		entry->deaths++;
	text_format_hex(entry->key.bytes, sizeof(entry->key.bytes), hex);
	if (entry->deaths < PARSE_DEATHS)
		log_warning("parse-died", "message=%s deaths=%u", hex,
		    (unsigned int)entry->deaths);
	else
		log_alarm("message-quarantined", "message=%s deaths=%u", hex,
		    (unsigned int)entry->deaths);
	note->now.deaths = 0;
}

/* The turn in which it was parsed is over. */
static void
write_end(void *context)
{
	struct parse_note *note = context;

	if (!note->is_end_due)
		return;
	note->is_end_due = false;
	write_now(note);
}

struct parse_note *
parse_note_open(struct event_loop *loop, int home_fd)
{
	struct parse_note *note = memory_new(1, sizeof(*note));
	struct error error;

	note->end_timer = timer_new(loop, write_end, note);
	note->fd = file_open_write(home_fd, "parsing", 0600, &error);
	if (note->fd == -1) {
		log_warning("parse-note", "error=\"%s\"", error.text);
		return note;
	}
	read_file(note);
	if (note->now.deaths > 0)
		count_death(note);
	write_whole(note);
	return note;
}

void
parse_note_close(struct parse_note **note)
{
	if (*note == NULL)
		return;
	write_end(*note);
	timer_free(&(*note)->end_timer);
	if ((*note)->fd != -1)
		close((*note)->fd);
	memory_free(note);
}

/* -- Parsing -- */

bool
parse_note_has(const struct parse_note *note, const struct hash *key)
{
	const struct entry *entry = find(note, key);

	return entry != NULL && entry->deaths >= PARSE_DEATHS;
}

bool
parse_note_begin(struct parse_note *note, const struct hash *key)
{
	if (parse_note_has(note, key))
		return false;
	note->now = (struct entry){ 1, *key };
	note->is_end_due = false;
	write_now(note);
	return true;
}

/* One that is lived through was not what killed before. */
void
parse_note_end(struct parse_note *note)
{
	struct entry *entry = find(note, &note->now.key);

	note->now.deaths = 0;
	if (entry == NULL) {
		note->is_end_due = true;
		timer_start(note->end_timer, 0);
		return;
	}
	entry->deaths = 0;
	write_whole(note);
}

void
parse_note_add(struct parse_note *note, const struct hash *key)
{
	struct entry *entry = find(note, key);

	if (entry == NULL)
		entry = new_entry(note, key);
	entry->deaths = PARSE_DEATHS;
	write_whole(note);
}
