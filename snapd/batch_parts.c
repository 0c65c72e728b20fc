/*
 * A batch as the log of accepted mail has it: counter u64, cause u8, user and
 * address as texts, then each part's packet as a text, whether a body came with
 * a descriptor u8, and that as a text.
 */
#include "snapd/batch_state.h"

#include "common/memory.h"
#include "snapd/accept_layout.h"

#include <string.h>

enum {
	PARTS_HEAD = 8 + 1 + 2 * 4 + CHANGE_NOTE_MAX_USER +
		     CHANGE_NOTE_MAX_ADDRESS, /* of batch_put_parts */
	PART_HEAD = 4 + 1 + 4
};

static bool
is_repeatable(const struct batch *batch)
{
	const struct part *part;

	for (part = batch->first; part != NULL; part = part->next)
		if (!accept_has_part(part_type(part)))
			return false;
	return batch->bulk == NULL && batch->spoiled == STATUS_OK;
}

bool
batch_put_parts(const struct batch *batch, struct buf *to)
{
	const struct part *part;
	struct writer w;
	size_t room = PARTS_HEAD + batch->bytes;
	uint8_t *data;

	for (part = batch->first; part != NULL; part = part->next)
		room += PART_HEAD;
	data = is_repeatable(batch) ? buf_reserve(to, room) : NULL;
	if (data == NULL)
		return false;
	writer_init(&w, data, room);
	writer_put_u64(&w, batch->counter);
	writer_put_u8(&w, batch->note.cause);
	writer_put_text(&w, text_of(batch->note.user), CHANGE_NOTE_MAX_USER);
	writer_put_text(
	    &w, text_of(batch->note.address), CHANGE_NOTE_MAX_ADDRESS);
	for (part = batch->first; part != NULL; part = part->next) {
		writer_put_text(&w, text_make(part->packet, part->size), room);
		writer_put_u8(&w, part->body != NULL);
		writer_put_text(
		    &w, text_make(part->body, part->body_size), room);
	}
	if (w.failed)
		return false;
	buf_added(to, w.size);
	return true;
}

/* The next part of those bytes. */
static bool
take_part(struct batch *batch, struct reader *r)
{
	struct text packet = reader_get_text(r, r->size);
	bool has_body = reader_get_u8(r) != 0;
	struct text bytes = reader_get_text(r, r->size);
	struct message message;
	struct error error;
	uint8_t *body = NULL;

	if (r->failed ||
	    message_decode((const uint8_t *)packet.data, packet.size,
		ROLE_WORKER, ROLE_SNAPD, &message, &error) != 0)
		return false;
	if (has_body) {
		body = memory_new(1, bytes.size + 1);
		memcpy(body, bytes.data, bytes.size);
	}
	return batch_add(batch, &message, body, bytes.size) == 0;
}

struct batch *
batch_of_parts(struct text parts)
{
	struct batch *batch;
	struct text user, address;
	struct reader r;
	uint8_t cause;
	bool is_one;

	reader_init(&r, parts.data, parts.size);
	batch = batch_new(reader_get_u64(&r));
	cause = reader_get_u8(&r);
	user = reader_get_text(&r, CHANGE_NOTE_MAX_USER);
	address = reader_get_text(&r, CHANGE_NOTE_MAX_ADDRESS);
	is_one =
	    !r.failed && change_note_take(&batch->note, cause, user, address);
	while (is_one && r.size > 0)
		is_one = take_part(batch, &r);
	if (!is_one)
		batch_free(&batch);
	return batch;
}

int
batch_each_append(const struct batch *batch,
    int (*callback)(const struct message_change_append *append,
	struct text body, void *context),
    void *context)
{
	const struct part *part;
	struct message message;
	struct error error;
	int said = 0;

	for (part = batch->first; part != NULL && said == 0; part = part->next)
		if (part_type(part) == MESSAGE_change_append &&
		    message_decode(part->packet, part->size, ROLE_WORKER,
			ROLE_SNAPD, &message, &error) == 0)
			said = callback(&message.change_append,
			    part->body != NULL
				? text_make(part->body, part->body_size)
				: message.change_append.data,
			    context);
	return said;
}
