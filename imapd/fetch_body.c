/*
 * See fetch_body.h.  Part numbers follow RFC 3501 6.4.5: the children of a
 * multipart are counted from 1; what is no multipart has one part, itself;
 * a message/rfc822 part is entered on the way to its parts.
 */
#include "imapd/fetch_body.h"

#include "common/mail_header.h"

#include <string.h>

/* The message that part numbers are counted in: a message/rfc822 part's
 * child, or the part itself. */
static const struct mime_part *
enter(const struct mime_part *part)
{
	return part->kind == MIME_MESSAGE ? part->child : part;
}

static const struct mime_part *
find_child(const struct mime_part *part, uint32_t number)
{
	const struct mime_part *child;

	if (part->kind != MIME_MULTIPART)
		return NULL;
	for (child = part->child; child != NULL; child = child->next)
		if (--number == 0)
			return child;
	return NULL;
}

/* NULL if there is no such part. `part` is that of the whole message. */
static const struct mime_part *
find_part(const struct mime_part *part, const struct section *section)
{
	for (uint32_t i = 0; i < section->depth && part != NULL; i++) {
		uint32_t number = section->path[i];
		/* Only the root and a message's child are "a message". */
		const struct mime_part *within = i > 0 ? enter(part) : part;

		if (number == 0)
			return NULL;
		if (within->kind == MIME_MULTIPART)
			part = find_child(within, number);
		else if (number == 1 && (i == 0 || within != part))
			part = within;
		else
			return NULL;
	}
	return part;
}

static struct mime_span
join(const struct mime_part *part)
{
	struct mime_span span = part->header;

	span.size += part->body.size;
	span.wire += part->body.wire;
	span.lines += part->body.lines;
	return span;
}

static bool
wants_message(enum section_kind kind)
{
	return kind == SECTION_HEADER || kind == SECTION_HEADER_FIELDS ||
	       kind == SECTION_HEADER_FIELDS_NOT || kind == SECTION_TEXT;
}

void
fetch_body_find(const struct mime_part *root, const struct section *section,
    struct section_span *found)
{
	const struct mime_part *part = find_part(root, section);

	memset(found, 0, sizeof(*found));
	if (part != NULL && section->depth > 0 && wants_message(section->kind))
		part = part->kind == MIME_MESSAGE ? part->child : NULL;
	if (part == NULL ||
	    (section->depth == 0 && section->kind == SECTION_MIME)) {
		found->is_missing = true;
		return;
	}
	if (section->kind == SECTION_ALL && section->depth > 0 &&
	    part->kind == MIME_LEAF)
		found->header = part->header;
	if (section->kind == SECTION_ALL)
		found->span = section->depth == 0 ? join(part) : part->body;
	else if (section->kind == SECTION_TEXT)
		found->span = part->body;
	else
		found->span = part->header;
	found->is_filtered = section->kind == SECTION_HEADER_FIELDS ||
			     section->kind == SECTION_HEADER_FIELDS_NOT;
}

static int
put_some(
    struct line_ends *state, const char *data, size_t size, struct buf *out)
{
	if (state->skip >= size) {
		state->skip -= size;
		return 0;
	}
	data += state->skip;
	size -= (size_t)state->skip;
	state->skip = 0;
	if (size > state->left)
		size = (size_t)state->left;
	state->left -= size;
	return buf_put(out, data, size);
}

int
fetch_body_put_as_is(
    struct line_ends *state, struct text bytes, struct buf *out)
{
	return put_some(state, bytes.data, bytes.size, out);
}

/* Into room for twice as much, as a whole: how much it became. */
static size_t
convert(struct line_ends *state, struct text stored, uint8_t *to)
{
	const char *next = stored.data, *end = next + stored.size;
	uint8_t *at = to;

	while (next < end) {
		const char *lf = memchr(next, '\n', (size_t)(end - next));
		size_t size = (size_t)((lf == NULL ? end : lf) - next);

		memcpy(at, next, size);
		at += size;
		next += size;
		if (size > 0)
			state->after_cr = next[-1] == '\r';
		if (lf == NULL)
			break;
		if (!state->after_cr)
			*at++ = '\r';
		*at++ = '\n';
		state->after_cr = false;
		next++;
	}
	return (size_t)(at - to);
}

/* A line at a time, for what is cut in front or has little room. */
static int
put_lines(struct line_ends *state, struct text stored, struct buf *out)
{
	const char *next = stored.data, *end = next + stored.size, *lf;

	while (next < end && state->left > 0) {
		bool has_cr = state->after_cr;

		lf = memchr(next, '\n', (size_t)(end - next));
		if (lf == NULL)
			lf = end;
		if (lf > next)
			has_cr = lf[-1] == '\r';
		if (put_some(state, next, (size_t)(lf - next), out) < 0)
			return -1;
		state->after_cr = has_cr;
		if (lf == end)
			break;
		if (put_some(
			state, has_cr ? "\n" : "\r\n", has_cr ? 1 : 2, out) < 0)
			return -1;
		state->after_cr = false;
		next = lf + 1;
	}
	return 0;
}

int
fetch_body_put_wire(
    struct line_ends *state, struct text stored, struct buf *out)
{
	uint8_t *room = NULL;
	size_t size;

	if (state->skip == 0)
		room = buf_reserve(out, 2 * stored.size);
	if (room == NULL)
		return put_lines(state, stored, out);
	size = convert(state, stored, room);
	if (size > state->left)
		size = (size_t)state->left;
	buf_added(out, size);
	state->left -= size;
	return 0;
}

static struct line_ends
start(const struct section *section)
{
	return (struct line_ends){
		.skip = section->is_partial ? section->first : 0,
		.left = section->is_partial ? section->count : UINT64_MAX,
	};
}

int
fetch_body_put(
    const struct section *section, struct text stored, struct buf *out)
{
	struct line_ends state = start(section);

	return stored.size == 0 ? 0 : fetch_body_put_wire(&state, stored, out);
}

void
fetch_body_hide_nuls(void *data, size_t size)
{
	char *next = data, *end = next + size;

	while (next < end &&
	       (next = memchr(next, '\0', (size_t)(end - next))) != NULL)
		*next++ = '\x80';
}

static bool
is_named(const struct section *section, struct text name)
{
	for (uint32_t i = 0; i < section->name_count; i++)
		if (text_equal_nocase(name, section->names[i]))
			return true;
	return false;
}

int
fetch_body_filter(
    const struct section *section, struct text stored_header, struct buf *out)
{
	bool wanted = section->kind == SECTION_HEADER_FIELDS;
	bool has_end = mail_header_has_end(stored_header);
	struct line_ends state = start(section);
	struct mail_field field;

	while (mail_header_next(&stored_header, &field)) {
		if (is_named(section, field.name) != wanted)
			continue;
		if (fetch_body_put_wire(&state, field.raw, out) < 0)
			return -1;
		if (field.raw.data[field.raw.size - 1] != '\n' &&
		    put_some(&state, "\r\n", 2, out) < 0)
			return -1;
	}
	return has_end ? put_some(&state, "\r\n", 2, out) : 0;
}
