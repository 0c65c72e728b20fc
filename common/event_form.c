/*
 * Encoding and decoding: see event_form.h.
 */
#include "common/event_form.h"

#include "common/codec.h"

enum {
	EVENT_MAX_DETAIL = 255
};

static bool
has_note(const struct event_form *event)
{
	return event->cause != CAUSE_NONE || event->user.size > 0 ||
	       event->address.size > 0;
}

size_t
event_encode(const struct event_form *event, uint8_t *to)
{
	struct writer w;

	writer_init(&w, to, EVENT_MAX);
	writer_put_u8(&w, has_note(event) ? 2 : 1);
	writer_put_u64(&w, event->wall_us);
	writer_put_u64(&w, event->guard_us);
	writer_put_u64(&w, event->incarnation);
	writer_put_u8(&w, event->kind);
	writer_put_u8(&w, event->actor);
	writer_put_u32(&w, event->account);
	writer_put_u64(&w, event->entries);
	writer_put_raw(&w, event->content.bytes, sizeof(event->content.bytes));
	writer_put_text(&w, event->detail, EVENT_MAX_DETAIL);
	if (has_note(event)) {
		writer_put_u8(&w, event->cause);
		writer_put_text(&w, event->user, CHANGE_NOTE_MAX_USER);
		writer_put_text(&w, event->address, CHANGE_NOTE_MAX_ADDRESS);
	}
	return w.size;
}

int
event_decode(struct text value, struct event_form *event)
{
	struct reader r;
	uint8_t form;

	reader_init(&r, value.data, value.size);
	form = reader_get_u8(&r);
	if (form != 1 && form != 2)
		return -1;
	event->wall_us = reader_get_u64(&r);
	event->guard_us = reader_get_u64(&r);
	event->incarnation = reader_get_u64(&r);
	event->kind = reader_get_u8(&r);
	event->actor = reader_get_u8(&r);
	event->account = reader_get_u32(&r);
	event->entries = reader_get_u64(&r);
	reader_get_raw(&r, event->content.bytes, sizeof(event->content.bytes));
	event->detail = reader_get_text(&r, EVENT_MAX_DETAIL);
	event->cause = CAUSE_NONE;
	event->user = event->address = text_make(NULL, 0);
	if (form == 2) {
		event->cause = reader_get_u8(&r);
		event->user = reader_get_text(&r, CHANGE_NOTE_MAX_USER);
		event->address = reader_get_text(&r, CHANGE_NOTE_MAX_ADDRESS);
	}
	return reader_done(&r);
}

size_t
event_entry_encode(const struct event_entry *entry, uint8_t *to)
{
	struct writer w;

	writer_init(&w, to, EVENT_ENTRY_MAX);
	writer_put_u8(&w, 2);
	writer_put_u8(&w, entry->what);
	writer_put_u64(&w, entry->modseq);
	writer_put_u8(&w, entry->rows);
	if ((entry->rows & EVENT_HAS_BORN) != 0)
		writer_put_raw(&w, entry->born.bytes, 32);
	if ((entry->rows & EVENT_HAS_DEAD) != 0)
		writer_put_raw(&w, entry->dead.bytes, 32);
	return w.size;
}

int
event_entry_decode(struct text value, struct event_entry *entry)
{
	struct reader r;

	reader_init(&r, value.data, value.size);
	if (reader_get_u8(&r) != 2)
		return -1;
	entry->what = reader_get_u8(&r);
	entry->modseq = reader_get_u64(&r);
	entry->rows = reader_get_u8(&r);
	if ((entry->rows & EVENT_HAS_BORN) != 0)
		reader_get_raw(&r, entry->born.bytes, 32);
	if ((entry->rows & EVENT_HAS_DEAD) != 0)
		reader_get_raw(&r, entry->dead.bytes, 32);
	return reader_done(&r);
}
