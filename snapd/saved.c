/*
 * See saved.h.
 */
#include "snapd/saved.h"

#include "common/event_form.h"
#include "snapd/event_row.h"
#include "snapd/rows.h"

struct walk {
	struct reading *reading;
	struct transaction *t;
	uint64_t sequence; /* of the event whose time is known */
	int64_t time;
	struct saved_record run; /* that is not put yet; first 0: none */
};

static int
put_run(struct walk *walk)
{
	uint8_t data[RECORD_SAVED_SIZE];
	struct writer w;

	if (walk->run.first == 0)
		return 0;
	writer_init(&w, data, sizeof(data));
	record_put_saved(&w, &walk->run);
	return w.failed ? -1 : buf_put(&walk->reading->data, data, w.size);
}

/* An event whose row is lost has no time: its messages are left out. 1, 0,
 * -1. */
static int
find_time(struct walk *walk, uint64_t sequence, struct error *error)
{
	struct key key = { .size = 0 };
	struct event_form event;
	struct text value;
	int found;

	if (walk->sequence == sequence)
		return 1;
	key_put_u64(&key, sequence);
	found = store_get(walk->t, DB_LOG, &key, &value, error);
	if (found != 1)
		return found;
	if (event_decode(value, &event) != 0)
		return error_set(error, ERROR_DAMAGED, "store: event");
	walk->sequence = sequence;
	walk->time = (int64_t)(event.wall_us / 1000000);
	return 1;
}

/* A row was born where none died: the message is new there. */
static int
add(struct walk *walk, struct text key, struct text value, struct error *error)
{
	struct saved_record next = { .mailbox = key_u64_at(key, 12),
		.first = key_u32_at(key, 20),
		.last = key_u32_at(key, 20) };
	struct event_entry entry;
	int found;

	if (next.first == 0)
		return 0;
	if (event_entry_decode(value, &entry) != 0)
		return error_set(error, ERROR_DAMAGED, "store: entry");
	if (entry.what != TOUCH_BORN || (entry.rows & EVENT_HAS_DEAD) != 0)
		return 0;
	found = find_time(walk, key_u64_at(key, 4), error);
	if (found != 1)
		return found;
	next.time = walk->time;
	if (walk->run.first != 0 && walk->run.mailbox == next.mailbox &&
	    walk->run.time == next.time && walk->run.last + 1 == next.first) {
		walk->run.last = next.last;
		return 0;
	}
	if (put_run(walk) != 0)
		return -1;
	walk->run = next;
	return 0;
}

int
saved_read(struct reading *reading, struct transaction *t, struct error *error)
{
	struct walk walk = { .reading = reading, .t = t };
	struct text key, value;
	struct cursor *cursor;
	struct key from;
	int got;

	if (reading->as_of >= reading->sequence)
		return 0;
	event_entry_key(&from, reading->account, reading->as_of + 1, 0, 0);
	cursor = cursor_open(t, DB_ACCOUNT_LOG, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u32_at(key, 0) == reading->account) {
		got = add(&walk, key, value, error);
		if (got < 0)
			break;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : put_run(&walk);
}
